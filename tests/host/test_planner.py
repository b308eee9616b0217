"""The memory planner: its plans keep to SPEC.md's rules, and are as small as can be."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import MotionletError
from host_sdk.format.check import IN_PLACE, RecordError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import chains
from host_sdk.pack.planner import check_plan, held_tensors, lifetimes, plan, state_bytes

scratch_sizes = st.one_of(st.none(), st.integers(0, 300))


def plan_whole(graph, scratch_bytes=None):
    """Plan with whole maps between the ops; test_chains.py has the rules of chains."""
    return plan(graph, scratch_bytes, chains=False)


def obeys_the_rules(graph, plan):
    """Play a plan through: every byte of the arena remembers which tensor was written there last.

    A second reading of the rules: True when each tensor is whole whenever it is read, at every
    frame until all periods begin anew.
    """
    owner = np.full(plan.arena_bytes, -1)
    cycle = math.lcm(*(writer.period for writer in (*graph.inputs, *graph.ops)))
    return all(frame_obeys(graph, plan, owner, t) for t in range(cycle))


def frame_obeys(graph, plan, owner, t):
    """Play frame t."""
    scratch_owner = len(graph.tensors)

    def place(tensor):
        start = plan.tensor_offsets[tensor]
        return slice(start, start + graph.tensors[tensor].size)

    due = [given.tensor for given in graph.inputs if t % given.period == 0]
    for tensor in due:
        owner[place(tensor)] = tensor
    if any((owner[place(tensor)] != tensor).any() for tensor in due):
        return False
    for index, op in enumerate(graph.ops):
        if t % op.period:
            continue
        start = plan.scratch_offsets[index]
        owner[start : start + plan.scratch_sizes[index]] = scratch_owner
        if any((owner[place(tensor)] != tensor).any() for tensor in op.inputs):
            return False
        for tensor in op.inputs:
            shared = np.intersect1d(*(np.r_[place(t)] for t in (tensor, op.output)))
            same = plan.tensor_offsets[tensor] == plan.tensor_offsets[op.output]
            if shared.size and not (same and op.kind in IN_PLACE):
                return False
        if (owner[place(op.output)] == scratch_owner).any():
            return False
        owner[place(op.output)] = op.output
        owner[owner == scratch_owner] = -1
    return all((owner[place(tensor)] == tensor).all() for tensor in graph.outputs)


@given(graph=strategies.graphs(max_ops=12), scratch=scratch_sizes)
def test_plans_obey_the_rules(graph, scratch):
    made = plan_whole(graph, None if scratch is None else lambda graph, op: scratch)
    check_plan(graph, made)
    assert obeys_the_rules(graph, made)
    assert made == plan_whole(graph, None if scratch is None else lambda *_: scratch)


@given(data=st.data())
def test_check_plan_refuses_what_does_not_play_through(data):
    graph = data.draw(strategies.graphs())
    made = plan_whole(graph, lambda graph, op: data.draw(st.sampled_from([0, 16])))
    offsets = st.one_of(
        st.sampled_from(made.tensor_offsets),
        st.integers(0, made.arena_bytes // 16 - 1).map(lambda n: 16 * n),
    )
    moved = data.draw(st.integers(0, len(graph.tensors) - 1))
    made.tensor_offsets[moved] = data.draw(offsets)
    if made.tensor_offsets[moved] + graph.tensors[moved].size > made.arena_bytes:
        with pytest.raises(RecordError):
            check_plan(graph, made)
        return
    # A tensor that nobody reads may be trodden on, but the rules give it its moment.
    unread = any(first == last for first, last in lifetimes(graph))
    if obeys_the_rules(graph, made):
        if not unread:
            check_plan(graph, made)
    else:
        with pytest.raises(RecordError, match=r"arena_offset|scratch_offset"):
            check_plan(graph, made)


@given(graph=strategies.two_rate_graphs(max_ops=10), chains=st.booleans())
def test_plans_of_several_rates_obey_the_rules(graph, chains):
    check_plan(graph, plan(graph, chains=chains))
    assert obeys_the_rules(graph, plan_whole(graph))


@given(data=st.data())
def test_check_plan_refuses_what_treads_on_a_held_tensor(data):
    """Ops of longer periods may meet at other frames than the first: the rules leave no room."""
    graph = data.draw(strategies.two_rate_graphs())
    made = plan_whole(graph)
    moved = data.draw(st.integers(0, len(graph.tensors) - 1))
    made.tensor_offsets[moved] = data.draw(st.sampled_from(made.tensor_offsets))
    made.arena_bytes += 16 * graph.tensors[moved].size
    if not obeys_the_rules(graph, made):
        with pytest.raises(RecordError, match="arena_offset"):
            check_plan(graph, made)


def test_what_is_held_has_its_place_alone():
    """A shift in place of its input; not so where either is read at frames in between."""
    for periods, arena in (((1, 1, 1), 64), ((2, 2, 1), 96), ((2, 4, 4), 96), ((1, 2, 2), 64)):
        graph = chain(["temporal_shift", "temporal_shift", "add"])
        graph.ops[1].inputs, graph.ops[2].inputs = [0], [1, 2]
        graph.input.period = periods[0]
        graph.ops[0].period, graph.ops[1].period = periods[1:]
        made = plan(graph)
        assert made.arena_bytes >= arena, periods
        assert obeys_the_rules(graph, made)
        for tensor in held_tensors(graph):
            assert made.lifetimes[tensor] == (-1, 3)
            assert made.tensor_offsets.count(made.tensor_offsets[tensor]) == 1


def test_held_tensors():
    """Of a period above 1, and an output, or with a reader at frames in between."""
    graph = chain(["temporal_shift", "temporal_shift", "temporal_shift"])

    def held(*periods):
        graph.input.period = periods[0]
        for op, period in zip(graph.ops, periods[1:], strict=True):
            op.period = period
        return held_tensors(graph)

    assert held(1, 1, 1, 1) == set()
    assert held(2, 2, 4, 1) == {2}
    assert held(3, 6, 6, 6) == {3}
    assert held(3, 2, 4, 2) == {0, 2, 3}
    assert held(1, 4, 6, 1) == {1, 2}


def test_no_chain_across_periods_or_groups(make_vectors):
    graph = make_vectors.tiny_shifting()
    linked = chains.links(graph)
    assert {0, 1} <= linked
    graph.ops[1].period = 2
    assert not {0, 1} & chains.links(graph)
    graph.ops[1].period, graph.ops[1].group = 1, 3
    assert not {0, 1} & chains.links(graph)
    graph.ops[0].group = graph.ops[2].group = 3
    assert {0, 1} <= chains.links(graph)


def test_more_live_at_once_than_a_checker_holds():
    """Many branches, added up at the end: the format has a limit."""
    for branches, fits in ((63, True), (64, False)):
        graph = chain(["average_pool"] * branches)
        for op in graph.ops:
            op.inputs = [0]
        for index in range(1, branches):
            last = len(graph.tensors) - 1
            source = chain(["add"]).ops[0]
            source.inputs, source.output = [index, last if index > 1 else branches], last + 1
            graph.tensors.append(Tensor("sum", 1, 1, 32, 0.5, 0))
            graph.ops.append(source)
        graph.outputs = [len(graph.tensors) - 1]
        if fits:
            check_plan(graph, plan_whole(graph))
        else:
            with pytest.raises(RecordError, match=r"live: 65 tensors are live"):
                plan_whole(graph)


def smallest_arena(graph):
    """The least bytes of all plans: each choice of ops in place, each order of first fit."""
    spans, best = lifetimes(graph), None
    choices = []
    for index, op in enumerate(graph.ops):
        dying = [i for i in op.inputs if spans[i][1] == index] if op.kind in IN_PLACE else []
        choices.append([None, *dying])
    for over in itertools.product(*choices):
        block_of, blocks = {}, []
        for tensor, (first, last) in enumerate(spans):
            writer = next((i for i, op in enumerate(graph.ops) if op.output == tensor), None)
            if writer is not None and over[writer] is not None:
                block_of[tensor] = block_of[over[writer]]
                block_of[tensor][2] = last
            else:
                size = -(-graph.tensors[tensor].size // 16) * 16
                block_of[tensor] = [size, first, last]
                blocks.append(block_of[tensor])
        for order in itertools.permutations(blocks):
            placed, total = [], 0
            for size, first, last in order:
                at = 0
                for start, end, began, ended in sorted(placed):
                    if began <= last and first <= ended and start < at + size and end > at:
                        at = end
                placed.append((at, at + size, first, last))
                total = max(total, at + size)
            best = total if best is None else min(best, total)
    return best


@given(graph=strategies.graphs(max_ops=5))
def test_small_graphs_get_the_smallest_arena(graph):
    assert plan_whole(graph).arena_bytes == smallest_arena(graph)


def chain(kinds, size=32):
    """Ops that keep the shape, on [1, 1, size]; adds take the input once more."""
    graph = Graph(inputs=[Input(0, "raw")])
    graph.tensors = [Tensor("x", 1, 1, size, 0.5, 0)]
    for kind in kinds:
        last = len(graph.tensors) - 1
        op = Op(kind, kind, [last], last + 1)
        if kind == "temporal_shift":
            op.shift_channels = 3
        else:
            count = 2 if kind == "add" else 1
            op.multiplier = np.full(count, 2**20 if kind == "add" else 2**30, np.int32)
            op.shift = np.full(1, 20, np.uint8)
        if kind == "add":
            op.inputs.append(0)
        graph.tensors.append(Tensor(kind, 1, 1, size, 0.5, 0))
        graph.ops.append(op)
    graph.outputs = [len(graph.tensors) - 1]
    return graph


@pytest.mark.parametrize(
    ("kinds", "arena"),
    [
        (["temporal_shift"], 32),  # over the input
        (["temporal_shift", "temporal_average"], 32),
        (["average_pool"], 64),  # never in place
        (["average_pool", "add"], 64),  # over one of its inputs
        (["average_pool", "average_pool", "add"], 96),  # the input waits for the add
        (["temporal_shift", "add"], 64),  # the add reads the input, so the shift may not
    ],
)
def test_in_place(kinds, arena):
    assert plan(chain(kinds)).arena_bytes == arena


def test_outputs_are_not_written_over():
    graph = chain(["temporal_shift"])
    graph.outputs.append(0)
    assert plan(graph).arena_bytes == 64


def test_state():
    graph = chain(["temporal_average", "temporal_shift", "add"], size=33)
    graph.ops[0].frames = 4
    made = plan(graph)
    assert made.state_sizes == [3 * 48, 16, 0]
    assert made.state_offsets[:2] == [0, 144]
    assert made.state_bytes == 160
    dilated = Op("temporal_depthwise", "", [0], 1, frames=3, frame_dilation=2)
    assert state_bytes(graph, dilated) == 4 * 48


def test_scratch_is_live_with_its_op_only():
    graph = chain(["average_pool", "average_pool"])
    made = plan(graph, scratch_bytes=lambda graph, op: 100)
    assert made.scratch_sizes == [112, 112]
    assert made.arena_bytes == 64 + 112
    check_plan(graph, made)


@pytest.mark.parametrize(
    ("changes", "record", "field"),
    [
        ({"arena_bytes": 16}, "tensor", "arena_offset"),
        ({"state_bytes": 0}, "op", "state_offset"),
        ({"arena_bytes": 2**28 + 16}, "header", "arena_bytes"),
        ({"tensor_offsets": [0, 8]}, "tensor", "arena_offset"),
        ({"tensor_offsets": [0, 16]}, "tensor", "arena_offset"),
        ({"state_sizes": [32]}, "op", "state_bytes"),
        ({"state_offsets": [16]}, "op", "state_offset"),
        ({"scratch_offsets": [0], "scratch_sizes": [16]}, "op", "scratch_offset"),
    ],
)
def test_check_plan_names_what_is_wrong(changes, record, field):
    graph = chain(["temporal_shift"])
    made = dataclasses.replace(plan(graph), **changes)
    with pytest.raises(RecordError) as caught:
        check_plan(graph, made)
    assert (caught.value.record, caught.value.field) == (record, field)


def test_a_state_beyond_the_format():
    graph = chain(["temporal_average"])
    graph.tensors = [Tensor(name, 1024, 1024, 16, 0.5, 0) for name in "xy"]
    graph.ops[0].frames = 256
    with pytest.raises(MotionletError, match="the state takes 4278190080 bytes"):
        plan(graph)
