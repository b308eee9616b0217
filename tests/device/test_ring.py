# FrameRing: the last frames by age.
import sys

sys.path.append(VECTORS)
import gc
from array import array

import motionlet
from testlib import need_kernels, raises

need_kernels()

ring = motionlet.FrameRing(3, 5, -7)
assert len(ring) == 3
assert repr(ring) == "<FrameRing of 3 maps, 5 bytes each>"
for age in (1, 2, 3):
    assert list(ring[age]) == [-7] * 5
for t in range(10):
    ring.push(array("b", [t, -t, t, -t, 100]))
    for age in (1, 2, 3):
        past = t - age + 1
        wanted = [past, -past, past, -past, 100] if past >= 0 else [-7] * 5
        assert list(ring[age]) == wanted, (t, age)

# A view of a frame is the frame itself, and keeps the ring's memory.
view = ring[2]
view[4] = 55
assert list(ring[2])[4] == 55
values = list(view)
del ring
gc.collect()
garbage = [bytearray(48) for _ in range(8)]
assert list(view) == values
del garbage

ring = motionlet.FrameRing(2, 4)
ring.push(b"abcd")
ring.reset()
assert list(ring[1]) == list(ring[2]) == [0] * 4

# A ring of no frames holds nothing and takes anything of its size.
empty = motionlet.FrameRing(0, 4)
assert len(empty) == 0
empty.push(bytes(4))
raises(IndexError, "age is 1, must be 1 to 0", lambda: empty[1])

raises(IndexError, "age is 3, must be 1 to 2", lambda: ring[3])
raises(IndexError, "age is 0, must be 1 to 2", lambda: ring[0])
raises(ValueError, "map has 3 values, needs 4", ring.push, b"abc")
raises(TypeError, "map is not a buffer", ring.push, [1, 2, 3, 4])
raises(ValueError, "count is -1, must be 0 to 4096", motionlet.FrameRing, -1, 4)
raises(ValueError, "bytes is 0, must be 1 to 16777216", motionlet.FrameRing, 1, 0)
raises(ValueError, "zero is 128, must be -128 to 127", motionlet.FrameRing, 1, 1, 128)
raises(MemoryError, "FrameRing needs", motionlet.FrameRing, 4096, 1 << 24)
print("OK")
