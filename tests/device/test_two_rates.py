# A packed model of two inputs, a picture at every frame and temperatures at every third, gives at
# every op that runs what the golden model gives.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import inputs_trace, model_path, packed_path, raises

clip, wanted = inputs_trace("tiny_two_rates", ((64, 1), (32, 3)))
assert [None in frames for frames in clip] == [False, True, True] * 2
for path in {model_path("tiny_two_rates"), packed_path("tiny_two_rates")}:
    model = motionlet.load(path)
    assert [(x.name, x.pixel_format, x.period) for x in model.inputs] == [
        ("input", "gray8", 1),
        ("heat", "int16", 3),
    ]
    stream, outputs = model.stream(), []
    crcs = array("I", [9] * (2 + len(model.ops)))
    for turn in range(2):
        for t, frames in enumerate(clip):
            out = stream.trace(frames, crcs)
            assert list(crcs) == wanted[t], (path, t, list(crcs), wanted[t])
            if turn == 0:
                outputs.append(list(out))
            # The last op runs at every second frame; its output stays in between.
            assert motionlet.crc32(out) == wanted[t - t % 2][-1]
        stream.reset()
    for t, (picture, heat) in enumerate(clip):
        by_name = {"input": picture} if heat is None else {"heat": heat, "input": picture}
        assert list(stream.push(**by_name)) == outputs[t]
    stream.reset()
    other = model.stream()
    for t, frames in enumerate(clip):
        assert list(stream.push(*frames)) == outputs[t]
        for op in (-1, -2) if frames[1] is not None else (-1,):
            other.reset()
            for before in clip[:t]:
                other.push(*before)
            assert motionlet.crc32(other.tap(frames, op)) == wanted[t][-1 - op]
    raises(ValueError, "lacks 'heat', which is due at frame 0", model.stream().push, clip[0][0])
print("OK")
