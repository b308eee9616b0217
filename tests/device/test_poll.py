# A push lets others in: what is scheduled, a watchdog's feed. What they raise ends it; what they do
# to the stream is refused. A model that would take minutes a frame is asked for.
import sys

sys.path.append(VECTORS)
from array import array
from struct import pack

import micropython
import motionlet

try:
    import time
except ImportError:
    time = None  # then there is no profile
from testlib import Skip, raises


def pools(count, kernel, size):
    """A file of `count` max_pool2d of a kernel over maps of size x size x 4, "same" padding."""
    pad, strings = kernel // 2, b"\0in\0"
    tensors = ops = b""
    map_bytes = (size * size * 4 + 15) // 16 * 16
    for i in range(count + 1):
        tensors += pack("<HHHBbfIHH", size, size, 4, 1, 0, 1.0, i % 2 * map_bytes, 1, 0)
    for i in range(count):
        ops += pack("<BBHHHHbb", 10, 0, 1, i, 0xFFFF, i + 1, -128, 127)
        ops += pack("<8BHHHHIIII", kernel, kernel, 1, 1, 1, 1, pad, pad, 1, 1, 0, 0, 0, 0, 0, 0)
        ops += pack("<IIIIHBB", 0, 0, 0, 0, 0, 0, 0)
    inputs = pack("<HBBHH12x", 0, 0, 0, 1, 0)
    parts = (tensors, ops, inputs, pack("<HH", count, 0), b"", strings, b"")
    offsets, body = [], b""
    for part in parts:
        body += bytes(-len(body) % 16)
        offsets.append(80 + len(body))
        body += part
    rest = pack("<HHHHHHf", count + 1, count, 1, 1, 0, 0, 0.0)
    rest += pack("<8I", *offsets[:6], len(strings), offsets[6])
    rest += pack("<4I", 0, 2 * map_bytes, 0, 0) + body
    head = pack("<4sHHI", b"MLET", 4, motionlet.TARGET, 16 + len(rest))
    return head + pack("<I", motionlet.crc32(rest)) + rest


if not motionlet.OPERATORS >> 10 & 1:
    raise Skip("no max_pool2d")
model = motionlet.Model(pools(3, 31, 24))  # 2.1 million a pool
frame = bytes((i * 37) % 251 for i in range(24 * 24 * 4))
wanted = bytes(model.stream().push(frame))
stream = model.stream()
assert stream.feed is None

# Fed in the middle of a frame; so is what is scheduled let in.
fed = scheduled = 0


def schedule(_):
    global scheduled
    scheduled += 1


def feed():
    global fed
    fed += 1
    micropython.schedule(schedule, None)
    return "what it returns does not matter"


stream.feed = feed
assert stream.feed is feed
assert bytes(stream.push(frame)) == wanted
assert 4 <= fed <= 6
assert scheduled >= fed - 1, scheduled

# While it lets others in, the stream is busy.
refused = []


def meddle():
    for action in (lambda: stream.push(frame), stream.reset):
        try:
            action()
        except RuntimeError as error:
            refused.append(str(error))


stream.feed = meddle
assert bytes(stream.push(frame)) == wanted
assert len(refused) >= 6
assert len(refused) % 2 == 0
assert set(refused) == {"stream is busy"}

# Whatever ends a push, the stream says so until it is reset.
for error in (KeyboardInterrupt(), SystemExit(), ValueError("said")):

    def stop(error=error):
        raise error

    stream.feed, got = stop, None
    try:
        stream.push(frame)
    except BaseException as raised:
        got = raised
    assert got is error
    stream.feed = None
    raises(RuntimeError, "stream has failed: reset it", stream.push, frame)
    stream.reset()
    assert bytes(stream.push(frame)) == wanted

# An array that a trace writes to may not change meanwhile.
if hasattr(stream, "trace"):
    for method, count in ((stream.trace, 4), (stream.profile, 3)):
        if method == stream.profile and not time:
            continue
        values = array("I", [0] * count)
        stream.feed = lambda values=values: values.extend(array("I", [0] * 500))
        raises(RuntimeError, "wrong memory; reset the stream", method, frame, values)
        stream.feed = None
        stream.reset()
    crcs = array("I", [0] * 4)
    stream.trace(frame, crcs)
    assert crcs[3] == motionlet.crc32(wanted)

# More than 2^31 multiply-accumulates a frame are asked for.
slow = pools(24, 255, 40)
raises(
    ValueError,
    "a frame takes 9525 Mi multiply-accumulates, limit 2048 Mi",
    motionlet.Model,
    slow,
)
raises(ValueError, "load with slow=True", motionlet.Model, slow, "name", False)
assert len(motionlet.Model(slow, "name", True).outputs) == 1
motionlet.Model(pools(6, 255, 37))  # 2,136,461,400
print("OK")
