# A number that runs code of its own when it is asked for its value may resize the buffer beside it.
# No function reads or writes where that was.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import model_path, model_trace

clip, wanted = model_trace("tiny_tsm")
model = motionlet.load(model_path("tiny_tsm"))
asked = 0


class Number:
    """Moves `buffer` to where there is room for more, and fills the place where it was."""

    def __int__(self):
        global asked
        asked += 1
        count = len(buffer)
        for _ in range(6):
            buffer.extend(buffer)
        buffer[:] = buffer[:count]
        self.garbage = [bytearray(b"\xee" * count) for _ in range(8)]
        return 3

    __index__ = __len__ = __bool__ = __hash__ = __int__


def call(function, make, place):
    """Call with a buffer, and a number in one place, by position or by name; None: refused."""
    global buffer
    buffer = make()
    try:
        if isinstance(place, int):
            return function(buffer, *([1] * (place - 1)), Number())
        return function(buffer, **{place: Number()})
    except (TypeError, ValueError, ImportError):  # profile, where there is no clock
        return None


# crc32 asks its second argument, and then reads what the buffer is by then.
data = bytes(range(100))
assert call(motionlet.crc32, lambda: bytearray(data), 1) == motionlet.crc32(data, 3)
assert asked == 1

# A frame, an output, a file, an array: numbers run no code, or before the buffer is looked at.
stream = model.stream()
functions = [stream.push, stream.scores, stream.trace, stream.profile, stream.tap, stream.output]
functions += [motionlet.Model, model.stream]
if hasattr(motionlet, "conv2d"):
    others = ("Model", "Stream", "load", "crc32")
    names = [name for name in dir(motionlet) if name[0] != "_" and name not in others]
    functions += [getattr(motionlet, name) for name in names]
names = "x1 past weights bias multiplier shift spatial temporal pointwise width height format crop "
names += "out shape out_shape kernel stride dilation pad frames frame_dilation shift_channels "
names += "weight_bits in_zero in1_zero out_zero act_min act_max name input"
makers = [
    lambda: bytearray(64),
    lambda: array("b", [1] * 64),
    lambda: array("f", [1] * 3),
    lambda: array("I", [1] * 16),
]
for function in functions:
    if callable(function):
        for place in [1, 2, 3] + names.split():  # noqa: RUF005
            for make in makers:
                call(function, make, place)

stream.reset()
for frame, crcs in zip(clip, wanted):
    assert motionlet.crc32(stream.push(frame)) == crcs[-1]
print("OK")
