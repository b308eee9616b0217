"""Camera frames into tensors: golden against SPEC.md pixel by pixel, and C against golden."""

from dataclasses import replace

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden, native
from host_sdk.errors import MotionletError
from host_sdk.format.graph import Graph, Input, Op
from host_sdk.format.mlet import FRAME_FORMATS, PIXEL_FORMATS
from host_sdk.format.normalization import Normalization, to_samples
from host_sdk.golden.frames import BYTES_A_PIXEL
from host_sdk.pack import mlet_file, planner

WIDE = [FRAME_FORMATS["int16"], FRAME_FORMATS["float32"]]
OF_8_BITS = [name for name, code in FRAME_FORMATS.items() if code not in WIDE]


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


def c_field(frame, shape, pixel_format=None):
    """The field that C refuses, or None. By default the input fits the frame's format."""
    ffi, lib = native.library()
    field = ffi.new("const char **")
    pixel_format = pixel_format or ("int16" if frame.format in WIDE else "gray8")
    status = lib.mlet_frame_check(frame, PIXEL_FORMATS[pixel_format], c_shape(shape), field)
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
    frame_format = draw(st.sampled_from(OF_8_BITS))
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


def thermal_stream(height, width, normalization):
    """The C core on a model whose input is int16 of this size."""
    graph = Graph(inputs=[Input(0, "int16", normalization)], outputs=[1])
    zero = normalization.zero_point
    graph.tensors = [strategies.tensor(name, (height, width, 1), 1.0, zero) for name in "xy"]
    graph.ops = [Op("temporal_shift", "shift", [0], 1, shift_channels=1)]
    return native.Stream(native.Model(mlet_file.pack(graph, planner.plan(graph))))


@given(data=st.data())
def test_c_equals_golden_on_temperatures(data):
    """Frames of int16 and float32, cropped and resized, through a normalization."""
    frame_format = data.draw(st.sampled_from(["int16", "float32"]))
    normalization = data.draw(strategies.normalizations(["int16"]))
    side = st.integers(1, 12)
    width, height, w, h = (data.draw(side) for _ in range(4))
    width, height = max(w, width), max(h, height)
    crop = data.draw(st.integers(0, width - w)), data.draw(st.integers(0, height - h)), w, h
    shape = data.draw(st.one_of(st.just((h, w)), st.tuples(side, side)))
    stream, state = thermal_stream(*shape, normalization), None
    for _ in range(data.draw(st.integers(1, 3))):
        frame = draw_temperatures(data, frame_format, height * width)
        samples = golden.frame_to_samples(
            *(frame, frame_format, width, height, (*shape, 1), crop),
            samples_per_unit=normalization.samples_per_unit,
        )
        expected, state = normalization.step(samples, state)
        got = stream.load_frame(frame, frame_format, width, height, crop)
        np.testing.assert_array_equal(got, expected)


def draw_temperatures(data, frame_format, count):
    """The bytes of a frame: any samples, or any numbers, many of them halfway between samples."""
    rng = np.random.default_rng(data.draw(strategies.seeds))
    style = data.draw(st.sampled_from(["bits", "halves", "room"]))
    if frame_format == "int16":
        return rng.integers(-(2**15), 2**15, count).astype("<i2").tobytes()
    if style == "bits":
        values = rng.integers(0, 2**32, count).astype("<u4").view("<f4")
        return np.where(np.isnan(values), np.float32(np.inf), values).astype("<f4").tobytes()
    if style == "halves":
        return (rng.integers(-70000, 70000, count) / 2).astype("<f4").tobytes()
    return rng.normal(22, 3, count).astype("<f4").tobytes()


@pytest.mark.parametrize("value", [-(2**15), 2**15 - 1])
@pytest.mark.parametrize("size", [(256, 256), (4096, 16), (16, 4096)])
def test_the_largest_crop_of_temperatures_does_not_overflow(value, size):
    frame = np.full(2**16, value, "<i2").tobytes()
    samples = golden.frame_to_samples(frame, "int16", *size, (2, 3, 1))
    assert samples.tolist() == [[[value]] * 3] * 2
    normalization = Normalization.window(-300, 300, "int16")
    got = thermal_stream(2, 3, normalization).load_frame(frame, "int16", *size)
    np.testing.assert_array_equal(got, normalization.step(samples)[0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 255))
def test_any_float32_becomes_the_same_sample(bits, samples_per_unit):
    frame = bits.to_bytes(4, "little")
    x = np.frombuffer(frame, "<f4")
    # Its sample is found among the 16 bits, 8 at a time.
    high = Normalization(
        *("window", "int16", 1, 8, 0, 1.0), offset=-128, samples_per_unit=samples_per_unit
    )
    stream = thermal_stream(1, 1, high)
    if np.isnan(x[0]):
        with pytest.raises(MotionletError, match="holds too many NaN"):
            stream.load_frame(frame, "float32", 1, 1)
        return
    sample = to_samples(x, samples_per_unit)
    got = stream.load_frame(frame, "float32", 1, 1)
    np.testing.assert_array_equal(got.ravel(), high.step(sample)[0])
    window = replace(high, multiplier=2, shift=1, offset=int(sample[0]))
    got = thermal_stream(1, 1, window).load_frame(frame, "float32", 1, 1)
    assert got.item() == 0


def naive_bridge(frame, unit):
    """SPEC.md's words for each sample of a frame [H, W] of floats; None: refused."""
    samples, missing = {}, []
    for place, x in np.ndenumerate(frame):
        if np.isnan(x):
            missing.append(place)
        else:
            samples[place] = int(to_samples(np.array([x]), unit)[0])
    bridged = dict(samples)
    for i, j in missing:
        around = [(i, j - 1), (i, j + 1), (i - 1, j), (i + 1, j)]
        values = [samples[place] for place in around if place in samples]
        if not values:
            return None
        bridged[i, j] = (sum(values) + len(values) // 2) // len(values)
    if len(missing) > 8:
        return None
    return np.array([bridged[place] for place in np.ndindex(frame.shape)]).reshape(frame.shape)


@given(data=st.data())
def test_missing_samples_are_bridged(data):
    """In SPEC.md's words, in numpy, and in C through the crop, or refused by all."""
    height, width = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    rng, unit = np.random.default_rng(data.draw(strategies.seeds)), data.draw(st.integers(1, 255))
    frame = rng.normal(0, data.draw(st.sampled_from([1, 300, 1e9])), (height, width)).astype("<f4")
    count = data.draw(st.integers(0, min(10, height * width)))
    frame.reshape(-1)[rng.permutation(height * width)[:count]] = np.nan
    x, y = rng.integers(0, width), rng.integers(0, height)
    crop = (
        int(x),
        int(y),
        int(rng.integers(1, width - x + 1)),
        int(rng.integers(1, height - y + 1)),
    )
    shape = (*rng.integers(1, 5, 2).tolist(), 1)
    n = replace(Normalization.background(2, 1, "int16"), samples_per_unit=unit)
    stream = thermal_stream(*shape[:2], n)
    before = stream.memory.copy()

    def in_c():
        return stream.load_frame(frame.tobytes(), "float32", width, height, crop)

    def in_numpy():
        return golden.frame_to_samples(frame.tobytes(), "float32", width, height, shape, crop, unit)

    wanted = naive_bridge(frame, unit)
    if wanted is None:
        with pytest.raises(MotionletError, match="holds too many NaN"):
            in_c()
        with pytest.raises(MotionletError, match=r"not (a number|numbers) \(NaN\)"):
            in_numpy()
        np.testing.assert_array_equal(stream.memory, before)
        return
    np.testing.assert_array_equal(to_samples(frame[..., None], unit)[..., 0], wanted)
    np.testing.assert_array_equal(in_c(), n.step(in_numpy())[0])


def test_pixels_that_are_always_missing():
    """A film of a sensor with four dead pixels: as if their neighbours had been seen there."""
    rng = np.random.default_rng(3)
    film = rng.normal(25, 3, (5, 24, 32, 1)).astype("<f4")
    film[:, [0, 7, 12, 23], [0, 31, 12, 5]] = np.nan
    samples = to_samples(film)
    assert samples[0, 0, 0, 0] == (int(samples[0, 0, 1, 0]) + samples[0, 1, 0, 0] + 1) // 2
    n = Normalization.background(4, 4, "int16")
    stream = thermal_stream(24, 32, n)
    got = [stream.load_frame(frame.tobytes(), "float32", 32, 24) for frame in film]
    np.testing.assert_array_equal(got, n.run(samples))
    film[2, 3, 3:13] = np.nan
    with pytest.raises(
        MotionletError, match=r"at \(0, 0, 0, 0\): in a frame up to 8 can be bridged"
    ):
        to_samples(film)


def test_samples_do_not_become_int8_without_a_normalization():
    with pytest.raises(MotionletError, match="a frame of int16 needs a normalization"):
        golden.frame_to_tensor(bytes(2), "int16", 1, 1, (1, 1, 1))
    pairs = ("int16", "gray8"), ("gray8", "int16"), ("float32", "gray8")
    for frame_format, pixel_format in pairs:
        frame = c_frame(frame_format, 1, 1, (0, 0, 1, 1))
        assert c_field(frame, (1, 1, 1), pixel_format) == "format"


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
    ((b"\0" * 16, "gray8", 4, 4, (2, 2, 1), (1, 0, 4, 4)), "crop 4x4 at (1, 0)", "crop_width"),
    ((b"\0" * 16, "gray8", 4, 4, (2, 2, 1), (0, 3, 1, 2)), "crop 1x2 at (0, 3)", "crop_height"),
    ((b"\0" * 16, "gray8", 4, 4, (2, 2, 1), (0, 0, 0, 4)), "crop 0x4", "crop_width"),
    ((bytes(3000 * 3000), "gray8", 3000, 3000, (2, 2, 1), None), "at most 8388608", "crop_width"),
    ((b"\0" * 32, "int16", 4, 4, (2, 2, 3), None), "int16 frame becomes 1 channel", "format"),
    ((b"\0" * 32, "float32", 4, 4, (2, 2, 1), None), "has 32 bytes, 4x4 needs 64", None),
    ((bytes(2 * 65792), "int16", 257, 256, (2, 2, 1), None), "at most 65536", "crop_width"),
    ((bytes(4097), "gray8", 4097, 1, (2, 2, 1), (0, 0, 4, 1)), "4097x1 is not", "width"),
    ((bytes(4097), "gray8", 1, 4097, (2, 2, 1), (0, 0, 1, 4)), "1x4097 is not", "height"),
]


@pytest.mark.parametrize(("case", "message", "field"), WRONG, ids=[m for _, m, _ in WRONG])
def test_wrong_frames(case, message, field):
    with pytest.raises(MotionletError) as caught:
        golden.frame_to_samples(*case)
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
        golden.frame_to_samples(pixels, frame_format, width, height, shape, crop)
        accepted = True
    except MotionletError:
        accepted = False
    assert (c_field(c_frame(frame_format, width, height, crop), shape) is None) == accepted
