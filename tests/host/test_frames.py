"""Camera frames into tensors: golden against SPEC.md pixel by pixel, and C against golden."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden, native
from host_sdk.errors import MotionletError
from host_sdk.golden.frames import BYTES_A_PIXEL
from host_sdk.mlet_format import FRAME_FORMATS


def c_frame(frame_format, width, height, crop):
    ffi, _ = native.library()
    frame = ffi.new("mlet_frame_t *")
    frame.format, frame.width, frame.height = FRAME_FORMATS[frame_format], width, height
    frame.crop_x, frame.crop_y, frame.crop_width, frame.crop_height = crop
    return frame


def c_shape(shape):
    ffi, _ = native.library()
    height, width, channels = shape
    return ffi.new("mlet_shape_t *", {"height": height, "width": width, "channels": channels})[0]


def c_field(frame, shape):
    """The field that C refuses, or None."""
    ffi, lib = native.library()
    field = ffi.new("const char **")
    status = lib.mlet_frame_check(frame, c_shape(shape), field)
    assert status in (lib.MLET_OK, lib.MLET_E_FRAME)
    return None if status == lib.MLET_OK else ffi.string(field[0]).decode()


def c_frame_to_tensor(pixels, frame_format, width, height, shape, crop):
    ffi, lib = native.library()
    frame = c_frame(frame_format, width, height, crop)
    assert c_field(frame, shape) is None
    assert lib.mlet_frame_bytes(frame) == len(pixels)
    x = np.zeros(shape, np.int8)
    source = ffi.from_buffer("uint8_t[]", pixels)
    target = ffi.cast("int8_t *", x.ctypes.data)
    assert lib.mlet_frame_to_tensor(frame, source, c_shape(shape), target) == lib.MLET_OK
    return x


@st.composite
def cases(draw, most=24):
    """(pixels, format, width, height, shape, crop)"""
    frame_format = draw(st.sampled_from(list(FRAME_FORMATS)))
    width, height = draw(st.integers(1, most)), draw(st.integers(1, most))
    width += width % 2 if frame_format == "yuv422" else 0
    crop_width, crop_height = draw(st.integers(1, width)), draw(st.integers(1, height))
    crop = (
        draw(st.integers(0, width - crop_width)),
        draw(st.integers(0, height - crop_height)),
        crop_width,
        crop_height,
    )
    channels = 1 if frame_format == "yuv422" else draw(st.sampled_from([1, 3]))
    target = draw(
        st.one_of(
            st.just((crop_height, crop_width)),
            st.tuples(st.integers(1, most), st.integers(1, most)),
        )
    )
    size = width * height * BYTES_A_PIXEL[frame_format]
    rng = np.random.default_rng(draw(strategies.seeds))
    pixels = strategies.fill(rng, size, 0, 255, draw(strategies.styles)).astype(np.uint8)
    return pixels.tobytes(), frame_format, width, height, (*target, channels), crop


def pixel(data, frame_format, width, x, y):
    """(R, G, B) of one pixel, or (Y, Y, Y), straight from SPEC.md's table."""
    at = (y * width + x) * BYTES_A_PIXEL[frame_format]
    if frame_format in ("gray8", "yuv422"):
        return (data[at],) * 3
    if frame_format == "rgb888":
        return tuple(data[at : at + 3])
    order = "little" if frame_format == "rgb565_le" else "big"
    v = int.from_bytes(data[at : at + 2], order)
    r5, g6, b5 = v >> 11, (v >> 5) & 63, v & 31
    return r5 << 3 | r5 >> 2, g6 << 2 | g6 >> 4, b5 << 3 | b5 >> 2


def overlap(a, b, c, d):
    return max(0, min(b, d) - max(a, c))


@given(case=cases(most=9))
def test_golden_says_what_the_specification_says(case):
    data, frame_format, frame_width, _, (height, width, channels), (x0, y0, w, h) = case
    got = golden.frame_to_tensor(*case)
    for k in range(height):
        for j in range(width):
            sums = [0] * channels
            for line in range(h):
                for i in range(w):
                    a = overlap(i * width, (i + 1) * width, j * w, (j + 1) * w)
                    b = overlap(line * height, (line + 1) * height, k * h, (k + 1) * h)
                    if a * b == 0:
                        continue
                    red, green, blue = pixel(data, frame_format, frame_width, x0 + i, y0 + line)
                    grey = (77 * red + 150 * green + 29 * blue + 128) >> 8
                    values = (grey,) if channels == 1 else (red, green, blue)
                    sums = [s + a * b * v for s, v in zip(sums, values, strict=True)]
            expected = [(s + w * h // 2) // (w * h) - 128 for s in sums]
            assert got[k, j].tolist() == expected


@given(case=cases(most=40))
def test_c_equals_golden(case):
    np.testing.assert_array_equal(c_frame_to_tensor(*case), golden.frame_to_tensor(*case))


@pytest.mark.parametrize("size", [(4096, 2048), (2048, 4096), (2896, 2896)])
@pytest.mark.parametrize("value", [0, 255])
def test_the_largest_crop_does_not_overflow(size, value):
    width, height = size
    case = (bytes([value]) * (width * height), "gray8", width, height, (2, 3, 1), (0, 0, *size))
    assert c_frame_to_tensor(*case).tolist() == [[[value - 128]] * 3] * 2


def test_large_frame():
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, 640 * 480 * 2).astype(np.uint8).tobytes()
    case = (pixels, "rgb565_be", 640, 480, (32, 32, 1), (80, 0, 480, 480))
    np.testing.assert_array_equal(c_frame_to_tensor(*case), golden.frame_to_tensor(*case))


def test_same_size_copies_pixels():
    pixels = bytes(range(256))
    x = golden.frame_to_tensor(pixels, "gray8", 16, 16, (16, 16, 1))
    assert x.reshape(-1).tolist() == list(range(-128, 128))


# What is wrong, the frame's arguments, what golden says, and the field C names.
WRONG = [
    ((b"\0" * 15, "gray8", 4, 4, (2, 2, 1), None), "frame has 15 bytes, 4x4 needs 16", None),
    ((b"\0" * 9, "yuv422", 3, 3, (2, 2, 1), None), "even width, not 3", "width"),
    ((b"\0" * 32, "yuv422", 4, 4, (2, 2, 3), None), "becomes 1 channel", "format"),
    ((b"\0" * 16, "gray8", 4, 4, (2, 2, 2), None), "1 channel or 3, not 2", "channels"),
    ((b"\0" * 16, "gray8", 4, 4, (2, 2, 1), (1, 0, 4, 4)), "crop 4x4 at (1, 0)", "crop width"),
    ((b"\0" * 16, "gray8", 4, 4, (2, 2, 1), (0, 3, 1, 2)), "crop 1x2 at (0, 3)", "crop height"),
    ((b"\0" * 16, "gray8", 4, 4, (2, 2, 1), (0, 0, 0, 4)), "crop 0x4", "crop width"),
    ((bytes(3000 * 3000), "gray8", 3000, 3000, (2, 2, 1), None), "at most 8388608", "crop width"),
    ((bytes(4097), "gray8", 4097, 1, (2, 2, 1), (0, 0, 4, 1)), "4097x1 is not", "width"),
    ((bytes(4097), "gray8", 1, 4097, (2, 2, 1), (0, 0, 1, 4)), "1x4097 is not", "height"),
]


@pytest.mark.parametrize(("case", "message", "field"), WRONG, ids=[m for _, m, _ in WRONG])
def test_wrong_frames(case, message, field):
    with pytest.raises(MotionletError) as caught:
        golden.frame_to_tensor(*case)
    assert message in str(caught.value)
    _, frame_format, width, height, shape, crop = case
    named = c_field(c_frame(frame_format, width, height, crop or (0, 0, width, height)), shape)
    assert named == field


def test_unknown_format():
    with pytest.raises(MotionletError, match="'bgr' is not known; there are gray8"):
        golden.frame_to_tensor(b"\0", "bgr", 1, 1, (1, 1, 1))
    frame = c_frame("gray8", 1, 1, (0, 0, 1, 1))
    frame.format = len(FRAME_FORMATS)
    assert c_field(frame, (1, 1, 1)) == "format"


@given(data=st.data())
def test_c_refuses_what_golden_refuses(data):
    """Any numbers at all: the two accept the same frames."""
    small = st.one_of(st.integers(0, 8), st.sampled_from([0xFFFF, 0x8000, 4096]))
    frame_format = data.draw(st.sampled_from(list(FRAME_FORMATS)))
    sides = st.one_of(st.integers(0, 8), st.sampled_from([4096, 4097]))
    width, height = data.draw(sides), data.draw(st.integers(0, 8))
    crop = tuple(data.draw(small) for _ in range(4))
    shape = tuple(data.draw(st.integers(1, 4)) for _ in range(3))
    pixels = bytes(width * height * BYTES_A_PIXEL[frame_format])
    try:
        golden.frame_to_tensor(pixels, frame_format, width, height, shape, crop)
        accepted = True
    except MotionletError:
        accepted = False
    assert (c_field(c_frame(frame_format, width, height, crop), shape) is None) == accepted
