"""Clips as files and as tensors."""

import zipfile
from pathlib import Path

import numpy as np

from host_sdk import golden
from host_sdk.errors import MotionletError


def load_array(path):
    """Read the array of a `.npy` file, or of an `.npz` file that holds one array."""
    path = Path(path)
    try:
        content = np.load(path)
        if not isinstance(content, np.ndarray):
            with content as archive:
                if len(archive.files) != 1:
                    raise MotionletError(f"{path} holds {len(archive.files)} arrays, 1 is needed")
                content = archive[archive.files[0]]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "not a .npy or .npz file"
        raise MotionletError(f"{path}: {reason}") from None
    return content


def load_clip(path):
    """Read a clip: `.npy`, or an `.npz` with one array; uint8 [T, H, W] or [T, H, W, C].

    Returns uint8 [T, H, W, C]. Raises MotionletError naming what is wrong.
    """
    content = load_array(path)
    if content.ndim == 3:
        content = content[..., np.newaxis]
    if content.dtype != np.uint8 or content.ndim != 4 or content.shape[0] == 0:
        raise MotionletError(
            f"{path} holds {content.dtype} {list(content.shape)}; "
            "a clip is uint8 [frames, height, width] or [frames, height, width, channels]"
        )
    return content


def noise_clip(shape, frames=8, seed=0):
    """Return uint8 [frames, H, W, C] of smooth noise: a clip to verify with when none is given."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    coarse = rng.integers(0, 256, (frames, -(-height // 4), -(-width // 4), channels), np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]


def pixels_to_int8(pixels):
    """Return q = v - 128 (SPEC.md section 3): uint8 pixels as int8 of the same shape."""
    return (np.ascontiguousarray(pixels, np.uint8) ^ 0x80).view(np.int8)


def int8_to_pixels(tensor):
    """Undo `pixels_to_int8`."""
    return np.ascontiguousarray(tensor, np.int8).view(np.uint8) ^ 0x80


def to_tensor(graph, clip):
    """Return `clip`, uint8 [T, h, w, C], as the graph's input, int8 [T, H, W, C].

    A frame of another size is resized by area, as the device does it (SPEC.md section 3).
    Raises MotionletError when the channels do not fit.
    """
    tensor = graph.tensors[graph.inputs[0]]
    if graph.pixel_format == "raw":
        if clip.shape[1:] != tensor.shape:
            raise MotionletError(
                f"the clip's frames are {list(clip.shape[1:])}, the model takes raw "
                f"{list(tensor.shape)}"
            )
        return clip.view(np.int8)
    if clip.shape[3] not in (1, 3):
        raise MotionletError(f"the clip has {clip.shape[3]} channels; 1 or 3 are needed")
    if clip.shape[1:] == tensor.shape:
        return pixels_to_int8(clip)
    source = "gray8" if clip.shape[3] == 1 else "rgb888"
    height, width = clip.shape[1:3]
    return np.stack(
        [
            golden.frame_to_tensor(frame.tobytes(), source, width, height, tensor.shape)
            for frame in clip
        ]
    )
