"""Quantization-aware training: `train_rounded` lets a network adapt to its own rounding."""

from dataclasses import replace

from host_sdk.quantize.integers import make_graph
from host_sdk.quantize.post_training import logit_error
from host_sdk.quantize.simulation import Simulation
from host_sdk.train.fine_tune import fine_tune

LEARNING_RATE = 3e-3  # in the units of `Simulation.variables`
MEASURED = 64  # clips that tell how far the answers are off


def train_rounded(quantized, clips, real, epochs, seed=0, tell=None):
    """Return a `Quantized` whose weights were trained with the rounding of its graph in place.

    The integers learn to answer as the float network does. Weights, biases and the scale of each
    channel's weights are trained; the ranges of tensors, and with them what the states hold, stay
    as calibrated. `clips`, `real`, `epochs`, `seed` and `tell` as in `fine_tune`. Returns
    `quantized` itself if its logits were nearer to the float ones than those after training.
    """
    rounded, exact = Simulation(quantized.ops, quantized.graph), Simulation(quantized.float_ops)
    fine_tune(
        *(rounded.logits, exact.logits, rounded.variables),
        *(clips, real, epochs, LEARNING_RATE, seed, tell),
    )
    ops, tensors = rounded.trained(), quantized.graph.tensors
    int4 = [op.name for op in quantized.graph.ops if op.weight_bits == 4]
    graph = replace(quantized.graph, ops=make_graph(ops, tensors, int4).ops)
    some = real(clips[:MEASURED])
    wanted = exact.all_logits(some)
    if logit_error(quantized.ops, quantized.graph, some, wanted) <= (
        error := logit_error(ops, graph, some, wanted)
    ):
        return quantized
    return replace(quantized, graph=graph, ops=ops, error=error, trained=True)
