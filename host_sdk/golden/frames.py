"""Camera frames into tensors, SPEC.md section 3, in numpy integers."""

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.mlet_format import FRAME_FORMATS, LIMITS

BYTES_A_PIXEL = {"gray8": 1, "rgb888": 3, "rgb565_le": 2, "rgb565_be": 2, "yuv422": 2}
MAX_CROP_PIXELS = 1 << 23


def frame_to_tensor(pixels, frame_format, width, height, shape, crop=None):
    """Crop, resize by area and quantize one frame.

    `pixels`: bytes of a frame of `width` x `height`, rows from the top. `shape`: (H, W, C) of the
    tensor, C 1 for grey or 3 for R, G, B. `crop`: (x, y, width, height) inside the frame, all of
    it by default. Returns int8 [H, W, C]; raises MotionletError when the numbers do not fit.
    """
    crop = crop or (0, 0, width, height)
    _check(len(pixels), frame_format, width, height, shape, crop)
    x, y, w, h = crop
    if shape[2] == 1:
        source = grey(pixels, frame_format, width, height)
    else:
        source = rgb(pixels, frame_format, width, height)
    out = area_resize(source[y : y + h, x : x + w], shape[0], shape[1])
    return (out - 128).astype(np.int8)


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
    if frame_format == "yuv422" and shape[2] != 1:
        raise MotionletError("a yuv422 frame becomes 1 channel (its Y), not 3")
    if frame_format == "yuv422" and width % 2:
        raise MotionletError(f"a yuv422 frame has an even width, not {width}")
    needed = width * height * BYTES_A_PIXEL[frame_format]
    if length != needed:
        raise MotionletError(f"frame has {length} bytes, {width}x{height} needs {needed}")
    x, y, w, h = crop
    if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
        raise MotionletError(f"crop {w}x{h} at ({x}, {y}) is not inside a {width}x{height} frame")
    if w * h > MAX_CROP_PIXELS:
        raise MotionletError(f"crop of {w * h} pixels; at most {MAX_CROP_PIXELS} are resized")
