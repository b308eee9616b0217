"""The golden model against SPEC.md's formulas in plain Python, and against itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
import strategies
from hypothesis import assume, given
from hypothesis import strategies as st

from host_sdk import golden
from host_sdk.errors import MotionletError
from host_sdk.format.check import RecordError, check_graph
from host_sdk.format.graph import Graph, Input, Op, Tensor

INT32_MAX = 2**31 - 1


@pytest.mark.parametrize("n", range(1, 63))
def test_requantize_on_every_edge(n):
    for m in strategies.EDGE_MULTIPLIERS:
        accs = [-(2**31), *strategies.edge_accumulators(m, n)]
        for zero, lo, hi in ((0, -128, 127), (-128, -128, 127), (127, -5, 3), (17, 17, 90)):
            expected = [strategies.requantize(acc, m, n, zero, lo, hi) for acc in accs]
            got = golden.requantize(accs, m, n, zero, lo, hi)
            assert got.dtype == np.int8
            assert got.tolist() == expected


def test_requantize_rounds_half_up():
    halves = golden.requantize([-6, -4, -2, 2, 4, 6], 2**30, 32, 0, -128, 127)
    assert halves.tolist() == [-1, -1, 0, 1, 1, 2]


def in_words(graph, op, xs, t):
    """One op at frame t, element by element, as SPEC.md section 2 has it, in Python integers."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    zx, zy = source.zero_point, target.zero_point
    x = xs[0]

    def value(time, i, j, c):
        inside = time >= 0 and 0 <= i < source.height and 0 <= j < source.width
        return int(x[time, i, j, c]) - zx if inside else 0

    def result(acc, index):
        m, n = int(op.multiplier[index]), int(op.shift[index])
        return strategies.requantize(acc, m, n, zy, op.act_min, op.act_max)

    y = np.zeros(target.shape, np.int8)
    for i in range(target.height):
        for j in range(target.width):
            for o in range(target.channels):
                y[i, j, o] = element(graph, op, xs, t, i, j, o, value, result)
    return y


def element(graph, op, xs, t, i, j, o, value, result):
    source = graph.tensors[op.inputs[0]]
    window = [(a, b) for a in range(op.kernel[0]) for b in range(op.kernel[1])]
    channels = range(source.channels)
    bias = int(op.bias[o]) if op.bias is not None else 0

    def frame(c):
        return t - 1 if c < op.shift_channels else t

    def at(a, b):
        return (
            i * op.stride[0] - op.padding[0] + a * op.dilation[0],
            j * op.stride[1] - op.padding[1] + b * op.dilation[1],
        )

    if op.kind == "conv2d":
        products = (
            int(op.weights[o, a, b, c]) * value(t, *at(a, b), c)
            for a, b in window
            for c in channels
        )
        return result(bias + sum(products), o)
    if op.kind == "depthwise2d":
        products = (int(op.weights[a, b, o]) * value(frame(o), *at(a, b), o) for a, b in window)
        return result(bias + sum(products), o)
    if op.kind == "pointwise":
        return result(
            bias + sum(int(op.weights[o, c]) * value(frame(c), i, j, c) for c in channels), o
        )
    if op.kind == "dense":
        flat = xs[0][t].reshape(-1)
        products = (
            int(w) * (int(v) - source.zero_point) for w, v in zip(op.weights[o], flat, strict=True)
        )
        return result(bias + sum(products), o)
    if op.kind == "average_pool":
        return result(sum(value(t, *at(a, b), o) for a, b in window), 0)
    if op.kind == "max_pool2d":
        places = [at(a, b) for a, b in window]
        inside = [p for p in places if 0 <= p[0] < source.height and 0 <= p[1] < source.width]
        most = max((int(xs[0][(t, *place, o)]) for place in inside), default=-128)
        return min(max(most, op.act_min), op.act_max)
    if op.kind == "temporal_average":
        return result(sum(value(t - a, i, j, o) for a in range(op.frames)), 0)
    if op.kind == "temporal_depthwise":
        taps = range(op.frames)
        delays = [(op.frames - 1 - a) * op.frame_dilation for a in taps]
        products = (int(op.weights[a, o]) * value(t - delays[a], i, j, o) for a in taps)
        return result(bias + sum(products), o)
    if op.kind == "temporal_shift":
        return value(frame(o), i, j, o) + source.zero_point
    assert op.kind == "add"
    n, acc = int(op.shift[0]), 0
    for k, tensor in enumerate(op.inputs):
        acc += (int(xs[k][t, i, j, o]) - graph.tensors[tensor].zero_point) * int(op.multiplier[k])
    zy = graph.tensors[op.output].zero_point
    return min(max(zy + math.floor((acc + 2 ** (n - 1)) / 2**n), op.act_min), op.act_max)


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
@given(data=st.data())
def test_ops_say_what_the_specification_says(kind, data):
    graph = data.draw(strategies.one_op_graphs(kind))
    op = graph.ops[0]
    frames = golden.frames_kept(op) + 2
    clips = {
        i: data.draw(strategies.frames_of(graph.tensors[i], frames))
        for i in range(len(graph.inputs))
    }
    xs = [clips[i] for i in op.inputs]
    y = golden.run_op(graph, op, xs)
    t = data.draw(st.integers(0, frames - 1))
    np.testing.assert_array_equal(y[t], in_words(graph, op, xs, t))


@pytest.mark.parametrize("kind", ["depthwise2d", "pointwise"])
@given(data=st.data())
def test_shifting_as_it_reads_is_a_shift_in_front(kind, data):
    graph = data.draw(strategies.one_op_graphs(kind))
    op, source = graph.ops[0], graph.tensors[0]
    op.shift_channels = 4 * data.draw(st.integers(1, 1 + source.channels // 4))
    assume(op.shift_channels <= source.channels)
    clip = data.draw(strategies.frames_of(source, 3))
    shift = Op("temporal_shift", "shift", [0], 1, shift_channels=op.shift_channels)
    apart = replace(graph, tensors=[source, *graph.tensors], outputs=[2])
    apart.ops = [shift, replace(op, inputs=[1], output=2, shift_channels=0)]
    check_graph(graph)
    check_graph(apart)
    together = golden.run_clip(graph, clip)[-1]
    np.testing.assert_array_equal(together, golden.run_clip(apart, clip)[-1])


@given(data=st.data())
def test_stream_equals_clip(data):
    graph = data.draw(strategies.graphs())
    clip = data.draw(strategies.frames_of(graph.tensors[0], data.draw(st.integers(1, 12))))
    offline = golden.run_clip(graph, clip)
    stream = golden.Stream(graph)
    stream.push(clip[-1])
    stream.reset()
    for t, frame in enumerate(clip):
        for streamed, expected in zip(stream.push_trace(frame), offline, strict=True):
            np.testing.assert_array_equal(streamed, expected[t])


def shift_graph(zero_point=7):
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors = [Tensor(name, 1, 1, 3, 0.5, zero_point) for name in "xy"]
    graph.ops = [Op("temporal_shift", "shift", [0], 1, shift_channels=2)]
    return graph


def test_shift_by_hand():
    clip = np.array([[1, 2, 3], [4, 5, 6], [-7, -8, -9]], np.int8).reshape(3, 1, 1, 3)
    (y,) = golden.run_clip(shift_graph(), clip)
    assert y.reshape(3, 3).tolist() == [[7, 7, 3], [1, 2, 6], [4, 5, -9]]


def test_argmax_is_the_lowest_index():
    assert golden.argmax(np.array([[[3, 9, 9, -1]]], np.int8)) == 1


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (np.zeros((2, 1, 1, 4), np.int8), "input 'x' is (1, 1, 3), not (1, 1, 4)"),
        (np.zeros((2, 1, 1, 3), np.uint8), "int8 of 4 dimensions, not uint8 of 4"),
        (np.zeros((1, 1, 3), np.int8), "int8 of 4 dimensions, not int8 of 3"),
        ([], "0 inputs given, the graph has 1"),
    ],
)
def test_wrong_clips(clip, message):
    with pytest.raises(MotionletError, match=message.replace("(", r"\(").replace(")", r"\)")):
        golden.run_clip(shift_graph(), clip)


def conv_graph():
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors = [Tensor("x", 4, 5, 2, 0.5, 0), Tensor("y", 4, 5, 3, 0.5, 0)]
    op = Op("conv2d", "conv", [0], 1, kernel=(3, 3), padding=(1, 1))
    op.weights = np.zeros((3, 3, 3, 2), np.int8)
    op.bias = np.zeros(3, np.int32)
    op.multiplier = np.full(3, 2**30, np.int32)
    op.shift = np.full(3, 31, np.uint8)
    graph.ops = [op]
    return graph


def set_bias(value):
    return lambda graph: graph.ops[0].bias.fill(value)


LAST_BIAS = INT32_MAX - 32768 * 18


def test_the_largest_bias_is_accepted():
    graph = conv_graph()
    set_bias(-LAST_BIAS)(graph)
    check_graph(graph)


@pytest.mark.parametrize(
    ("spoil", "record", "field"),
    [
        (set_bias(LAST_BIAS + 1), "op", "bias"),
        (set_bias(-LAST_BIAS - 1), "op", "bias"),
        (set_bias(-INT32_MAX - 1), "op", "bias"),
        (lambda g: g.ops[0].weights.fill(-128), "op", "weights"),
        (lambda g: g.ops[0].multiplier.fill(2**30 - 1), "op", "multiplier"),
        (lambda g: g.ops[0].shift.fill(63), "op", "shift"),
        (lambda g: g.ops[0].shift.fill(0), "op", "shift"),
        (lambda g: setattr(g.ops[0], "shift", np.full(2, 31, np.uint8)), "op", "shift"),
        (lambda g: setattr(g.ops[0], "bias", np.zeros(3, np.int64)), "op", "bias"),
        (lambda g: setattr(g.ops[0], "weights", None), "op", "weights"),
        (lambda g: setattr(g.ops[0], "padding", (3, 1)), "op", "pad_top"),
        (lambda g: setattr(g.ops[0], "stride", (1, 0)), "op", "stride_w"),
        (lambda g: setattr(g.ops[0], "act_max", -129), "op", "act_max"),
        (lambda g: setattr(g.ops[0], "kind", "conv"), "op", "code"),
        (lambda g: setattr(g.ops[0], "inputs", [0, 0]), "op", "input1"),
        (lambda g: setattr(g.ops[0], "inputs", [1]), "op", "input0"),
        (lambda g: setattr(g.ops[0], "output", 2), "op", "output"),
        (lambda g: setattr(g.ops[0], "output", 0), "op", "output"),
        (lambda g: setattr(g.tensors[1], "height", 6), "op", "height"),
        (lambda g: setattr(g.tensors[0], "width", 4097), "tensor", "width"),
        (lambda g: setattr(g.tensors[0], "scale", math.inf), "tensor", "scale"),
        (lambda g: setattr(g.tensors[0], "scale", 1e-50), "tensor", "scale"),
        (lambda g: setattr(g.tensors[0], "scale", 1e40), "tensor", "scale"),
        (lambda g: setattr(g.tensors[0], "scale", 1.1e-38), "tensor", "scale"),
        (lambda g: setattr(g.tensors[0], "zero_point", 128), "tensor", "zero_point"),
        (lambda g: setattr(g.tensors[0], "name", ""), "tensor", "name"),
        (lambda g: g.inputs.append(Input(0)), "header", "tensor_count"),
        (lambda g: g.outputs.clear(), "header", "output_count"),
        (lambda g: g.tensors.append(Tensor("z", 1, 1, 1, 1.0, 0)), "header", "tensor_count"),
        (lambda g: g.labels.append("one"), "header", "label_count"),
        (lambda g: setattr(g.input, "pixel_format", "gray8"), "input", "pixel_format"),
        (lambda g: setattr(g.input, "pixel_format", "rgb"), "input", "pixel_format"),
        (lambda g: setattr(g, "frames_per_second", -1.0), "header", "frames_per_second"),
        (lambda g: setattr(g, "frames_per_second", -0.0), "header", "frames_per_second"),
        (lambda g: setattr(g, "frames_per_second", 1e-45), "header", "frames_per_second"),
        (lambda g: setattr(g, "frames_per_second", 7.6e-6), "header", "frames_per_second"),
        (lambda g: setattr(g, "frames_per_second", 1e40), "header", "frames_per_second"),
    ],
)
def test_check_names_what_is_wrong(spoil, record, field):
    graph = conv_graph()
    check_graph(graph)
    spoil(graph)
    with pytest.raises(RecordError) as caught:
        check_graph(graph)
    assert (caught.value.record, caught.value.field) == (record, field)
    assert "\n" not in str(caught.value)
