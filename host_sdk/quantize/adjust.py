"""Two ways to make float ops easier to quantize: `equalize` and `correct_bias`."""

from collections import Counter
from dataclasses import replace

import numpy as np

from host_sdk.format.check import WITH_ROWS
from host_sdk.format.operators import OPS
from host_sdk.quantize.simulation import Simulation, linear

# Ops that a factor above 0 to each channel goes through: copies, averages.
_KEEP_CHANNELS = [k for k, op in OPS.items() if op.has.isdisjoint(("weights", "two_inputs"))]
_QUIET = 2.0**-10  # a channel that reaches less far, of the furthest, is taken to reach so far


def equalize(ops, clips):
    """Return ops that compute the same, with the channels of a tensor about equally wide.

    A tensor has one scale, so a channel a hundred times narrower than the widest would get three
    of the 256 steps. Where a channel can be multiplied by s > 0 in the op that makes it and
    divided by s in the one op that reads it, nothing changes in real numbers, ReLU, shift and
    averages in between included. (Nagel et al., "Data-Free Quantization Through Weight
    Equalization and Bias Correction", 2019; there ranges of weights, here what the channels
    reach over `clips`, real [N, T, H, W, C], as our weights have a scale to each output channel.)

    When the reader works channel by channel, the division costs nothing: all channels become
    equally wide. When it mixes channels, its weights for a wide channel become large beside the
    others', which share their scale: s splits the difference.
    """
    ops = list(ops)
    peaks = _peaks(ops, clips)
    readers = Counter(i for op in ops for i in op.inputs)
    for first in range(len(ops)):
        second = _reader(ops, first, readers)
        if second is None:
            continue
        maker, reader = ops[first], ops[second]
        width = np.maximum(peaks[first], _QUIET * max(peaks[first].max(), 1e-30))
        if reader.kind in WITH_ROWS:
            columns = _columns(reader, len(width))
            width = np.sqrt(width / np.maximum(columns, _QUIET * columns.max()))
        factor = width.max() / width
        ops[first] = replace(
            maker,
            weights=maker.weights * maker.by_channel(factor),
            bias=maker.bias * factor,
        )
        if reader.kind == "dense":  # its input, a map, is read as one vector, channels innermost
            factor = np.tile(factor, reader.weights.shape[1] // len(factor))
        ops[second] = replace(reader, weights=reader.weights / factor)
    return ops


def correct_bias(ops, graph, clips):
    """Return ops whose biases make up for what rounding the weights does to the mean.

    Rounded weights shift the mean of an op's sums by the mean input times the rounding errors.
    Op by op, with the inputs that the ops before leave it over `clips`, real [N, T, H, W, C], the
    bias takes this shift back. `graph` was made of `ops`.
    """
    real, rounded = Simulation(ops), Simulation(ops, graph)
    reals, integers, better = [real.enter(clips)], [rounded.enter(clips)], list(ops)
    for index, op in enumerate(ops):
        xs, qs = ([values[i] for i in op.inputs] for values in (reals, integers))
        if op.weights is not None:
            weights, _, scales = rounded.rounded(index)
            step = graph.tensors[op.inputs[0]].scale * scales
            means = [
                np.mean(sums, axis=(0, 1, 2, 3), dtype=np.float64)
                for sums in (
                    linear(op, qs[0], weights) * step,
                    linear(op, xs[0], real.weights_and_bias(index)[0]),
                )
            ]
            better[index] = replace(op, bias=op.bias - (means[0] - means[1]))
            rounded.set_bias(index, better[index].bias)
        reals.append(real.step(index, op, xs))
        integers.append(rounded.step(index, op, qs))
    return better


def _reader(ops, first, readers):
    """Return the index of the op with weights that alone reads op `first`'s channels, or None."""
    if ops[first].weights is None or np.isfinite(ops[first].high):
        return None
    at = first
    while readers[at + 1] == 1:
        at = next(i for i, op in enumerate(ops) if at + 1 in op.inputs)
        if ops[at].weights is not None:
            return at
        if ops[at].kind not in _KEEP_CHANNELS or np.isfinite(ops[at].high):
            return None
    return None


def _columns(op, channels):
    """Return how large the weights of each input channel get, each row's largest being 1."""
    rows = np.abs(op.weights.reshape(len(op.weights), -1, channels))
    largest = np.maximum(rows.max(axis=(1, 2), keepdims=True), 1e-30)
    return np.maximum((rows / largest).max(axis=(0, 1)), 1e-30)


def _peaks(ops, clips):
    """Return by op how far from 0 each channel of its output comes."""
    peaks = [np.zeros(op.shape[2]) for op in ops]
    for values in Simulation(ops).batches(clips):
        for peak, value in zip(peaks, values, strict=True):
            np.maximum(peak, np.abs(value).max(axis=(0, 1, 2, 3)), out=peak)
    return peaks
