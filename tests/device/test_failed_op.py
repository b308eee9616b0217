# An op that fails in the middle of a frame is named; what came out before is not passed off as new,
# and the stream goes on only after a reset.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import model_path, model_trace, raises, read

OPS_OFFSET, OP_BYTES = 36, 64  # SPEC.md, "Header" and "Ops"

clip, wanted = model_trace("tiny_tsm")
path = model_path("tiny_tsm")
file = bytearray(read(path[path.rindex("/") + 1 :]))
model = motionlet.Model(memoryview(file))
assert model.in_place
ops = len(model.ops)
crcs = array("I", [0] * (ops + 1))
for broken in (0, ops // 2, ops - 1):
    at = int.from_bytes(file[OPS_OFFSET : OPS_OFFSET + 4], "little") + broken * OP_BYTES
    code = file[at]
    stream = model.stream()
    out = stream.push(clip[0])
    before, best = list(out), stream.argmax()
    file[at] = 255  # against the rules: the file must not change
    message = "op {} failed: wrong ".format(broken)
    for method, more in ((stream.push, ()), (stream.trace, (crcs,)), (stream.tap, (-1,))):
        raises(RuntimeError, message, method, clip[1], *more)
        file[at] = code
        raises(RuntimeError, "stream has failed: reset it", method, clip[1], *more)
        assert stream.frames == 1
        assert list(out) == before
        assert stream.argmax() == best
        stream.reset()
        assert motionlet.crc32(stream.push(clip[0])) == wanted[0][-1]
        file[at] = 255
    file[at] = code
    stream.reset()
    for frame, crc in zip(clip, wanted):
        assert motionlet.crc32(stream.push(frame)) == crc[-1]
print("OK")
