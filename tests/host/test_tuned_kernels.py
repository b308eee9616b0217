"""The tuned kernels, with C twins for their assembly, against the golden model."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden
from host_sdk.format.check import IN_PLACE, check_graph
from host_sdk.format.graph import Graph, Input, Op
from host_sdk.pack import targets

TARGET = "cortex_m0plus"  # of the tests that are about its forms
TARGETS = (TARGET, "esp32s3")
SINGLE, RUN_OF_FOUR = 0x80, 0x40  # bits of a packed shift byte


def _compare(graph, xs, in_place=False, target=TARGET):
    op = graph.ops[0]
    sources = [graph.tensors[i] for i in op.inputs]
    output = graph.tensors[op.output]
    tuned = targets.run_layer(op, sources, output, xs, in_place=in_place, target=target)
    np.testing.assert_array_equal(tuned, golden.run_op(graph, op, xs))


def _draw(data, kind):
    """A one-op graph, its multipliers often short enough for one-step requantization; clips."""
    graph = data.draw(strategies.one_op_graphs(kind))
    op = graph.ops[0]
    if op.multiplier is not None and kind != "add":
        bits = data.draw(st.sampled_from([0, 20, 24]))
        op.multiplier = (op.multiplier >> bits) << bits
    check_graph(graph)
    frames = data.draw(st.integers(1, 2 + 2 * golden.frames_kept(op)))
    clips = {i: data.draw(strategies.frames_of(graph.tensors[i], frames)) for i in set(op.inputs)}
    return graph, [clips[i] for i in op.inputs]


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
def test_tuned_equals_golden(target, kind, data):
    _compare(*_draw(data, kind), target=target)


@pytest.mark.parametrize("kind", IN_PLACE)
@pytest.mark.parametrize("target", TARGETS)
@given(data=st.data())
def test_tuned_writes_over_its_first_input(target, kind, data):
    _compare(*_draw(data, kind), in_place=True, target=target)


@pytest.mark.parametrize("target", TARGETS)
def test_means_at_the_ends_of_their_range(target):
    for graph, clip in strategies.mean_edges():
        _compare(graph, [clip], target=target)


def _pointwise(x_shape, weights, bits=8):
    """A pointwise layer whose requantization is of the single kind, and its packed shifts."""
    channels = len(weights)
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors.append(strategies.tensor("x", x_shape, zero_point=-5))
    graph.tensors.append(strategies.tensor("y", (*x_shape[:2], channels), zero_point=7))
    op = Op("pointwise", "op", [0], 1, weights=np.asarray(weights, np.int8), weight_bits=bits)
    op.bias = np.zeros(channels, np.int32)
    op.multiplier = np.full(channels, 2**30, np.int32)
    op.shift = np.full(channels, 30 + 10, np.uint8)
    graph.ops.append(op)
    check_graph(graph)
    return graph, targets.relayout(op, *graph.tensors, TARGET)["shift"]


def _signs(rng, weights):
    return weights * rng.choice([-1, 1], weights.shape)


@pytest.mark.parametrize(
    ("group", "run_of_four"),
    [
        ([127, 127, 1, 0], True),  # sum 255: 4 products just fit in a lane
        ([127, 127, 1, 1], False),
        ([127, 127, 127, 127], False),  # 2 products: 32512 of 32767
    ],
)
@pytest.mark.parametrize("taps", [1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 33, 61])
@pytest.mark.parametrize("signs", [False, True])
def test_lanes_hold_the_largest_products(group, run_of_four, taps, signs):
    rng = np.random.default_rng(taps)
    weights = np.tile(np.array(group), (5, taps // 4 + 1))[:, :taps]
    graph, shift = _pointwise((3, 3, taps), _signs(rng, weights) if signs else weights)
    assert (shift & SINGLE).all()
    if taps >= 4:
        assert ((shift & RUN_OF_FOUR) != 0).all() == run_of_four
    for style in strategies.STYLES:
        _compare(graph, [strategies.fill(rng, (2, 3, 3, taps), -128, 127, style).astype(np.int8)])


@pytest.mark.parametrize("taps", [1, 4, 5, 8, 31, 32, 33, 36, 37, 64, 65, 100])
@pytest.mark.parametrize("signs", [False, True])
def test_lanes_hold_the_largest_int4_products(taps, signs):
    rng = np.random.default_rng(taps)
    weights = np.full((5, taps), 7)
    graph, _ = _pointwise((3, 4, taps), _signs(rng, weights) if signs else weights, bits=4)
    for style in strategies.STYLES:
        _compare(graph, [strategies.fill(rng, (2, 3, 4, taps), -128, 127, style).astype(np.int8)])
