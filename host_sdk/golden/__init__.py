"""The golden model: SPEC.md read in numpy integers. Everything else must equal it, bit for bit."""

from host_sdk.golden.frames import frame_to_samples, frame_to_tensor
from host_sdk.golden.inputs import frame_by_frame
from host_sdk.golden.model import Stream, frames_kept, run_clip, run_op
from host_sdk.golden.ops import argmax, requantize

__all__ = [
    "Stream",
    "argmax",
    "frame_by_frame",
    "frame_to_samples",
    "frame_to_tensor",
    "frames_kept",
    "requantize",
    "run_clip",
    "run_op",
]
