# A stream that is busy with a frame refuses what an interrupt or a thread does to it meanwhile, and
# is not harmed.
import sys

sys.path.append(VECTORS)
from testlib import Skip, model_path, model_trace

try:
    import rp2
except ImportError:
    rp2 = None  # no PIO to interrupt
import micropython
import motionlet

if rp2 is None and not (sys.platform == "linux" and hasattr(motionlet, "conv2d")):
    raise Skip("neither PIO to interrupt nor threads on several cores")

clip, wanted = model_trace("tiny_tsm")
model = motionlet.load(model_path("tiny_tsm"))
stream, other = model.stream(), model.stream()
frame = bytes(64)
armed = done = False
accepted = refused = others = 0


def push():
    stream.push(frame)


actions = (push, stream.reset)  # ready: an interrupt has no heap


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


def interrupted():
    """Push clips while a state machine interrupts; those that it left alone are what they were."""
    global armed, accepted

    @rp2.asm_pio()
    def tick():
        irq(rel(0))
        nop()[31]
        nop()[31]

    micropython.alloc_emergency_exception_buf(100)
    machine = rp2.StateMachine(0, tick, freq=4000)
    machine.irq(interrupt, hard=True)
    machine.active(1)
    good = 0
    for _ in range(20):
        stream.reset()
        accepted, before = 0, refused
        outputs = []
        for values in clip:
            armed = True
            out = stream.push(values)
            armed = False
            outputs.append(motionlet.crc32(out))
        if accepted == 0 and refused > before:
            assert outputs == [crcs[-1] for crcs in wanted]
            good += 1
    machine.active(0)
    machine.irq(None)
    assert good > 0, (accepted, refused)
    assert other.frames == others > 0


def push_often(count):
    """How many of `count` frames the stream took."""
    taken = 0
    for _ in range(count):
        try:
            stream.push(frame)
            taken += 1
        except RuntimeError:  # busy
            pass
    return taken


def second_thread():
    global accepted, done
    while armed:
        accepted += push_often(100)
    done = True


def with_threads():
    """Two threads push; each frame is either counted or refused."""
    global armed
    import _thread

    armed = True
    _thread.start_new_thread(second_thread, ())
    taken = 0
    while taken < 1000 or accepted == 0:
        taken += push_often(100)
    armed = False
    while not done:
        pass
    assert stream.frames == taken + accepted


if rp2:
    interrupted()
else:
    with_threads()

# Afterwards all is as ever.
stream.reset()
for values, crcs in zip(clip, wanted):
    assert motionlet.crc32(stream.push(values)) == crcs[-1]
print("OK")
