# Arrays of ulab as frames and as outputs: contiguous ones are right, views are refused, and types
# are what they say.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import Skip, model_path, model_trace, raises

try:
    from ulab import numpy
except ImportError:
    raise Skip("no ulab") from None

model = motionlet.load(model_path("tiny_tsm"))
clip, wanted = model_trace("tiny_tsm")
stream, plain = model.stream(), model.stream()
text = "is a view that is mirrored or has gaps: copy() it first"
for frame in clip:
    pixels = numpy.array(list(frame), dtype=numpy.uint8).reshape((8, 8))
    expected = bytes(plain.push(frame))
    assert bytes(stream.push(pixels)) == expected
    for axis in (0, 1):
        mirrored = numpy.flip(pixels, axis=axis)
        raises(ValueError, "frame " + text, stream.push, mirrored)
        assert bytes(stream.push(numpy.flip(mirrored, axis=axis))) == bytes(plain.push(frame))
        rows = [frame[8 * i : 8 * i + 8] for i in range(8)]
        turned = rows[::-1] if axis == 0 else [bytes(reversed(list(row))) for row in rows]
        assert bytes(stream.push(mirrored.copy())) == bytes(
            plain.push(b"".join(map(bytes, turned)))
        )

# What is written to is whole, too: what lies behind a row of the heap stays as it is.
scores = numpy.zeros(len(model.labels))
assert stream.scores(scores) is scores
for a, b in zip(scores.tolist(), stream.scores()):
    assert abs(a - b) < 1e-6
raises(ValueError, "out has 2 values, needs 3", stream.scores, numpy.zeros(2))
two = numpy.zeros(2 * len(model.labels)).reshape((2, len(model.labels)))
raises(ValueError, "scores: out " + text, stream.scores, numpy.flip(two, axis=1))
raises(
    TypeError, "out is not an array of 'f'", stream.scores, numpy.array([1] * 12, dtype=numpy.int8)
)
if hasattr(motionlet, "resize"):
    out = numpy.array([0] * 64, dtype=numpy.int8).reshape((8, 8))
    motionlet.resize(clip[0], 8, 8, shape=(8, 8, 1), out=out)
    args = {"shape": (8, 8, 1), "out": numpy.flip(out, axis=1)}
    raises(ValueError, "resize: out " + text, motionlet.resize, clip[0], 8, 8, **args)
    raises(ValueError, "x " + text, motionlet.argmax, numpy.flip(out, axis=1))

# An array states what it holds; plain bytes may hold anything.
thermal = motionlet.load(model_path("tiny_thermal"))
for form, code, good, bad in (
    (motionlet.INT16, "h", numpy.int16, (numpy.uint16, numpy.uint8)),
    (motionlet.FLOAT32, "f", None, (numpy.uint8, numpy.int16)),
):
    celsius = array(code, [i % 7 for i in range(48)])
    one, other = thermal.stream(8, 6, form), thermal.stream(8, 6, form)
    if good is not None:
        values = numpy.array(list(celsius), dtype=good)
        assert bytes(one.push(values)) == bytes(other.push(celsius)) == bytes(one.output(0))
    for dtype in bad:
        count = 48 if dtype != numpy.uint8 else len(bytes(celsius))
        text = "frame is an array of '{}', not of '{}'"
        for typecode in "BHh":
            if typecode != code:
                text_of = text.format(typecode, code)
                sized = array(
                    typecode, [0] * (len(bytes(celsius)) // (1 if typecode == "B" else 2))
                )
                raises(TypeError, text_of, one.push, sized)
        raises(
            TypeError, "not of '{}'".format(code), one.push, numpy.array([0] * count, dtype=dtype)
        )
floats = numpy.array([20.0] * 48)
one = thermal.stream(8, 6, motionlet.FLOAT32)
if len(bytes(numpy.zeros(1))) == 8:  # where Python's floats are doubles
    raises(TypeError, "frame is an array of 'd', not of 'f'", one.push, floats)
    raises(TypeError, "an array of 'd', not of 'f'", one.push, numpy.array([20.0] * 24))
else:
    one.push(floats)
print("OK")
