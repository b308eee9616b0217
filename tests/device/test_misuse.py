# Whatever anything is called with, it works or raises an error with a text, and all works on.
import random
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import model_path, model_trace, on_odd_address

CALLS = 20000 if sys.platform == "linux" else 600
NAMES = (
    "x x1 past weights bias multiplier shift spatial temporal pointwise width height format crop "
    "out shape out_shape kernel stride dilation pad frames frame_dilation shift_channels "
    "weight_bits in_zero in1_zero out_zero act_min act_max nothing"
)
clip, wanted = model_trace("tiny_tsm")
model = motionlet.load(model_path("tiny_tsm"))
thermal = motionlet.load(model_path("tiny_thermal"))


class Bytes(bytearray):
    pass


class Grows:
    """A number that resizes the arrays around it whenever it is asked for its value."""

    def __int__(self):
        for grown in growing:
            grown.extend(grown)
            while len(grown) > 64:
                grown[:] = grown[:64]
        return 1

    __index__ = __len__ = __bool__ = __hash__ = __int__


growing = [bytearray(64), array("b", [0] * 64)]
values = [None, True, False, -1, 0, 1, 2, 3, 8, 64, 255, 256, 4096, 65535, 65536]
values += [-(1 << 40), 1 << 31, 1 << 40, 1 << 70, 1.5, float("nan"), "", "x", "x" * 64]
values += [b"", b"a", bytes(64), bytes(128), bytearray(64), Bytes(64), on_odd_address(bytes(64))]
values += [array(code, [0] * 48) for code in "bBhHiIlLqQfd"] + [array("I", [0] * 10)]
values += [growing[0], growing[1], Grows(), Grows()]
values += [memoryview(bytes(64)), [], [1], (1, 2), (8, 8, 1), (0, 0, 8, 8), {}, {1: 2}]
values += [{"weights": bytes(9)}, object(), range(3), model, motionlet, motionlet.Model, len]
objects = [model, thermal, model.stream(), thermal.stream()]
if hasattr(motionlet, "FrameRing"):
    objects.append(motionlet.FrameRing(2, 64))
    values.append(objects[-1])
callables = [motionlet.Model, motionlet.crc32]
if hasattr(motionlet, "conv2d"):
    names = [name for name in dir(motionlet) if not name.startswith("_") and name != "load"]
    callables += [getattr(motionlet, name) for name in names]
for thing in objects:
    names = [name for name in dir(thing) if not name.startswith("_")]
    callables += [getattr(thing, name) for name in names]
callables = [function for function in callables if callable(function)]
assert len(callables) > 15

keywords = NAMES.split()
random.seed(1)
worked = refused = silent = 0
for _ in range(CALLS):
    function = random.choice(callables)
    given = [random.choice(values) for _ in range(random.randint(0, 5))]
    named = {}
    if random.getrandbits(1):
        count = random.randint(1, 6)
        named = {random.choice(keywords): random.choice(values) for _ in range(count)}
    try:
        repr(function(*given, **named))
        worked += 1
    except (TypeError, ValueError, IndexError, MemoryError, ImportError) as error:  # no clock
        refused += 1
        silent += str(error) == ""
assert worked > 0
assert silent == 0
assert refused > CALLS // 2, refused

for stream in (objects[2], model.stream()):
    stream.reset()
    for frame, crcs in zip(clip, wanted):
        assert motionlet.crc32(stream.push(frame)) == crcs[-1]
print("OK")
