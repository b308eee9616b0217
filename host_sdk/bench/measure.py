"""Cycles of kernels and of the demo's network, read from the device's own timer.

Each kernel is a model of one op. The device times the op alone, requantization included: no
Python, no copying of frames. Weights and input lie in RAM.
"""

import contextlib
import dataclasses
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host_sdk import paths
from host_sdk.board.devices import list_devices, open_device
from host_sdk.board.remote import RemoteStream, require_module
from host_sdk.board.romfs import build_romfs
from host_sdk.cost import cost_model
from host_sdk.cost.benchmarks import MHZ
from host_sdk.errors import MotionletError
from host_sdk.format.check import WITH_SCALE, WITH_WEIGHTS
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.format.weights import reachable_sums, weight_rows
from host_sdk.pack import mlet_file, planner, targets
from host_sdk.pack.packing import pack_for, plan_for
from host_sdk.quantize import quantize
from host_sdk.quantize.requantize import quantize_multipliers

PICO_TARGETS = ("portable", "cortex_m0plus")  # in the firmware of the virtual Pico
VIRTUAL_PICO = "virtual-pico"  # in the table
FRAMES = 2  # timed for a kernel; a network has one: each run of a kernel takes the same cycles
IMAGE_BYTES = 240_000  # of the virtual Pico's ROMFS of 256 KB
LOUD = 0.02  # a change that is reported, unless the timer's step of 1 µs alone may do it
TIMER_STEP = {"cycles": MHZ, "instructions": 0, "bytes": 0}


@dataclass
class Case:
    """A model to time. With `per_layer`, its layers are reported too."""

    name: str
    graph: Graph
    per_layer: bool = False


MAP = (16, 16, 32)

# What shifting a quarter of MAP costs: an op, and the same one without the shift.
SHIFTED = 16 * 16 * 8  # bytes
SHIFTS = {
    "by itself, in place": ("shift_quarter_16x16x32", None),
    "as depthwise2d reads": ("shift_depthwise3x3_16x16x32", "depthwise3x3_16x16x32"),
    "as pointwise reads": ("shift_pointwise_16x16_32_32", "pointwise_16x16_32_32"),
}

# Kernels whose weights have 4 bits, and the same ones with 8.
INT4 = {
    "pointwise_int4_16x16_32_32": "pointwise_16x16_32_32",
    "pointwise_int4_8x8_64_64": "pointwise_8x8_64_64",
    "conv3x3_int4_16x16x8_8": "conv3x3_16x16x8_8",
    "dense_int4_512_16": "dense_512_16",
}


def _one_op(name, kind, shape, out_shape, weights_shape=None, exact=False, **fields):
    """Return a Case with one op on random weights, as a quantizer would scale it.

    `exact` gives it multipliers of 31 bits, which none but imported models have.
    """
    rng = np.random.default_rng(0)
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors = [Tensor("x", *shape, 1.0, 3), Tensor("y", *out_shape, 1.0, 3)]
    op = Op(kind, name, [0], 1, **fields)
    channels = out_shape[2]
    if weights_shape:
        most = 7 if op.weight_bits == 4 else 127
        op.weights = rng.integers(-most, most + 1, weights_shape).astype(np.int8)
        op.bias = rng.integers(-1000, 1000, channels).astype(np.int32)
        low, high = reachable_sums(weight_rows(op))
        sums = None if exact else np.maximum(-low, high) + 1000 + 3 * np.abs(low)
        # A third of the int8 range for the spread of a sum: few outputs are clamped.
        reals = 40 / (74 * np.sqrt(np.square(weight_rows(op)).sum(axis=1)) + 1)
        op.multiplier, op.shift = quantize_multipliers(reals, sums)
    elif kind == "add":
        op.inputs = [0, 0]
        op.multiplier, op.shift = np.array([3 << 20, 1 << 21], np.int32), np.array([22], np.uint8)
    elif kind in WITH_SCALE:
        op.multiplier, op.shift = quantize_multipliers([1 / (op.frames * np.prod(op.kernel))])
    graph.ops = [op]
    return Case(name, graph)


def _window(name, kind, shape, out_channels, size, stride=1, dilation=1, **fields):
    """An op of windows whose output is as TensorFlow's SAME makes it."""
    out = [-(-n // stride) for n in shape[:2]]
    reach = (size - 1) * dilation + 1
    pads = [max((o - 1) * stride + reach - n, 0) // 2 for o, n in zip(out, shape, strict=False)]
    fields |= {"kernel": (size, size), "stride": (stride,) * 2, "padding": tuple(pads)}
    fields |= {"dilation": (dilation,) * 2}
    weights = (size, size, shape[2]) if kind in WITH_WEIGHTS else None
    if kind == "conv2d":
        weights = (out_channels, *weights)
    return _one_op(name, kind, shape, (*out, out_channels), weights, **fields)


def kernel_cases():
    """Return the kernels of the table, by the names that the figures are known by."""
    return [
        _one_op("pointwise_16x16_32_32", "pointwise", MAP, MAP, (32, 32)),
        _window("depthwise3x3_16x16x32", "depthwise2d", MAP, 32, 3),
        _window("conv3x3s2_32x32x1_8", "conv2d", (32, 32, 1), 8, 3, 2),
        _one_op("temporal3_16x16x32", "temporal_depthwise", MAP, MAP, (3, 32), frames=3),
        _one_op("shift_quarter_16x16x32", "temporal_shift", MAP, MAP, shift_channels=8),
        _one_op("dense_512_16", "dense", (1, 1, 512), (1, 1, 16), (16, 512)),
        _one_op("pointwise_int4_16x16_32_32", "pointwise", MAP, MAP, (32, 32), weight_bits=4),
    ]


def more_cases():
    """Return other shapes: few and many channels, odd sizes, strides, dilations, other ops."""
    odd = (7, 9, 10)
    deep = (8, 8, 64)
    return [
        _one_op("pointwise_exact_16x16_32_32", "pointwise", MAP, MAP, (32, 32), exact=True),
        _one_op("pointwise_16x16_8_16", "pointwise", (16, 16, 8), (16, 16, 16), (16, 8)),
        _one_op("pointwise_8x8_64_64", "pointwise", deep, deep, (64, 64)),
        _one_op("pointwise_7x9_10_13", "pointwise", odd, (7, 9, 13), (13, 10)),
        _one_op("pointwise_2x2_64_64", "pointwise", (2, 2, 64), (2, 2, 64), (64, 64)),
        _one_op("pointwise_int4_8x8_64_64", "pointwise", deep, deep, (64, 64), weight_bits=4),
        _window("depthwise3x3s2_16x16x32", "depthwise2d", MAP, 32, 3, 2),
        _window("depthwise3x3d2_16x16x16", "depthwise2d", (16, 16, 16), 16, 3, 1, 2),
        _window("depthwise3x3_8x8x64", "depthwise2d", deep, 64, 3),
        _window("depthwise3x3_7x9x10", "depthwise2d", odd, 10, 3),
        _window("depthwise5x5_16x16x8", "depthwise2d", (16, 16, 8), 8, 5),
        _window("conv3x3_16x16x8_8", "conv2d", (16, 16, 8), 8, 3),
        _window("conv3x3s2_32x32x3_8", "conv2d", (32, 32, 3), 8, 3, 2),
        _window("conv5x5s2_32x32x1_8", "conv2d", (32, 32, 1), 8, 5, 2),
        _window("conv3x3d2_7x9x10_6", "conv2d", odd, 6, 3, 1, 2),
        _window("conv3x3_int4_16x16x8_8", "conv2d", (16, 16, 8), 8, 3, weight_bits=4),
        _one_op("temporal2_8x8x64", "temporal_depthwise", deep, deep, (2, 64), frames=2),
        _one_op(
            *("temporal3d2_7x9x10", "temporal_depthwise", odd, odd, (3, 10)),
            frames=3,
            frame_dilation=2,
        ),
        _one_op("temporal5_8x8x64", "temporal_depthwise", deep, deep, (5, 64), frames=5),
        _one_op("shift_half_8x8x64", "temporal_shift", deep, deep, shift_channels=32),
        _one_op("shift3_7x9x10", "temporal_shift", odd, odd, shift_channels=3),
        _window("shift_depthwise3x3_16x16x32", "depthwise2d", MAP, 32, 3, shift_channels=8),
        _one_op("shift_pointwise_16x16_32_32", "pointwise", MAP, MAP, (32, 32), shift_channels=8),
        _one_op("dense_64_9", "dense", (1, 1, 64), (1, 1, 9), (9, 64)),
        _one_op("dense_510_10", "dense", (1, 1, 510), (1, 1, 10), (10, 510)),
        _one_op("dense_int4_512_16", "dense", (1, 1, 512), (1, 1, 16), (16, 512), weight_bits=4),
        _one_op("add_16x16x32", "add", MAP, MAP),
        _one_op(
            "average2x2_16x16x32", "average_pool", MAP, (8, 8, 32), kernel=(2, 2), stride=(2, 2)
        ),
        _one_op("average_all_8x8x64", "average_pool", deep, (1, 1, 64), kernel=(8, 8)),
        _window("max2x2s2_16x16x32", "max_pool2d", MAP, 32, 2, 2),
        _window("max3x3s2_16x16x32", "max_pool2d", MAP, 32, 3, 2),
        _one_op("average8_frames_64", "temporal_average", (1, 1, 64), (1, 1, 64), frames=8),
    ]


def small_cases():
    """Return shapes too small to pay for preparations, many with most taps outside the image."""
    one, two, three = (1, 1, 32), (2, 2, 16), (3, 3, 8)
    return [
        _window("conv3x3_1x1x32_32", "conv2d", one, 32, 3),
        _window("conv3x3s2_2x2x16_16", "conv2d", two, 16, 3, 2),
        _window("conv3x3_2x2x16_16", "conv2d", two, 16, 3),
        _window("conv3x3_int4_2x2x16_16", "conv2d", two, 16, 3, weight_bits=4),
        _window("conv5x5_2x2x16_8", "conv2d", two, 8, 5),
        _window("conv3x3_3x3x8_8", "conv2d", three, 8, 3),
        _window("conv3x3_5x3x1_1", "conv2d", (5, 3, 1), 1, 3),
        _window("depthwise3x3_1x1x32", "depthwise2d", one, 32, 3),
        _window("depthwise3x3_2x2x16", "depthwise2d", two, 16, 3),
        _window("depthwise5x5_2x2x16", "depthwise2d", two, 16, 5),
        _window("depthwise3x3d2_3x3x8", "depthwise2d", three, 8, 3, 1, 2),
        _window("depthwise3x3_1x6x1", "depthwise2d", (1, 6, 1), 1, 3),
        _one_op("pointwise_1x1_32_32", "pointwise", one, one, (32, 32)),
        _one_op("pointwise_int4_2x2_16_16", "pointwise", two, two, (16, 16), weight_bits=4),
        _one_op("pointwise_5x3_1_1", "pointwise", (5, 3, 1), (5, 3, 1), (1, 1)),
        _one_op("temporal3_1x1x32", "temporal_depthwise", one, one, (3, 32), frames=3),
        _one_op("temporal5_2x2x16", "temporal_depthwise", two, two, (5, 16), frames=5),
        _one_op("shift2_2x2x16", "temporal_shift", two, two, shift_channels=2),
        _one_op("add_1x1x32", "add", one, one),
        _one_op("average_all_3x3x8", "average_pool", three, (1, 1, 8), kernel=(3, 3)),
        _window("max2x2s2_3x3x8", "max_pool2d", three, 8, 2, 2),
        _one_op("dense_9_1", "dense", (3, 3, 1), (1, 1, 1), (1, 9)),
    ]


def rare_cases():
    """Return what networks of the families seldom have: `cost_model` shall know all counters.

    They are timed on the targets that count only, and in no table of BENCHMARKS.md.
    """
    cube, small, odd = (8, 8, 16), (3, 3, 24), (12, 12, 7)
    return [
        _window("conv3x3_9x7x2_2", "conv2d", (9, 7, 2), 2, 3),
        _window("conv5x5_6x6x1_1", "conv2d", (6, 6, 1), 1, 5),
        _window("conv3x3d2_6x6x4_1", "conv2d", (6, 6, 4), 1, 3, 1, 2),
        _window("conv3x3_2x2x4_32", "conv2d", (2, 2, 4), 32, 3),
        _window("conv3x3_2x1x9_40", "conv2d", (2, 1, 9), 40, 3),
        _window("conv3x3_int4_9x9x2_1", "conv2d", (9, 9, 2), 1, 3, weight_bits=4),
        _window("conv3x3_int4_2x2x4_32", "conv2d", (2, 2, 4), 32, 3, weight_bits=4),
        _window("conv3x3d2_12x14x8_8", "conv2d", (12, 14, 8), 8, 3, 1, 2),
        _window("conv3x3_int4_12x14x6_10", "conv2d", (12, 14, 6), 10, 3, weight_bits=4),
        _window("depthwise5x5_3x3x24", "depthwise2d", small, 24, 5),
        _window("depthwise5x5_4x4x7", "depthwise2d", (4, 4, 7), 7, 5),
        _window("depthwise3x3_exact_8x8x16", "depthwise2d", cube, 16, 3, exact=True),
        _window("depthwise3x3_12x12x7", "depthwise2d", odd, 7, 3),
        _window("depthwise5x5s2_12x12x7", "depthwise2d", odd, 7, 5, 2),
        _one_op(
            "pointwise_int4_1x3_64_9", "pointwise", (1, 3, 64), (1, 3, 9), (9, 64), weight_bits=4
        ),
        _one_op(
            "pointwise_int4_6x6_20_12", "pointwise", (6, 6, 20), (6, 6, 12), (12, 20), weight_bits=4
        ),
        _one_op(
            "shift_pointwise_1x2_32_9",
            "pointwise",
            (1, 2, 32),
            (1, 2, 9),
            (9, 32),
            shift_channels=8,
        ),
        _window("shift4_depthwise3x3_8x8x16", "depthwise2d", cube, 16, 3, shift_channels=4),
        _one_op("shift20_5x5x24", "temporal_shift", (5, 5, 24), (5, 5, 24), shift_channels=20),
        _one_op(
            "temporal3_exact_8x8x16",
            "temporal_depthwise",
            cube,
            cube,
            (3, 16),
            frames=3,
            exact=True,
        ),
        _one_op("temporal9_3x3x24", "temporal_depthwise", small, small, (9, 24), frames=9),
        _one_op("dense_105_6", "dense", (5, 7, 3), (1, 1, 6), (6, 105)),
        _one_op("dense_int4_100_9", "dense", (1, 1, 100), (1, 1, 9), (9, 100), weight_bits=4),
        _one_op("dense_int4_45_2", "dense", (3, 3, 5), (1, 1, 2), (2, 45), weight_bits=4),
        _one_op("average3x3_12x12x7", "average_pool", odd, (4, 4, 7), kernel=(3, 3), stride=(3, 3)),
        _one_op("average_all_12x12x8", "average_pool", (12, 12, 8), (1, 1, 8), kernel=(12, 12)),
        _one_op(
            "average3x3_9x9x4", "average_pool", (9, 9, 4), (3, 3, 4), kernel=(3, 3), stride=(3, 3)
        ),
        _window("max3x3_8x8x16", "max_pool2d", cube, 16, 3),
        _window("max5x5_3x3x24", "max_pool2d", small, 24, 5),
        _window("max2x2s2_12x12x7", "max_pool2d", odd, 7, 2, 2),
        _window("max3x3s2_9x9x1", "max_pool2d", (9, 9, 1), 1, 3, 2),
        _window("max5x5_5x7x3", "max_pool2d", (5, 7, 3), 3, 5),
        _one_op("average8_frames_5x3x7", "temporal_average", (5, 3, 7), (5, 3, 7), frames=8),
        _one_op("average2_frames_8x8x16", "temporal_average", cube, cube, frames=2),
    ]


def mobilenet_case():
    """Return MobileNetV1 of width 0.25 for frames of 96 x 96, with random weights, as one case."""
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5]
    blocks += [(1024, 2), (1024, 1)]
    layers = [_window("conv", "conv2d", (96, 96, 3), 8, 3, 2)]

    def shape():
        return layers[-1].graph.tensors[1].shape

    for index, (wide, stride) in enumerate(blocks):
        channels = wide // 4
        layers.append(_window(f"depthwise{index}", "depthwise2d", shape(), shape()[2], 3, stride))
        out, weights = (*shape()[:2], channels), (channels, shape()[2])
        layers.append(_one_op(f"pointwise{index}", "pointwise", shape(), out, weights))
    whole = (1, 1, shape()[2])
    layers.append(_one_op("average", "average_pool", shape(), whole, kernel=shape()[:2]))
    layers.append(_one_op("dense", "dense", shape(), (1, 1, 10), (10, shape()[2])))
    graph = layers[0].graph
    for index, layer in enumerate(layers[1:], 1):
        (op,) = layer.graph.ops
        op.inputs, op.output = [index], index + 1
        graph.tensors.append(dataclasses.replace(layer.graph.tensors[1], name=f"y{index}"))
        graph.ops.append(op)
    graph.outputs = [len(layers)]
    return Case("mobilenet_025_96", graph)


def estimated_cases():
    """Return what `xtensa_cycles` reckons: layers that others publish figures of, and networks."""
    names = ("pointwise_16x16_32_32", "depthwise3x3_16x16x32", "temporal3_16x16x32", "dense_512_16")
    return [
        *(case for case in kernel_cases() if case.name in names),
        _one_op("pointwise_20x20_16_32", "pointwise", (20, 20, 16), (20, 20, 32), (32, 16)),
        _window("conv3x3_16x16x16_16", "conv2d", (16, 16, 16), 16, 3),
        _window("conv3x3s2_16x16x32_16", "conv2d", MAP, 16, 3, 2),
        demo_case(),
        mobilenet_case(),
    ]


def demo_case():
    """Return the demo's network with its initial weights: cycles do not depend on training."""
    from host_sdk.bench import demo
    from host_sdk.data import load_task
    from host_sdk.networks import build_network, import_keras

    config = demo.CONFIG
    task = load_task(config.task)
    import_keras().utils.set_random_seed(0)
    model = build_network(config.network, task.FRAME_SHAPE, len(task.LABELS), **config.options)
    clips, _ = task.make_clips(16, config.frames, "train", 0)
    graph = quantize(model, clips, task.LABELS, task.FRAMES_PER_SECOND)
    return Case("demo_frame", graph, per_layer=True)


def all_cases():
    """Return all cases."""
    return [*kernel_cases(), *more_cases(), *small_cases(), demo_case()]


# Untrained networks, to compare and for `cost_model` to learn from: all kernels, from few channels
# to many. (network, frame shape, options)
_DESIGNS = (
    ("separable3d", (32, 32, 1), {"width": 0.5}),
    ("separable3d", (24, 32, 1), {"width": 1.5, "taps": 2}),
    ("separable3d", (8, 8, 1), {"width": 2, "taps": 5}),
    ("separable3d", (48, 48, 3), {"taps": 4}),
    ("tsm", (32, 32, 1), {}),
    ("tsm", (20, 15, 3), {"width": 0.5, "shift": 0.125}),
    ("tsm", (8, 8, 1), {"shift": 0.5}),
    ("late_fusion", (24, 24, 1), {"width": 0.7, "features": 48, "frames": 12}),
    ("phinet", (32, 32, 1), {"alpha": 0.7, "beta": 2, "t0": 4, "blocks": 5}),
    ("phinet", (40, 30, 1), {"taps": 3, "blocks": 3}),
    ("phinet", (16, 16, 1), {"alpha": 1.5, "beta": 0.6, "blocks": 6, "taps": 2}),
    ("xinet", (32, 32, 1), {}),
    ("xinet", (25, 17, 3), {"width": 0.6, "gamma": 2}),
    ("xinet", (8, 8, 1), {"width": 0.5}),
    ("per_frame", (64, 48, 1), {"width": 0.6}),
)
DESIGNS = {f"{d[0]}_{'x'.join(map(str, d[1]))}": d for d in _DESIGNS}
# One of each family: the report has them by layer, too.
FAMILIES = ("tsm_32x32x1", "phinet_32x32x1", "xinet_32x32x1", "late_fusion_24x24x1")


def design_cases(names=tuple(DESIGNS)):
    """Return untrained networks of many shapes, of DESIGNS."""
    return [
        Case(name, random_network(network, shape, 6, options), per_layer=True)
        for name, (network, shape, options) in DESIGNS.items()
        if name in names
    ]


def random_network(network, frame_shape, classes, options, seed=0):
    """Return the graph of a network with Keras's first weights, quantized on noise."""
    from host_sdk.networks import build_network, import_keras

    import_keras().utils.set_random_seed(seed)
    model = build_network(network, frame_shape, classes, **options)
    noise = np.random.default_rng(seed).integers(0, 256, (1, 2, *frame_shape)).astype(np.uint8)
    return quantize(model, noise, method="minmax", equalize=False, correct_bias=False)


def pack_case(case, target):
    """Return the case's model as bytes."""
    return pack_for(case.graph, target)


def random_frame(graph, rng):
    """Return a frame for the graph's only input [H, W, C]: 8-bit pixels, or int8 if it is raw."""
    bits = rng.integers(0, 256, graph.input_tensor.shape).astype(np.uint8)
    return bits.view(np.int8) if graph.input.pixel_format == "raw" else bits


# Prints what a model's object takes of the heap, and what a stream of it does: the least of three
# tries, as the collector may take a stray word for a pointer.
HEAP = """
import gc, json, motionlet
def _used():
    gc.collect()
    return gc.mem_alloc()
def _heap():
    before = _used()
    model = motionlet.load({path!r})
    between = _used()
    stream = model.stream()
    return between - before, _used() - between
print(json.dumps(min(_heap() for _ in range(3))))
"""


def measure(device, path, case, target, device_name):
    """Time a case whose model, packed for `target`, lies at `path`; return rows_of() it.

    Where the model lies in ROMFS, the row of a network also has its objects' bytes of heap.
    """
    stream = RemoteStream(device, path, case.graph, in_ram=True)
    frame = random_frame(case.graph, np.random.default_rng(1))
    frames = 1 if case.per_layer else FRAMES
    untimed = 0 if device_name == VIRTUAL_PICO else 1  # which has no caches to fill
    cycles = np.array(stream.profile(frame, frames, untimed)) * MHZ / frames
    rows = rows_of(case, target, device_name, "cycles", cycles)
    if case.per_layer and path.startswith("/rom/"):
        heap = json.loads(device.exec(HEAP.format(path=path)))
        rows[0] |= dict(zip(("model_heap_bytes", "stream_heap_bytes"), heap, strict=True))
    return rows


def rows_of(case, target, device_name, unit, figures):
    """Return a case's rows from the figures of its layers, in `unit` ("cycles", "instructions").

    Rows are {case, impl, device, unit: figure, macs, scratch_bytes, array_bytes}, what
    benchmarks.json holds: the model's, and with `per_layer` one for each layer, named "case/layer",
    while the model's has its file_bytes, and its arena_bytes with chains and with whole maps, too.
    Rows of layers have "work", on targets that count it: see `cost_model.work_of`.
    """
    common = {"impl": target, "device": device_name}
    graph, plan = plan_for(case.graph, target)
    data = mlet_file.pack(graph, plan, target)
    counts = target in cost_model.TARGETS
    work = [{"work": w} for w in cost_model.work_of(data)] if counts else [{}] * len(graph.ops)
    arrays = [_array_bytes(graph, op, target) for op in graph.ops]
    whole = {
        "case": case.name,
        **common,
        unit: round(sum(figures)),
        "macs": case.graph.macs_per_frame,
        "scratch_bytes": max(plan.scratch_sizes),
        "array_bytes": sum(arrays),
    }
    if not case.per_layer:
        return [whole | work[0]]
    flat = planner.plan(graph, targets.scratch_bytes(target), chains=False)
    whole |= {"arena_bytes": plan.arena_bytes, "arena_bytes_whole_maps": flat.arena_bytes}
    whole |= {"file_bytes": len(data)}
    return [whole] + [
        {
            "case": f"{case.name}/{op.name}",
            **common,
            unit: round(figures[index]),
            "macs": case.graph.macs(case.graph.ops[index]),
            "scratch_bytes": plan.scratch_sizes[index],
            "array_bytes": arrays[index],
            **work[index],
        }
        for index, op in enumerate(graph.ops)
    ]


def _array_bytes(graph, op, target):
    """Return the bytes of an op's weights and parameters, as they lie in a file for `target`."""
    arrays = targets.relayout(op, graph.tensors[op.inputs[0]], graph.tensors[op.output], target)
    return sum(array.nbytes for array in arrays.values() if array is not None)


def recount(rows, on_case=None):
    """Return `rows` with what their layers do counted anew, none measured.

    `on_case(name)` is called for each case. Raises MotionletError when a case is no longer the
    model that was measured.
    """
    stored = {_key(row): row for row in rows}
    devices = {row["device"] for row in rows if "cycles" in row}
    for case in [*all_cases(), *design_cases(), *rare_cases()]:
        if on_case:
            on_case(case.name)
        for target in cost_model.TARGETS:
            for row in rows_of(case, target, None, "cycles", [0] * len(case.graph.ops)):
                for device in devices:
                    known = stored.get(_key(row | {"device": device}))
                    if known is None:
                        continue
                    if any(known[n] != row[n] for n in ("macs", "scratch_bytes", "array_bytes")):
                        raise MotionletError(f"{row['case']} is another now: run `host_sdk bench`")
                    known.pop("work", None)
                    known.pop("kernel", None)
                    known |= {"work": row["work"]} if "work" in row else {}
    return rows


def unit_of(row):
    """Return what a row's figure counts."""
    return next(unit for unit in TIMER_STEP if unit in row)


def figure_of(row):
    """Return a row's figure."""
    return row[unit_of(row)]


def size_rows():
    """Return rows of bytes: how large Motionlet is in what is built of it (tools/sizes.py)."""
    tool = paths.repository() / "tools/sizes.py"
    done = subprocess.run([sys.executable, tool], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise MotionletError("the sizes are not known; the reason is above")
    return json.loads(done.stdout)


def changes(old, new, least=LOUD):
    """Return [(row, old figure)] of the rows of `new` that moved by more than `least`, a share."""
    before = {_key(row): figure_of(row) for row in old}
    moved = []
    for row in new:
        figure = before.get(_key(row))
        if figure is None:
            continue
        if abs(figure_of(row) - figure) > max(least * figure, TIMER_STEP[unit_of(row)]):
            moved.append((row, figure))
    return moved


def describe_changes(old, new):
    """Return what `changes` finds, a line for each row."""
    lines = []
    for row, before in changes(old, new):
        after = figure_of(row)
        more, less = ("LARGER", "smaller") if "bytes" in row else ("SLOWER", "faster")
        word = more if after > before else less
        name = f"{row['case']} ({row['impl']})"
        lines.append(f"{word}: {name}: {before:,} → {after:,} ({after / before - 1:+.1%})")
    return lines


def merge(old, new):
    """Return the rows of `new`, and those of `old` from devices that `new` has none of."""
    measured = {row["device"] for row in new}
    kept = [row for row in old if row["device"] not in measured]
    return sorted([*kept, *new], key=lambda row: row["device"])


def _key(row):
    return row["case"], row["impl"], row["device"]


def json_of(rows):
    """Return bench.json for the rows: one to a line."""
    return "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n"


def run(spec, progress=None):
    """Measure all cases on the device `spec` (see devices.open_device); return the rows.

    The virtual Pico starts with all models in its ROMFS; on a board they are deployed in turn.
    """
    tell = progress or (lambda done, total: None)
    if spec not in ("auto", "virtual") or (spec == "auto" and list_devices()):
        with open_device(spec) as device:
            tuned = require_module(device)["target"]
            return measure_all(device, device.name, _runs(tuned), progress)
    runs, rows, before = _runs(PICO_TARGETS[-1]), [], 0
    for batch in _batches(runs):
        with virtual_pico(batch) as device:
            rows += measure_all(
                *(device, VIRTUAL_PICO, batch, lambda n, _, b=before: tell(b + n, len(runs))),
                in_rom=True,
            )
        before += len(batch)
    return rows


def _runs(tuned):
    """Return [(case, target)] of what is to be timed on a device."""
    cases = [*all_cases(), *design_cases()]
    runs = [(case, target) for case in cases for target in dict.fromkeys(("portable", tuned))]
    return runs + [(case, tuned) for case in rare_cases() if tuned in cost_model.TARGETS]


def _batches(runs):
    """Return `runs` in lists whose models fit in the virtual Pico's ROMFS together."""
    batches, room = [], 0
    for run in runs:
        size = len(pack_case(*run)) + 256  # of records and padding
        if size > room:
            batches.append([])
            room = IMAGE_BYTES
        batches[-1].append(run)
        room -= size
    return batches


@contextlib.contextmanager
def virtual_pico(runs):
    """Give a virtual Pico that has the models of `runs`, [(case, target)], in its ROMFS."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "models.romfs"
        image.write_bytes(build_romfs({_file(*run): pack_case(*run) for run in runs}))
        with open_device("virtual", flash=Path(folder) / "flash", romfs=image) as device:
            yield device


def measure_all(device, name, runs, progress=None, in_rom=False):
    """Time `runs`, [(case, target)]; return their rows, in which the device is called `name`.

    `in_rom`: the models are in its ROMFS, as `virtual_pico` puts them; otherwise they are written.
    """
    rows = []
    for done, (case, target) in enumerate(runs):
        if progress:
            progress(done, len(runs))
        path = f"/rom/{_file(case, target)}" if in_rom else "/bench.mlet"
        if not in_rom:
            device.write_file(path, pack_case(case, target))
        rows += measure(device, path, case, target, name)
    return rows


def _file(case, target):
    return f"{case.name}.{target}"
