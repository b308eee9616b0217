"""Chains of ops that run row by row, so that whole maps need not lie between them.

SPEC.md, "Chains", says what a chain is. `rows` is a list with one number for each op: how many
rows of its output are kept, 0 for a whole map. Ops with rows > 0 and the op behind them form a
chain.
"""

from dataclasses import replace

from host_sdk.format.graph import Graph
from host_sdk.format.mlet import LIMITS
from host_sdk.format.operators import having

ROW_ALIGN = 4  # rows begin on multiples of it, for kernels that load words
WINDOWED, IN_CHAINS = having("window"), having("chains")


def reach(op):
    """Return how many rows a window spans, from its first tap to its last."""
    if op.kind not in WINDOWED:
        return 1
    return (op.kernel[0] - 1) * op.dilation[0] + 1


def window(graph, op, row):
    """Return the input rows [first, end) that row `row` of an op's output is made from."""
    first = row
    if op.kind in WINDOWED:
        first = row * op.stride[0] - op.padding[0]
    height = graph.tensors[op.inputs[0]].height
    return max(first, 0), min(first + reach(op), height)


def rows_kept(graph, consumer):
    """Return how many rows of its input an op needs at once."""
    return min(reach(consumer), graph.tensors[consumer.inputs[0]].height)


def row_view(graph, op):
    """Return (graph, op) of an op as a chain runs it: one row of output, and the input for it."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    tensors = [replace(source, height=rows_kept(graph, op)), replace(target, height=1)]
    return Graph(tensors=tensors), replace(op, inputs=[0], output=1)


def links(graph):
    """Return the set of indices i for which op i + 1 may run row by row with op i."""
    uses = [0] * len(graph.tensors)
    for op in graph.ops:
        for tensor in op.inputs:
            uses[tensor] += 1
    for tensor in graph.outputs:
        uses[tensor] += 1
    return {
        i
        for i, (op, following) in enumerate(zip(graph.ops, graph.ops[1:], strict=False))
        if op.kind in IN_CHAINS
        and following.kind in IN_CHAINS
        and following.inputs == [op.output]
        and uses[op.output] == 1
        and (op.period, op.group) == (following.period, following.group)
        and all(rows_aligned(graph, o) for o in (op, following))
        and finds_every_row(graph, following)
    }


def rows_aligned(graph, op):
    """Whether the rows of an op's input, output and state begin on multiples of 4."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    lengths = (source.width * source.channels, target.width * target.channels)
    return all(n % ROW_ALIGN == 0 for n in (*lengths, source.width * op.shift_channels))


def finds_every_row(graph, op):
    """Whether an op that shifts as it reads windows finds every row of its input while it is kept.

    It has to: the rows' shifted channels are what the next frame needs.
    """
    if op.kind not in WINDOWED or not op.shift_channels:
        return True
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    end = window(graph, op, target.height - 1)[1]
    return op.stride[0] <= rows_kept(graph, op) and end == source.height


def chains_of(rows):
    """Return [(first, last)] of the chains that `rows` describes."""
    found, start = [], None
    for index, count in enumerate(rows):
        if count and start is None:
            start = index
        if not count and start is not None:
            found.append((start, index))
            start = None
    return found


def rows_of(graph, chains):
    """Return the list `rows` for the given [(first, last)] chains."""
    rows = [0] * len(graph.ops)
    for first, last in chains:
        for index in range(first, last):
            rows[index] = rows_kept(graph, graph.ops[index + 1])
    return rows


def lead(graph, first, last):
    """Return how many bytes a chain's output must begin before its input to be written over it.

    The chain first->last writes row i of its output when some rows of its input are done with;
    the output may lie over those, and over nothing that is still needed. The input's offset less
    the output's must be at least the number returned, which may be negative.
    """
    head, tail = graph.ops[first], graph.ops[last]
    source, target = graph.tensors[head.inputs[0]], graph.tensors[tail.output]
    source_row = source.width * source.channels
    target_row = target.width * target.channels
    least = -source.size
    for row in range(target.height):
        made = row + 1  # rows of the output of op `last`, then of the ops before it
        for op in reversed(graph.ops[first + 1 : last + 1]):
            made = window(graph, op, made - 1)[1]
        if made < graph.tensors[head.output].height:
            needed = window(graph, head, made)[0]
            least = max(least, target_row * (row + 1) - source_row * needed)
    return least


def possible(graph):
    """Return all (first, last) that could be chains."""
    linked = links(graph)
    found = []
    for first in sorted(linked):
        last = first
        while last in linked and last - first + 2 <= LIMITS["max_chain"]:
            last += 1
            found.append((first, last))
    return found
