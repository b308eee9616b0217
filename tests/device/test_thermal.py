# Temperatures, as int16 or float32, become the int8 values that the golden model gives.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import Reader, model_path, on_odd_address, raises

model = motionlet.load(model_path("tiny_thermal"))
reader = Reader("thermal.vec", b"MTHM")
frames, count = reader.unpack("<HH")
formats = set()
for _ in range(count):
    values = reader.unpack("<B3x2H4H4HI")
    form, width, height, crop, shape = values[0], values[1], values[2], values[3:7], values[7:10]
    clip = []
    for _ in range(frames):
        pixels = bytes(reader.array(values[11]))
        clip.append((pixels, bytes(reader.array(shape[0] * shape[1]))))
    code = "f" if form == motionlet.FLOAT32 else "h"
    stream = model.stream(width, height, form, crop)
    for turn in range(3):
        for t, (pixels, wanted) in enumerate(clip):
            given = pixels, array(code, pixels), on_odd_address(pixels)
            tensor = stream.tap(given[turn], -1)
            assert tensor == wanted, (values, t, list(tensor), list(wanted))
        stream.reset()  # it forgets the background
    assert set(clip[0][1]) == {0}
    assert len(set(clip[1][1])) > 8
    formats.add(form)
assert formats == {motionlet.INT16, motionlet.FLOAT32}

# By default frames are int16 of the input's size.
stream = model.stream()
stream.push(array("h", [2200] * 48))
raises(ValueError, "frame has 48 bytes, 8x6 INT16 needs 96", stream.push, bytes(48))
raises(TypeError, "frame is an array of 'f', not of 'h'", stream.push, array("f", [22] * 48))

# Few missing readings are bridged: what is pushed then is what lies around them.
stream, other = [model.stream(8, 6, motionlet.FLOAT32) for _ in range(2)]
whole = array("f", [20.0] * 48)
for at, value in ((9, 20.25), (16, 20.5), (18, 21.0), (25, 20.25)):
    whole[at] = value  # around 17: their mean is 20.5
stream.push(whole)
other.push(whole)
for places in ((17,), (0, 7, 17, 47), (17, 40, 2, 4, 6, 31, 36, 47)):
    dead, bridged = array("f", whole), array("f", whole)
    bridged[17] = 20.5
    for place in places:
        dead[place] = float("nan")
    assert stream.tap(dead, -1) == other.tap(bridged, -1), places

# Too many, or one that is alone, are refused, and the stream stays as it was.
stream, other = [model.stream(8, 6, motionlet.FLOAT32) for _ in range(2)]
celsius = array("f", [20 + i / 8 for i in range(48)])
warmer = array("f", [t + 0.5 for t in celsius])
assert set(stream.tap(celsius, -1)) == set(other.tap(celsius, -1)) == {0}
assert stream.frames == 1
for places in ((0, 1, 8), range(0, 18, 2), range(48), (47, 46, 39)):
    broken = array("f", warmer)
    for place in places:
        broken[place] = float("nan")
    text = (
        "frame holds too many NaN: 8 can be bridged, each beside a value; is the sensor read whole?"
    )
    raises(ValueError, text, stream.push, broken)
assert stream.frames == 1
assert stream.tap(warmer, -1) == other.tap(warmer, -1)
raises(TypeError, "frame is an array of 'i', not of 'f'", stream.push, array("i", [22] * 48))
raises(ValueError, "frame has 96 bytes, 8x6 FLOAT32 needs 192", stream.push, bytes(96))

# Samples of 8 bits and of 16 do not mix.
raises(ValueError, "stream: format is out of range", model.stream, format=motionlet.GRAY8)
gray = motionlet.load(model_path("tiny_tsm"))
raises(ValueError, "stream: format is out of range", gray.stream, format=motionlet.INT16)
if hasattr(motionlet, "resize"):
    raises(
        ValueError,
        "resize: format is out of range",
        motionlet.resize,
        bytes(8),
        2,
        2,
        motionlet.INT16,
        shape=(1, 1, 1),
    )
assert "input 'input' 6x8x1 int16" in repr(model)
print("OK")
