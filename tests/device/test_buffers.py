# A frame may be any buffer of bytes, signed or not, and is neither changed nor kept.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import model_path, model_trace, on_odd_address, raises

try:
    import framebuf
except ImportError:
    framebuf = None  # then there is no display to share a buffer with

model = motionlet.load(model_path("tiny_tsm"))
clip, wanted = model_trace("tiny_tsm")


def signed(values):
    return array("b", [v - 256 if v > 127 else v for v in values])


class Camera:
    """Gives read-only views of typecode 'b' on one buffer that it fills again and again."""

    def __init__(self):
        self.buffer = bytearray(64)

    def capture(self, frame):
        self.buffer[:] = frame
        return memoryview(signed(self.buffer))


camera = Camera()
kinds = [
    bytes,
    bytearray,
    signed,
    on_odd_address,
    lambda values: array("B", values),
    lambda values: memoryview(bytes(values)),
    lambda values: memoryview(signed(values)),
    camera.capture,
]
if framebuf:
    kinds.append(lambda values: framebuf.FrameBuffer(bytearray(values), 8, 8, framebuf.GS8))
for kind in kinds:
    stream = model.stream()
    for frame, crcs in zip(clip, wanted):
        given = kind(frame)
        out = stream.push(given)
        assert bytes(given) == bytes(frame)
        assert motionlet.crc32(out) == crcs[-1]

stream = model.stream()
raises(TypeError, "frame is None: the camera gave no frame", stream.push, None)
raises(TypeError, "frame is not a buffer", stream.push, 5)
raises(TypeError, "frame is not a buffer", stream.push, list(clip[0]))
for text in ("x" * 64, "", "text"):  # of which MicroPython would give the bytes
    raises(TypeError, "frame is not a buffer", stream.push, text)
    raises(TypeError, "file is not a buffer", motionlet.Model, text)
    raises(TypeError, "data is not a buffer", motionlet.crc32, text)
raises(TypeError, "frame is an array of 'H', not of 'b'", stream.push, array("H", [1]))
raises(ValueError, "frame has 63 bytes, 8x8 GRAY8 needs 64", stream.push, bytes(63))
raises(ValueError, "frame has 0 bytes, 8x8 GRAY8 needs 64", stream.push, b"")

# What was refused is no frame of the stream.
assert stream.frames == 0
for frame, crcs in zip(clip, wanted):
    raises(ValueError, "needs 64", stream.push, b"")
    assert motionlet.crc32(stream.push(frame)) == crcs[-1]

try:
    from ulab import numpy
except ImportError:
    numpy = None  # not in this firmware
if numpy:
    for dtype in (numpy.uint8, numpy.int8):
        stream.reset()
        for frame, crcs in zip(clip, wanted):
            values = frame if dtype == numpy.uint8 else signed(frame)
            pixels = numpy.array(values, dtype=dtype)
            assert motionlet.crc32(stream.push(pixels)) == crcs[-1]
print("OK")
