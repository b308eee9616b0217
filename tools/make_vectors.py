#!/usr/bin/env python3
"""Write the golden vectors that tests on the device read, into build/vectors.

The golden model computes what is expected; the bytes depend on nothing but this script, the
golden model and the format. All files are little-endian and small, for slow links.

`<op>.vec`, one for each op: magic "MVEC", uint8 op code, uint8 0, uint16 number of cases; then for
each case the struct `CASE` and its arrays, each array padded with zeros to a multiple of 4 bytes:

    bias int32[], multiplier int32[], shift uint8[], weights int8[],
    x int8[frames][inputs][H][W][C], y int8[frames][H'][W'][C']

`frames.vec`: magic "MFRM", uint16 0, uint16 number of cases; for each the struct `FRAME_CASE`,
then pixels uint8[], tensor int8[H][W][C], padded likewise.

`thermal.vec`: magic "MTHM", uint16 frames in a clip, uint16 number of cases: how clips of int16 and
float32 enter tiny_thermal. For each case the struct `FRAME_CASE`, then for each frame pixels
uint8[], tensor int8[H][W][C], padded likewise.

`<model>.mlet`, a whole model, `<model>_m0.mlet` and `<model>_s3.mlet`, the same packed for the
Cortex-M0+ and the ESP32-S3, and `<model>.trace`, what they compute: magic "MTRC", uint16 frames,
uint16 ops, uint32 bytes of a frame; then for each frame its bytes (samples, as a camera of the
input's size gives them), and the CRC-32 (uint32) of the input tensor and of every op's output. Of
several inputs there are the frames of those that are due, and CRC-32s of all, 0 for what does not
run at this frame.

`damage.vec`: magic "MDMG", uint16 0, uint16 number of cases. Each is a way to spoil tiny_tsm.mlet:
uint8 length and ASCII text of what the error must name ("op 3: weights_offset"), uint32 length of
the spoilt file (cut, or lengthened with zeros), uint8 number of patches, and for each patch uint32
offset, uint8 length, bytes. Not padded. The CRC is already right where it is not itself the damage.
"""

import argparse
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from host_sdk import golden  # noqa: E402
from host_sdk.format import mlet as fmt  # noqa: E402
from host_sdk.format.check import COPIES, RecordError, array_shapes, check_graph  # noqa: E402
from host_sdk.format.graph import Graph, Input, Op, Tensor  # noqa: E402
from host_sdk.format.normalization import PIXELS, Normalization, to_samples  # noqa: E402
from host_sdk.pack import mlet_file, targets  # noqa: E402
from host_sdk.pack.planner import plan  # noqa: E402

INT32_MAX = 2**31 - 1
# height, width, channels of input and of output; zero points of input, second input and output;
# act_min, act_max, one zero byte; kernel h w, stride h w, dilation h w, pad top left;
# frames, frame_dilation, shift_channels; frames of the clip, inputs; counts of bias, multiplier,
# shift, weights.
CASE = struct.Struct("<6H5bx8B5H4H")
# frame format, 3 zero bytes; width, height; crop x, y, width, height; tensor height, width,
# channels, 0; bytes of pixels
FRAME_CASE = struct.Struct("<B3x2H4H4HI")


PACKED = {"_m0": "cortex_m0plus", "_s3": "esp32s3"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dest", type=Path, default=ROOT / "build/vectors")
    dest = parser.parse_args().dest
    dest.mkdir(parents=True, exist_ok=True)
    for name, content in all_files().items():
        (dest / name).write_bytes(content)
        print(f"{len(content):6} {dest / name}")


def all_files():
    """Return {file name: bytes} of every vector file."""
    files = {f"{kind}.vec": op_vectors(kind) for kind in fmt.OP_CODES}
    files["frames.vec"] = frame_vectors()
    files["thermal.vec"] = thermal_vectors()
    for name, make in MODELS.items():
        graph = make()
        files[f"{name}.mlet"] = mlet_file.pack(graph, plan(graph))
        for suffix, target in PACKED.items():
            tuned = plan(graph, targets.scratch_bytes(target))
            files[f"{name}{suffix}.mlet"] = mlet_file.pack(graph, tuned, target)
        files[f"{name}.trace"] = trace(graph, frames=6)
    files["damage.vec"] = damage_vectors(files["tiny_tsm.mlet"])
    return files


# ----------------------------------------------------------------------------------------------
# Ops

# For each op the cases: input shape, output shape, and the fields that are not at their default.
# "edge" is how the parameters are drawn: None for typical ones, else see `parameters`.
CASES = {
    "conv2d": [
        ((5, 5, 1), (3, 3, 8), {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)}, None),
        ((4, 6, 3), (4, 6, 5), {"kernel": (3, 3), "padding": (1, 1)}, None),
        ((5, 4, 4), (5, 4, 4), {"kernel": (3, 3), "padding": (1, 1)}, "high"),
        ((3, 3, 2), (3, 3, 3), {"kernel": (3, 2), "padding": (1, 0)}, "low"),
        ((7, 7, 1), (3, 3, 2), {"kernel": (3, 3), "dilation": (2, 2), "stride": (1, 1)}, None),
        ((6, 5, 2), (2, 2, 3), {"kernel": (1, 3), "stride": (3, 2)}, "bias"),
        ((2, 1, 17), (2, 1, 2), {"kernel": (2, 3), "padding": (1, 2)}, "relu"),
    ],
    "depthwise2d": [
        ((6, 6, 4), (6, 6, 4), {"kernel": (3, 3), "padding": (1, 1)}, None),
        ((6, 6, 5), (3, 3, 5), {"kernel": (3, 3), "stride": (2, 2), "padding": (0, 0)}, None),
        ((5, 5, 1), (5, 5, 1), {"kernel": (5, 5), "padding": (2, 2)}, "high"),
        ((4, 5, 3), (4, 5, 3), {"kernel": (3, 3), "padding": (1, 1)}, "low"),
        ((5, 5, 2), (5, 5, 2), {"kernel": (3, 3), "dilation": (2, 2), "padding": (2, 2)}, "bias"),
        ((1, 1, 9), (1, 1, 9), {"kernel": (3, 3), "padding": (1, 1)}, "relu"),
    ],
    "pointwise": [
        ((3, 3, 8), (3, 3, 8), {}, None),
        ((2, 3, 5), (2, 3, 7), {}, None),
        ((3, 2, 16), (3, 2, 3), {}, "high"),
        ((2, 2, 1), (2, 2, 9), {}, "low"),
        ((2, 2, 6), (2, 2, 2), {}, "bias"),
        ((1, 5, 13), (1, 5, 4), {}, "relu"),
    ],
    "temporal_depthwise": [
        ((2, 2, 5), (2, 2, 5), {"frames": 3}, None),
        ((2, 3, 4), (2, 3, 4), {"frames": 3, "frame_dilation": 2}, None),
        ((1, 2, 3), (1, 2, 3), {"frames": 1}, "high"),
        ((3, 1, 4), (3, 1, 4), {"frames": 2}, "low"),
        ((1, 1, 16), (1, 1, 16), {"frames": 4}, "bias"),
        ((2, 2, 3), (2, 2, 3), {"frames": 2, "frame_dilation": 3}, "relu"),
    ],
    "temporal_shift": [
        ((2, 2, 8), (2, 2, 8), {"shift_channels": 2}, None),
        ((3, 2, 5), (3, 2, 5), {"shift_channels": 5}, None),
        ((2, 3, 3), (2, 3, 3), {"shift_channels": 1}, "high"),
        ((1, 1, 20), (1, 1, 20), {"shift_channels": 17}, "low"),
    ],
    "add": [
        ((3, 3, 4), (3, 3, 4), {}, None),
        ((2, 3, 5), (2, 3, 5), {}, "high"),
        ((2, 2, 3), (2, 2, 3), {}, "low"),
        ((1, 1, 13), (1, 1, 13), {}, "bias"),
        ((4, 2, 1), (4, 2, 1), {}, "relu"),
    ],
    "average_pool": [
        ((4, 4, 5), (1, 1, 5), {"kernel": (4, 4)}, None),
        ((5, 6, 3), (2, 3, 3), {"kernel": (2, 2), "stride": (2, 2)}, None),
        ((3, 4, 2), (2, 2, 2), {"kernel": (2, 3)}, "high"),
        ((3, 3, 4), (1, 1, 4), {"kernel": (3, 3)}, "low"),
        ((7, 3, 1), (2, 1, 1), {"kernel": (1, 3), "stride": (3, 1)}, "relu"),
    ],
    "temporal_average": [
        ((1, 1, 10), (1, 1, 10), {"frames": 4}, None),
        ((2, 2, 3), (2, 2, 3), {"frames": 3}, None),
        ((2, 1, 4), (2, 1, 4), {"frames": 1}, "high"),
        ((1, 3, 3), (1, 3, 3), {"frames": 2}, "low"),
        ((1, 1, 5), (1, 1, 5), {"frames": 5}, "relu"),
    ],
    "dense": [
        ((1, 1, 16), (1, 1, 9), {}, None),
        ((2, 3, 4), (1, 1, 5), {}, None),
        ((1, 1, 7), (1, 1, 3), {}, "high"),
        ((3, 1, 3), (1, 1, 4), {}, "low"),
        ((1, 1, 40), (1, 1, 2), {}, "bias"),
        ((2, 2, 2), (1, 1, 6), {}, "relu"),
    ],
    "max_pool2d": [
        ((4, 6, 8), (2, 3, 8), {"kernel": (2, 2), "stride": (2, 2)}, None),
        ((5, 5, 4), (3, 3, 4), {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)}, None),
        ((4, 3, 5), (4, 3, 5), {"kernel": (3, 2), "padding": (1, 0)}, "low"),
        ((6, 5, 1), (6, 5, 1), {"kernel": (3, 3), "dilation": (2, 2), "padding": (2, 2)}, "relu"),
        ((1, 1, 4), (1, 1, 4), {"kernel": (1, 2), "dilation": (1, 3), "padding": (0, 2)}, "high"),
    ],
}


def op_vectors(kind):
    rng = np.random.default_rng(fmt.OP_CODES[kind])
    out = bytearray(struct.pack("<4sBxH", b"MVEC", fmt.OP_CODES[kind], len(CASES[kind])))
    for source, target, fields, edge in CASES[kind]:
        graph = one_op(rng, kind, source, target, fields, edge)
        op = graph.ops[0]
        frames = 1 if golden.frames_kept(op) == 0 else golden.frames_kept(op) + 2
        xs = [frame_values(rng, (frames, *source), edge) for _ in op.inputs]
        out += case(graph, op, xs, golden.run_op(graph, op, xs))
    return bytes(out)


def one_op(rng, kind, source, target, fields, edge):
    """Return a graph of one op with parameters drawn as `edge` says."""
    zeros = {"high": (-128, 127, -128), "low": (127, -128, 127)}.get(edge)
    zeros = zeros or tuple(int(z) for z in rng.integers(-40, 41, 3))
    if kind in COPIES:
        zeros = (zeros[0], zeros[1], zeros[0])
    graph = Graph(inputs=[Input(0, "raw")])
    graph.tensors.append(Tensor("x", *source, 0.5, zeros[0]))
    if kind == "add":
        graph.tensors.append(Tensor("x2", *source, 0.5, zeros[1]))
        graph.inputs.append(Input(1, "raw"))
    output = len(graph.tensors)
    graph.tensors.append(Tensor("y", *target, 0.5, zeros[2]))
    op = Op(kind, kind, list(range(output)), output, **fields)
    graph.ops.append(op)
    graph.outputs.append(output)
    parameters(rng, graph, op, edge)
    check_graph(graph)
    return graph


def parameters(rng, graph, op, edge=None):
    """Fill an op's arrays.

    None: typical values, so that outputs spread over int8. "high", "low": every number at one end
    of its range. "bias": biases at their limits. "relu": typical, with act_min at the zero point.
    """
    shapes, target = array_shapes(graph, op), graph.tensors[op.output]
    taps = max(1, op.frames * op.kernel[0] * op.kernel[1])
    if "weights" in shapes:
        taps = int(np.prod(shapes["weights"])) // target.channels
        most = INT32_MAX - 32768 * taps
        weights = {"high": 127, "low": -127}.get(edge)
        weights = rng.integers(-127, 128, shapes["weights"]) if weights is None else weights
        if op.weight_bits == 4:
            weights = np.clip(weights, -112, 112) // 16  # all that follows is smaller by 16 too
        op.weights = np.full(shapes["weights"], weights, np.int8)
        bias = {"high": most, "low": -most}.get(edge)
        if edge == "bias":
            bias = rng.choice([-most, most], target.channels)
        elif bias is None:
            spread = taps * (2000 if op.weight_bits == 8 else 125)
            bias = rng.integers(-spread, spread, target.channels, endpoint=True)
        op.bias = np.full(target.channels, bias, np.int32)
    if "multiplier" in shapes:
        count = shapes["multiplier"][0]
        if op.kind == "add":
            multipliers, shift = rng.integers(2**20, 2**21, count), 21
            ends = {"high": (2**22 - 1, 23), "low": (0, 1), "bias": (2**22 - 1, 1)}
        else:
            # The outputs' spread before scaling.
            weight = (64 if op.weight_bits == 8 else 4) if "weights" in shapes else 1
            real = 1 / (weight * np.sqrt(taps)) * rng.uniform(0.3, 1.0, count)
            mantissa, exponent = np.frexp(real)
            multipliers, shift = mantissa * 2**31, 31 - exponent
            last = 55 if "weights" in shapes else 33  # so that not all outputs are clamped
            ends = {"high": (INT32_MAX, [last, 62]), "low": (2**30, [last - 1, 1])}
            ends["bias"] = (INT32_MAX, [last])
        multipliers, shift = ends.get(edge, (multipliers, shift))
        if isinstance(shift, list):
            shift = np.resize(shift, count)
        op.multiplier = np.full(count, multipliers, np.int64).astype(np.int32)
        op.shift = np.full(shapes["shift"], shift, np.uint8)
    if edge == "relu":
        op.act_min, op.act_max = target.zero_point, min(127, target.zero_point + 100)


def frame_values(rng, shape, edge):
    if edge in ("high", "low"):
        return rng.choice([-128, 127], shape).astype(np.int8)
    return rng.integers(-128, 128, shape).astype(np.int8)


def case(graph, op, xs, y):
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    second = graph.tensors[op.inputs[-1]]
    arrays = {
        name: np.zeros(0, np.int8) if getattr(op, name) is None else getattr(op, name)
        for name in ("bias", "multiplier", "shift", "weights")
    }
    head = CASE.pack(
        *source.shape,
        *target.shape,
        source.zero_point,
        second.zero_point,
        target.zero_point,
        op.act_min,
        op.act_max,
        *op.kernel,
        *op.stride,
        *op.dilation,
        *op.padding,
        op.frames,
        op.frame_dilation,
        op.shift_channels,
        len(y),
        len(xs),
        *(array.size for array in arrays.values()),
    )
    return head + b"".join(padded(a) for a in [*arrays.values(), np.stack(xs, axis=1), y])


def padded(array):
    content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return content + bytes(-len(content) % 4)


# ----------------------------------------------------------------------------------------------
# Camera frames

# frame format, width and height, crop, tensor shape
FRAME_CASES = [
    ("gray8", (8, 6), (0, 0, 8, 6), (6, 8, 1)),
    ("gray8", (9, 7), (0, 0, 9, 7), (3, 4, 1)),
    ("gray8", (5, 4), (1, 1, 3, 2), (5, 7, 1)),
    ("gray8", (4, 4), (0, 0, 4, 4), (3, 2, 3)),
    ("rgb888", (6, 5), (0, 0, 6, 5), (4, 4, 1)),
    ("rgb888", (5, 5), (2, 0, 3, 5), (2, 3, 3)),
    ("rgb565_le", (8, 8), (0, 0, 8, 8), (4, 4, 1)),
    ("rgb565_le", (7, 5), (0, 0, 7, 5), (3, 3, 3)),
    ("rgb565_be", (7, 5), (1, 0, 6, 5), (3, 3, 3)),
    ("rgb565_be", (6, 6), (0, 0, 6, 6), (1, 1, 1)),
    ("yuv422", (8, 6), (1, 1, 5, 4), (3, 3, 1)),
]


def frame_vectors():
    rng = np.random.default_rng(100)
    out = bytearray(struct.pack("<4sHH", b"MFRM", 0, len(FRAME_CASES)))
    for name, (width, height), crop, shape in FRAME_CASES:
        size = width * height * golden.frames.BYTES_A_PIXEL[name]
        pixels = rng.integers(0, 256, size).astype(np.uint8)
        tensor = golden.frame_to_tensor(pixels.tobytes(), name, width, height, shape, crop)
        code = fmt.FRAME_FORMATS[name]
        out += FRAME_CASE.pack(code, width, height, *crop, *shape, 0, size)
        out += padded(pixels) + padded(tensor)
    return bytes(out)


# frame format, width and height, crop
THERMAL_CASES = [
    ("int16", (8, 6), (0, 0, 8, 6)),
    ("float32", (8, 6), (0, 0, 8, 6)),
    ("int16", (9, 7), (2, 1, 5, 4)),
    ("float32", (16, 12), (1, 0, 14, 12)),
]


def thermal_vectors(frames=3):
    rng = np.random.default_rng(101)
    graph = tiny_thermal()
    shape, normalization = graph.input_tensor.shape, graph.input.normalization
    out = bytearray(struct.pack("<4sHH", b"MTHM", frames, len(THERMAL_CASES)))
    for name, (width, height), crop in THERMAL_CASES:
        celsius = rng.normal(22, 1, (frames, height * width)).astype("<f4")
        celsius[:, :6] = [0.125, -0.125, 1e-30, -1e30, np.inf, 327.675]
        pixels = celsius if name == "float32" else to_samples(celsius).astype("<i2")
        code = fmt.FRAME_FORMATS[name]
        out += FRAME_CASE.pack(code, width, height, *crop, *shape, 0, pixels[0].nbytes)
        state = None
        for frame in pixels:
            content = frame.tobytes()
            samples = golden.frame_to_samples(content, name, width, height, shape, crop)
            tensor, state = normalization.step(samples, state)
            out += padded(frame) + padded(tensor)
    return bytes(out)


# ----------------------------------------------------------------------------------------------
# Whole models


class Builder:
    """A graph built op by op, with typical random parameters."""

    def __init__(self, seed, shape, labels, pixel_format="gray8", normalization=PIXELS):
        self.rng = np.random.default_rng(seed)
        self.graph = Graph(labels=labels, frames_per_second=10.0)
        self.input("input", shape, pixel_format, normalization)

    def input(self, name, shape, pixel_format="gray8", normalization=PIXELS, period=1):
        """Append an input, before the first op."""
        index = len(self.graph.inputs)
        self.graph.inputs.append(Input(index, pixel_format, normalization, period))
        numbers = normalization.scale, normalization.zero_point
        self.graph.tensors.append(Tensor(name, *shape, *numbers))
        return index

    def add(self, kind, inputs, shape, edge=None, **fields):
        """Append an op; return the index of its output."""
        graph = self.graph
        output = len(graph.tensors)
        source = graph.tensors[inputs[0]]
        zero = int(self.rng.integers(-60, 60))
        numbers = (source.scale, source.zero_point) if kind in COPIES else (0.125, zero)
        graph.tensors.append(Tensor(f"{kind}/{output}", *shape, *numbers))
        graph.ops.append(Op(kind, f"{kind}/{output}", list(inputs), output, **fields))
        parameters(self.rng, graph, graph.ops[-1], edge)
        return output

    def finish(self, output):
        self.graph.outputs.append(output)
        check_graph(self.graph)
        return self.graph


def tiny_tsm():
    """A shift network in little: inverted residual with a shift inside, pooled over time."""
    net = Builder(1, (8, 8, 1), ["left", "right", "still"])
    stem = net.add("conv2d", [0], (4, 4, 6), "relu", kernel=(3, 3), stride=(2, 2))
    wide = net.add("pointwise", [stem], (4, 4, 10))
    shifted = net.add("temporal_shift", [wide], (4, 4, 10), shift_channels=3)
    deep = net.add("depthwise2d", [shifted], (4, 4, 10), kernel=(3, 3), padding=(1, 1))
    narrow = net.add("pointwise", [deep], (4, 4, 6))
    total = net.add("add", [stem, narrow], (4, 4, 6))
    pooled = net.add("average_pool", [total], (1, 1, 6), kernel=(4, 4))
    mean = net.add("temporal_average", [pooled], (1, 1, 6), frames=4)
    return net.finish(net.add("dense", [mean], (1, 1, 3)))


def tiny_shifting():
    """Ops that shift as they read: at the beginning of a chain of rows, and inside one."""
    net = Builder(3, (8, 8, 1), ["near", "far"])
    stem = net.add("conv2d", [0], (8, 8, 4), "relu", kernel=(3, 3), padding=(1, 1))
    seen = net.add(
        *("depthwise2d", [stem], (8, 8, 4)), kernel=(3, 3), padding=(1, 1), shift_channels=4
    )
    wide = net.add("pointwise", [seen], (8, 8, 12), "relu")
    deep = net.add(
        *("depthwise2d", [wide], (4, 4, 12)),
        **{"kernel": (3, 3), "stride": (2, 2), "shift_channels": 8},
    )
    narrow = net.add("pointwise", [deep], (4, 4, 4), shift_channels=8)
    total = net.add("average_pool", [narrow], (1, 1, 4), kernel=(4, 4))
    return net.finish(net.add("dense", [total], (1, 1, 2)))


def tiny_separable():
    """Separable 3D convolutions in little, dilated in time."""
    net = Builder(2, (8, 8, 1), ["up", "down", "grow", "shrink"])
    stem = net.add("conv2d", [0], (4, 4, 5), kernel=(3, 3), stride=(2, 2), padding=(1, 1))
    space = net.add("depthwise2d", [stem], (4, 4, 5), kernel=(3, 3), padding=(1, 1))
    time = net.add("temporal_depthwise", [space], (4, 4, 5), frames=3)
    mixed = net.add("pointwise", [time], (4, 4, 8))
    space = net.add("depthwise2d", [mixed], (2, 2, 8), kernel=(3, 3), stride=(2, 2))
    time = net.add("temporal_depthwise", [space], (2, 2, 8), frames=2, frame_dilation=2)
    mixed = net.add("pointwise", [time], (2, 2, 6))
    pooled = net.add("average_pool", [mixed], (1, 1, 6), kernel=(2, 2))
    mean = net.add("temporal_average", [pooled], (1, 1, 6), frames=3)
    return net.finish(net.add("dense", [mean], (1, 1, 4)))


def tiny_int4():
    """Every op that can have weights of 4 bits, in rows of odd and even lengths."""
    net = Builder(3, (8, 8, 1), ["near", "far", "gone"])
    stem = net.add("conv2d", [0], (4, 4, 7), kernel=(3, 3), stride=(2, 2), weight_bits=4)
    mixed = net.add("pointwise", [stem], (4, 4, 6), weight_bits=4)
    again = net.add("conv2d", [mixed], (2, 2, 5), kernel=(2, 2), stride=(2, 2), weight_bits=4)
    time = net.add("temporal_depthwise", [again], (2, 2, 5), frames=2)
    return net.finish(net.add("dense", [time], (1, 1, 3), weight_bits=4))


def tiny_thermal():
    """What differs from the background of a thermal array, in hundredths of a degree C."""
    normalization = Normalization.background(2, rate=3, sample_type="int16")
    net = Builder(4, (6, 8, 1), ["empty", "someone"], "int16", normalization)
    stem = net.add("conv2d", [0], (3, 4, 6), kernel=(3, 3), stride=(2, 2), padding=(1, 1))
    time = net.add("temporal_depthwise", [stem], (3, 4, 6), frames=2)
    return net.finish(net.add("dense", [time], (1, 1, 2)))


def tiny_two_rates():
    """A picture at every frame, temperatures at every third; an answer at every second."""
    net = Builder(5, (8, 8, 1), ["empty", "cold", "warm"])
    normalization = Normalization.background(2, rate=2, sample_type="int16")
    heat = net.input("heat", (4, 4, 1), "int16", normalization, period=3)
    slow = {"period": 3, "group": 1}
    warm = net.add("conv2d", [heat], (4, 4, 4), kernel=(3, 3), padding=(1, 1), **slow)
    warm = net.add("temporal_depthwise", [warm], (4, 4, 4), frames=2, **slow)
    stem = net.add("conv2d", [0], (4, 4, 4), "relu", kernel=(3, 3), stride=(2, 2))
    seen = net.add("temporal_shift", [stem], (4, 4, 4), shift_channels=2)
    both = net.add("add", [seen, warm], (4, 4, 4))
    pooled = net.add("average_pool", [both], (1, 1, 4), kernel=(4, 4))
    mean = net.add("temporal_average", [pooled], (1, 1, 4), frames=3, period=2)
    return net.finish(net.add("dense", [mean], (1, 1, 3), period=2))


def tiny_pooled():
    """Largest values of windows, inside the image and beyond it, by themselves and in a chain."""
    net = Builder(6, (8, 8, 1), ["near", "far"])
    near = net.add("max_pool2d", [0], (8, 8, 1), kernel=(3, 3), padding=(1, 1))
    stem = net.add("conv2d", [near], (8, 8, 4), "relu", kernel=(3, 3), padding=(1, 1))
    most = net.add(
        *("max_pool2d", [stem], (4, 4, 4)),
        **{"kernel": (3, 3), "stride": (2, 2), "padding": (0, 1)},
    )
    wide = net.add("pointwise", [most], (4, 4, 10))
    far = net.add("max_pool2d", [wide], (2, 2, 10), "relu", kernel=(2, 2), stride=(2, 2))
    return net.finish(net.add("dense", [far], (1, 1, 2)))


MODELS = {
    "tiny_tsm": tiny_tsm,
    "tiny_separable": tiny_separable,
    "tiny_int4": tiny_int4,
    "tiny_thermal": tiny_thermal,
    "tiny_two_rates": tiny_two_rates,
    "tiny_pooled": tiny_pooled,
}


def trace(graph, frames):
    """Return the contents of a .trace of so many frames."""
    rng = np.random.default_rng(len(graph.ops))
    clips = []
    for given in graph.inputs:
        shape = (-(-frames // given.period), *graph.tensors[given.tensor].shape)
        if given.pixel_format == "int16":
            clip = (2200 + rng.normal(0, 120, shape)).astype("<i2")
            clip.flat[::97] = rng.choice([-(2**15), 2**15 - 1], clip.flat[::97].size)
        else:
            clip = rng.integers(0, 256, shape).astype(np.uint8)
        clips.append(clip)
    tensors = [x.normalization.run(clip) for x, clip in zip(graph.inputs, clips, strict=True)]
    outputs = golden.run_clip(graph, tensors)
    size = sum(clip[0].nbytes for clip in clips)
    out = bytearray(struct.pack("<4sHHI", b"MTRC", frames, len(graph.ops), size))
    for t in range(frames):
        crcs = []
        for given, clip, values in zip(graph.inputs, clips, tensors, strict=True):
            at, due = t // given.period, t % given.period == 0
            out += clip[at].tobytes() if due else b""
            crcs.append(zlib.crc32(values[at].tobytes()) if due else 0)
        for op, values in zip(graph.ops, outputs, strict=True):
            crcs.append(0 if t % op.period else zlib.crc32(values[t].tobytes()))
        out += struct.pack(f"<{len(crcs)}I", *crcs)
    return bytes(out)


# ----------------------------------------------------------------------------------------------
# Damaged files

# record, index, field, and its new value: the error must name exactly these.
DAMAGE = [
    ("header", 0, "magic", b"MLEX"),
    ("header", 0, "format_version", fmt.FORMAT_VERSION + 1),
    ("header", 0, "target", 9),
    ("header", 0, "total_bytes", 100),
    ("header", 0, "crc32", 12345),
    ("header", 0, "label_count", 2),
    ("header", 0, "reserved0", 1),
    ("header", 0, "tensor_count", 9),
    ("header", 0, "tensors_offset", 0),
    ("header", 0, "ops_offset", 0xFFFFFFFC),
    ("header", 0, "data_offset", 84),
    ("header", 0, "arena_bytes", 0xFFFFFFF0),
    ("tensor", 1, "height", 0),
    ("tensor", 2, "dtype", 7),
    ("tensor", 3, "scale", float("nan")),
    ("tensor", 4, "arena_offset", 8),
    ("tensor", 5, "name", 0xFFFF),
    ("input", 0, "tensor", 999),
    ("input", 0, "pixel_format", 77),
    ("output", 0, "tensor", 999),
    ("op", 0, "code", 200),
    ("op", 0, "weight_format", 3),
    ("op", 0, "period", 2),
    ("op", 0, "stride_h", 0),
    ("op", 0, "pad_top", 200),
    ("op", 1, "input0", 6),
    ("op", 1, "weights_offset", 0xFFFFFFF0),
    ("op", 1, "bias_offset", 2),
    ("op", 2, "shift_channels", 11),
    ("op", 2, "state_offset", 0xFFFFFFF0),
    ("op", 2, "state_bytes", 0),
    ("op", 0, "act_min", 127),
    ("op", 7, "frames", 0),
]


def records(header, record):
    """Return where in the file the records of a kind begin, and how many there are."""
    if record == "header":
        return 0, 1
    if record == "normalization":
        at = header["normalization_offset"]
        return at, int(at > 0)
    return header[f"{record}s_offset"], header[f"{record}_count"]


def spoil(content, record, index, field, value):
    """Return [(offset, bytes)] that put `value` into a field, with the CRC made right."""
    header = dict(
        zip(
            (name for name, _, _ in fmt.HEADER),
            fmt.codec(fmt.HEADER).unpack_from(content),
            strict=True,
        )
    )
    fields = fmt.RECORDS[record]
    offset, code = fmt.field_offsets(fields)[field]
    offset += records(header, record)[0] + index * fmt.codec(fields).size
    patches = [(offset, struct.pack("<" + code, value))]
    if field != "crc32":
        spoilt = bytearray(content)
        spoilt[offset : offset + len(patches[0][1])] = patches[0][1]
        at, _ = fmt.field_offsets(fmt.HEADER)["crc32"]
        patches.append((at, struct.pack("<I", zlib.crc32(spoilt[fmt.CRC_START :]))))
    return patches


def damage_cases(content):
    """Return [(record, index, field, length of the file, patches)]."""
    cases = [
        (record, index, field, len(content), spoil(content, record, index, field, value))
        for record, index, field, value in DAMAGE
    ]
    cases.append(("header", 0, "total_bytes", len(content) - 1, []))
    cases.append(("header", 0, "total_bytes", len(content) + 16, []))
    cases.append(("header", 0, "crc32", len(content), [(len(content) - 1, b"\xaa")]))
    return cases


def damaged(content, length, patches):
    """Return the spoilt file."""
    spoilt = bytearray(content[:length].ljust(length, b"\0"))
    for offset, patch in patches:
        spoilt[offset : offset + len(patch)] = patch
    return bytes(spoilt)


def damage_vectors(content):
    cases = damage_cases(content)
    out = bytearray(struct.pack("<4sHH", b"MDMG", 0, len(cases)))
    for record, index, field, length, patches in cases:
        try:
            mlet_file.read(damaged(content, length, patches))
        except RecordError as error:
            named = (error.record, error.index, error.field)
        else:
            named = None
        if named != (record, index, field):
            raise SystemExit(f"damage to {record} {index} {field} is read as {named}")
        text = f"{record}: {field}" if record == "header" else f"{record} {index}: {field}"
        out += struct.pack("<B", len(text)) + text.encode()
        out += struct.pack("<IB", length, len(patches))
        for offset, patch in patches:
            out += struct.pack("<IB", offset, len(patch)) + patch
    return bytes(out)


if __name__ == "__main__":
    main()
