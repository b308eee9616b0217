# A model of two inputs at two rates, in a file of version 4: frames by position and by name, each
# input described by itself; whatever does not fit leaves every input as it was.
import sys

sys.path.append(VECTORS)
import gc
from array import array
from struct import pack

import motionlet
from testlib import Skip, raises

if motionlet.FORMAT_VERSION < 4:
    raise Skip("no files of version 4")

HEAT, LEVEL, EVERY = 5, -128, 3  # zero points; the period of input "level"


def sections(raw):
    """twice = level + level, on every third frame; sum = heat - its background + twice."""
    strings = b"\0heat\0level\0twice\0sum\0"

    def name(text):
        return strings.index(text + b"\0")

    tensors = b""
    for i, (text, zero) in enumerate(
        ((b"heat", HEAT), (b"level", LEVEL), (b"twice", 0), (b"sum", 0))
    ):
        scale = 1 / 255 if text == b"level" else 1.0
        tensors += pack("<HHHBbfIHH", 2, 2, 1, 1, zero, scale, 16 * i, name(text), 0)
    ops = b""
    for a, b, text, period, at in ((1, 1, b"twice", EVERY, 16), (0, 2, b"sum", 1, 0)):
        output = 2 + len(ops) // 64
        ops += pack("<BBHHHHbb", 6, 0, period, a, b, output, -128, 127)
        ops += pack("<8BHHHHIIII", 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, name(text), 0, 0, at, at + 8)
        ops += pack("<IIIIHBB", 0, 0, 0, 0, 0, 0, 0)
    nothing = bytes(12)
    background = pack("<BBBBhHI", 2, 1, 1, 1, 0, 2, 0)
    inputs = (
        pack("<HBBHH", 0, 0 if raw else 3, 0, 1, 0)
        + (nothing if raw else background)
        + pack("<HBBHH", 1, 1, 0, EVERY, 0)
        + nothing
    )
    outputs = pack("<HHHH", 3, 0, 2, 0)
    data = pack("<iiB7x", 512, 512, 9) + pack("<iiB7x", 512, 512, 9)
    return tensors, ops, inputs, outputs, b"", strings, data


def build(raw=False):
    """The file as SPEC.md lays it out; it has the packed form of every target, too."""
    parts, offsets, body = sections(raw), [], b""
    for part in parts:
        body += bytes(-len(body) % 16)
        offsets.append(80 + len(body))
        body += part
    strings, data = parts[5], parts[6]
    rest = pack("<HHHHHHf", 4, 2, 2, 2, 0, 0, 0.0)
    rest += pack("<8I", *offsets[:6], len(strings), offsets[6])
    rest += pack("<4I", len(data), 64, 16, 0) + body
    head = pack("<4sHHI", b"MLET", 4, motionlet.TARGET, 16 + len(rest))
    return bytearray(head + pack("<I", motionlet.crc32(rest)) + rest)


model = motionlet.Model(build(), "two")
for tensor, wanted in zip(model.inputs, (("heat", "int16", 1), ("level", "gray8", EVERY))):
    assert (tensor.name, tensor.pixel_format, tensor.period) == wanted
    assert tensor.shape == (2, 2, 1)
assert "level' 2x2x1 gray8" in repr(model)
assert "every 3 frames" in repr(model)


def clamp(value):
    return max(-128, min(127, value))


class Twin:
    """What a stream must give."""

    def __init__(self):
        self.t, self.mean, self.twice = 0, None, [0] * 4

    def push(self, heat, level):
        if self.mean is None:
            self.mean = [2 * v for v in heat]
        sums = []
        for i in range(4):
            u = heat[i] - ((self.mean[i] + 1) >> 1)
            self.mean[i] += u
            if self.t % EVERY == 0:
                self.twice[i] = clamp(2 * level[i])
            sums.append(clamp(clamp(HEAT + u) - HEAT + self.twice[i]))
        self.t += 1
        return sums


def heat_at(t):
    return array("h", [(i * 7 + t * t * 3) % 50 - 20 for i in range(4)])


def level_at(t):
    return bytes((i * 11 + t * 5) % 60 for i in range(4))


def by_position(stream, t):
    if t % EVERY:
        return stream.push(heat_at(t)) if t % 2 else stream.push(heat_at(t), None)
    return stream.push(heat_at(t), level_at(t))


def by_name(stream, t):
    if t % EVERY:
        return stream.push(heat=heat_at(t)) if t % 2 else stream.push(level=None, heat=heat_at(t))
    return stream.push(level=level_at(t), heat=heat_at(t))


def mixed(stream, t):
    return by_name(stream, t) if t % EVERY else stream.push(heat_at(t), level=level_at(t))


for push in (by_position, by_name, mixed):
    stream, twin = model.stream(), Twin()
    for _ in range(2):
        for t in range(8):
            assert list(push(stream, t)) == twin.push(heat_at(t), level_at(t)), (push, t)
            assert list(stream.output(1)) == twin.twice
            assert stream.frames == t + 1
        stream.reset()
        twin = Twin()

# trace, profile and tap take the frames as a tuple or a list.
stream, twin = model.stream(), Twin()
crcs, times = array("I", [9] * 4), array("I", [0] * 2)
for t in range(7):
    due = t % EVERY == 0
    frames = (heat_at(t), level_at(t) if due else None)
    sums = twin.push(heat_at(t), level_at(t))
    if t < 4:
        stream.trace(frames, crcs)
        assert crcs[3] == motionlet.crc32(bytes(v & 255 for v in sums))
        assert bool(crcs[0])
        assert bool(crcs[1]) == bool(crcs[2]) == due
    elif t < 6:
        values = stream.tap(list(frames), -1 if t == 4 else 1)
        assert len(values) == 4
        if t == 5:
            assert list(values) == sums
    else:
        shown = stream.tap(frames, -2)
        assert [v + 128 for v in shown] == list(level_at(t))
    if t == 3:
        raises(
            ValueError,
            "frame 4 is not for 'twice', which is due at frame 6",
            stream.tap,
            (heat_at(4), None),
            0,
        )
        raises(
            ValueError,
            "frame 4 is not for 'level', which is due at frame 6",
            stream.tap,
            (heat_at(4), None),
            -2,
        )
    assert list(stream.output(0)) == sums
    assert stream.frames == t + 1
raises(IndexError, "op is -3, must be -2 to 1", stream.tap, (heat_at(7), None), -3)
raises(ValueError, "crcs has 3 values, needs 4", stream.trace, (heat_at(7),), array("I", [0] * 3))

# All or nothing: after any of these, the stream gives what it would have given.
floats = array("f", [float("nan")] * 4)
wrong = (
    (ValueError, "level has 3 bytes, 2x2 GRAY8 needs 4", (heat_at(0), bytes(3)), {}),
    (ValueError, "heat has 2 bytes, 2x2 INT16 needs 8", (bytes(2), level_at(0)), {}),
    (ValueError, "frame 0 lacks 'level', which is due at frame 0", (heat_at(0),), {}),
    (ValueError, "frame 0 lacks 'heat', which is due at frame 0", (None, level_at(0)), {}),
    (TypeError, "push: takes 2 arguments by position, not 3", (heat_at(0), level_at(0), None), {}),
    (TypeError, "push: heat is given twice", (heat_at(0),), {"heat": heat_at(0)}),
    (TypeError, "push: takes no argument 'hat'", (), {"hat": heat_at(0)}),
    (TypeError, "push: level is not a buffer", (heat_at(0), 7), {}),
    (TypeError, "push: heat is an array of 'f', not of 'h'", (floats, level_at(0)), {}),
)
stream, twin = model.stream(), Twin()
for t in range(EVERY + 1):
    if t % EVERY == 0:
        for error, text, args, kwargs in wrong:
            raises(
                error, text.replace("frame 0", "frame {}".format(t)), stream.push, *args, **kwargs
            )
    else:
        text = "frame {} is not for 'level', which is due at frame 3".format(t)
        raises(ValueError, text, stream.push, heat_at(9), level_at(9))
        raises(ValueError, text, stream.push, level=level_at(9), heat=heat_at(9))
    assert stream.frames == t
    assert list(by_name(stream, t)) == twin.push(heat_at(t), level_at(t))

# Each input is described by itself.
FLOATS, WIDE = (2, 2, motionlet.FLOAT32), (4, 2, motionlet.GRAY8)
for stream in (
    model.stream(FLOATS, WIDE),
    model.stream(heat=FLOATS, level=list(WIDE)),
    model.stream(FLOATS, level=WIDE),
    model.stream(level=WIDE, heat=FLOATS),
):
    assert repr(stream) == "<Stream of 2x2 FLOAT32 and 4x2 GRAY8, 0 frames>"
    wide = bytes(v for v in level_at(0) for _ in range(2))
    # A NaN in one input, found before the other one is taken.
    raises(ValueError, "heat holds too many NaN", stream.push, floats, wide)
    raises(ValueError, "level has 4 bytes, 4x2", stream.push, array("f", [100] * 4), level_at(0))
    twin = Twin()
    assert list(stream.push(array("f", heat_at(0)), wide)) == twin.push(heat_at(0), level_at(0))
for stream in (model.stream(2, 2, motionlet.FLOAT32), model.stream(format=motionlet.FLOAT32)):
    assert repr(stream) == "<Stream of 2x2 FLOAT32 and 2x2 GRAY8, 0 frames>"
for stream in (
    model.stream(None, WIDE),
    model.stream(level=WIDE),
    model.stream(heat=None, level=WIDE),
    model.stream(level=WIDE, heat=None),
):
    assert repr(stream) == "<Stream of 2x2 INT16 and 4x2 GRAY8, 0 frames>"
for stream in (model.stream(heat=None), model.stream(level=None, heat=None), model.stream()):
    assert repr(stream) == "<Stream of 2x2 INT16 and 2x2 GRAY8, 0 frames>"
raises(TypeError, "stream: takes no argument 'width'", model.stream, level=WIDE, width=4)
raises(TypeError, "stream: takes no argument 'width'", model.stream, width=4, level=WIDE)
raises(TypeError, "stream: takes 2 arguments by position, not 3", model.stream, FLOATS, WIDE, None)
raises(TypeError, "stream: width is not an integer", model.stream, FLOATS, "wide")
raises(TypeError, "stream: takes no argument 'hat'", model.stream, FLOATS, hat=WIDE)
raises(ValueError, "stream: format is out of range", model.stream, WIDE, WIDE)

# A raw input is described by nothing; one description is of the first that takes pixels.
half = motionlet.Model(build(raw=True))
for args in ((4, 2), (None, WIDE)):
    assert repr(half.stream(*args)) == "<Stream of 2x2x1 int8 and 4x2 GRAY8, 0 frames>"
raises(ValueError, "a raw input takes no frame format", half.stream, WIDE, None)
raises(ValueError, "heat has 3 bytes, 2x2x1 int8 needs 4", half.stream().push, bytes(3), bytes(4))

# Inputs are told by their names.
for other, text in ((b"heat\0", "tensor 1: name"), (b"\0eve\0", "tensor 1: name")):
    spoilt = build()
    at = bytes(spoilt).index(b"level\0")
    spoilt[at : at + len(other)] = other
    spoilt[12:16] = pack("<I", motionlet.crc32(memoryview(spoilt)[16:]))
    raises(ValueError, text, motionlet.Model, spoilt)

# Nobody watches several inputs at once.
try:
    from motionlet.watch import Watch
except ImportError:
    Watch = None  # no clock
if Watch:
    raises(ValueError, "a model of one input, of period 1, can be watched", Watch, model.stream())

# No push takes memory, however the frames are given.
stream = model.stream()
heat, level, pair, alone = heat_at(1), level_at(1), (heat_at(1), level_at(1)), (heat_at(1),)


def loop():
    stream.push(heat, level)
    stream.push(heat)
    stream.push(heat, None)
    stream.push(heat=heat, level=level)
    stream.push(level=None, heat=heat)
    stream.push(heat=heat)
    stream.trace(pair, crcs)
    stream.trace(alone, crcs)
    stream.push(heat)


loop()
gc.collect()
gc.disable()
before = gc.mem_alloc()
loop()
used = gc.mem_alloc() - before
gc.enable()
assert used == 0, used
print("OK")
