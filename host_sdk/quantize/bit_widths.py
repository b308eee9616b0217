"""Which layers get weights of 4 bits, so that a model fits into so many bytes: `choose_int4`."""

from dataclasses import replace

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.quantize.adjust import correct_bias
from host_sdk.quantize.integers import can_be_int4, make_graph
from host_sdk.quantize.post_training import logit_error
from host_sdk.quantize.simulation import Simulation


def weight_bytes(graph):
    """Return the bytes that the weights of `graph` take in an `.mlet` file, without padding."""
    total = 0
    for op in graph.ops:
        if op.weights is not None and op.weight_bits == 4:
            taps = op.weights.size // len(op.bias)
            total += len(op.bias) * -(-taps // 2)
        elif op.weights is not None:
            total += op.weights.size
    return total


def choose_int4(quantized, clips, measure, most):
    """Return the names of the ops to give weights of 4 bits, for at most `most` bytes.

    `quantized` has 8-bit weights; `measure(graph)` counts them: `weight_bytes`, or the bytes of the
    packed file. Each op in turn gets 4 bits, and the logits over `clips` (real, [N, T, H, W, C])
    say what that costs. The ops chosen are those whose costs add up to the least among all choices
    that save enough: an integer programme. Raises MotionletError when 4 bits wherever they are
    possible do not save enough.
    """
    ops, tensors = quantized.float_ops, quantized.graph.tensors
    names = can_be_int4(ops)
    eight, four = measure(quantized.graph), measure(_with(quantized, names))
    if four > most:
        raise MotionletError(
            f"{most:,} bytes are too few: {eight:,} with weights of 8 bits, "
            f"{four:,} with 4 bits wherever they are possible"
        )
    if eight <= most:
        return []
    wanted = Simulation(ops).all_logits(clips)
    costs, savings = [], []
    for name in names:
        graph = make_graph(ops, tensors, [name])
        better = correct_bias(ops, graph, clips)
        costs.append(logit_error(better, make_graph(better, tensors, [name]), clips, wanted))
        savings.append(eight - measure(_with(quantized, [name])))
    needed = eight - most
    while True:
        chosen = [names[i] for i in cheapest(costs, savings, needed)]
        excess = measure(_with(quantized, chosen)) - most
        if excess <= 0 or len(chosen) == len(names):
            return chosen
        needed += excess  # padding: what each saves does not quite add up


def cheapest(costs, savings, needed):
    """Return the indices of the choice with the least costs whose savings come to `needed`.

    All of them when none saves enough.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    enough = LinearConstraint(np.array([savings], float), needed)
    found = milp(np.array(costs, float), constraints=enough, integrality=1, bounds=Bounds(0, 1))
    taken = found.x > 0.5 if found.success else np.ones(len(costs), bool)
    return [int(i) for i in np.flatnonzero(taken)]


def _with(quantized, int4):
    """Return the graph with weights of 4 bits in the ops named."""
    graph = quantized.graph
    return replace(graph, ops=make_graph(quantized.float_ops, graph.tensors, int4).ops)
