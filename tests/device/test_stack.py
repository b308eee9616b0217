# Where recursion has left little stack, a push is a RuntimeError and not an overflow.
import sys

sys.path.append(VECTORS)
import _motionlet
import micropython
import motionlet
from testlib import Skip, model_path, model_trace

if hasattr(_motionlet, "__file__"):
    raise Skip("a native module cannot tell")
if not hasattr(micropython, "stack_use"):
    raise Skip("no stack_use")
clip, wanted = model_trace("tiny_tsm")
model = motionlet.load(model_path("tiny_tsm"))
stream = model.stream()
pushed = reached = 0


def push(frame):
    global pushed
    used = micropython.stack_use()
    stream.push(frame)
    pushed = used


def deeper(action, frame):
    """Call action, then itself, until there is no more stack; the stack in use at the end."""
    global reached
    reached = micropython.stack_use()
    action(frame)
    deeper(action, frame)


def too_deep(action, frame):
    try:
        deeper(action, frame)
    except RuntimeError as error:
        return "recursion" in str(error)


assert too_deep(push, clip[0])
assert too_deep(lambda frame: None, clip[0])
assert reached - pushed > 3000, (reached, pushed)

# What was refused is no frame.
stream.reset()
for frame, crcs in zip(clip, wanted):
    assert motionlet.crc32(stream.push(frame)) == crcs[-1]
print("OK")
