"""Post-training quantization: from a Keras network and some clips to a `Graph` of integers.

1. `trace` reads the network layer by layer into float ops, with batch normalization and ReLU
   folded into the op in front of them. What has no counterpart in SPEC.md is refused here.
2. `calibrate` runs clips through the network and picks the range of every tensor. The layers are
   causal and start from zeros, so frame t of a clip meets the states that a stream would hold.
3. `quantize` turns both into scales, zero points and integer parameters.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.golden import run_clip
from host_sdk.golden.check import WITH_ROWS, check_graph
from host_sdk.graph import Graph, Op, Tensor
from host_sdk.mlet_format import LIMITS
from host_sdk.networks import import_keras
from host_sdk.requantize import quantize_add, quantize_multipliers
from host_sdk.targets.cortex_m0plus import reachable_sums, weight_rows

METHODS = ("mse", "percentile", "minmax")
INPUT_SCALE = 1 / 255  # a pixel v enters the float network as v / 255 ...
INPUT_ZERO_POINT = -128  # ... and the integer one as v - 128
_BINS = 2048
_PERCENTILE = 99.99


@dataclass
class FloatOp:
    """An op of SPEC.md before quantization: real weights and bias, else the fields of `Op`.

    `value` is the Keras tensor that holds its output, ReLU included; `low` and `high` bound it.
    """

    kind: str
    name: str
    inputs: list  # indices of tensors: 0 is the network's input, i + 1 the output of op i
    shape: tuple  # of the output: height, width, channels
    value: object
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    low: float = -math.inf
    high: float = math.inf
    geometry: dict = field(default_factory=dict)  # kernel, stride, frames, ...


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
    _check_clips(model, clips)
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


def scale_and_zero_point(low, high):
    """Return what maps low ... high, widened to hold 0, onto -128 ... 127."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    # The file holds scales as float32: choose among those.
    scale = float(np.float32(scale)) if scale > 1e-20 else INPUT_SCALE
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


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
            _weight_scales(op.weights, others, most),
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


def _weight_scales(weights, axes, most):
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


# Calibration


def calibrate(model, ops, clips, method):
    """Return [(low, high)] of every op's output, chosen by `method` over `clips` (uint8).

    The last op's range is never clipped: equal logits could not be told apart.
    """
    least, most = np.full(len(ops), math.inf), np.full(len(ops), -math.inf)
    for values in _activations(model, ops, clips):
        least = np.minimum(least, [v.min() for v in values])
        most = np.maximum(most, [v.max() for v in values])
    for op, low, high in zip(ops, least, most, strict=True):
        if not (np.isfinite(low) and np.isfinite(high)):
            raise MotionletError(f"{op.name} gives values that are not finite; was it trained?")
    least, most = np.minimum(least, 0), np.maximum(most, 0)
    if method == "minmax":
        return list(zip(least, most, strict=True))
    # A bin is centred on the least value: behind a ReLU, half of all are exactly zero.
    counts = np.zeros((len(ops), _BINS), np.int64)
    steps = np.maximum((most - least) / (_BINS - 1), 1e-30)
    for values in _activations(model, ops, clips):
        for i, v in enumerate(values):
            bins = np.rint((v.ravel() - least[i]) / steps[i]).astype(np.int64)
            counts[i] += np.bincount(np.clip(bins, 0, _BINS - 1), minlength=_BINS)
    choose = _least_squares if method == "mse" else _percentile
    chosen = [choose(counts[i], least[i] + steps[i] * np.arange(_BINS)) for i in range(len(ops))]
    chosen[-1] = (least[-1], most[-1])
    return chosen


def _percentile(counts, centres):
    share = np.cumsum(counts) / counts.sum()
    tail = (1 - _PERCENTILE / 100) / 2
    low, high = np.searchsorted(share, tail), np.searchsorted(share, 1 - tail)
    return centres[low], centres[min(high, _BINS - 1)]


def _least_squares(counts, centres):
    """Return the range, shrunk from both ends alike, with the least squared error of rounding."""

    def error(shrink):
        scale, zero_point = scale_and_zero_point(centres[0] * shrink, centres[-1] * shrink)
        q = np.clip(np.rint(centres / scale) + zero_point, -128, 127)
        return np.sum(counts * ((q - zero_point) * scale - centres) ** 2)

    best = min(np.linspace(1, 0.3, 71), key=error)
    return centres[0] * best, centres[-1] * best


def _activations(model, ops, clips, batch=16):
    """Yield, batch by batch, the outputs of all ops as a list of arrays."""
    keras = import_keras()
    outputs = keras.Model(model.inputs[0], [op.value for op in ops])
    for i in range(0, len(clips), batch):
        values = outputs(clips[i : i + batch] / np.float32(255))
        yield [np.asarray(v) for v in keras.tree.flatten(values)]  # one alone comes without a list


def _check_clips(model, clips):
    expected = model.inputs[0].shape
    if clips.dtype != np.uint8 or clips.ndim != len(expected) or 0 in clips.shape:
        raise MotionletError(
            f"calibration needs uint8 clips of {len(expected)} dimensions, "
            f"not {clips.dtype} {clips.shape}"
        )
    if clips.shape[-3:] != tuple(expected[-3:]):
        raise MotionletError(
            f"frames for calibration are {clips.shape[-3:]}, "
            f"the network takes {tuple(expected[-3:])}"
        )


# From Keras layers to float ops


def trace(model):
    """Return the `FloatOp`s of a Keras model, in the order they run.

    Layers that can be exported: Conv2D, DepthwiseConv2D, Dense, AveragePooling2D and
    GlobalAveragePooling2D (inside EachFrame when the model takes clips), TemporalDepthwise,
    TemporalShift, TemporalAverage, Add of two, BatchNormalization behind an op with weights, ReLU
    behind any op that rounds, Flatten before Dense, Dropout. The model has one input, one output.
    """
    return _Tracer(model).ops


_IMAGES_ONLY = (
    "Conv2D",
    "DepthwiseConv2D",
    "AveragePooling2D",
    "GlobalAveragePooling2D",
    "Flatten",
)


def _unwrap(layer):
    return layer.layer if type(layer).__name__ == "EachFrame" else layer


class _Tracer:
    def __init__(self, model):
        keras = import_keras()
        if not isinstance(model, keras.Model) or not getattr(model, "layers", None):
            raise MotionletError("only a functional or sequential Keras model can be exported")
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise MotionletError(
                f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
                "one of each can be exported"
            )
        shape = tuple(model.inputs[0].shape)
        if len(shape) not in (4, 5) or None in shape[-3:]:
            raise MotionletError(
                f"the model's input is {shape}; want (batch, time, height, width, channels), "
                "the last three known"
            )
        self.lead = len(shape) - 3  # axes in front of height: batch, and time if there is one
        from host_sdk.networks import layers as own_layers

        self.known = {**vars(keras.layers), **vars(own_layers)}
        self.ops = []
        self.shapes = [shape[-3:]]
        self.index = {id(model.inputs[0]): 0}  # Keras tensor -> our tensor
        self.alias = {}  # Keras tensor -> the one it is a copy of
        self.uses = Counter()
        layers = [x for x in model.layers if type(x).__name__ != "InputLayer"]
        for layer in layers:
            xs = self._inputs(layer)
            if type(_unwrap(layer)).__name__ in ("Dropout", "Flatten"):
                self.alias[id(layer.output)] = self._origin(xs[0])
            else:
                self.uses.update(self._origin(x) for x in xs)
        for layer in layers:
            self._trace_layer(layer)
        if not self.ops or self._tensor(model.outputs[0]) != len(self.ops):
            raise MotionletError("the model's output is not what its last layer gives")

    def _inputs(self, layer):
        return layer.input if isinstance(layer.input, list | tuple) else [layer.input]

    def _origin(self, x):
        return self.alias.get(id(x), id(x))

    def _tensor(self, x):
        """Return the index of our tensor that a Keras tensor is."""
        origin = self._origin(x)
        if origin not in self.index:  # Keras tells the first use of a layer only
            raise MotionletError("a layer is used more than once; make one for each use")
        return self.index[origin]

    def _refuse(self, layer, why):
        raise MotionletError(f"layer {layer.name!r} ({type(layer).__name__}) {why}")

    def _trace_layer(self, layer):
        inner = _unwrap(layer)
        kind = type(inner).__name__
        handler = getattr(self, f"_{kind}", None)
        if handler is None or self.known.get(kind) is not type(inner):
            known = ", ".join(sorted(n[1:] for n in dir(self) if n[1:2].isupper()))
            self._refuse(inner, f"cannot be exported; these can: {known}")
        if self.lead == 2 and inner is layer and kind in _IMAGES_ONLY:
            self._refuse(inner, "works on images; put it inside EachFrame")
        if kind.startswith("Temporal") and (self.lead == 1 or inner is not layer):
            self._refuse(inner, "needs whole clips: [batch, time, height, width, channels]")
        self.layer, self.value = layer, layer.output
        self.xs = self._inputs(layer)
        for x in self.xs:
            flat = x.shape[-1] != self.shapes[self._tensor(x)][2]
            if flat and kind not in ("Dense", "Dropout", "Flatten"):
                self._refuse(inner, "behind Flatten cannot be exported; only Dense can follow it")
        handler(inner)

    # What handlers use

    def _append(self, kind, shape, weights=None, bias=None, **geometry):
        inputs = [self._tensor(x) for x in self.xs]
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            bias = np.zeros(shape[2]) if bias is None else np.asarray(bias, np.float64)
        name = self.layer.name.replace(".", "/")
        op = FloatOp(kind, name, inputs, shape, self.value, weights, bias, geometry=geometry)
        self.ops.append(op)
        self.shapes.append(shape)
        self.index[id(self.value)] = len(self.ops)

    def _source_shape(self):
        return self.shapes[self._tensor(self.xs[0])]

    def _fold(self, layer, allowed):
        """Return the op in front of `layer`, which takes over its output, if that is allowed."""
        index = self._tensor(self.xs[0])
        op = self.ops[index - 1] if index else None
        if op is None or not allowed(op) or self.uses[self._origin(self.xs[0])] != 1:
            self._refuse(layer, "must come right behind an op that it can be folded into")
        op.value = self.value
        self.index[id(self.value)] = index
        return op

    def _activation(self, layer):
        """Apply the activation that a layer with weights was given."""
        name = getattr(layer.activation, "__name__", "linear")
        if name not in ("linear", "relu", "relu6"):
            self._refuse(layer, f"has activation {name!r}; linear, relu and relu6 can be exported")
        if name != "linear":
            op = self.ops[-1]
            op.low, op.high = 0.0, 6.0 if name == "relu6" else math.inf

    def _window(self, layer, kernel, stride, dilation, padding):
        """Return the output's height and width, and the geometry of a 2D window."""
        top_left, size = [], []
        for i, n in enumerate(self._source_shape()[:2]):
            reach = (kernel[i] - 1) * dilation[i] + 1
            if padding == "same":
                out = -(-n // stride[i])
                top_left.append(max((out - 1) * stride[i] + reach - n, 0) // 2)
            else:
                out = (n - reach) // stride[i] + 1
                top_left.append(0)
            size.append(out)
        if layer.data_format != "channels_last":
            self._refuse(layer, "must be channels_last")
        return size, {
            "kernel": tuple(kernel),
            "stride": tuple(stride),
            "dilation": tuple(dilation),
            "padding": tuple(top_left),
        }

    # One handler a layer; `dir` finds them by their names

    def _Conv2D(self, layer):
        if layer.groups != 1:
            self._refuse(layer, f"has {layer.groups} groups; only 1 can be exported")
        size, window = self._window(
            layer, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding
        )
        weights = np.moveaxis(np.asarray(layer.kernel), -1, 0)  # [C_out, k_h, k_w, C_in]
        bias = layer.bias if layer.use_bias else None
        shape = (*size, layer.filters)
        if layer.kernel_size == (1, 1) and layer.strides == (1, 1):
            self._append("pointwise", shape, weights[:, 0, 0], bias)
        else:
            self._append("conv2d", shape, weights, bias, **window)
        self._activation(layer)

    def _DepthwiseConv2D(self, layer):
        if layer.depth_multiplier != 1:
            self._refuse(layer, f"has depth_multiplier {layer.depth_multiplier}; want 1")
        size, window = self._window(
            layer, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding
        )
        weights = np.asarray(layer.kernel)[..., 0]
        bias = layer.bias if layer.use_bias else None
        self._append("depthwise2d", (*size, weights.shape[2]), weights, bias, **window)
        self._activation(layer)

    def _Dense(self, layer):
        weights = np.asarray(layer.kernel).T
        bias = layer.bias if layer.use_bias else None
        if len(self.xs[0].shape) == self.lead + 1:
            self._append("dense", (1, 1, layer.units), weights, bias)
        else:  # Keras applies it to every pixel
            self._append("pointwise", (*self._source_shape()[:2], layer.units), weights, bias)
        self._activation(layer)

    def _BatchNormalization(self, layer):
        op = self._fold(layer, lambda op: op.weights is not None and op.low == -math.inf)
        if layer.axis not in (-1, len(self.value.shape) - 1):
            self._refuse(layer, "must normalize the channels, the last axis")
        mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        factor = 1 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
        if layer.scale:
            factor = factor * np.asarray(layer.gamma)
        by_rows = op.kind in ("conv2d", "pointwise", "dense")  # [C_out, ...], else [..., C]
        op.weights = (op.weights.T * factor).T if by_rows else op.weights * factor
        op.bias = (op.bias - mean) * factor
        if layer.center:
            op.bias = op.bias + np.asarray(layer.beta)

    def _ReLU(self, layer):
        if layer.negative_slope or layer.threshold:
            self._refuse(layer, "has a slope or a threshold; only a plain one can be exported")
        op = self._fold(layer, lambda op: op.kind != "temporal_shift")
        op.low = max(op.low, 0.0)
        if layer.max_value is not None:
            op.high = min(op.high, float(layer.max_value))

    def _Dropout(self, layer):
        """Does nothing once trained: its output is an alias of its input, as Flatten's is."""

    def _Flatten(self, layer):
        """Dense reads its input as one vector anyway."""

    def _Add(self, layer):
        if len(self.xs) != 2 or self.xs[0].shape != self.xs[1].shape:
            self._refuse(layer, "must add two tensors of one shape")
        self._append("add", self._source_shape())

    def _AveragePooling2D(self, layer):
        kernel, stride = layer.pool_size, layer.strides
        size, window = self._window(layer, kernel, stride, (1, 1), layer.padding)
        height, width, channels = self._source_shape()
        ends = [(size[i] - 1) * stride[i] + kernel[i] for i in (0, 1)]
        if window["padding"] != (0, 0) or ends[0] > height or ends[1] > width:
            self._refuse(layer, "has windows that leave the image; use padding='valid'")
        self._append("average_pool", (*size, channels), **window)

    def _GlobalAveragePooling2D(self, layer):
        height, width, channels = self._source_shape()
        self._append("average_pool", (1, 1, channels), kernel=(height, width))

    def _TemporalShift(self, layer):
        self._append("temporal_shift", self._source_shape(), shift_channels=layer.channels)

    def _TemporalDepthwise(self, layer):
        self._append(
            "temporal_depthwise",
            self._source_shape(),
            layer.kernel,
            layer.bias,
            frames=layer.frames,
            frame_dilation=layer.dilation,
        )

    def _TemporalAverage(self, layer):
        self._append("temporal_average", self._source_shape(), frames=layer.frames)


# How good it is


@dataclass
class LayerReport:
    """How far the int8 output of an op is from the float one."""

    name: str
    kind: str
    sqnr_db: float  # signal to quantization noise: more is better, 6 dB are one bit
    clipped: float  # share of float values outside what int8 can say


def report_layers(model, graph, clips):
    """Compare float and int8 (golden) op by op over uint8 `clips`; return [LayerReport]."""
    ops = trace(model)
    _check_clips(model, clips)
    floats = [np.concatenate(parts) for parts in zip(*_activations(model, ops, clips), strict=True)]
    time = clips if clips.ndim == 5 else clips[:, None]
    int8 = [run_clip(graph, (clip.astype(np.int16) - 128).astype(np.int8)) for clip in time]
    reports = []
    for i, op in enumerate(graph.ops):
        tensor = graph.tensors[op.output]
        q = np.stack([outputs[i] for outputs in int8])
        real = (q.astype(np.float64) - tensor.zero_point) * tensor.scale
        wanted = floats[i].reshape(real.shape)
        noise = np.mean((real - wanted) ** 2)
        signal = np.mean(wanted.astype(np.float64) ** 2)
        low, high = ((end - tensor.zero_point) * tensor.scale for end in (-128.5, 127.5))
        clipped = np.mean((wanted < low) | (wanted > high))
        reports.append(
            LayerReport(
                op.name,
                op.kind,
                float(10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30))),
                float(clipped),
            )
        )
    return reports
