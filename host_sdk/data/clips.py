"""Clips as files and as samples."""

from pathlib import Path

import numpy as np

from host_sdk import golden
from host_sdk.errors import MotionletError
from host_sdk.files import read_arrays
from host_sdk.format.normalization import HUNDREDTHS, sample_range, to_samples
from host_sdk.golden.frames import sample_type


def load_array(path):
    """Read the array of a `.npy` file, or of an `.npz` file that holds one array."""
    arrays = read_arrays(path, "a .npy or .npz file")
    if len(arrays) != 1:
        raise MotionletError(f"{path} holds {len(arrays)} arrays, 1 is needed")
    return next(iter(arrays.values()))


def native_order(array):
    """Return an array in this machine's order of bytes, which a file need not have."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def refuse_picture(shape):
    """Raise MotionletError if a shape [T, H, W] is more likely that of one picture [H, W, C].

    Sensors are seldom as narrow as 3 or 4 pixels, and those that are hardly 4 times as tall.
    """
    if shape[2] in (3, 4) and shape[1] > 4 * shape[2]:
        raise MotionletError(
            f"an array {list(shape)}: one picture of {shape[2]} channels? a clip is [T, H, W] or "
            "[T, H, W, C]"
        )


def load_clip(path, samples_per_unit=HUNDREDTHS):
    """Read a clip: `.npy`, or an `.npz` with one array, [T, H, W] or [T, H, W, C].

    uint8 are pixels, int16 samples such as hundredths of a degree C; floats are degrees, which
    become samples. Returns uint8 or int16 [T, H, W, C]. Raises MotionletError naming what is wrong.
    """
    if Path(path).suffix.lower() not in (".npy", ".npz"):
        suffix = Path(path).suffix or "no suffix"
        raise MotionletError(
            f"{path}: neither a video (.mp4, .mov, .avi, .mkv, .webm, .gif …) nor an array (.npy, "
            f".npz): {suffix}"
        )
    content = native_order(load_array(path))
    if content.ndim == 3:
        try:
            refuse_picture(content.shape)
        except MotionletError as error:
            raise MotionletError(f"{path}: {error}") from None
        content = content[..., np.newaxis]
    if content.size == 0:
        raise MotionletError(f"{path} holds no frames: {list(content.shape)}")
    if content.dtype.kind == "f" and content.ndim == 4:
        try:
            content = to_samples(content, samples_per_unit)
        except MotionletError as error:
            raise MotionletError(f"{path}: {error}") from None
    if content.dtype not in (np.uint8, np.int16) or content.ndim != 4:
        raise MotionletError(
            f"{path} holds {content.dtype} {list(content.shape)}; a clip is uint8, int16 or float, "
            "[frames, height, width] or [frames, height, width, channels]"
        )
    return content


def noise_clip(graph, frames=8, seed=0, given=None):
    """Return smooth noise for an input: a clip to verify with when none is given.

    `given` is the `Input`, by default the only one. The noise spans what the normalization lets
    through, and a little more.
    """
    given = given or graph.input
    height, width, channels = graph.tensors[given.tensor].shape
    kind, low, span = np.uint8, 0, 256
    if given.pixel_format != "raw":
        normalization = given.normalization
        kind = normalization.sample_type
        span = 2 + int(255 * 2**normalization.shift / normalization.multiplier)
        low = normalization.offset
    least, most = sample_range(np.dtype(kind).name)
    shape = (frames, -(-height // 4), -(-width // 4), channels)
    coarse = np.random.default_rng(seed).integers(low, low + span, shape).clip(least, most)
    return coarse.astype(kind).repeat(4, axis=1).repeat(4, axis=2)[:, :height, :width]


def to_input(graph, clip, given=None):
    """Return a clip [T, h, w, C] as samples of the size of an input, [T, H, W, C].

    `given` is the `Input`, by default the only one. A frame of another size is resized by area, as
    the device does it (SPEC.md section 3). For a raw input, uint8 becomes int8 as it is. Raises
    MotionletError when the clip does not fit.
    """
    given = given or graph.input
    tensor = graph.tensors[given.tensor]
    if given.pixel_format == "raw":
        if clip.shape[1:] != tensor.shape:
            raise MotionletError(
                f"the clip's frames are {list(clip.shape[1:])}, the model takes raw "
                f"{list(tensor.shape)}"
            )
        return clip.view(np.int8)
    channels = clip.shape[3]
    source = "int16" if clip.dtype == np.int16 else {1: "gray8", 3: "rgb888"}.get(channels)
    if source is None or (source == "int16" and channels != 1):
        wanted = "1 is" if clip.dtype == np.int16 else "1 or 3 are"
        raise MotionletError(f"the clip has {channels} channels; {wanted} needed")
    if sample_type(source) != given.normalization.sample_type:
        raise MotionletError(
            f"the clip holds {clip.dtype}, the model takes {given.normalization.sample_type}"
        )
    if clip.shape[1:] == tensor.shape:
        return clip
    height, width = clip.shape[1:3]
    return np.stack(
        [
            golden.frame_to_samples(frame.tobytes(), source, width, height, tensor.shape)
            for frame in clip
        ]
    )
