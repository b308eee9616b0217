# motionlet.load from a file system and from a ROMFS.
import gc
import os
import sys

sys.path.append(VECTORS)
import motionlet
from testlib import model_path, model_trace, raises

FILE = "/mlet_test.mlet"
clip, wanted = model_trace("tiny_tsm")
with open(model_path("tiny_tsm"), "rb") as file:
    good = file.read()


def works(model):
    stream = model.stream()
    for frame, crcs in zip(clip, wanted):
        assert motionlet.crc32(stream.push(frame)) == crcs[-1]


def refused(path):
    """The number of the OSError that loading a path raises, which names it."""
    raises(OSError, path, motionlet.load, path)
    try:
        motionlet.load(path)
    except OSError as error:
        return error.errno


def check_files():
    with open(FILE, "wb") as file:
        file.write(good)
    try:
        model = motionlet.load(FILE)
        works(model)
        assert model.in_place
        assert model.name == FILE
        assert model.ram_bytes == model.stream_bytes + model.bytes
        assert model.bytes == len(good)

        with open(FILE, "wb") as file:
            file.write(b"no model")
        raises(ValueError, FILE + ": not a Motionlet model: header", motionlet.load, FILE)
    finally:
        os.remove(FILE)

    os.mkdir(FILE)
    try:
        assert refused(FILE) == 21  # EISDIR
    finally:
        os.rmdir(FILE)

    assert refused(FILE) == 2  # ENOENT


def has_files():
    try:
        open(FILE, "wb").close()
    except OSError as error:
        if error.errno != 19:  # ENODEV: nothing is mounted there
            raise
        return False
    return True


if has_files():
    check_files()

# A model that lies on no multiple of 16 is copied, and its buffer is not needed any more.
buffer = memoryview(bytearray(len(good) + 4))[4:]
buffer[:] = good
model = motionlet.Model(buffer)
assert not model.in_place
assert model.ram_bytes == model.stream_bytes + model.bytes
for i in range(len(buffer)):
    buffer[i] = 0
works(model)

# What may grow and move is copied: a bytearray may do as it likes.
buffer = bytearray(good)
model = motionlet.Model(buffer)
assert not model.in_place
assert model.ram_bytes == model.stream_bytes + model.bytes
stream = model.stream()
for t, (frame, crcs) in enumerate(zip(clip, wanted)):
    buffer.extend(bytes(512 * (t + 1)))
    for i in range(len(good)):
        buffer[i] = 255
    garbage = [bytearray(b"\xff" * len(good)) for _ in range(4)]
    assert motionlet.crc32(stream.push(frame)) == crcs[-1]
    assert len(model.labels) == len(model.outputs[0].shape)
    repr(model)
del buffer, garbage

# A model in a view is used there, and keeps what it shows alive; so does a stream of it.
model = motionlet.Model(memoryview(bytearray(good)))
assert model.in_place
stream = motionlet.Model(memoryview(bytearray(good))).stream()
gc.collect()
garbage = [bytearray(len(good)) for _ in range(4)]
works(model)
for frame, crcs in zip(clip, wanted):
    out = stream.push(frame)
    assert motionlet.crc32(out) == crcs[-1]

# What a push returned outlives its stream.
del garbage, stream
gc.collect()
garbage = [bytearray(len(out)) for _ in range(4)]
assert motionlet.crc32(out) == crcs[-1]
del garbage

# A collection at every allocation takes nothing away that is still in use.
plain = motionlet.Model(memoryview(bytearray(good)))
calm = plain.inputs, plain.outputs, plain.ops, plain.labels, plain.stream().tap(clip[0], 0)
odd = memoryview(bytearray(1) + good)[1:]
gc.threshold(1)
model = motionlet.Model(odd)
shown = model.inputs, model.outputs, model.ops, model.labels, model.stream().tap(clip[0], 0)
gc.threshold(-1)
assert shown == calm
works(model)
del plain, calm, shown, odd

# In a ROMFS a model stays where it is.
if VECTORS.startswith("/rom"):
    gc.collect()
    before = gc.mem_alloc()
    model = motionlet.load(model_path("tiny_tsm"))
    gc.collect()
    assert gc.mem_alloc() - before < 512, gc.mem_alloc() - before
    assert model.in_place
    assert model.ram_bytes == model.stream_bytes
    works(model)
    model = motionlet.load(model_path("tiny_tsm"), in_ram=True)
    assert model.ram_bytes == model.stream_bytes + model.bytes
    works(model)
print("OK")
