# What is wrong in a call of a kernel is said in one line, with both numbers.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import need_kernels, raises

need_kernels()


class Int:
    """Might run code of its own between two looks at the arguments."""

    def __int__(self):
        return 3


conv2d, dense, add = motionlet.conv2d, motionlet.dense, motionlet.add
one = array("i", [1])
scale = array("i", [1 << 30])
parameters = dict(bias=one, multiplier=scale, shift=b"\x1f")
window = dict(weights=bytes(9), kernel=3, shape=(4, 4, 1), **parameters)


def window_but(**changed):
    merged = dict(window)
    merged.update(changed)
    return merged


def bad(error, text, **changed):
    raises(error, text, conv2d, bytes(16), **window_but(**changed))


assert len(conv2d(bytes(16), **window)) == 4
bad(ValueError, "conv2d: x has 16 values, shape 4x5x1 needs 20", shape=(4, 5, 1))
bad(ValueError, "conv2d: shape has 2 values, needs 3", shape=(4, 4))
bad(ValueError, "conv2d: weights has 8 values, needs 9", weights=bytes(8))
bad(ValueError, "conv2d: multiplier has 2 values, needs 1", multiplier=array("i", [1, 2]))
bad(ValueError, "conv2d: shift has 2 values, needs 1", shift=bytes(2))
bad(ValueError, "conv2d: kernel is 0, must be 1 to 255", kernel=0)
bad(ValueError, "conv2d: kernel is out of range, must be 1 to 255", kernel=1 << 70)
bad(ValueError, "conv2d: kernel is out of range, must be 1 to 255", kernel=1 << 40)
for odd in (3.0, "3", None.__class__, Int()):
    bad(TypeError, "conv2d: kernel is not an integer", kernel=odd)
bad(ValueError, "conv2d: stride is 256, must be 1 to 255", stride=(1, 256))
bad(ValueError, "conv2d: in_zero is 128, must be -128 to 127", in_zero=128)
bad(ValueError, "conv2d: pad_top is out of range", pad=3)
bad(ValueError, "conv2d: height is out of range", kernel=5, weights=bytes(25))
bad(ValueError, "conv2d: multiplier is out of range", multiplier=one)
bad(ValueError, "conv2d: shift is out of range", shift=b"\x3f")
bad(ValueError, "conv2d: bias is out of range", bias=array("i", [0x7FFFFFFF]))
bad(ValueError, "conv2d: act_min is out of range", act_min=3, act_max=2)
bad(ValueError, "conv2d: out has 3 values, needs 4", out=bytearray(3))
bad(ValueError, "conv2d: bias has 3 bytes, needs 4", bias=bytes(3))
bad(TypeError, "conv2d: out is not a writable buffer", out=bytes(4))
bad(TypeError, "conv2d: bias is not a buffer", bias=[1])
bad(TypeError, "conv2d: bias is an array of 'f', not of 'i'", bias=array("f", [1]))
bad(TypeError, "conv2d: weights is an array of 'h'", weights=array("h", [0] * 9))
bad(TypeError, "conv2d: takes no argument 'padding'", padding=1)
for bits in (-1, 0, 2, 5, 16, 1 << 70, "4"):
    bad(ValueError, "conv2d: weight_bits must be 8 or 4", weight_bits=bits)
bad(ValueError, "conv2d: weights has 9 bytes, needs 5", weight_bits=4)
bad(ValueError, "conv2d: weights has 5 values, needs 9", weights=bytes(5), weight_bits=8)
bad(ValueError, "conv2d: weights is out of range", weights=b"\x08" + bytes(4), weight_bits=4)
bad(ValueError, "conv2d: weights is out of range", weights=bytes(4) + b"\x10", weight_bits=4)
assert len(conv2d(bytes(16), **window_but(weights=bytes(5), weight_bits=4))) == 4
bad(TypeError, "conv2d: takes no argument 'frames'", frames=1)
raises(TypeError, "conv2d: x is missing", conv2d)
raises(TypeError, "conv2d: weights is missing", conv2d, bytes(16), shape=(4, 4, 1))
raises(TypeError, "conv2d: shape is missing", conv2d, bytes(16), bytes(9), kernel=3, **parameters)
raises(TypeError, "takes 5 arguments by position, not 6", conv2d, 1, 2, 3, 4, 5, 6)
raises(TypeError, "conv2d: x is given twice", conv2d, bytes(16), x=bytes(16))

# An output may not overlap an input, but for ops that work in place.
x = bytearray(20)
raises(
    ValueError,
    "conv2d: out overlaps x",
    conv2d,
    memoryview(x)[:16],
    out=memoryview(x)[12:16],
    **window,
)
scales = array("i", [1 << 20, 1 << 20])
x = memoryview(bytearray(9))
raises(ValueError, "add: out overlaps x", add, x[:8], bytes(8), scales, b"\x15", out=x[1:])
assert add(x[:8], bytes(8), scales, b"\x15", out=x[:8]) is not None

raises(ValueError, "add: x1 has 3 values, needs 4", add, bytes(4), bytes(3), scales, b"\x15")
raises(TypeError, "dense: shape is missing", dense, bytes(5000), bytes(5000), **parameters)
past = motionlet.FrameRing(2, 4)
temporal = dict(
    weights=bytes(12),
    bias=array("i", [0] * 4),
    multiplier=array("i", [1 << 30] * 4),
    shift=b"\x1f" * 4,
)
depthwise = motionlet.temporal_depthwise
assert len(depthwise(bytes(4), past, **temporal)) == 4
raises(
    ValueError,
    "past has 2 frames, needs 4",
    depthwise,
    bytes(4),
    past,
    frame_dilation=2,
    **temporal,
)
raises(
    ValueError,
    "a frame of past has 5 bytes, needs 4",
    depthwise,
    bytes(4),
    motionlet.FrameRing(2, 5),
    **temporal,
)
raises(TypeError, "past is not a FrameRing", depthwise, bytes(4), bytearray(8), **temporal)
raises(TypeError, "no argument 'weight_bits'", depthwise, bytes(4), past, weight_bits=4, **temporal)
raises(
    ValueError,
    "past has 9 values, needs 8",
    motionlet.temporal_shift,
    bytes(12),
    bytearray(9),
    shape=(2, 2, 3),
)
pool = motionlet.max_pool2d
raises(TypeError, "max_pool2d: takes no argument 'in_zero'", pool, bytes(4), in_zero=1)
raises(
    ValueError,
    "max_pool2d: pad_top is out of range",
    pool,
    bytes(4),
    shape=(2, 2, 1),
    kernel=2,
    pad=2,
)
raises(ValueError, "argmax: x is empty", motionlet.argmax, b"")
assert motionlet.argmax(array("b", [-128, 5, -3, 5])) == 1
assert motionlet.crc32(b"123456789") == 0xCBF43926
assert motionlet.crc32(b"6789", motionlet.crc32(b"12345")) == 0xCBF43926
print("OK")
