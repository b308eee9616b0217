"""The memory plan: where every tensor lies in the arena, and every past frame in the state.

SPEC.md, "Rules of the plan", says what a plan must keep to; `check_plan` reads it once more.
"""

import random
from dataclasses import dataclass, field

from host_sdk.errors import MotionletError
from host_sdk.golden.check import IN_PLACE, RecordError, check_graph
from host_sdk.golden.model import frames_kept
from host_sdk.mlet_format import ALIGN, LIMITS

SEARCH_STEPS = 3000  # placements tried by the local search, each of all blocks


@dataclass
class Plan:
    """Offsets and sizes in bytes; offsets are multiples of 16. Lists go by tensor or by op."""

    arena_bytes: int
    state_bytes: int
    tensor_offsets: list
    state_offsets: list
    state_sizes: list
    scratch_offsets: list
    scratch_sizes: list
    lifetimes: list = field(default_factory=list)  # (first, last) op of each tensor, inclusive


@dataclass
class _Block:
    """Tensors that share one place (or one op's scratch), and when it is taken."""

    size: int
    first: int
    last: int
    tensors: list
    scratch_of: int | None = None


def plan(graph, scratch_bytes=None):
    """Lay out `graph` in as little memory as can be found.

    `scratch_bytes(graph, op)` returns the bytes of scratch that an op's kernel needs; none by
    default. The result depends on nothing but the arguments. Raises MotionletError when the graph
    breaks SPEC.md or its limits.
    """
    check_graph(graph)
    scratch = [round_up(scratch_bytes(graph, op)) if scratch_bytes else 0 for op in graph.ops]
    spans = lifetimes(graph)
    arena, offsets, scratch_offsets = _plan_arena(graph, spans, scratch)
    sizes = [state_bytes(graph, op) for op in graph.ops]
    total, state_offsets = 0, []
    for size in sizes:
        state_offsets.append(total if size else 0)
        total += size
    for name, value in (("arena", arena), ("state", total)):
        if value > LIMITS[f"max_{name}_bytes"]:
            most = LIMITS[f"max_{name}_bytes"]
            raise MotionletError(f"the {name} takes {value} bytes; the format's limit is {most}")
    return Plan(arena, total, offsets, state_offsets, sizes, scratch_offsets, scratch, spans)


def round_up(size):
    """Round up to the alignment of everything in memory."""
    return -(-size // ALIGN) * ALIGN


def state_bytes(graph, op):
    """Return the bytes of past that an op keeps, each slot padded to 16."""
    source = graph.tensors[op.inputs[0]]
    slot = source.size
    if op.kind == "temporal_shift":
        slot = source.height * source.width * op.shift_channels
    return frames_kept(op) * round_up(slot)


def lifetimes(graph):
    """Return (first, last) of every tensor: the ops between which its bytes must stay, inclusive.

    An input lives from -1, before the first op; an output to len(ops), after the last.
    """
    first, last = {i: -1 for i in graph.inputs}, {i: -1 for i in graph.inputs}
    for index, op in enumerate(graph.ops):
        first[op.output] = last[op.output] = index
        for tensor in op.inputs:
            last[tensor] = index
    for tensor in graph.outputs:
        last[tensor] = len(graph.ops)
    return [(first[i], last[i]) for i in range(len(graph.tensors))]


def check_plan(graph, plan):
    """Raise `RecordError` unless `plan` keeps to SPEC.md's rules for `graph`."""
    _check_regions(graph, plan)
    spans, tensors = lifetimes(graph), graph.tensors
    places = [
        (offset, offset + tensor.size)
        for offset, tensor in zip(plan.tensor_offsets, tensors, strict=True)
    ]
    in_place = _in_place_pairs(graph, spans)
    for j in range(len(tensors)):
        for i in range(j):
            live = spans[i][0] <= spans[j][1] and spans[j][0] <= spans[i][1]
            if not live or not _overlap(places[i], places[j]):
                continue
            same = plan.tensor_offsets[i] == plan.tensor_offsets[j]
            if not (same and ((i, j) in in_place or (j, i) in in_place)):
                message = f"{tensors[j].name!r} overlaps {tensors[i].name!r} while both are live"
                raise RecordError("tensor", j, "arena_offset", message)
    for index, size in enumerate(plan.scratch_sizes):
        scratch = (plan.scratch_offsets[index], plan.scratch_offsets[index] + size)
        for tensor, place in enumerate(places):
            if spans[tensor][0] <= index <= spans[tensor][1] and _overlap(scratch, place):
                message = f"overlaps tensor {tensors[tensor].name!r}, which is live"
                raise RecordError("op", index, "scratch_offset", message)


def _check_regions(graph, plan):
    """Alignment and bounds of every region, and the sizes and overlaps of the state's."""
    for field_name in ("arena_bytes", "state_bytes"):
        size, most = getattr(plan, field_name), LIMITS[f"max_{field_name}"]
        if size > most:
            raise RecordError("header", 0, field_name, f"{size} is more than {most}")

    def inside(record, index, name, offset, size, whole):
        if offset % ALIGN:
            raise RecordError(record, index, name, f"{offset} is not a multiple of {ALIGN}")
        if offset < 0 or offset + size > whole:
            message = f"{offset} + {size} bytes is outside {whole}"
            raise RecordError(record, index, name, message)

    for index, offset in enumerate(plan.tensor_offsets):
        size = graph.tensors[index].size
        inside("tensor", index, "arena_offset", offset, size, plan.arena_bytes)
    taken = []
    for index, op in enumerate(graph.ops):
        size = plan.scratch_sizes[index]
        inside("op", index, "scratch_offset", plan.scratch_offsets[index], size, plan.arena_bytes)
        size, offset = plan.state_sizes[index], plan.state_offsets[index]
        if size != state_bytes(graph, op):
            message = f"{size}, where {op.kind} keeps {state_bytes(graph, op)}"
            raise RecordError("op", index, "state_bytes", message)
        inside("op", index, "state_offset", offset, size, plan.state_bytes)
        region = (offset, offset + size)
        if any(_overlap(region, other) for other in taken):
            raise RecordError("op", index, "state_offset", "overlaps the state of another op")
        taken.append(region)


def _overlap(a, b):
    return max(a[0], b[0]) < min(a[1], b[1])


def _in_place_pairs(graph, spans):
    """Return {(input, output)} of tensors that may share one place, by SPEC.md's exception."""
    return {
        (tensor, op.output)
        for index, op in enumerate(graph.ops)
        if op.kind in IN_PLACE
        for tensor in op.inputs
        if spans[tensor][1] == index
    }


def _plan_arena(graph, spans, scratch):
    """Return (arena bytes, tensor offsets, scratch offsets).

    An op that may write over its input does so, which spares a whole tensor. The blocks that
    remain are placed in several orders, each at the lowest offset that is free while it is live;
    the best order is then improved by random swaps, until it meets the lower bound.
    """
    rng = random.Random(0)
    best = None
    for prefer in (0, 1):  # which input of an add gives way, when both may
        blocks = _blocks(graph, spans, scratch, prefer)
        found = _search(blocks, rng)
        if best is None or found[0] < best[0]:
            best = (*found, blocks)
    arena, places, blocks = best
    offsets, scratch_offsets = [0] * len(graph.tensors), [0] * len(graph.ops)
    for block, place in zip(blocks, places, strict=True):
        for tensor in block.tensors:
            offsets[tensor] = place
        if block.scratch_of is not None:
            scratch_offsets[block.scratch_of] = place
    return arena, offsets, scratch_offsets


def _blocks(graph, spans, scratch, prefer):
    pairs = _in_place_pairs(graph, spans)
    block_of = {
        tensor: _Block(round_up(graph.tensors[tensor].size), -1, spans[tensor][1], [tensor])
        for tensor in graph.inputs
    }
    blocks = list(block_of.values())
    for index, op in enumerate(graph.ops):
        choices = [tensor for tensor in op.inputs if (tensor, op.output) in pairs]
        first, last = spans[op.output]
        if choices:
            block = block_of[choices[min(prefer, len(choices) - 1)]]
            block.tensors.append(op.output)
            block.last = last
        else:
            block = _Block(round_up(graph.tensors[op.output].size), first, last, [op.output])
            blocks.append(block)
        block_of[op.output] = block
        if scratch[index]:
            blocks.append(_Block(scratch[index], index, index, [], index))
    return blocks


def _search(blocks, rng):
    """Return (bytes, offset of each block) of the best order found."""
    live = [
        [j for j, b in enumerate(blocks) if b.first <= a.last and a.first <= b.last and a is not b]
        for a in blocks
    ]
    moments = range(-1, max(block.last for block in blocks) + 1)
    bound = max(sum(b.size for b in blocks if b.first <= t <= b.last) for t in moments)
    orders = [
        sorted(range(len(blocks)), key=key)
        for key in (
            lambda i: (-blocks[i].size, blocks[i].first),
            lambda i: (-blocks[i].size * (blocks[i].last - blocks[i].first + 1), i),
            lambda i: (blocks[i].first - blocks[i].last, -blocks[i].size),
            lambda i: (blocks[i].first, -blocks[i].size),
            lambda i: (-sum(blocks[j].size for j in live[i]), i),
        )
    ]
    results = [(*_place(blocks, live, order), order) for order in orders]
    total, places, order = min(results, key=lambda result: result[0])
    for _ in range(SEARCH_STEPS // (1 + len(blocks) // 16)):
        if total == bound:
            break
        changed = list(order)
        i, j = rng.randrange(len(blocks)), rng.randrange(len(blocks))
        changed.insert(j, changed.pop(i))
        new_total, new_places = _place(blocks, live, changed)
        if new_total <= total:  # equal ones too: they lead off a plateau
            total, places, order = new_total, new_places, changed
    return total, places


def _place(blocks, live, order):
    """Put blocks at their lowest free offsets, in `order`; return (bytes, offsets)."""
    places, total = [None] * len(blocks), 0
    for i in order:
        at = 0
        taken = sorted((places[j], blocks[j].size) for j in live[i] if places[j] is not None)
        for start, size in taken:
            if at + blocks[i].size <= start:
                break
            at = max(at, start + size)
        places[i] = at
        total = max(total, at + blocks[i].size)
    return total, places
