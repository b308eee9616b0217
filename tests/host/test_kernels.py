"""Every kernel of the C core against the golden model, bit for bit, on random layers."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

from host_sdk import golden, native
from host_sdk.format import mlet as fmt
from host_sdk.format.check import IN_PLACE, check_graph
from host_sdk.format.graph import Graph, Input, Op
from host_sdk.pack import targets
from host_sdk.pack.targets import make_layer


def _draw_layer(data, kind):
    """A one-op graph and a clip for each of its inputs."""
    graph = data.draw(strategies.one_op_graphs(kind))
    check_graph(graph)
    op = graph.ops[0]
    frames = data.draw(st.integers(1, 2 + 2 * golden.frames_kept(op)))
    clips = {i: data.draw(strategies.frames_of(graph.tensors[i], frames)) for i in set(op.inputs)}
    return graph, op, [clips[i] for i in op.inputs]


def _run_c(graph, op, xs, in_place=False):
    sources = [graph.tensors[i] for i in op.inputs]
    return targets.run_layer(op, sources, graph.tensors[op.output], xs, in_place=in_place)


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
@given(data=st.data())
def test_c_equals_golden(kind, data):
    graph, op, xs = _draw_layer(data, kind)
    np.testing.assert_array_equal(_run_c(graph, op, xs), golden.run_op(graph, op, xs))


WINDOW = {"kernel", "stride", "dilation", "padding"}
HAS = {
    "conv2d": WINDOW,
    "depthwise2d": {*WINDOW, "shift_channels"},
    "pointwise": {"shift_channels"},
    "temporal_depthwise": {"frames", "frame_dilation"},
    "temporal_shift": {"shift_channels"},
    "average_pool": {"kernel", "stride"},
    "temporal_average": {"frames"},
    "max_pool2d": WINDOW,
}
OTHERS = {name: (2, 3) for name in WINDOW} | {"frames": 5, "frame_dilation": 7, "shift_channels": 4}


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
@pytest.mark.parametrize("target", fmt.TARGETS)
@settings(max_examples=10)
@given(data=st.data())
def test_c_ignores_fields_that_an_op_does_not_have(target, kind, data):
    graph, op, xs = _draw_layer(data, kind)
    sources = [graph.tensors[i] for i in op.inputs]
    filled = {name: value for name, value in OTHERS.items() if name not in HAS.get(kind, ())}
    got = targets.run_layer(
        replace(op, **filled), sources, graph.tensors[op.output], xs, target=target
    )
    np.testing.assert_array_equal(got, golden.run_op(graph, op, xs))


@pytest.mark.parametrize("kind", IN_PLACE)
@given(data=st.data())
def test_c_writes_over_its_first_input(kind, data):
    graph, op, xs = _draw_layer(data, kind)
    written_over = _run_c(graph, op, xs, in_place=True)
    np.testing.assert_array_equal(written_over, golden.run_op(graph, op, xs))


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
@given(data=st.data())
def test_stream_equals_clip_in_golden(kind, data):
    graph, op, xs = _draw_layer(data, kind)
    stream = golden.Stream(graph)
    streamed = [stream.push(list(frames)) for frames in zip(*_by_input(graph, op, xs), strict=True)]
    np.testing.assert_array_equal(np.stack(streamed), golden.run_op(graph, op, xs))


def _by_input(graph, op, xs):
    """`xs` in the order of the graph's inputs, where an op may read one of them twice."""
    return [xs[op.inputs.index(tensor)] for tensor in range(len(graph.inputs))]


@pytest.mark.parametrize("n", range(1, 63))
def test_requantize_on_every_edge(n):
    """Accumulators come in as biases of a pointwise op, one channel each."""
    limit = 2**31 - 1 - 32768
    edges = [
        (acc, m)
        for m in strategies.EDGE_MULTIPLIERS
        for acc in strategies.edge_accumulators(m, n, limit)
    ]
    x = strategies.tensor("x", (1, 1, 1))
    for zero, lo, hi in ((0, -128, 127), (-128, -128, 127), (127, -5, 3), (17, 17, 90)):
        y = strategies.tensor("y", (1, 1, len(edges)), zero_point=zero)
        op = Op("pointwise", "edges", [0], 1, act_min=lo, act_max=hi)
        op.weights = np.zeros((len(edges), 1), np.int8)
        op.bias, op.multiplier = np.array(edges, np.int32).T.copy()
        op.shift = np.full(len(edges), n, np.uint8)
        got = targets.run_layer(op, [x], y, [np.zeros((1, 1, 1, 1), np.int8)])
        expected = [strategies.requantize(acc, m, n, zero, lo, hi) for acc, m in edges]
        assert got.reshape(-1).tolist() == expected


@given(data=st.data())
def test_conv3d_separable_is_its_three_ops(data):
    """depthwise2d, temporal_depthwise and pointwise in one call, frame by frame."""
    graph = Graph(inputs=[Input(0, "raw")])
    shape = data.draw(st.tuples(strategies.sizes, strategies.sizes, strategies.channel_counts))
    graph.tensors.append(strategies.tensor("x", shape, 0.5, data.draw(strategies.zero_points)))
    for index, kind in enumerate(("depthwise2d", "temporal_depthwise", "pointwise")):
        data.draw(strategies.graph_ops(graph, index, kind)).shift_channels = 0
    frames = 2 + golden.frames_kept(graph.ops[1])
    clip = data.draw(strategies.frames_of(graph.tensors[0], frames))
    expected = golden.run_clip(graph, clip)[-1]

    ffi, lib = native.library()
    built = [
        make_layer(op, [graph.tensors[op.inputs[0]]], graph.tensors[op.output]) for op in graph.ops
    ]
    layers = [layer for layer, _ in built]
    slot = -(-graph.tensors[1].size // 16) * 16
    slots = golden.frames_kept(graph.ops[1])
    past = np.full(slots * slot, graph.tensors[1].zero_point, np.int8)
    ring = ffi.new("mlet_ring_t *", {"slot_bytes": slot, "count": slots})
    ring.slots = ffi.cast("int8_t *", past.ctypes.data)
    scratch = ffi.new("int8_t[]", lib.mlet_conv3d_separable_scratch_bytes(*layers) + 16)
    aligned = scratch + (-int(ffi.cast("uintptr_t", scratch)) % 16)
    for t, frame in enumerate(clip):
        x, y = np.ascontiguousarray(frame), np.empty(graph.tensors[3].shape, np.int8)
        pointers = [ffi.cast("int8_t *", array.ctypes.data) for array in (x, y)]
        assert lib.mlet_conv3d_separable(*layers, ring, *pointers, aligned) == lib.MLET_OK
        np.testing.assert_array_equal(y, expected[t])


@given(count=st.integers(0, 5), size=st.integers(1, 40), zero=strategies.zero_points)
def test_ring_remembers_the_last_frames(count, size, zero):
    ffi, lib = native.library()
    slots = np.zeros(count * 48, np.int8)
    ring = ffi.new("mlet_ring_t *", {"slot_bytes": 48, "count": count})
    ring.slots = ffi.cast("int8_t *", slots.ctypes.data)
    lib.mlet_ring_reset(ring, zero)
    assert (slots == zero).all()
    pushed = []
    for frame in range(3 * count + 2):
        ages = range(1, count + 1)
        seen = [ffi.buffer(lib.mlet_ring_frame(ring, age), size)[:] for age in ages]
        nothing = bytes([zero & 255]) * size
        assert seen == [pushed[-age] if age <= len(pushed) else nothing for age in ages]
        pushed.append(bytes([frame]) * size)
        if count:
            lib.mlet_ring_push(ring, ffi.from_buffer("int8_t[]", pushed[-1]), size)


@given(values=st.lists(st.integers(-128, 127), min_size=1, max_size=300))
def test_argmax(values):
    ffi, lib = native.library()
    x = np.array(values, np.int8)
    assert lib.mlet_argmax(ffi.from_buffer("int8_t[]", x.tobytes()), len(x)) == golden.argmax(x)


@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_crc32_is_the_one_of_zlib(first, second):
    _, lib = native.library()
    crc = lib.mlet_crc32(lib.mlet_crc32(0, first, len(first)), second, len(second))
    assert crc == zlib.crc32(first + second)


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
def test_the_core_gives_every_op_its_name(kind):
    ffi, lib = native.library()
    assert ffi.string(lib.mlet_op_name(fmt.OP_CODES[kind])).decode() == kind
