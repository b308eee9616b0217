"""Random ops and graphs for hypothesis, weighted towards the edges of what SPEC.md allows.

Hypothesis draws the structure and a seed; numpy fills the arrays from the seed, in a `style` that
is often all extremes. So examples stay small to draw and shrink well.
"""

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from host_sdk import golden
from host_sdk.format.check import check_graph
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.format.mlet import LIMITS
from host_sdk.format.normalization import Normalization, sample_range
from host_sdk.format.operators import OPS, having
from host_sdk.pack import chains

INT32_MAX = 2**31 - 1
STYLES = ("random", "high", "low", "extremes")
ALL_KINDS = tuple(OPS)
zero_points = st.one_of(st.sampled_from([-128, 127, 0]), st.integers(-128, 127))
sizes = st.integers(1, 9)
channel_counts = st.integers(1, 20)
chained_counts = st.sampled_from([4, 8, 12])  # of maps whose ops may be chained
styles = st.sampled_from(STYLES)
seeds = st.integers(0, 2**32 - 1)


def fill(rng, shape, low, high, style):
    """Integers in [low, high]: anywhere, all at one end, or at both ends at random."""
    if style == "high":
        return np.full(shape, high)
    if style == "low":
        return np.full(shape, low)
    if style == "extremes":
        return rng.choice([low, high], shape)
    return rng.integers(low, high, shape, endpoint=True)


def requantize(acc, m, n, zero, lo, hi):
    """SPEC.md's formula on Python's unbounded integers."""
    return min(max(zero + (acc * m + 2 ** (n - 1)) // 2**n, lo), hi)


def edge_accumulators(m, n, limit=INT32_MAX):
    """Accumulators within +-limit: both ends, around 0, and around the steps of m / 2^n."""
    edges = {0, 1, -1, limit, -limit, limit - 1, 1 - limit}
    for step in (-129, -128, -3, -1, 0, 1, 2, 127, 128, 255):
        halfway = (2 * step + 1) * 2 ** (n - 1) // m  # where the result goes on from `step`
        edges.update(halfway + d for d in (-1, 0, 1, 2))
    return [acc for acc in sorted(edges) if abs(acc) <= limit]


EDGE_MULTIPLIERS = (2**30, 2**30 + 1, 3 * 2**29 - 1, 3 * 2**29, INT32_MAX - 1, INT32_MAX)


@st.composite
def frames_of(draw, tensor, frames):
    """A clip int8 [frames, H, W, C] for a tensor."""
    rng = np.random.default_rng(draw(seeds))
    return fill(rng, (frames, *tensor.shape), -128, 127, draw(styles)).astype(np.int8)


def tensor(name, shape, scale=1.0, zero_point=0):
    return Tensor(name, *(int(n) for n in shape), float(np.float32(scale)), int(zero_point))


@st.composite
def act_ranges(draw):
    low = draw(st.one_of(st.just(-128), st.integers(-128, 127)))
    return low, draw(st.one_of(st.just(127), st.integers(low, 127)))


def _requantizers(draw, rng, count, taps):
    """Multipliers and shifts: extreme, or such that outputs spread over the int8 range."""
    style = draw(st.sampled_from(["spread", "halves", "extremes", "random"]))
    if style in ("spread", "halves"):  # about 1 / (64 * sqrt(taps)) as factor
        shift = 36 + int(np.log2(max(1, taps)) / 2) + rng.integers(0, 3, count)
        # With a power of 2, some results lie halfway between two integers.
        return fill(rng, count, 2**30, INT32_MAX, "random" if style == "spread" else "low"), shift
    return fill(rng, count, 2**30, INT32_MAX, style), fill(rng, count, 1, 62, style)


def _set_parameters(draw, op, weights_shape, channels):
    rng = np.random.default_rng(draw(seeds))
    taps = int(np.prod(weights_shape)) // channels
    if op.kind in ("conv2d", "pointwise", "dense"):
        op.weight_bits = draw(st.sampled_from([8, 4]))
    largest = 2 ** (op.weight_bits - 1) - 1
    op.weights = fill(rng, weights_shape, -largest, largest, draw(styles)).astype(np.int8)
    most = INT32_MAX - 32768 * taps
    small = min(most, 1000 * taps)
    limit = draw(st.sampled_from([small, small, most]))
    op.bias = fill(rng, channels, -limit, limit, draw(styles)).astype(np.int32)
    _set_requantizers(draw, op, rng, channels, taps)


def _set_requantizers(draw, op, rng, count, taps):
    multiplier, shift = _requantizers(draw, rng, count, taps)
    op.multiplier, op.shift = multiplier.astype(np.int32), shift.astype(np.uint8)


def _axis(draw, size, pool):
    """Kernel, stride, dilation, padding and output size along one axis."""
    stride = draw(st.integers(1, 3))
    if pool:
        kernel = draw(st.one_of(st.just(size), st.integers(1, size)))
        return kernel, stride, 1, 0, draw(st.integers(1, (size - kernel) // stride + 1))
    kernel, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    reach = (kernel - 1) * dilation
    padding = draw(st.one_of(st.just(reach), st.integers(0, reach)))
    most = (size - 1 + padding) // stride + 1
    return kernel, stride, dilation, padding, draw(st.one_of(st.just(most), st.integers(1, most)))


@st.composite
def graph_ops(draw, graph, source_index, kind, second=None, counts=channel_counts):
    """Append an op of `kind` on tensor `source_index` (and `second`, for add) to `graph`.

    `counts` is of its output's channels, where they are its own.
    """
    source = graph.tensors[source_index]
    index = len(graph.ops)
    op = Op(kind, f"op{index}/{kind}", [source_index], len(graph.tensors))
    shape, zero_point, scale = list(source.shape), draw(zero_points), 2.0 ** -(index + 1)
    if kind == "temporal_shift":
        op.shift_channels = draw(st.integers(1, shape[2]))
    else:
        op.act_min, op.act_max = draw(act_ranges())
    if kind in having("window"):
        pool = kind not in having("padding")
        rows, columns = (_axis(draw, size, pool) for size in shape[:2])
        op.kernel, op.stride, op.dilation, op.padding, shape[:2] = zip(rows, columns, strict=True)
    if kind in ("conv2d", "pointwise", "dense"):
        shape[2] = draw(counts)
    if kind == "dense":
        shape[:2] = 1, 1
    if kind == "temporal_depthwise":
        op.frames, op.frame_dilation = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    if kind == "temporal_average":
        op.frames = draw(st.integers(1, 5))
    if kind in ("depthwise2d", "pointwise"):
        op.shift_channels = 4 * draw(st.integers(0, source.channels // 4))
    if kind in having("copy"):
        zero_point, scale = source.zero_point, source.scale
    graph.tensors.append(tensor(f"t{op.output}", shape, scale, zero_point))
    graph.ops.append(op)
    weights = {
        "conv2d": (shape[2], *op.kernel, source.channels),
        "depthwise2d": (*op.kernel, shape[2]),
        "pointwise": (shape[2], source.channels),
        "temporal_depthwise": (op.frames, shape[2]),
        "dense": (shape[2], source.size),
    }
    rng = np.random.default_rng(draw(seeds))
    if kind in weights:
        _set_parameters(draw, op, weights[kind], shape[2])
    elif kind == "add":
        op.inputs.append(source_index if second is None else second)
        shift = draw(st.one_of(st.sampled_from([1, 16, 17, 23]), st.integers(1, 23)))
        # The last one halves each input, so that many sums lie halfway between two integers.
        half = min(2 ** (shift - 1), 2**22 - 1)
        low, high = draw(st.sampled_from([(0, 2**22 - 1), (0, 2**17), (half, half)]))
        op.multiplier = fill(rng, 2, low, high, draw(styles)).astype(np.int32)
        op.shift = np.array([shift], np.uint8)
    elif kind in having("scale"):
        taps = op.frames * op.kernel[0] * op.kernel[1]
        _set_requantizers(draw, op, rng, 1, taps)
    return op


@st.composite
def one_op_graphs(draw, kind):
    """A graph of one op; an add has two inputs, sometimes the same one."""
    graph = Graph(inputs=[Input(0, "raw")])
    shape = draw(st.tuples(sizes, sizes, channel_counts))
    graph.tensors.append(tensor("x", shape, 0.5, draw(zero_points)))
    second = None
    if kind == "add" and draw(st.booleans()):
        graph.tensors.append(tensor("x2", shape, 0.25, draw(zero_points)))
        graph.inputs.append(Input(1, "raw"))
        second = 1
    op = draw(graph_ops(graph, 0, kind, second))
    graph.outputs.append(op.output)
    return graph


@st.composite
def normalizations(draw, sample_types=("uint8", "int16")):
    """Any that SPEC.md allows, often at the edges."""
    edge = draw(st.booleans())

    def number(least, most):
        return draw(st.sampled_from([least, most]) if edge else st.integers(least, most))

    kind = draw(st.sampled_from(["window", "background"]))
    own = {"rate": number(0, 15)}
    if kind == "window":
        own = {"offset": number(-(2**15), 2**15 - 1)}
    return Normalization(
        kind,
        draw(st.sampled_from(sample_types)),
        multiplier=number(1, LIMITS["normalization_multiplier_max"]),
        shift=number(1, LIMITS["normalization_shift_max"]),
        zero_point=number(-128, 127),
        scale=1 / 64,
        samples_per_unit=number(1, 255),
        **own,
    )


@st.composite
def samples_for(draw, normalization, shape=None):
    """A clip of samples [T, H, W, C], sometimes only the lowest and the highest."""
    rng = np.random.default_rng(draw(seeds))
    shape = shape or draw(st.tuples(*[st.integers(1, 3)] * 3))
    ends = sample_range(normalization.sample_type)
    clip = fill(rng, (draw(st.integers(1, 8)), *shape), *ends, draw(styles))
    return clip.astype(normalization.sample_type)


@st.composite
def inputs_of(draw, graph, shape, name="input", period=1):
    """Give `graph` one more input, of any format and of `shape`: (height, width)."""
    formats = {"gray8": 1, "rgb888": 3, "int16": 1, "raw": draw(st.integers(1, 8))}
    given = Input(len(graph.inputs), draw(st.sampled_from(list(formats))), period=period)
    if given.pixel_format == "int16":
        given.normalization = draw(normalizations(["int16"]))
    elif given.pixel_format != "raw" and draw(st.booleans()):
        given.normalization = draw(normalizations(["uint8"]))
    zero = draw(zero_points) if given.pixel_format == "raw" else given.normalization.zero_point
    channels = formats[given.pixel_format]
    graph.tensors.append(tensor(name, (*shape, channels), given.normalization.scale, zero))
    graph.inputs.append(given)


def as_raw(graph):
    """Return a graph whose inputs take int8 as it is."""
    return replace(graph, inputs=[Input(x.tensor, "raw", period=x.period) for x in graph.inputs])


@st.composite
def graphs(draw, max_ops=8):
    """Random ops, most on the one before, with branches and residual adds; one input, one output or
    two.
    """
    graph = Graph(frames_per_second=10.0)
    draw(inputs_of(graph, draw(st.tuples(sizes, sizes))))
    draw(ops_of(graph, max_ops))
    return graph


@st.composite
def two_rate_graphs(draw, max_ops=8):
    """As `graphs`, with two or three inputs; they and the ops are of any periods, in groups."""
    graph = Graph(frames_per_second=10.0)
    shape = draw(st.tuples(sizes, sizes))
    periods = draw(st.sampled_from([(1, 3), (1, 2), (2, 1), (4, 2), (3, 2), (1, 1, 5), (2, 3, 1)]))
    for name, period in zip(("first", "second", "third"), periods, strict=False):
        draw(inputs_of(graph, shape, name, period))
    draw(ops_of(graph, max_ops))
    written = list(graph.input_periods)
    for op in graph.ops:
        before = [written[i] for i in op.inputs]
        op.period = draw(st.sampled_from([*before, *before, 1, 2, 3, 4, 6]))
        op.group = draw(st.sampled_from([0, 0, 0, op.period % 16, 15]))
        written.append(op.period)
    check_graph(graph)
    return graph


@st.composite
def clips_for(draw, graph, frames):
    """A clip for each input of a graph that runs for so many frames: samples, or int8."""
    clips = []
    for x in graph.inputs:
        tensor, count = graph.tensors[x.tensor], -(-frames // x.period)
        if x.pixel_format != "raw" and draw(st.booleans()):
            rng = np.random.default_rng(draw(seeds))
            kind = x.normalization.sample_type
            clip = fill(rng, (count, *tensor.shape), *sample_range(kind), draw(styles))
            clips.append(clip.astype(kind))
        else:
            clips.append(draw(frames_of(tensor, count)))
    return clips


@st.composite
def ops_of(draw, graph, max_ops):
    """Append random ops to the inputs of `graph`, and name its outputs."""
    kinds = [kind for kind in ALL_KINDS if kind != "dense"]
    counts = draw(st.sampled_from([channel_counts, chained_counts]))
    for _ in range(draw(st.integers(1, max_ops))):
        kind, last = draw(st.sampled_from(kinds)), len(graph.tensors) - 1
        source = draw(st.one_of(st.just(last), st.just(last), st.integers(0, last)))
        if kind == "add":
            shape = graph.tensors[source].shape
            same = [i for i, t in enumerate(graph.tensors) if t.shape == shape]
            draw(graph_ops(graph, source, kind, draw(st.sampled_from(same))))
        else:
            draw(graph_ops(graph, source, kind, counts=counts))
    if draw(st.booleans()):
        draw(graph_ops(graph, len(graph.tensors) - 1, "dense"))
    graph.outputs.append(len(graph.tensors) - 1)
    if draw(st.booleans()):
        graph.outputs.append(draw(st.integers(0, len(graph.tensors) - 1)))
    if draw(st.booleans()):
        graph.labels = [f"label {i}" for i in range(graph.tensors[graph.outputs[0]].channels)]


@st.composite
def chains_of(draw, graph):
    """Some of the chains that a graph may have, [(first, last)]."""
    possible = chains.possible(graph)
    chosen, at = [], 0
    while options := [part for part in possible if part[0] >= at]:
        part = draw(st.sampled_from(options))
        chosen.append(part)
        at = part[1] + 1
    return chosen


def draw_cases(kind, examples):
    """Return [(graph, clip)] of `examples` random one-op graphs with one input, the same always."""
    cases = []

    @settings(max_examples=examples)
    @given(st.data())
    def collect(data):
        graph = data.draw(one_op_graphs(kind))
        op = graph.ops[0]
        if kind == "add":  # a stream has one input: add it to itself
            graph.tensors = [graph.tensors[0], graph.tensors[op.output]]
            graph.inputs, graph.outputs = [Input(0, "raw")], [1]
            op.inputs, op.output = [0, 0], 1
        elif op.multiplier is not None:
            bits = data.draw(st.sampled_from([0, 20, 24]))  # short: requantized in one step
            op.multiplier = (op.multiplier >> bits) << bits
        check_graph(graph)
        frames = data.draw(st.integers(1, 2 + golden.frames_kept(op)))
        cases.append((graph, data.draw(frames_of(graph.tensors[0], frames))))

    collect()
    return cases


def draw_graphs(examples):
    """Return [(graph, clip)] of `examples` random graphs of several ops, the same always."""
    cases = []

    @settings(max_examples=examples)
    @given(st.data())
    def collect(data):
        graph = as_raw(data.draw(graphs()))
        cases.append((graph, data.draw(frames_of(graph.tensors[0], 4))))

    collect()
    return cases


def mean_edges():
    """Return [(graph, clip)] of averages at the ends of what 16 and 32 bits hold."""
    cases = []
    shifts, zeros = (16, 17, 31, 33, 38, 39), ((-128, 127), (127, -128), (3, -5))
    for number, (shift, (x_zero, y_zero)) in enumerate(itertools.product(shifts, zeros)):
        multiplier = (INT32_MAX, 2**30, 2**30 + 65535)[number % 3]
        for kind, size, fields in (
            ("average_pool", (8, 16), {"kernel": (8, 16)}),
            ("average_pool", (3, 43), {"kernel": (3, 43)}),  # 129 taps
            ("temporal_average", (1, 1), {"frames": 16}),
        ):
            channels = (8, 6)[number % 2]
            graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
            graph.tensors.append(tensor("x", (*size, channels), zero_point=x_zero))
            graph.tensors.append(tensor("y", (1, 1, channels), zero_point=y_zero))
            op = Op(kind, "mean", [0], 1, **fields)
            op.multiplier, op.shift = np.array([multiplier], np.int32), np.array([shift], np.uint8)
            graph.ops.append(op)
            check_graph(graph)
            values = np.repeat([-128, 127, 0], op.frames).reshape(-1, 1, 1, 1)
            clip = np.broadcast_to(values, (len(values), *size, channels)).astype(np.int8)
            clip[-op.frames :] = np.random.default_rng(number).choice([-128, 127], clip[0].shape)
            cases.append((graph, clip))
    return cases
