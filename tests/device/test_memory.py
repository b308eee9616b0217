# When memory is short, the error says how much is needed, and nothing is broken.
import sys

sys.path.append(VECTORS)
import gc

import motionlet
from testlib import model_trace, path, raises

clip, wanted = model_trace("tiny_tsm")
model = motionlet.load(path("tiny_tsm.mlet"))
assert model.stream_bytes > 512
gc.collect()


def fill():
    """Take all of the heap, then give one piece back that is too small for a stream."""
    pieces = []
    size = 1 << 20
    while size >= 64:
        try:
            pieces.append(bytearray(size))
        except MemoryError:
            size //= 2
    return pieces


def stream_fails():
    try:
        model.stream()
    except MemoryError as error:
        return str(error)
    return ""


pieces = [None] * 2048  # room for the list itself
pieces.clear()
pieces = fill()
given_back = 0
while given_back < 256:  # the message, the exception and the stream's small parts
    given_back += len(pieces.pop())
try:
    message = stream_fails()
finally:
    pieces.clear()
    gc.collect()
assert "stream needs {} bytes, the largest free block has".format(model.stream_bytes) in message

stream = model.stream()
for frame, crcs in zip(clip, wanted):
    assert motionlet.crc32(stream.push(frame)) == crcs[-1]
raises(MemoryError, "FrameRing needs", motionlet.FrameRing, 4096, 1 << 24)
print("OK")
