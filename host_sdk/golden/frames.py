"""Camera frames into samples and tensors, SPEC.md section 3, in numpy integers."""

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.mlet import FRAME_FORMATS, LIMITS
from host_sdk.format.normalization import HUNDREDTHS, PIXELS, to_samples

BYTES_A_PIXEL = {
    "gray8": 1,
    "rgb888": 3,
    "rgb565_le": 2,
    "rgb565_be": 2,
    "yuv422": 2,
    "int16": 2,
    "float32": 4,
}
MAX_CROP_PIXELS = {"uint8": 1 << 23, "int16": 1 << 16}  # so that sums fit in 32 bits


def sample_type(frame_format):
    """Return what a frame's pixels become, "uint8" or "int16"."""
    return "int16" if frame_format in ("int16", "float32") else "uint8"


def frame_to_samples(
    pixels, frame_format, width, height, shape, crop=None, samples_per_unit=HUNDREDTHS
):
    """Crop one frame and resize it by area.

    `pixels`: bytes of a frame of `width` x `height`, rows from the top. `shape`: (H, W, C) of the
    result, C 1 for grey, temperatures and the like, or 3 for R, G, B. `crop`: (x, y, width,
    height) inside the frame, all of it by default. `samples_per_unit` is for float32. Returns
    uint8, or int16 from the formats int16 and float32, [H, W, C]; raises MotionletError when the
    numbers do not fit or too many of float32 are NaN.
    """
    crop = crop or (0, 0, width, height)
    _check(len(pixels), frame_format, width, height, shape, crop)
    x, y, w, h = crop
    kind = sample_type(frame_format)
    if kind == "int16":
        source = np.frombuffer(bytes(pixels), "<i2" if frame_format == "int16" else "<f4")
        if frame_format == "float32":
            source = to_samples(source.reshape(height, width, 1), samples_per_unit)
        source = source.astype(np.int64).reshape(height, width, 1)
    elif shape[2] == 1:
        source = grey(pixels, frame_format, width, height)
    else:
        source = rgb(pixels, frame_format, width, height)
    return area_resize(source[y : y + h, x : x + w], shape[0], shape[1]).astype(kind)


def frame_to_tensor(pixels, frame_format, width, height, shape, crop=None):
    """Turn a frame of 8-bit pixels into int8 [H, W, C] as `frame_to_samples`, q = v - 128."""
    if sample_type(frame_format) != "uint8":
        raise MotionletError(f"a frame of {frame_format} needs a normalization to become int8")
    samples = frame_to_samples(pixels, frame_format, width, height, shape, crop)
    return PIXELS.step(samples)[0]


def rgb(pixels, frame_format, width, height):
    """Return R, G, B of a frame as int64 [height, width, 3]."""
    data = np.frombuffer(bytes(pixels), np.uint8).astype(np.int64)
    data = data.reshape(height, width, BYTES_A_PIXEL[frame_format])
    if frame_format == "gray8":
        return np.repeat(data, 3, axis=2)
    if frame_format == "rgb888":
        return data
    first, second = data[..., 0], data[..., 1]
    v = first + 256 * second if frame_format == "rgb565_le" else 256 * first + second
    r5, g6, b5 = v >> 11, (v >> 5) & 63, v & 31
    return np.stack([r5 << 3 | r5 >> 2, g6 << 2 | g6 >> 4, b5 << 3 | b5 >> 2], axis=2)


def grey(pixels, frame_format, width, height):
    """Return the grey of a frame as int64 [height, width, 1]."""
    if frame_format == "yuv422":
        data = np.frombuffer(bytes(pixels), np.uint8).astype(np.int64)
        return data.reshape(height, width, 2)[..., :1]
    r, g, b = np.moveaxis(rgb(pixels, frame_format, width, height), 2, 0)
    return ((77 * r + 150 * g + 29 * b + 128) >> 8)[..., None]


def area_resize(source, height, width):
    """Resize [h, w, C] to [height, width, C]: means over areas, rounded half up."""
    h, w = source.shape[:2]
    rows, columns = _overlaps(h, height), _overlaps(w, width)
    weighted = np.einsum("kl,ji,lic->kjc", rows, columns, source, optimize=True)
    return (weighted + w * h // 2) // (w * h)


def _overlaps(source, target):
    """Return [target, source] lengths of overlap, in units of 1 / (source * target)."""
    i, j = np.arange(source), np.arange(target)[:, None]
    end = np.minimum((i + 1) * target, (j + 1) * source)
    return np.maximum(0, end - np.maximum(i * target, j * source))


def _check(length, frame_format, width, height, shape, crop):
    if frame_format not in FRAME_FORMATS:
        known = ", ".join(FRAME_FORMATS)
        raise MotionletError(f"frame format {frame_format!r} is not known; there are {known}")
    if not (1 <= width <= LIMITS["max_dim"] and 1 <= height <= LIMITS["max_dim"]):
        most = LIMITS["max_dim"]
        raise MotionletError(f"a frame of {width}x{height} is not in 1x1 to {most}x{most}")
    if shape[2] not in (1, 3):
        raise MotionletError(f"a frame becomes 1 channel or 3, not {shape[2]}")
    if frame_format in ("yuv422", "int16", "float32") and shape[2] != 1:
        raise MotionletError(f"a {frame_format} frame becomes 1 channel, not 3")
    if frame_format == "yuv422" and width % 2:
        raise MotionletError(f"a yuv422 frame has an even width, not {width}")
    needed = width * height * BYTES_A_PIXEL[frame_format]
    if length != needed:
        raise MotionletError(f"frame has {length} bytes, {width}x{height} needs {needed}")
    x, y, w, h = crop
    if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
        raise MotionletError(f"crop {w}x{h} at ({x}, {y}) is not inside a {width}x{height} frame")
    most = MAX_CROP_PIXELS[sample_type(frame_format)]
    if w * h > most:
        raise MotionletError(f"crop of {w * h} pixels; at most {most} are resized")
