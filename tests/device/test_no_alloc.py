# push, trace, profile and what else belongs in a loop take no memory from the heap.
import sys

sys.path.append(VECTORS)
import gc
from array import array

import micropython
import motionlet
from testlib import model_path, model_trace

try:
    import time
except ImportError:
    time = None  # then `profile` has no clock

clip, _ = model_trace("tiny_separable")
model = motionlet.load(model_path("tiny_separable"))
stream = model.stream()
camera = model.stream(16, 12, motionlet.RGB565_BE, (2, 0, 12, 12))
pixels = bytes(16 * 12 * 2)
crcs = array("I", [0] * (len(model.ops) + 1))
times = array("I", [0] * len(model.ops))
scores = array("f", [0] * len(model.labels))
ring = motionlet.FrameRing(2, 64) if hasattr(motionlet, "FrameRing") else None


def loop(frame):
    stream.push(frame)
    stream.argmax()
    stream.scores(scores)
    stream.output(0)
    stream.trace(frame, crcs)
    if time:
        stream.profile(frame, times)
    stream.reset()
    camera.push(pixels)
    if ring is not None:
        ring.push(frame)
        ring.reset()


def allocated(frame):
    """The bytes that one turn of the loop takes."""
    before = gc.mem_alloc()
    loop(frame)
    return gc.mem_alloc() - before


def loop_with_heap_locked(frame):
    micropython.heap_lock()
    try:
        loop(frame)
    finally:
        micropython.heap_unlock()


loop(clip[0])
gc.collect()
gc.disable()
try:
    used = allocated(clip[1])
finally:
    gc.enable()
assert used == 0, used
loop_with_heap_locked(clip[2])

# The lock is real: a slice of a frame is an allocation.
frame = clip[0]
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
