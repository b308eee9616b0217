"""Taps that meet no pixel are left out of what is deployed, and no output changes."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden
from host_sdk.bench import measure as bench
from host_sdk.evaluation.costs import costs
from host_sdk.format.check import WITH_PADDING, check_graph
from host_sdk.pack import mlet_file
from host_sdk.pack.dead_taps import without_dead_taps
from host_sdk.pack.packing import pack_for


@given(kind=st.sampled_from(WITH_PADDING), data=st.data())
def test_outputs_stay(kind, data):
    graph = data.draw(strategies.one_op_graphs(kind))
    trimmed = without_dead_taps(graph)
    check_graph(trimmed)
    assert np.less_equal(trimmed.ops[0].kernel, graph.ops[0].kernel).all()
    clip = data.draw(strategies.frames_of(graph.tensors[0], 2))
    assert np.array_equal(golden.run_clip(trimmed, clip), golden.run_clip(graph, clip))


def kernel_left(shape, size=3, stride=1, dilation=1, kind="conv2d"):
    case = bench._window("x", kind, shape, shape[2], size, stride, dilation)
    op = without_dead_taps(case.graph).ops[0]
    if op.weights is not None:
        assert op.weights.size == np.prod(op.kernel) * shape[2] ** (1 + (kind == "conv2d"))
    return op.kernel, op.padding


def test_what_is_left():
    assert kernel_left((1, 1, 4)) == ((1, 1), (0, 0))
    assert kernel_left((1, 6, 4), kind="depthwise2d") == ((1, 3), (0, 1))
    assert kernel_left((2, 2, 4)) == ((3, 3), (1, 1))
    assert kernel_left((2, 2, 4), stride=2) == ((2, 2), (0, 0))
    assert kernel_left((2, 2, 4), size=5) == ((3, 3), (1, 1))
    assert kernel_left((3, 1, 4), dilation=3, kind="depthwise2d") == ((1, 1), (0, 0))
    assert kernel_left((5, 5, 4)) == ((3, 3), (1, 1))
    assert kernel_left((1, 6, 4), kind="max_pool2d") == ((1, 3), (0, 1))


@pytest.mark.parametrize("target", ["portable", "cortex_m0plus", "esp32s3"])
def test_what_is_reported_is_what_is_deployed(target):
    """A report, the demo and `design` ask the same function as `deploy` what is packed."""
    graph = bench._window("x", "conv2d", (1, 1, 32), 32, 3).graph
    told = costs(graph)["targets"][target]
    assert told["model_bytes"] == len(pack_for(graph, target)) < 2000  # 9,712 with all taps
    plan = mlet_file.read(pack_for(graph, "portable"))[1]
    if target == "portable":
        assert (told["arena_bytes"], told["state_bytes"]) == (plan.arena_bytes, plan.state_bytes)
