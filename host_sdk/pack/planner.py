"""The memory plan: where every tensor lies in the arena, and every past frame in the state.

SPEC.md, "Rules of the plan", says what a plan must keep to; `check_plan` reads it once more.
"""

import math
import random
from dataclasses import dataclass, field

from host_sdk.errors import MotionletError
from host_sdk.format.check import IN_PLACE, RecordError, check_graph
from host_sdk.format.mlet import ALIGN, LIMITS
from host_sdk.golden.model import frames_kept
from host_sdk.pack import chains as chain

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
    rows: list = field(default_factory=list)  # kept of each op's output; 0: a whole map
    # In the state: what the normalization of each input keeps.
    background_offsets: list = field(default_factory=list)

    @property
    def stream_bytes(self):
        """What a stream takes on a device: arena, state, and an index into each op's ring."""
        heads = 2 * len(self.state_sizes)
        return sum(map(round_up, (self.arena_bytes, self.state_bytes, heads)))


@dataclass
class _Block:
    """Tensors that share one place (or one op's scratch), and when it is taken."""

    size: int
    first: int
    last: int
    tensors: list
    scratch_of: tuple = ()  # ops


def plan(graph, scratch_bytes=None, chains=True):
    """Lay out `graph` in as little memory as can be found.

    `scratch_bytes(graph, op)` returns the bytes of scratch that an op's kernel needs; none by
    default. `chains`: True to run ops row by row where that saves memory, False not to, or the
    [(first, last)] that are to be chains. The result depends on nothing but the arguments. Raises
    MotionletError when the graph breaks SPEC.md or its limits.
    """
    check_graph(graph)
    check_live(graph)
    needs = _Scratch(graph, scratch_bytes)
    if chains is True:
        rows, arena, offsets, scratch_offsets = _plan_chains(graph, needs)
    else:
        rows = chain.rows_of(graph, chains or [])
        arena, offsets, scratch_offsets = _plan_arena(graph, rows, needs)
    scratch = needs.of(rows)
    sizes = [state_bytes(graph, op) for op in graph.ops]
    backgrounds = [background_bytes(graph, given) for given in graph.inputs]
    total, offsets_in_state = 0, []
    for size in [*backgrounds, *sizes]:
        offsets_in_state.append(total if size else 0)
        total += round_up(size)
    for name, value in (("arena", arena), ("state", total)):
        if value > LIMITS[f"max_{name}_bytes"]:
            most = LIMITS[f"max_{name}_bytes"]
            raise MotionletError(f"the {name} takes {value} bytes; the format's limit is {most}")
    return Plan(
        *(arena, total, offsets, offsets_in_state[len(backgrounds) :], sizes),
        *(scratch_offsets, scratch),
        lifetimes=lifetimes(graph, rows),
        rows=rows,
        background_offsets=offsets_in_state[: len(backgrounds)],
    )


class _Scratch:
    """The scratch that ops need, on whole maps and row by row."""

    def __init__(self, graph, scratch_bytes):
        ask = scratch_bytes or (lambda graph, op: 0)
        linked = chain.links(graph)
        self._whole = [round_up(ask(graph, op)) for op in graph.ops]
        self._by_row = [
            round_up(ask(*chain.row_view(graph, op))) if {i - 1, i} & linked else 0
            for i, op in enumerate(graph.ops)
        ]

    def of(self, rows):
        """Return the bytes that each op needs when `rows` describes the chains."""
        sizes = list(self._whole)
        for first, last in chain.chains_of(rows):
            sizes[first : last + 1] = self._by_row[first : last + 1]
        return sizes


def arena_sizes(graph, rows):
    """Return the bytes that each tensor has in the arena: all of it, or the rows that are kept."""
    sizes = [tensor.size for tensor in graph.tensors]
    for op, count in zip(graph.ops, rows, strict=True):
        if count:
            tensor = graph.tensors[op.output]
            sizes[op.output] = count * tensor.width * tensor.channels
    return sizes


def round_up(size):
    """Round up to the alignment of everything in memory."""
    return -(-size // ALIGN) * ALIGN


def state_bytes(graph, op):
    """Return the bytes of past that an op keeps, each slot padded to 16."""
    source = graph.tensors[op.inputs[0]]
    slot = source.size
    if op.shift_channels:
        slot = source.height * source.width * op.shift_channels
    return frames_kept(op) * round_up(slot)


def background_bytes(graph, given):
    """Return the bytes that the normalization of an `Input` keeps."""
    if given.pixel_format == "raw":
        return 0
    return given.normalization.state_bytes(graph.tensors[given.tensor].size)


def held_tensors(graph):
    """Return the tensors that keep their value while others are written, a set of indices.

    They are of a period above 1, and outputs, or read by an op at frames in between.
    """
    periods = [writer.period for writer in (*graph.inputs, *graph.ops)]
    read = {(tensor, op.period) for op in graph.ops for tensor in op.inputs}
    read |= {(tensor, 1) for tensor in graph.outputs}
    return {tensor for tensor, period in read if period % periods[tensor]}


def lifetimes(graph, rows=None):
    """Return (first, last) of every tensor: the ops between which its bytes must stay, inclusive.

    An input lives from -1, before the first op; an output to len(ops), after the last. What is
    held lives always. The ops of a chain run at once: what one of them reads or writes lives from
    its first op to its last.
    """
    count = len(graph.inputs)
    first = [max(index - count, -1) for index in range(len(graph.tensors))]
    last = list(first)
    for index, op in enumerate(graph.ops):
        for tensor in op.inputs:
            last[tensor] = index
    for tensor in graph.outputs:
        last[tensor] = len(graph.ops)
    for tensor in held_tensors(graph):
        first[tensor], last[tensor] = -1, len(graph.ops)
    for begin, end in chain.chains_of(rows or []):
        first = [begin if begin <= moment <= end else moment for moment in first]
        last = [end if begin <= moment <= end else moment for moment in last]
    return list(zip(first, last, strict=True))


def check_live(graph, rows=None):
    """Raise `RecordError` where more tensors are live at once than a checker has room for."""
    spans, most = lifetimes(graph, rows), LIMITS["max_live"]
    for moment in range(len(graph.ops), -2, -1):
        live = [i for i, (first, last) in enumerate(spans) if first <= moment <= last]
        if len(live) > most:
            place = f"op {moment}" if 0 <= moment < len(graph.ops) else "the outputs or inputs"
            message = f"{len(live)} tensors are live at once, at {place}; at most {most} may be"
            raise RecordError("tensor", min(live, key=lambda i: spans[i][1]), "live", message)


def check_plan(graph, plan):
    """Raise `RecordError` unless `plan` keeps to SPEC.md's rules for `graph`."""
    check_chains(graph, plan.rows)
    check_live(graph, plan.rows)
    _check_regions(graph, plan)
    spans, tensors = lifetimes(graph, plan.rows), graph.tensors
    places = [
        (offset, offset + size)
        for offset, size in zip(plan.tensor_offsets, arena_sizes(graph, plan.rows), strict=True)
    ]
    in_place = _in_place_pairs(graph, plan.rows)
    leads = _leads(graph, plan.rows)
    for j in range(len(tensors)):
        for i in range(j):
            live = spans[i][0] <= spans[j][1] and spans[j][0] <= spans[i][1]
            if not live or not _overlap(places[i], places[j]):
                continue
            same = plan.tensor_offsets[i] == plan.tensor_offsets[j]
            if same and ((i, j) in in_place or (j, i) in in_place):
                continue
            if not any(
                plan.tensor_offsets[a] - plan.tensor_offsets[b] >= leads.get((a, b), math.inf)
                for a, b in ((i, j), (j, i))
            ):
                message = f"{tensors[j].name!r} overlaps {tensors[i].name!r} while both are live"
                raise RecordError("tensor", j, "arena_offset", message)
    for index, size in enumerate(plan.scratch_sizes):
        scratch = (plan.scratch_offsets[index], plan.scratch_offsets[index] + size)
        for tensor, place in enumerate(places):
            if spans[tensor][0] <= index <= spans[tensor][1] and _overlap(scratch, place):
                message = f"overlaps tensor {tensors[tensor].name!r}, which is live"
                raise RecordError("op", index, "scratch_offset", message)


def check_chains(graph, rows):
    """Raise `RecordError` unless `rows` describes chains that SPEC.md allows."""
    linked = chain.links(graph)
    for index, count in enumerate(rows):
        if not count:
            continue
        if index not in linked:
            message = f"{count}, but op {index + 1} cannot run row by row with it"
            raise RecordError("op", index, "rows", message)
        needed = chain.rows_kept(graph, graph.ops[index + 1])
        if count != needed:
            raise RecordError("op", index, "rows", f"{count}, where op {index + 1} needs {needed}")
    for first, last in chain.chains_of(rows):
        if last - first + 1 > LIMITS["max_chain"]:
            message = f"a chain of {last - first + 1} ops; at most {LIMITS['max_chain']} may be"
            raise RecordError("op", first, "rows", message)


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

    sizes = arena_sizes(graph, plan.rows)
    for index, offset in enumerate(plan.tensor_offsets):
        size = sizes[index]
        inside("tensor", index, "arena_offset", offset, size, plan.arena_bytes)
    end = 0

    def behind(record, index, offset, size):
        """Regions of the state are in the order of what keeps them."""
        nonlocal end
        inside(record, index, "state_offset", offset, size, plan.state_bytes)
        if size and offset < end:
            message = f"{offset} is not behind the state before it, which ends at {end}"
            raise RecordError(record, index, "state_offset", message)
        end = offset + size if size else end

    for index, given in enumerate(graph.inputs):
        size, offset = background_bytes(graph, given), plan.background_offsets[index]
        behind("normalization", index, offset, size)
    for index, op in enumerate(graph.ops):
        size = plan.scratch_sizes[index]
        inside("op", index, "scratch_offset", plan.scratch_offsets[index], size, plan.arena_bytes)
        size, offset = plan.state_sizes[index], plan.state_offsets[index]
        if size != state_bytes(graph, op):
            message = f"{size}, where {op.kind} keeps {state_bytes(graph, op)}"
            raise RecordError("op", index, "state_bytes", message)
        behind("op", index, offset, size)


def _overlap(a, b):
    return max(a[0], b[0]) < min(a[1], b[1])


def _in_place_pairs(graph, rows):
    """Return {(input, output)} of tensors that may share one place, by SPEC.md's exception.

    In a chain, both hold one row. What is held shares its place with nothing.
    """
    spans, held = lifetimes(graph), held_tensors(graph)
    kept = [0] * len(graph.tensors)
    for op, count in zip(graph.ops, rows, strict=True):
        kept[op.output] = count
    pairs = set()
    for index, op in enumerate(graph.ops):
        if op.kind not in IN_PLACE or op.output in held:
            continue
        for tensor in op.inputs:
            if spans[tensor][1] == index and kept[tensor] == kept[op.output] <= 1:
                # Ops that follow each other in a chain may all share the one row.
                earlier = {a for a, b in pairs if b == tensor and kept[tensor] == 1}
                pairs |= {(a, op.output) for a in (tensor, *earlier)}
    return pairs


def _leads(graph, rows):
    """Return {(input, output): least distance} of chains that may write over their input."""
    spans, held = lifetimes(graph), held_tensors(graph)
    leads = {}
    for first, last in chain.chains_of(rows):
        source, target = graph.ops[first].inputs[0], graph.ops[last].output
        if spans[source][1] == first and target not in held:
            leads[source, target] = chain.lead(graph, first, last)
    return leads


def _plan_chains(graph, needs):
    """Return (rows, *`_plan_arena`) of the chains with the smallest arena that can be found.

    An arena may have to be larger than what is live at once. A chain that only keeps less live
    than that costs time for nothing, and is given up.
    """
    rows = chain.rows_of(graph, _choose_chains(graph, needs))
    found = _plan_arena(graph, rows, needs)
    fewer = chain.rows_of(graph, _choose_chains(graph, needs, enough=found[0]))
    if fewer != rows:
        again = _plan_arena(graph, fewer, needs)
        if again[0] <= found[0]:
            return fewer, *again
    return rows, *found


def _choose_chains(graph, needs, enough=0):
    """Return the chains that keep the most bytes live at once lowest, or at most `enough`.

    Of those, they make the fewest rows one by one: each is a call of a kernel. What is live while
    a chain runs does not depend on the other chains, so the best split of the ops from op i on
    follows from the best splits behind its first part.
    """
    count = len(graph.ops)
    parts = {(i, i) for i in range(count)} | set(chain.possible(graph))
    heights = [graph.tensors[op.output].height for op in graph.ops]
    best = {count: (enough, 0, [])}  # from op i on: most bytes live, rows made in chains, chains
    for first in reversed(range(count)):
        choices = []
        for last in range(first, count):
            if (first, last) in parts:
                peak, made, chains = best[last + 1]
                own = [(first, last)] if last > first else []
                peak = max(peak, _live_bytes(graph, needs, first, own))
                made += sum(heights[first : last + 1]) if own else 0
                choices.append((peak, made, own + chains))
        best[first] = min(choices)
    return best[0][2]


def _live_bytes(graph, needs, moment, chains):
    """Return how many bytes are live while op `moment`, or the chain it begins, runs."""
    rows = chain.rows_of(graph, chains)
    blocks = _blocks(graph, rows, needs.of(rows), prefer=0)
    total = sum(block.size for block in blocks if block.first <= moment <= block.last)
    for (source, target), least in _block_leads(graph, rows, blocks).items():
        apart = blocks[source].size + blocks[target].size
        over = max(blocks[target].size, round_up(max(least, 0)) + blocks[source].size)
        total -= max(apart - over, 0)
    return total


def _plan_arena(graph, rows, needs):
    """Return (arena bytes, tensor offsets, scratch offsets).

    An op that may write over its input does so, which spares a whole tensor. The blocks that
    remain are placed in several orders, each at the lowest offset that is free while it is live;
    the best order is then improved by random swaps, until it meets the lower bound.
    """
    rng = random.Random(0)
    best = None
    for prefer in (0, 1):  # which input of an add gives way, when both may
        blocks = _blocks(graph, rows, needs.of(rows), prefer)
        found = _search(blocks, _block_leads(graph, rows, blocks), rng)
        if best is None or found[0] < best[0]:
            best = (*found, blocks)
    arena, places, blocks = best
    offsets, scratch_offsets = [0] * len(graph.tensors), [0] * len(graph.ops)
    for block, place in zip(blocks, places, strict=True):
        for tensor in block.tensors:
            offsets[tensor] = place
        for op in block.scratch_of:
            scratch_offsets[op] = place
    return arena, offsets, scratch_offsets


def _blocks(graph, rows, scratch, prefer):
    pairs = _in_place_pairs(graph, rows)
    spans = lifetimes(graph, rows)
    sizes = arena_sizes(graph, rows)
    block_of = {
        tensor: _Block(round_up(sizes[tensor]), *spans[tensor], [tensor])
        for tensor in range(len(graph.inputs))
    }
    blocks = list(block_of.values())
    for op in graph.ops:
        choices = [tensor for tensor in op.inputs if (tensor, op.output) in pairs]
        first, last = spans[op.output]
        if choices:
            block = block_of[choices[min(prefer, len(choices) - 1)]]
            block.tensors.append(op.output)
            block.last = last
        else:
            block = _Block(round_up(sizes[op.output]), first, last, [op.output])
            blocks.append(block)
        block_of[op.output] = block
    # The ops of a chain use one scratch in turn.
    chains = chain.chains_of(rows)
    inside = {index for first, last in chains for index in range(first, last + 1)}
    alone = [(index, index) for index in range(len(graph.ops)) if index not in inside]
    for first, last in [*chains, *alone]:
        ops = range(first, last + 1)
        if most := max(scratch[index] for index in ops):
            blocks.append(_Block(most, first, last, [], ops))
    return blocks


def _block_leads(graph, rows, blocks):
    """Return {(input's block, output's block): lead} for chains that write over their input."""
    leads = {}
    for (source, target), least in _leads(graph, rows).items():
        places = []
        for tensor, end in ((source, -1), (target, 0)):
            # Only where the two meet: nothing else of either block is live then.
            index = next(i for i, block in enumerate(blocks) if tensor in block.tensors)
            places.append(index if blocks[index].tensors[end] == tensor else None)
        if None not in places:
            leads[tuple(places)] = least
    return leads


def _search(blocks, leads, rng):
    """Return (bytes, offset of each block) of the best order found."""
    live = [
        [j for j, b in enumerate(blocks) if b.first <= a.last and a.first <= b.last and a is not b]
        for a in blocks
    ]
    moments = range(-1, max(block.last for block in blocks) + 1)
    bound = max(block.size for block in blocks)
    if not leads:
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
    results = [(*_place(blocks, live, leads, order), order) for order in orders]
    total, places, order = min(results, key=lambda result: result[0])
    for _ in range(SEARCH_STEPS // (1 + len(blocks) // 16)):
        if total == bound:
            break
        changed = list(order)
        i, j = rng.randrange(len(blocks)), rng.randrange(len(blocks))
        changed.insert(j, changed.pop(i))
        new_total, new_places = _place(blocks, live, leads, changed)
        if new_total <= total:  # equal ones too: they lead off a plateau
            total, places, order = new_total, new_places, changed
    return total, places


def _place(blocks, live, leads, order):
    """Put blocks at their lowest free offsets, in `order`; return (bytes, offsets)."""
    places, total = [None] * len(blocks), 0
    for i in order:
        size = blocks[i].size
        taken = []  # (low, high): offsets in between are not free
        for j in live[i]:
            if places[j] is None:
                continue
            low, high = places[j] - size, places[j] + blocks[j].size
            if (i, j) in leads:  # i is the input that j is written over
                high = min(high, places[j] + leads[i, j])
            elif (j, i) in leads:
                low = max(low, places[j] - leads[j, i])
            if low < high:
                taken.append((low, high))
        at = 0
        for low, high in sorted(taken):
            if at <= low:
                break
            at = max(at, round_up(high))
        places[i] = at
        total = max(total, at + size)
    return total, places
