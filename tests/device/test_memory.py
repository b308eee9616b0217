# When memory is short, the error says how much is needed, and nothing is broken.
import sys

sys.path.append(VECTORS)
import gc

import motionlet
from testlib import model_path, model_trace, raises


def error_with_little_memory(free, function, *args, **kwargs):
    """The MemoryError of a call, with one piece of `free` bytes left in the whole heap."""
    gc.collect()
    spare = bytearray(free)
    pieces = None  # a chain: a list would need room to grow
    size = 1 << 18
    while size >= 64:
        try:
            pieces = (pieces, bytearray(size))
        except MemoryError:
            size //= 4
    spare = None
    try:
        function(*args, **kwargs)
    except MemoryError as error:
        return str(error)
    finally:
        pieces = None
        gc.collect()
    return str(spare)


clip, wanted = model_trace("tiny_tsm")
file = model_path("tiny_tsm")
model = motionlet.load(file)

# Enough is left for an error with its message, but not for what is asked.
assert model.stream_bytes > 448
message = error_with_little_memory(model.stream_bytes - 32, model.stream)
text = "stream needs {} bytes, the largest free block has ".format(model.stream_bytes)
assert message.startswith(text), message

# An open file of littlefs takes more than a kilobyte itself.
assert model.bytes > 1600
message = error_with_little_memory(model.bytes - 32, motionlet.load, file, in_ram=True)
text = "{}: model has {} bytes, ".format(file, model.bytes)
assert message.startswith(text), message

# All works again once there is memory.
stream = model.stream()
for frame, crcs in zip(clip, wanted):
    assert motionlet.crc32(stream.push(frame)) == crcs[-1]
if hasattr(motionlet, "FrameRing"):
    raises(MemoryError, "FrameRing needs", motionlet.FrameRing, 4096, 1 << 24)
print("OK")
