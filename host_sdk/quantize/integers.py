"""From float ops and the ranges of their outputs to a `Graph` of integers: `make_graph`."""

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.check import COPIES, WITH_ROWS, WITH_SCALE, check_graph
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.format.mlet import LIMITS
from host_sdk.format.weights import reachable_sums, weight_rows
from host_sdk.quantize.requantize import quantize_add, quantize_multipliers


def make_tensors(ops, frames, ranges):
    """Return the graph's tensors: `frames`, the input's, and one for every op.

    `ranges` are (low, high) of the real outputs of the ops.
    """
    tensors = [frames]
    for op, (low, high) in zip(ops, ranges, strict=True):
        source = tensors[op.inputs[0]]
        if op.kind in COPIES:
            scale, zero_point = source.scale, source.zero_point
        else:
            scale, zero_point = scale_and_zero_point(low, high)
        tensors.append(Tensor(op.name, *op.shape, scale, zero_point))
    return tensors


def make_graph(ops, tensors, int4=()):
    """Return the `Graph` of float ops, with a raw input.

    `int4` names those that get weights of 4 bits.
    """
    graph = Graph(tensors=list(tensors), inputs=[Input(0, "raw")], outputs=[len(ops)])
    for index, op in enumerate(ops):
        graph.ops.append(_quantize_op(op, graph, index + 1, 4 if op.name in int4 else 8))
    check_graph(graph)
    return graph


def scale_and_zero_point(low, high):
    """Return what maps low ... high, widened to hold 0, onto -128 ... 127."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    # The file holds scales as float32: choose among those.
    scale = float(np.float32(scale)) if scale > 1e-20 else 1 / 255
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def can_be_int4(ops):
    """Return the names of the ops that can have weights of 4 bits."""
    return [op.name for op in ops if op.kind in WITH_ROWS]


def check_int4(ops, names):
    """Return the names of the ops that get weights of 4 bits; `names` may be "all"."""
    possible = can_be_int4(ops)
    if names == "all":
        return possible
    for name in names:
        if name not in possible:
            known = ", ".join(possible) or "none"
            raise MotionletError(f"no op {name!r} that can have 4-bit weights; there is: {known}")
    return list(names)


def _quantize_op(op, graph, output, bits):
    inputs = [graph.tensors[i] for i in op.inputs]
    target = graph.tensors[output]
    result = Op(op.kind, op.name, list(op.inputs), output, **op.geometry)
    result.act_min = _bound(op.low, target)
    result.act_max = _bound(op.high, target)
    if op.weights is not None:
        result.weight_bits = bits
        _quantize_weights(op, inputs[0], target, result)
    elif op.kind == "add":
        m_a, m_b, n = quantize_add(*(x.scale / target.scale for x in inputs))
        result.multiplier, result.shift = np.array([m_a, m_b], np.int32), np.array([n], np.uint8)
    elif op.kind in WITH_SCALE:  # an average
        factor = inputs[0].scale / (target.scale * op.averaged)
        result.multiplier, result.shift = quantize_multipliers(factor)
    return result


def _bound(real, tensor):
    """Return the int8 value nearest to a bound of the real output."""
    if np.isinf(real):
        return -128 if real < 0 else 127
    return int(np.clip(round(tensor.zero_point + real / tensor.scale), -128, 127))


def _quantize_weights(op, source, target, result):
    """Fill in weights, bias, multipliers and shifts, one scale per output channel."""
    scales = channel_scales(op, source, target, result.weight_bits)
    most = largest_weight(result.weight_bits)
    result.weights = _rounded(op.weights / op.by_channel(scales), most).astype(np.int8)
    result.bias = np.rint(op.bias / (source.scale * scales)).astype(np.int32)
    result.multiplier, result.shift = quantize_multipliers(
        source.scale * scales / target.scale, largest_sums(result, source)
    )


def largest_weight(bits):
    return 2 ** (bits - 1) - 1


def channel_scales(op, source, target, bits):
    """Return the scale of the weights of each output channel of `op`, float64 [C_out].

    The weights choose it, unless the op brings scales with it; and unless they are so small (a
    dead channel has none at all) that the bias would be above 2^18 or a product's step below
    2^-13 steps of the output. There would be no short multiplier for such a channel; that its
    weights are rounded more coarsely moves an output by some sqrt(K) / 64 steps.
    """
    taps = op.weights.size // len(op.bias)
    if taps > LIMITS["max_taps"]:
        raise MotionletError(
            f"{op.name}: {taps} products in a sum, at most {LIMITS['max_taps']} are possible"
        )
    largest_bias = min(2**18, 0.999 * (2**31 - 1 - 32768 * taps))
    others = tuple(axis for axis in range(op.weights.ndim) if axis != op.channel_axis)
    chosen = op.scales
    if chosen is None:
        chosen = weight_scales(op.weights, others, largest_weight(bits))
    return np.maximum.reduce(
        [
            chosen,
            np.abs(op.bias) / (source.scale * largest_bias),
            np.full(len(op.bias), target.scale / source.scale * 2.0**-13),
        ]
    )


def _rounded(values, most):
    return np.clip(np.rint(values), -most, most)


def weight_scales(weights, axes, most):
    """Return the scale of each channel; `axes` are the others.

    With 8 bits the largest weight sets it. With 4 bits a step is so wide that cutting the largest
    pays: the scale is the one with the least squared error.
    """
    widest = np.abs(weights).max(axis=axes, keepdims=True) / most
    if most == 127:
        return widest.ravel()
    shrinks = np.linspace(1, 0.4, 61)
    errors = []
    for shrink in shrinks:
        scale = np.maximum(widest * shrink, 1e-30)
        error = _rounded(weights / scale, most) * scale - weights
        errors.append(np.sum(error**2, axis=axes))
    return widest.ravel() * shrinks[np.argmin(errors, axis=0)]


def largest_sums(op, source):
    """Return, by channel, how far from 0 the sums come, with the bias in them and without."""
    rows = weight_rows(op)
    bias = op.bias - source.zero_point * rows.sum(axis=1)
    low, high = reachable_sums(rows)
    return np.max(np.abs([low, high, low + bias, high + bias]), axis=0)
