"""Every kernel of the C core against the golden model, bit for bit, on random layers."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden, native
from host_sdk.golden.check import IN_PLACE, check_graph

IN_PLACE_OF_FIRST = sorted(IN_PLACE)


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
    return native.run_layer(op, sources, graph.tensors[op.output], xs, in_place=in_place)


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
@given(data=st.data())
def test_c_equals_golden(kind, data):
    graph, op, xs = _draw_layer(data, kind)
    np.testing.assert_array_equal(_run_c(graph, op, xs), golden.run_op(graph, op, xs))


@pytest.mark.parametrize("kind", IN_PLACE_OF_FIRST)
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
    return [xs[op.inputs.index(tensor)] for tensor in graph.inputs]
