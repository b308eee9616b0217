# push, trace and what else belongs in a loop take no memory from the heap.
import sys

sys.path.append(VECTORS)
import gc
from array import array

import micropython
import motionlet
from testlib import model_trace, path

clip, _ = model_trace("tiny_separable")
model = motionlet.load(path("tiny_separable.mlet"))
stream = model.stream()
camera = model.stream(16, 12, motionlet.RGB565_BE, (2, 0, 12, 12))
pixels = bytes(16 * 12 * 2)
crcs = array("I", [0] * (len(model.ops) + 1))
scores = array("f", [0] * len(model.labels))
ring = motionlet.FrameRing(2, 64)


def loop(frame):
    stream.push(frame)
    stream.argmax()
    stream.scores(scores)
    stream.output(0)
    stream.trace(frame, crcs)
    stream.reset()
    camera.push(pixels)
    ring.push(frame)
    ring.reset()


loop(clip[0])
frame = clip[1]
gc.collect()
gc.disable()
try:
    before = gc.mem_alloc()
    loop(frame)
    used = gc.mem_alloc() - before
    micropython.heap_lock()
    try:
        loop(frame)
    finally:
        micropython.heap_unlock()
finally:
    gc.enable()
assert used == 0, used

# The lock is real: a slice of a frame is an allocation.
locked = False
micropython.heap_lock()
try:
    frame[1:]
except MemoryError:
    locked = True
finally:
    micropython.heap_unlock()
assert locked
print("OK")
