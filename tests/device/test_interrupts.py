# A stream that is busy with a frame refuses what an interrupt does to it, and is not harmed.
import sys

sys.path.append(VECTORS)
from testlib import Skip, model_path, model_trace

try:
    import rp2
except ImportError:
    raise Skip("no PIO to interrupt") from None
import micropython
import motionlet

micropython.alloc_emergency_exception_buf(100)
clip, wanted = model_trace("tiny_tsm")
model = motionlet.load(model_path("tiny_tsm"))
stream, other = model.stream(), model.stream()
frame = bytes(64)
armed = accepted = refused = others = 0


def interrupt(_):
    global accepted, refused, others
    if not armed:
        return
    other.push(frame)
    others += 1
    for action in actions:
        try:
            action()
            accepted += 1
        except RuntimeError:
            refused += 1


def push():
    stream.push(frame)


actions = (push, stream.reset)  # ready: an interrupt has no heap


@rp2.asm_pio()
def tick():
    irq(rel(0))
    nop()[31]
    nop()[31]


machine = rp2.StateMachine(0, tick, freq=4000)
machine.irq(interrupt, hard=True)
machine.active(1)
good = 0
for _ in range(20):
    stream.reset()
    accepted, before = 0, refused
    outputs = []
    for values in clip:
        armed = 1
        out = stream.push(values)
        armed = 0
        outputs.append(motionlet.crc32(out))
    if accepted == 0 and refused > before:
        assert outputs == [crcs[-1] for crcs in wanted]
        good += 1
machine.active(0)
machine.irq(None)
assert good > 0, (accepted, refused)
assert other.frames == others > 0

# Afterwards all is as ever.
stream.reset()
for values, crcs in zip(clip, wanted):
    assert motionlet.crc32(stream.push(values)) == crcs[-1]
print("OK")
