# When memory is short, the error says how much is needed, and nothing is broken.
import sys

sys.path.append(VECTORS)
import gc

import motionlet
from testlib import model_path, model_trace, raises


def errors_with_little_memory(free, calls, smallest=64):
    """The MemoryError of each call, with one piece of `free` bytes left in the whole heap, and
    pieces smaller than `smallest`; None where all went well."""
    gc.collect()
    errors = [None] * len(calls)
    spare = bytearray(free)
    pieces = None  # a chain: a list would need room to grow
    size = 1 << 18
    while size >= smallest:
        try:
            pieces = [pieces, bytearray(size)]
        except MemoryError:
            size //= 4
    del spare
    for i in range(len(calls)):
        try:
            calls[i]()
        except MemoryError as error:
            errors[i] = error
    while pieces:  # unlink all: an old pointer on the C stack would keep what hangs on it
        piece, pieces = pieces, pieces[0]
        piece[0] = piece[1] = None
    gc.collect()
    return [error and str(error) for error in errors]


clip, wanted = model_trace("tiny_tsm")
file = model_path("tiny_tsm")
model = motionlet.load(file)

# Enough is left for an error with its message, but not for what is asked.
assert model.stream_bytes > 448
(message,) = errors_with_little_memory(model.stream_bytes - 32, [model.stream])
text = "stream needs {} bytes, largest free block: ".format(model.stream_bytes)
assert message.startswith(text), message

# An open file of littlefs takes more than a kilobyte itself.
assert model.bytes > 1600
load = [lambda: motionlet.load(file, in_ram=True)]
(message,) = errors_with_little_memory(model.bytes - 32, load)
text = "{}: model has {} bytes, ".format(file, model.bytes)
assert message.startswith(text), message

stream = model.stream()


def check_every_allocation():
    """Wherever memory runs out, in whatever makes an object: a MemoryError, or all went well."""
    with open(file, "rb") as opened:
        content = opened.read()
    shifted = memoryview(bytearray(1) + content)[1:]  # which has to be copied
    calls = [
        lambda: motionlet.Model(shifted),
        lambda: model.stream(16, 12, motionlet.RGB565_BE, (2, 0, 12, 12)),
        lambda: stream.scores(),
        lambda: repr(model),
        lambda: (model.labels, model.inputs, model.ops),
        lambda: stream.tap(clip[0], -1),
    ]
    tap = len(calls) - 1
    if hasattr(motionlet, "FrameRing"):
        layer = dict(bias=bytes(4), multiplier=b"\0\0\0\x40", shift=b"\x1f")
        window = dict(weights=bytes(9), kernel=3, **layer)
        ring = motionlet.FrameRing(2, 36)
        temporal = dict(weights=bytes(3), **layer)
        stages = (window, temporal, dict(weights=b"1", **layer))
        calls += [
            lambda: motionlet.FrameRing(9, 64)[2],
            lambda: motionlet.conv2d(shifted[:64], shape=(8, 8, 1), **window),
            lambda: motionlet.conv3d_separable(shifted[:64], ring, *stages, shape=(8, 8, 1)),
            lambda: motionlet.resize(bytes(64), 8, 8, shape=(12, 12, 1)),
        ]
    sizes = (0, 32, 64, 96, 128, 160, 192, 256, 384, 512, 768, 1024, 2048, 8192)
    said = [errors_with_little_memory(free, calls, smallest=8) for free in sizes]
    for call in range(len(calls)):
        assert any(errors[call] for errors in said), call
    assert not any(said[-1]), said[-1]
    assert stream.frames == sum(errors[tap] is None for errors in said)  # it fails before it pushes


if sys.platform == "linux":  # where filling the heap again and again takes no time
    check_every_allocation()

# All works again once there is memory.
stream = model.stream()
for frame, crcs in zip(clip, wanted):
    assert motionlet.crc32(stream.push(frame)) == crcs[-1]
if hasattr(motionlet, "FrameRing"):
    raises(MemoryError, "FrameRing needs", motionlet.FrameRing, 4096, 1 << 24)
print("OK")
