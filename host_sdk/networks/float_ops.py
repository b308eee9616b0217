"""From Keras layers to float ops: `trace`."""

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.check import SHIFT_MULTIPLE, SHIFTING, WITH_ROWS
from host_sdk.format.graph import runs_back
from host_sdk.networks import import_keras


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
    scales: np.ndarray | None = None  # of the weights, by channel; None: the quantizer chooses

    @property
    def channel_axis(self):
        """The axis of `weights` that runs over the output's channels."""
        return 0 if self.kind in WITH_ROWS else self.weights.ndim - 1

    def by_channel(self, values):
        """Return `values`, one to an output channel, in a shape that goes with `weights`."""
        after = self.weights.ndim - 1 - self.channel_axis
        return values[(slice(None), *[None] * after)]

    @property
    def averaged(self):
        """How many values an average is of."""
        return self.geometry.get("frames") or math.prod(self.geometry["kernel"])


def trace(model):
    """Return the `FloatOp`s of a Keras model, in the order they run.

    Layers that can be exported: Conv2D, DepthwiseConv2D, Dense, AveragePooling2D, MaxPooling2D and
    GlobalAveragePooling2D (inside EachFrame when the model takes clips), TemporalDepthwise,
    TemporalShift, TemporalAverage, Add of two, BatchNormalization behind an op with weights, ReLU
    behind any op but TemporalShift, Flatten before Dense, Dropout. The model has one input, one
    output.
    A TemporalShift becomes part of the depthwise or 1x1 convolution right behind it, if that alone
    reads what it gives, and by whole words.
    """
    return _Tracer(model).ops


def reach(model):
    """Return how many frames an answer of a Keras model depends on, the newest included."""
    back = [0]
    for op in trace(model):
        back.append(max(back[i] for i in op.inputs) + runs_back(**op.geometry))
    return 1 + back[-1]


def trace_tensors(model):
    """Return (`trace(model)`, a function from a Keras tensor of the model to our tensor's index).

    The index is that of `FloatOp.inputs`. What folding or copying leaves as it is keeps its index.
    """
    tracer = _Tracer(model)
    return tracer.ops, tracer.tensor


_IMAGES_ONLY = (
    "Conv2D",
    "DepthwiseConv2D",
    "AveragePooling2D",
    "MaxPooling2D",
    "GlobalAveragePooling2D",
    "Flatten",
)


def unwrap(layer):
    """Return the layer for images inside an EachFrame, or else the layer itself."""
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

        self.known = [vars(keras.layers), vars(own_layers)]
        self.ops = []
        self.shapes = [shape[-3:]]
        self.index = {id(model.inputs[0]): 0}  # Keras tensor -> our tensor
        self.alias = {}  # Keras tensor -> the one it is a copy of
        self.uses = Counter()
        layers = [x for x in model.layers if type(x).__name__ != "InputLayer"]
        for layer in layers:
            xs = self._inputs(layer)
            if type(unwrap(layer)).__name__ in ("Dropout", "Flatten"):
                self.alias[id(layer.output)] = self._origin(xs[0])
            else:
                self.uses.update(self._origin(x) for x in xs)
        for layer in layers:
            self._trace_layer(layer)
        if not self.ops or self.tensor(model.outputs[0]) != len(self.ops):
            raise MotionletError("the model's output is not what its last layer gives")

    def _inputs(self, layer):
        return layer.input if isinstance(layer.input, list | tuple) else [layer.input]

    def _origin(self, x):
        return self.alias.get(id(x), id(x))

    def tensor(self, x):
        """Return the index of our tensor that a Keras tensor is."""
        origin = self._origin(x)
        if origin not in self.index:  # Keras tells the first use of a layer only
            raise MotionletError("a layer is used more than once; make one for each use")
        return self.index[origin]

    def _refuse(self, layer, why):
        raise MotionletError(f"layer {layer.name!r} ({type(layer).__name__}) {why}")

    def _trace_layer(self, layer):
        inner = unwrap(layer)
        kind = type(inner).__name__
        handler = getattr(self, f"_{kind}", None)
        if handler is None or type(inner) not in [known.get(kind) for known in self.known]:
            known = ", ".join(sorted(n[1:] for n in dir(self) if n[1:2].isupper()))
            self._refuse(inner, f"cannot be exported; these can: {known}")
        if self.lead == 2 and inner is layer and kind in _IMAGES_ONLY:
            self._refuse(inner, "works on images; put it inside EachFrame")
        if kind.startswith("Temporal") and (self.lead == 1 or inner is not layer):
            self._refuse(inner, "needs whole clips: [batch, time, height, width, channels]")
        self.layer, self.value = layer, layer.output
        self.xs = self._inputs(layer)
        for x in self.xs:
            flat = x.shape[-1] != self.shapes[self.tensor(x)][2]
            if flat and kind not in ("Dense", "Dropout", "Flatten"):
                self._refuse(inner, "behind Flatten cannot be exported; only Dense can follow it")
        handler(inner)

    # What handlers use

    def _append(self, kind, shape, weights=None, bias=None, **geometry):
        inputs = [self.tensor(x) for x in self.xs]
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            bias = np.zeros(shape[2]) if bias is None else np.asarray(bias, np.float64)
        name = self.layer.name.replace(".", "/")
        op = FloatOp(kind, name, inputs, shape, self.value, weights, bias, geometry=geometry)
        if self._takes_in_shift(op):
            shift = self.ops.pop()
            op.inputs = shift.inputs
            op.geometry["shift_channels"] = shift.geometry["shift_channels"]
            self.shapes.pop()
            self.index[self._origin(self.xs[0])] = shift.inputs[0]  # a copy of it
        self.ops.append(op)
        self.shapes.append(shape)
        self.index[id(self.value)] = len(self.ops)

    def _takes_in_shift(self, op):
        """Whether `op`, about to be appended, can do the temporal_shift right in front of it."""
        if op.kind not in SHIFTING or op.inputs != [len(self.ops)] or not self.ops:
            return False
        shift, readers = self.ops[-1], self.uses[self._origin(self.xs[0])]
        # The rule is for the shifted channels; it is quick where that holds for all of them.
        sizes = (shift.geometry.get("shift_channels", 1), shift.shape[2])
        whole = not any(n % SHIFT_MULTIPLE for n in sizes)
        return shift.kind == "temporal_shift" and readers == 1 and whole

    def _source_shape(self):
        return self.shapes[self.tensor(self.xs[0])]

    def _fold(self, layer, allowed):
        """Return the op in front of `layer`, which takes over its output, if that is allowed."""
        index = self.tensor(self.xs[0])
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
        op.weights = op.weights * op.by_channel(factor)
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

    def _MaxPooling2D(self, layer):
        size, window = self._window(layer, layer.pool_size, layer.strides, (1, 1), layer.padding)
        self._append("max_pool2d", (*size, self._source_shape()[2]), **window)

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
