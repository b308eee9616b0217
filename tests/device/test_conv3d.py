# conv3d_separable is its three kernels, one after the other.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import int4_rows, need_kernels, raises

need_kernels()

H, W, C, OUT = 5, 4, 6, 3


def values(count, seed):
    """`count` int8 values from -127 to 127."""
    result = array("b", bytes(count))
    for i in range(count):
        seed = (seed * 75 + 74) % 65537
        result[i] = seed % 255 - 127
    return result


def layer(weights, channels, **more):
    return dict(
        weights=weights,
        bias=array("i", [100 * c - 200 for c in range(channels)]),
        multiplier=array("i", [(1 << 30) + 12345 * c for c in range(channels)]),
        shift=bytes([37] * channels),
        **more,
    )


spatial = layer(values(9 * C, 1), C, kernel=3, pad=1, in_zero=-4, out_zero=7)
temporal = layer(values(3 * C, 2), C, frame_dilation=2, in_zero=7, out_zero=-9)
pointwise = layer(values(OUT * C, 3), OUT, in_zero=-9, out_zero=1, act_min=1)
whole_past = motionlet.FrameRing(4, H * W * C, 7)
past = motionlet.FrameRing(4, H * W * C, 7)
out = bytearray(H * W * OUT)
different = set()
for t in range(7):
    x = values(H * W * C, 10 + t)
    whole = motionlet.conv3d_separable(
        x, whole_past, spatial, temporal, pointwise, shape=(H, W, C), out=out
    )
    a = motionlet.depthwise2d(x, shape=(H, W, C), **spatial)
    b = motionlet.temporal_depthwise(a, past, shape=(H, W, C), **temporal)
    c = motionlet.pointwise(b, shape=(H, W, C), **pointwise)
    assert whole is out
    assert bytes(c) == bytes(whole), t
    different.add(bytes(whole))
assert len(different) == 7

# The pointwise stage with weights of 4 bits, and with the same in int8.
small = array("b", [v // 19 for v in pointwise["weights"]])
stages = []
for weights, bits in ((small, 8), (int4_rows(small, OUT), 4)):
    stage = dict(pointwise, weights=weights, shift=bytes([33] * OUT), weight_bits=bits)
    whole_past.reset()
    y = motionlet.conv3d_separable(x, whole_past, spatial, temporal, stage, shape=(H, W, C))
    stages.append(bytes(y))
assert stages[0] == stages[1]
assert len(set(stages[0])) > 10

call = motionlet.conv3d_separable
shape = (H, W, C)
raises(TypeError, "spatial is missing", call, x, past, shape=shape)
raises(TypeError, "shape is missing", call, x, past, spatial, temporal, pointwise)
raises(TypeError, "must be a dict", call, x, past, [], temporal, pointwise, shape=shape)
raises(TypeError, "takes no argument 'past'", call, x, past, {"past": 1}, {}, {}, shape=shape)
raises(
    ValueError,
    "past has 3 frames, needs 4",
    call,
    x,
    motionlet.FrameRing(3, H * W * C),
    spatial,
    temporal,
    pointwise,
    shape=shape,
)
print("OK")
