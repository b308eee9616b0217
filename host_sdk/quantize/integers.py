"""From float ops and ranges to a `Graph` of integers: `quantize`."""

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.golden.check import WITH_ROWS, check_graph
from host_sdk.graph import Graph, Op, Tensor
from host_sdk.mlet_format import LIMITS
from host_sdk.quantize.float_ops import trace
from host_sdk.quantize.ranges import (
    INPUT_SCALE,
    INPUT_ZERO_POINT,
    METHODS,
    calibrate,
    check_clips,
    scale_and_zero_point,
)
from host_sdk.requantize import quantize_add, quantize_multipliers
from host_sdk.targets.cortex_m0plus import reachable_sums, weight_rows


def quantize(model, clips, labels=(), frames_per_second=0.0, method="mse", int4=()):
    """Return the int8 `Graph` of a Keras model.

    `model` takes clips [B, T, H, W, C] of pixels in 0 ... 1 (or images [B, H, W, C]) and is built
    of the layers listed in `trace`. `clips`, uint8 [N, T, H, W, C] (or [N, H, W, C]), should be
    like those it will meet: some dozens. `method` chooses the ranges of activations: "mse" (least
    squared error), "percentile" or "minmax". `int4` names the ops that get weights of 4 bits
    instead of 8, or is "all" for every op that can. Raises MotionletError for what cannot be
    exported.
    """
    if method not in METHODS:
        raise MotionletError(f"no calibration method {method!r}; there is: {', '.join(METHODS)}")
    ops = trace(model)
    narrow = _int4_ops(ops, int4)
    check_clips(model, clips)
    if labels and len(labels) != ops[-1].shape[2]:
        raise MotionletError(f"{len(labels)} labels for {ops[-1].shape[2]} outputs")
    ranges = calibrate(model, ops, clips, method)

    shape = tuple(model.inputs[0].shape[-3:])
    graph = Graph(
        tensors=[Tensor("frames", *shape, INPUT_SCALE, INPUT_ZERO_POINT)],
        inputs=[0],
        outputs=[len(ops)],
        labels=list(labels),
        pixel_format={1: "gray8", 3: "rgb888"}.get(shape[2], "raw"),
        frames_per_second=float(frames_per_second),
    )
    for op, (low, high) in zip(ops, ranges, strict=True):
        source = graph.tensors[op.inputs[0]]
        if op.kind == "temporal_shift":
            scale, zero_point = source.scale, source.zero_point
        else:
            scale, zero_point = scale_and_zero_point(low, high)
        graph.tensors.append(Tensor(op.name, *op.shape, scale, zero_point))
        bits = 4 if op.name in narrow else 8
        graph.ops.append(_quantize_op(op, graph, len(graph.tensors) - 1, bits))
    check_graph(graph)
    return graph


def _int4_ops(ops, names):
    """Return the names of the ops that get weights of 4 bits."""
    possible = [op.name for op in ops if op.kind in WITH_ROWS]
    if names == "all":
        return possible
    for name in names:
        if name not in possible:
            known = ", ".join(possible) or "none"
            raise MotionletError(f"no op {name!r} that can have 4-bit weights; there is: {known}")
    return names


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
    elif op.kind != "temporal_shift":  # an average
        count = op.geometry.get("frames") or np.prod(op.geometry["kernel"])
        result.multiplier, result.shift = quantize_multipliers(
            inputs[0].scale / (target.scale * count)
        )
    return result


def _bound(real, tensor):
    """Return the int8 value nearest to a bound of the real output."""
    if np.isinf(real):
        return -128 if real < 0 else 127
    return int(np.clip(round(tensor.zero_point + real / tensor.scale), -128, 127))


def _quantize_weights(op, source, target, result):
    """Fill in weights, bias, multipliers and shifts, one scale per output channel."""
    channel_axis = 0 if op.kind in WITH_ROWS else op.weights.ndim - 1
    others = tuple(axis for axis in range(op.weights.ndim) if axis != channel_axis)
    taps = op.weights.size // op.weights.shape[channel_axis]
    largest_bias = 2**31 - 1 - 32768 * taps
    if taps > LIMITS["max_taps"]:
        raise MotionletError(
            f"{op.name}: {taps} products in a sum, at most {LIMITS['max_taps']} are possible"
        )
    # The weights choose the scale, unless they are so small (a dead channel has none at all)
    # that the bias or the multiplier would leave its range.
    most = 2 ** (result.weight_bits - 1) - 1
    scales = np.maximum.reduce(
        [
            weight_scales(op.weights, others, most),
            np.abs(op.bias) / (source.scale * largest_bias * 0.999),
            np.full(len(op.bias), target.scale / source.scale * 2.0**-31),
        ]
    )
    shape = [1] * op.weights.ndim
    shape[channel_axis] = -1
    result.weights = _rounded(op.weights / scales.reshape(shape), most).astype(np.int8)
    result.bias = np.rint(op.bias / (source.scale * scales)).astype(np.int32)
    result.multiplier, result.shift = quantize_multipliers(
        source.scale * scales / target.scale, _largest_sums(result, source)
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


def _largest_sums(op, source):
    """Return, by channel, how far from 0 the sums come, with the bias in them and without."""
    rows = weight_rows(op)
    bias = op.bias - source.zero_point * rows.sum(axis=1)
    low, high = reachable_sums(rows)
    return np.max(np.abs([low, high, low + bias, high + bias]), axis=0)
