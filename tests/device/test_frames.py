# Crop, resize and quantize, of every format that a camera gives.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import Reader, need_kernels, on_odd_address, path, raises

need_kernels()

reader = Reader("frames.vec", b"MFRM")
_, count = reader.unpack("<HH")
formats = set()
for _ in range(count):
    values = reader.unpack("<B3x2H4H4HI")
    form, width, height = values[:3]
    crop, shape, size = values[3:7], values[7:10], values[11]
    pixels = reader.array(size)
    wanted = bytes(reader.array(shape[0] * shape[1] * shape[2]))
    formats.add(form)
    tensor = motionlet.resize(pixels, width, height, form, crop, shape=shape)
    assert bytes(tensor) == wanted, values
    out = bytearray(len(wanted))
    keywords = dict(width=width, height=height, format=form, crop=crop, shape=shape, out=out)
    assert motionlet.resize(on_odd_address(pixels), **keywords) is out
    assert bytes(out) == wanted
    if size == 2 * width * height:
        words = array("H", bytes(size))
        memoryview(words)[:] = array("H", bytes(pixels))
        assert bytes(motionlet.resize(words, **keywords)) == wanted
assert len(formats) == 5
assert formats == {
    motionlet.GRAY8,
    motionlet.RGB888,
    motionlet.RGB565_LE,
    motionlet.RGB565_BE,
    motionlet.YUV422,
}

# A stream does the same on its way to the input tensor.
model = motionlet.load(path("tiny_tsm.mlet"))
camera = bytes((7 * i * i + 3 * i) & 255 for i in range(20 * 15 * 2))
for form in (motionlet.RGB565_LE, motionlet.RGB565_BE, motionlet.YUV422):
    for crop in (None, (1, 2, 16, 12)):
        keywords = dict(width=20, height=15, format=form, crop=crop)
        tapped = model.stream(**keywords).tap(camera, -1)
        wanted = motionlet.resize(camera, shape=(8, 8, 1), **keywords)
        assert tapped == bytes(wanted)
        assert len(set(tapped)) > 20

stream = model.stream(20, 15, motionlet.RGB565_LE)
raises(ValueError, "frame has 300 bytes, 20x15 RGB565_LE needs 600", stream.push, bytes(300))
raises(ValueError, "crop has 3 values, needs 4", model.stream, crop=(0, 0, 8))
raises(ValueError, "stream: crop", model.stream, crop=(1, 0, 8, 8))
raises(ValueError, "stream: format", model.stream, format=99)
raises(ValueError, "width is 0, must be 1 to 65535", model.stream, width=0)
raises(ValueError, "stream:", model.stream, width=9, height=8, format=motionlet.YUV422)
raises(TypeError, "takes no argument 'fps'", model.stream, fps=3)
raises(TypeError, "by position", model.stream, 8, 8, 0, None, 1)
raises(TypeError, "width is given twice", model.stream, 8, width=8)
raises(TypeError, "shape is missing", motionlet.resize, bytes(64), 8, 8)
pixels = bytes(12)
for shape, field in (
    ((45761, 62571, 3), "height"),  # 2**33 + 1 bytes, which 32 bits would hold as 1
    ((1, 4097, 1), "width"),
    ((4096, 4096, 3), "channels"),
):
    wanted = "resize: shape: {} is out of range".format(field)
    raises(ValueError, wanted, motionlet.resize, pixels, 2, 2, shape=shape)
raises(
    ValueError,
    "out has 3 values, needs 4",
    motionlet.resize,
    bytes(64),
    8,
    8,
    0,
    shape=(2, 2, 1),
    out=bytearray(3),
)
print("OK")
