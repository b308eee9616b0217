"""Chains: row by row, the same numbers in less memory."""

from unittest import mock

import numpy as np
import pytest
import strategies
from hypothesis import assume, given
from hypothesis import strategies as st

from host_sdk import golden, native
from host_sdk.errors import MotionletError
from host_sdk.format.check import COPIES, RecordError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import chains, mlet_file, planner, targets

KINDS = sorted(chains.IN_CHAINS)


@st.composite
def row_graphs(draw):
    """A line of ops that can all be chained, with a split into chains."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 6)), 4 * draw(st.integers(1, 2)))
    graph = Graph(inputs=[Input(0, "raw")])
    graph.tensors = [Tensor("x", *shape, 1.0, draw(st.integers(-128, 127)))]
    for number in range(draw(st.integers(2, 7))):
        add_op(draw, rng, graph, number)
    graph.outputs = [len(graph.tensors) - 1]
    return graph, draw(strategies.chains_of(graph))


def add_op(draw, rng, graph, number):
    source = graph.tensors[-1]
    kind = draw(st.sampled_from(KINDS))
    height, width, channels = source.shape
    op = Op(kind, f"op{number}", [number], number + 1)
    zero = source.zero_point if kind in COPIES else draw(st.integers(-128, 127))
    size = []
    if kind in chains.WINDOWED:
        pool = kind == "average_pool"
        for extent in (height, width):
            kernel = draw(st.integers(1, min(3, extent) if pool else 3))
            stride = draw(st.integers(1, 3))
            dilation = 1 if pool else draw(st.integers(1, 2))
            reach = (kernel - 1) * dilation
            pad = 0 if pool else draw(st.integers(0, reach))
            most = (extent - kernel if pool else extent - 1 + pad) // stride + 1
            size.append((draw(st.integers(max(1, most - 2), most)), kernel, stride, dilation, pad))
        outs, op.kernel, op.stride, op.dilation, op.padding = map(tuple, zip(*size, strict=True))
        height, width = outs
    if kind in ("conv2d", "pointwise"):
        channels = 4 * draw(st.integers(1, 3))
    graph.tensors.append(Tensor(f"t{number}", height, width, channels, 1.0, zero))
    if kind == "temporal_depthwise":
        op.frames, op.frame_dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    if kind == "temporal_shift":
        op.shift_channels = draw(st.sampled_from([4, channels]))
    if kind in ("depthwise2d", "pointwise"):
        op.shift_channels = draw(st.sampled_from([0, 4, source.channels]))
    shapes = {
        "conv2d": (channels, *op.kernel, source.channels),
        "depthwise2d": (*op.kernel, channels),
        "pointwise": (channels, source.channels),
        "temporal_depthwise": (op.frames, channels),
    }
    if kind in shapes:
        op.weights = rng.integers(-127, 128, shapes[kind]).astype(np.int8)
        op.bias = rng.integers(-5000, 5000, channels).astype(np.int32)
        op.multiplier = rng.integers(1 << 30, 1 << 31, channels).astype(np.int32)
        op.shift = rng.integers(37, 41, channels).astype(np.uint8)
    elif kind == "average_pool":
        op.multiplier, op.shift = np.array([1 << 30], np.int32), np.array([32], np.uint8)
    elif kind == "max_pool2d":
        op.act_min, op.act_max = draw(st.sampled_from([(-128, 127), (-5, 90)]))
    graph.ops.append(op)


def assert_equals_golden(graph, content, clip):
    """Every op of every frame, in C."""
    expected = golden.run_clip(graph, clip)
    for t, outputs in enumerate(stream_in_c(content, clip)):
        for op, (output, whole) in enumerate(zip(outputs, expected, strict=True)):
            np.testing.assert_array_equal(output, whole[t], err_msg=f"frame {t}, op {op}")


def stream_in_c(data, clip):
    stream = native.Stream(native.Model(data))
    return [stream.push_trace(frame) for frame in clip]


@pytest.mark.parametrize("target", targets.MODULES)
@given(made=row_graphs(), seed=st.integers(0, 2**32))
def test_every_layer_is_the_same_as_without_chains(target, made, seed):
    graph, chosen = made
    assume(chosen)
    clip = np.random.default_rng(seed).integers(-128, 128, (5, *graph.tensors[0].shape), np.int8)
    plan = planner.plan(graph, targets.scratch_bytes(target), chains=chosen)
    planner.check_plan(graph, plan)
    assert chains.chains_of(plan.rows) == chosen
    data = mlet_file.pack(graph, plan, target)
    if target == "portable":
        assert mlet_file.read(data)[1] == plan
    assert_equals_golden(graph, data, clip)


@pytest.mark.parametrize("target", targets.MODULES)
@given(data=st.data())
def test_whole_graphs(target, data):
    """Chains amid branches, adds and the averages, which no chain has."""
    graph = data.draw(strategies.graphs(max_ops=12))
    chosen = data.draw(strategies.chains_of(graph))
    plan = planner.plan(graph, targets.scratch_bytes(target), chains=chosen)
    planner.check_plan(graph, plan)
    clip = data.draw(strategies.frames_of(graph.tensors[0], 4))
    assert_equals_golden(graph, mlet_file.pack(graph, plan, target), clip)


@st.composite
def changed_plans(draw, graph):
    """A plan with some of its places, states or chains changed."""
    plan = planner.plan(graph, chains=draw(strategies.chains_of(graph)))
    for change in draw(st.lists(st.sampled_from(["offset", "state", "rows"]), max_size=3)):
        op = draw(st.integers(0, len(graph.ops) - 1))
        if change == "offset":
            near = [plan.tensor_offsets[op] + 16, max(0, plan.tensor_offsets[op] - 16)]
            plan.tensor_offsets[op] = draw(st.sampled_from([*near, *plan.tensor_offsets]))
            plan.arena_bytes += draw(st.sampled_from([0, 16, 64]))
        elif change == "state" and plan.state_sizes[op]:
            plan.state_offsets[op] = draw(st.sampled_from(plan.state_offsets))
        elif change == "rows" and op + 1 < len(graph.ops):
            needed = chains.rows_kept(graph, graph.ops[op + 1])
            plan.rows[op] = draw(st.sampled_from([0, needed, needed + 1]))
    return plan


@given(data=st.data())
def test_both_readers_accept_the_same_plans(data):
    """And what they accept computes what it should."""
    graph = data.draw(strategies.graphs(max_ops=6))
    plan = data.draw(changed_plans(graph))
    with mock.patch.object(mlet_file, "check_plan"):
        content = mlet_file.pack(graph, plan)
    refused = []
    for read in (lambda: planner.check_plan(graph, plan), lambda: native.Model(content)):
        try:
            read()
        except MotionletError as error:
            refused.append(str(error))
    assert len(refused) in (0, 2), refused
    if not refused:
        clip = data.draw(strategies.frames_of(graph.tensors[0], 3))
        assert_equals_golden(graph, content, clip)


@given(row_graphs())
def test_chosen_chains_never_cost_memory(made):
    graph, _ = made
    assert planner.plan(graph).arena_bytes <= planner.plan(graph, chains=False).arena_bytes


@given(made=row_graphs(), target=st.sampled_from(sorted(targets.MODULES)))
def test_every_chosen_chain_is_worth_its_time(made, target):
    graph, scratch = made[0], targets.scratch_bytes(target)
    plan = planner.plan(graph, scratch)
    chosen = chains.chains_of(plan.rows)
    for one in chosen:
        rest = [other for other in chosen if other != one]
        assert planner.plan(graph, scratch, chains=rest).arena_bytes > plan.arena_bytes


@pytest.fixture
def widening():
    """A graph whose output is larger than its input, and the plan of it as one chain."""
    rng = np.random.default_rng(0)
    graph = Graph(inputs=[Input(0, "raw")], outputs=[2])
    graph.tensors = [Tensor("x", 8, 4, 4, 1.0, 5), Tensor("d", 8, 4, 4, 1.0, -3)]
    graph.tensors.append(Tensor("y", 8, 4, 12, 1.0, 0))
    numbers = {"multiplier": np.int32(1 << 30), "shift": np.uint8(38), "bias": np.int32(9)}
    for kind, shape, extra in (
        ("depthwise2d", (3, 3, 4), {"kernel": (3, 3), "padding": (1, 1)}),
        ("pointwise", (12, 4), {}),
    ):
        index = len(graph.ops)
        op = Op(kind, kind, [index], index + 1, **extra)
        op.weights = rng.integers(-127, 128, shape).astype(np.int8)
        for name, value in numbers.items():
            channels = graph.tensors[index + 1].channels
            setattr(op, name, np.full(channels, value, value.dtype))
        graph.ops.append(op)
    return graph, planner.plan(graph, chains=[(0, 1)])


def test_the_output_lies_as_near_to_the_input_as_it_may(widening, monkeypatch):
    """At the lead the stream is right; 16 bytes nearer, both readers of a plan refuse it."""
    graph, plan = widening
    lead = planner.round_up(chains.lead(graph, 0, 1))
    assert 0 < lead < graph.tensors[2].size
    plan.tensor_offsets = [lead, 400, 0]
    plan.arena_bytes = 512
    clip = np.random.default_rng(1).integers(-128, 128, (3, 8, 4, 4), np.int8)
    assert_equals_golden(graph, mlet_file.pack(graph, plan), clip)
    plan.tensor_offsets[0] = lead - 16
    with pytest.raises(RecordError, match="tensor 2: arena_offset"):
        planner.check_plan(graph, plan)
    monkeypatch.setattr(mlet_file, "check_plan", lambda graph, plan: None)
    with pytest.raises(MotionletError, match="tensor 2: arena_offset"):
        native.Model(mlet_file.pack(graph, plan))


@given(row_graphs())
def test_how_near_every_chain_may_come(made):
    """What C finds from a few rows is what a look at every row gives, to the 16 bytes."""
    graph = made[0]
    for first, last in chains.possible(graph):
        plan = planner.plan(graph, chains=[(first, last)])
        source, target = graph.ops[first].inputs[0], graph.ops[last].output
        lead = planner.round_up(chains.lead(graph, first, last))
        at = 0
        for index, size in enumerate(planner.arena_sizes(graph, plan.rows)):
            plan.tensor_offsets[index], at = at, at + planner.round_up(size)
        base = at + planner.round_up(graph.tensors[source].size)
        plan.tensor_offsets[target] = base
        plan.arena_bytes = base + graph.tensors[target].size + max(lead, 0)
        plan.arena_bytes += graph.tensors[source].size
        for distance in (lead, lead - 16):
            plan.tensor_offsets[source] = base + distance
            apart = not -graph.tensors[source].size < distance < graph.tensors[target].size
            with mock.patch.object(mlet_file, "check_plan"):
                content = mlet_file.pack(graph, plan)
            try:
                native.Model(content)
            except MotionletError:
                accepted = False
            else:
                accepted = True
            assert accepted == (distance >= lead or apart)


def test_the_wrong_number_of_rows_is_refused(make_vectors):
    graph = make_vectors.tiny_separable()
    first, last = chains.possible(graph)[0]
    plan = planner.plan(graph, chains=[(first, last)])
    plan.rows[first] += 1
    with pytest.raises(RecordError, match=f"op {first}: rows"):
        planner.check_plan(graph, plan)
