# A model gives at every op and every frame what the golden model gives; streams do not disturb
# one another.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import model_path, model_trace, packed_path, raises

try:
    import time
except ImportError:
    time = None  # then there are no times to check

names = ("tiny_tsm", "tiny_separable", "tiny_int4", "tiny_thermal")
cases = [(name, model_path(name)) for name in names]
cases += [(name, packed_path(name)) for name in names]  # which give the same results
for name, file in sorted(set(cases)):
    model = motionlet.load(file)
    clip, wanted = model_trace(name)
    ops = len(model.ops)
    stream = model.stream()
    assert stream.model is model
    shape, pixels, scale, zero = (8, 8, 1), "8x8x1 gray8", 1 / 255, -128
    if name == "tiny_thermal":
        shape, pixels, scale, zero = (6, 8, 1), "6x8x1 int16", 1 / 127, 0

    # trace, twice: a reset forgets everything
    crcs = array("I", [0] * (ops + 1))
    first = []
    for turn in range(2):
        for t, frame in enumerate(clip):
            assert stream.frames == t
            out = stream.trace(frame, crcs)
            assert list(crcs) == wanted[t], (name, t, list(crcs), wanted[t])
            assert motionlet.crc32(out) == wanted[t][-1]
            if turn == 0:
                first.append(list(out))
        stream.reset()
        assert stream.frames == 0

    # push gives the same outputs, always in the same object
    outputs = []
    for frame in clip:
        out = stream.push(frame)
        outputs.append(list(out))
        assert out is stream.output(0)
        assert stream.argmax() == outputs[-1].index(max(outputs[-1]))
    assert outputs == first
    assert len({tuple(values) for values in outputs}) > 1

    # profile gives the time of every op; a stream of its own leaves the others alone
    times = array("I", [0xFFFFFFFF] * ops)
    timed = model.stream()
    for frame, values in zip(clip, outputs) if time else ():
        begin = time.ticks_us()
        assert list(timed.profile(frame, times)) == values
        assert sum(times) <= time.ticks_diff(time.ticks_us(), begin)
    raises(ValueError, "times has 1 values, needs", timed.profile, frame, array("I", [0]))

    # tap shows one op
    stream.reset()
    for t, frame in enumerate(clip):
        op = t % (ops + 1) - 1
        tapped = stream.tap(frame, op)
        assert motionlet.crc32(tapped) == wanted[t][op + 1], (name, t, op)
        assert min(tapped) >= -128
        assert max(tapped) <= 127
        assert list(stream.output(0)) == outputs[t]
        size = model.inputs[0].shape if op < 0 else model.ops[op].shape
        assert len(tapped) == size[0] * size[1] * size[2]

    # two streams on one model, one of them a frame behind
    one, two = model.stream(), model.stream()
    for t in range(len(clip) + 1):
        if t < len(clip):
            assert list(one.push(clip[t])) == outputs[t]
        if t > 0:
            assert list(two.push(clip[t - 1])) == outputs[t - 1]

    # scores are the outputs as real numbers
    tensor = model.outputs[0]
    floats = array("f", [0] * len(out))
    assert one.scores(floats) is floats
    for q, real, again in zip(one.output(0), one.scores(), floats):
        assert abs(real - tensor.scale * (q - tensor.zero_point)) < 1e-5
        assert abs(real - again) < 1e-5

    assert len(model.labels) == tensor.shape[2] == len(out)
    assert model.inputs[0].shape == shape
    assert model.inputs[0].zero_point == zero
    assert abs(model.inputs[0].scale - scale) < 1e-6
    assert abs(model.frames_per_second - 10) < 1e-6
    assert model.target == (0 if file.endswith(name + ".mlet") else motionlet.TARGET)
    assert model.target_name == ("portable", "cortex_m0plus", "esp32s3")[model.target]
    assert model.labels is model.labels
    assert model.inputs[0].pixel_format == pixels.split()[1]
    assert model.inputs[0].period == 1
    assert model.stream_bytes >= model.arena_bytes + model.state_bytes
    assert model.ops[0].kind == "conv2d"
    given = "{}x{} {}".format(shape[1], shape[0], "INT16" if "thermal" in name else "GRAY8")
    assert repr(one) == "<Stream of {}, {} frames>".format(given, len(clip))
    assert one.scores(None) == one.scores()
    text = repr(model)
    for part in (
        name,
        pixels,
        "zero point " + str(zero),
        model.labels[1],
        "10 frames a second",
        model.target_name,
    ):
        assert part in text, (part, text)

    raises(IndexError, "op is {}, must be -1 to".format(ops), stream.tap, clip[0], ops)
    raises(IndexError, "index is 1, must be 0 to 0", stream.output, 1)
    raises(IndexError, "index is out of range, must be 0 to 0", stream.output, 1 << 40)
    raises(TypeError, "op is not an integer", stream.tap, clip[0], 1.0)
    raises(
        ValueError,
        "crcs has {} values, needs {}".format(ops, ops + 1),
        stream.trace,
        clip[0],
        array("I", [0] * ops),
    )
    raises(TypeError, "crcs is an array of 'f'", stream.trace, clip[0], array("f", [0]))
    raises(TypeError, "not a writable buffer", stream.trace, clip[0], bytes(4 * ops + 4))
    raises(ValueError, "out has 1 values, needs", stream.scores, array("f", [0]))
    raises(TypeError, "out is not an array of 'f'", stream.scores, bytearray(4))
print("OK")
