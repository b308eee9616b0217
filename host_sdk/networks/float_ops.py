"""From Keras layers to float ops: `trace`."""

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.check import SHIFT_MULTIPLE, SHIFTING, WITH_ROWS
from host_sdk.format.graph import runs_back
from host_sdk.networks import import_keras
from host_sdk.networks.keras_layers import (
    BOUNDS,
    FOLDED,
    LAST_ACTIVATIONS,
    NEAREST,
    PADDED_READERS,
    KerasLayers,
)


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

    What each layer becomes, and which cannot be exported, is in docs/import.md. The model has one
    input and one output. All layers that cannot be exported are named in one MotionletError.

    BatchNormalization and ReLU become part of the op in front of them where that can be, and a
    TemporalShift part of the depthwise or 1x1 convolution right behind it, if that alone reads what
    it gives, and by whole words. Softmax and sigmoid are left out where they come last: they do not
    change which answer is the greatest.
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


@dataclass(frozen=True)
class Form:
    """What goes into a Keras model and comes out, beside its `trace`.

    `shape` is the frame's (height, width, channels); `clips` whether the model takes frames along
    time, `answers` whether it answers to each of them; `notes` say what was left out of it.
    """

    shape: tuple
    clips: bool
    answers: bool
    notes: list


def form_of(model):
    """Return the `Form` of a Keras model that can be exported."""
    tracer = _Tracer(model)
    answers = tracer.lead == 2 and id(model.outputs[0]) not in tracer.timeless
    return Form(tuple(tracer.shapes[0]), tracer.lead == 2, answers, tracer.notes)


_IMAGES_ONLY = (
    "Conv2D",
    "DepthwiseConv2D",
    "SeparableConv2D",
    "AveragePooling2D",
    "MaxPooling2D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling2D",
    "ZeroPadding2D",
    "Flatten",
    "Reshape",
)
# Layers that a trained network can do without: their output is their input.
_ALIASES = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"),
    *("GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity"),
    *("Flatten", "Reshape", "Softmax", "Cropping1D", "GetItem"),
    *("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
)
_POINT = {"kernel": (1, 1), "stride": (1, 1), "dilation": (1, 1), "padding": (0, 0)}
_UNKNOWN = "unknown"  # the kind of what stands for a layer that was refused, to go on behind it


class _Refused(MotionletError):
    """One layer cannot be exported."""


@dataclass(frozen=True)
class _Use:
    """One use of a layer: the Keras tensors that it reads and the one that it gives.

    `axes`: how many axes they have in front of a frame's.
    """

    layer: object
    xs: list
    y: object
    axes: int


def _uses(model, axes=1):
    """Return the `_Use`s of a Keras model's layers, in the order they run."""
    # What a layer calls its input and output are those of its first use, maybe in another model.
    graph = getattr(model, "_functional", None) or model
    order = {id(layer): place for place, layer in enumerate(graph.operations)}
    return [
        _Use(node.operation, list(node.input_tensors), node.output_tensors[0], axes)
        for depth in sorted(graph._nodes_by_depth, reverse=True)
        for node in sorted(graph._nodes_by_depth[depth], key=lambda node: order[id(node.operation)])
        if not node.is_input
    ]


@dataclass(frozen=True)
class _Link:
    """Between a model and one that it holds: `target` is what Keras calls `source` there."""

    source: object
    target: object


def unwrap(layer):
    """Return the layer for images inside an EachFrame, or else the layer itself."""
    return layer.layer if type(layer).__name__ in ("EachFrame", "TimeDistributed") else layer


def is_last_activation(layer):
    """Whether a layer is an activation that may be left out at the end of a network."""
    kind = type(layer).__name__
    name = getattr(getattr(layer, "activation", None), "__name__", None)
    return kind == "Softmax" or (kind == "Activation" and name in LAST_ACTIVATIONS)


class _Tracer(KerasLayers):
    def __init__(self, model):
        keras = import_keras()
        if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
            raise MotionletError("only a functional or sequential Keras model can be exported")
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise MotionletError(
                f"the model has {len(model.inputs)} inputs and {len(model.outputs)} outputs; "
                "one of each can be exported"
            )
        shape = tuple(model.inputs[0].shape)
        # Images [batch, H, W, C] and clips of them; vectors [batch, C] and series of them.
        frame = (1, 1, *shape[-1:]) if len(shape) in (2, 3) else shape[-3:]
        if len(shape) not in (2, 3, 4, 5) or None in frame:
            raise MotionletError(
                f"the model's input is {shape}; want (batch, time, height, width, channels), "
                "the last three known, or (batch, time, channels), either without time too"
            )
        self.lead = 2 if len(shape) in (3, 5) else 1  # axes in front: batch and time, or batch
        if target := self._reshaped_at_once(model):
            self.lead, frame = 1, target
        from host_sdk.networks import layers as own_layers

        self.known = [vars(keras.layers), vars(own_layers)]
        self.ops = []
        self.shapes = [frame]
        self.index = {id(model.inputs[0]): 0}  # Keras tensor -> our tensor
        self.alias = {}  # Keras tensor -> the one it is a copy of
        self.uses = Counter()
        self.padded = {}  # Keras tensor -> what zeros lie around it: see `KerasLayers`
        self.lags = Counter()  # Keras tensor -> how many of the first frames it lacks
        self.timeless = set()  # Keras tensors of a whole clip's answer
        self.ended = {}  # Keras tensor behind an activation that was left out -> that layer
        self.notes, self.faults = [], []
        nodes = self._nodes(model, self.lead)
        layers = [node for node in nodes if not isinstance(node, _Link)]
        for node in nodes:
            if isinstance(node, _Link):
                self._pass_on(node.source, node.target)
                continue
            self.layer, self.xs, self.value, self.axes = node.layer, node.xs, node.y, node.axes
            try:
                self._trace_layer(self.layer)
            except _Refused as fault:
                self.faults.append(f"{layers.index(node) + 1}: {fault}")
                self._stand_in()
        if len(self.faults) == 1:
            raise MotionletError(self.faults[0].partition(": ")[2])
        if self.faults:
            lines = "".join(f"\n  {fault}" for fault in self.faults)
            raise MotionletError(
                f"{len(self.faults)} of {len(layers)} layers cannot be exported:{lines}"
            )
        if not self.ops or self.tensor(model.outputs[0]) != len(self.ops):
            raise MotionletError("the model's output is not what its last layer gives")

    def _reshaped_at_once(self, model):
        """Return (height, width, channels) if the first layer makes images of the input."""
        for node in _uses(model):
            first = type(node.layer).__name__ == "Reshape" and node.xs[0] is model.inputs[0]
            if first and len(node.y.shape) == 4 and None not in node.y.shape[1:]:
                return tuple(node.y.shape[1:])
        return None

    def _nodes(self, model, axes):
        """Return the uses of layers in a model and in models in it, in order, and links.

        `axes`: how many axes its tensors have in front of a frame's: batch, and time if there is.
        """
        nodes = []
        for node in _uses(model, axes):
            inner, kind = unwrap(node.layer), type(unwrap(node.layer)).__name__
            if kind in ("Functional", "Sequential"):
                nodes += self._nodes_between(node, inner)
                continue
            if kind in _ALIASES or is_last_activation(inner):
                self.alias[id(node.y)] = self._origin(node.xs[0])
            else:
                self.uses.update(self._origin(x) for x in node.xs)
            nodes.append(node)
        return nodes

    def _nodes_between(self, node, inner):
        """Return the nodes of a model inside another one, with links to what is around it."""
        if len(inner.outputs) != 1:
            raise MotionletError(
                f"the model {node.layer.name!r} in the model has {len(inner.outputs)} outputs; "
                "one can be exported"
            )
        links = [_Link(outer, own) for outer, own in zip(node.xs, inner.inputs, strict=True)]
        for link in links:
            if id(link.target) in self.alias:
                raise MotionletError(
                    f"the model {node.layer.name!r} in the model is used more than once; make one "
                    "for each use"
                )
            self.alias[id(link.target)] = self._origin(link.source)
        nodes = self._nodes(inner, node.axes if inner is node.layer else 1)
        last = _Link(inner.outputs[0], node.y)
        self.alias[id(last.target)] = self._origin(last.source)
        return [*links, *nodes, last]

    def _pass_on(self, source, target):
        """Let a Keras tensor have what is known of the one that it is a copy of."""
        self.lags[id(target)] = self.lags[id(source)]
        if id(source) in self.timeless:
            self.timeless.add(id(target))
        for known in (self.padded, self.ended):
            if id(source) in known:
                known[id(target)] = known[id(source)]

    def _origin(self, x):
        return self.alias.get(id(x), id(x))

    def tensor(self, x):
        """Return the index of our tensor that a Keras tensor is."""
        origin = self._origin(x)
        if origin not in self.index:
            raise MotionletError(f"the tensor {x.name!r} is not one of the model's")
        return self.index[origin]

    def _refuse(self, layer, why):
        raise _Refused(f"layer {layer.name!r} ({type(layer).__name__}) {why}")

    def _stand_in(self):
        """Append what stands for a layer that was refused, so that those behind it are seen."""
        origin = self._origin(self.value)
        if origin in self.index:
            return
        sizes = tuple(self.value.shape)[self.axes :]
        shape = (1, 1, 1, *(n or 1 for n in sizes))[-3:]
        self.ops.append(FloatOp(_UNKNOWN, self.layer.name, [], shape, self.value))
        self.shapes.append(shape)
        self.index[origin] = len(self.ops)

    def _trace_layer(self, layer):
        inner = unwrap(layer)
        kind = type(inner).__name__
        handler = getattr(self, f"_{kind}", None)
        if handler is None or not self._is_known(inner):
            hint = NEAREST.get(kind, "")
            known = ", ".join(sorted(n[1:] for n in dir(self) if n[1:2].isupper()))
            self._refuse(inner, f"cannot be exported; {hint or f'these can: {known}'}")
        if any(id(x) in self.timeless for x in self.xs):
            self.timeless.add(id(self.value))
            self.axes = 1
        time = self.axes == 2 and inner is layer
        if time and kind in _IMAGES_ONLY:
            self._refuse(inner, "works on images; put it inside EachFrame or TimeDistributed")
        if kind.startswith("Temporal") and not time:
            self._refuse(inner, "needs whole clips: [batch, time, height, width, channels]")
        if kind.endswith(("1D", "3D")) and "Dropout" not in kind and not time:
            self._refuse(inner, "works along time; want it on [batch, time, ...]")
        for x in self.xs:
            if id(x) in self.ended:
                first = self.ended[id(x)]
                self._refuse(first, f"is followed by {inner.name!r}; it can only come last")
            if id(x) in self.padded and kind not in PADDED_READERS:
                self._refuse(inner, "reads a padded map; only a convolution or pool can")
            flat = x.shape[-1] != self.shapes[self.tensor(x)][2]
            if flat and kind not in ("Dense", *_ALIASES) and not self._unknown(x):
                self._refuse(inner, "behind Flatten cannot be exported; only Dense can follow it")
        lags = {self.lags[id(x)] for x in self.xs}
        if len(lags) > 1:
            self._refuse(inner, "takes tensors whose first frames are not the same")
        self.lags[id(self.value)] = lags.pop()
        if kind in FOLDED and len(self.xs) == 1 and self._unknown(self.xs[0]):
            self.index[id(self.value)] = self.tensor(self.xs[0])
        else:
            handler(inner)

    def _is_known(self, layer):
        kind = type(layer)
        if kind.__module__.startswith("keras.src.ops."):  # x + y, x[:, -1]
            return kind.__name__ in ("Add", "GetItem")
        return kind in [known.get(kind.__name__) for known in self.known]

    def _unknown(self, x):
        """Whether a Keras tensor is what a refused layer would have given."""
        index = self.tensor(x)
        return index > 0 and self.ops[index - 1].kind == _UNKNOWN

    # What handlers use

    def _append(self, kind, shape, weights=None, bias=None, part=None, more=False, **geometry):
        """Append an op that reads what the layer reads.

        A layer may become several ops: `part` names one that is not the last, and `more` says that
        an op reads the one before.
        """
        inputs = [len(self.ops)] if more else [self.tensor(x) for x in self.xs]
        if weights is not None:
            weights = np.asarray(weights, np.float64)
            bias = np.zeros(shape[2]) if bias is None else np.asarray(bias, np.float64)
        name = self.layer.name.replace(".", "/") + (f"/{part}" if part else "")
        value = None if part else self.value
        op = FloatOp(kind, name, inputs, shape, value, weights, bias, geometry=geometry)
        if self._takes_in_shift(op, 1 if more else self.uses[self._origin(self.xs[0])]):
            shift = self.ops.pop()
            op.inputs = shift.inputs
            op.geometry["shift_channels"] = shift.geometry["shift_channels"]
            self.shapes.pop()
            if not more:
                self.index[self._origin(self.xs[0])] = shift.inputs[0]  # a copy of it
        self.ops.append(op)
        self.shapes.append(shape)
        self.index[id(self.value)] = len(self.ops)

    def _takes_in_shift(self, op, readers):
        """Whether `op`, about to be appended, can do the temporal_shift right in front of it.

        `readers`: how many read what that gives.
        """
        if op.kind not in SHIFTING or op.inputs != [len(self.ops)] or not self.ops:
            return False
        shift = self.ops[-1]
        # The rule is for the shifted channels; it is quick where that holds for all of them.
        sizes = (shift.geometry.get("shift_channels", 1), shift.shape[2])
        whole = not any(n % SHIFT_MULTIPLE for n in sizes)
        return shift.kind == "temporal_shift" and readers == 1 and whole

    def _source_shape(self):
        return self.shapes[self.tensor(self.xs[0])]

    def _folds(self, allowed):
        """Return the op that gives what is read, if it may take over what is done to it here."""
        index = self.tensor(self.xs[0])
        op = self.ops[index - 1] if index else None
        fits = op is not None and allowed(op) and self.uses[self._origin(self.xs[0])] == 1
        return op if fits else None

    def _take_over(self, op):
        """Let `op`, which gives what is read, give what the layer gives."""
        op.value = self.value
        self.index[id(self.value)] = self.tensor(self.xs[0])

    def _normalize(self, mean, factor, addend):
        """Compute (x - mean) * factor + addend by channel: in the op in front, or a depthwise2d."""
        op = self._folds(lambda op: op.weights is not None and op.low == -math.inf)
        if op is None:
            shape = self._source_shape()
            self._append("depthwise2d", shape, np.ones((1, 1, shape[2])), **_POINT)
            op = self.ops[-1]
        else:
            self._take_over(op)
        op.weights = op.weights * op.by_channel(np.broadcast_to(factor, op.shape[2]))
        op.bias = (op.bias - mean) * factor + addend

    def _clamp(self, low, high):
        """Bound what is read: by the op in front, or else by a max_pool2d of single pixels."""
        op = self._folds(lambda op: op.kind != "temporal_shift")
        if op is None:
            self._append("max_pool2d", self._source_shape(), **_POINT)
            op = self.ops[-1]
        else:
            self._take_over(op)
        op.low, op.high = max(op.low, low), min(op.high, high)

    def _activation(self, layer):
        """Apply the activation that a layer with weights was given."""
        name = getattr(layer.activation, "__name__", "linear")
        if name in LAST_ACTIVATIONS:
            self._leave_out(layer, name)
        elif name not in BOUNDS:
            self._refuse(layer, f"has activation {name!r}; linear, relu and relu6 can be exported")
        else:
            self.ops[-1].low, self.ops[-1].high = BOUNDS[name]

    def _leave_out(self, layer, name):
        """Leave out the activation at a network's end."""
        self.ended[id(self.value)] = layer
        self.notes.append(f"{layer.name}: {name} left out; what is the greatest stays so")

    def _window(self, layer, kernel, stride, dilation, padding):
        """Return the output's height and width, and the geometry of a 2D window."""
        if layer.data_format != "channels_last":
            self._refuse(layer, "must be channels_last")
        zeros = self.padded.get(id(self.xs[0]), {}).get("picture", ((0, 0), (0, 0)))
        shape, top_left, size = self._source_shape(), [], []
        for axis, (before, after) in enumerate(zeros):
            n, step = shape[axis] + before + after, stride[axis]
            span = (kernel[axis] - 1) * dilation[axis] + 1
            if padding == "same":
                out = -(-n // step)
                before += max((out - 1) * step + span - n, 0) // 2
            else:
                out = (n - span) // step + 1
            if before > span - 1 or (out - 1) * step - before > shape[axis] - 1:
                self._refuse(layer, "has windows that lie in the padding alone; pad by less")
            top_left.append(before)
            size.append(out)
        return size, {
            "kernel": tuple(kernel),
            "stride": tuple(stride),
            "dilation": tuple(dilation),
            "padding": tuple(top_left),
        }

    # One handler a layer; `dir` finds them by their names

    def _Conv2D(self, layer):
        channels, bias = self._source_shape()[2], layer.bias if layer.use_bias else None
        window = layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding
        self._convolution(layer, np.asarray(layer.kernel), bias, window, channels)
        self._activation(layer)

    def _convolution(self, layer, kernel, bias, window, channels, more=False):
        """Append a convolution over the picture: `kernel` [k_h, k_w, C_in / groups, C_out]."""
        size, geometry = self._window(layer, *window)
        shape = (*size, kernel.shape[3])
        if kernel.shape[2] == 1 and layer.groups == channels == shape[2] > 1:
            self._append("depthwise2d", shape, kernel[:, :, 0], bias, more=more, **geometry)
        elif layer.groups != 1:
            self._refuse(layer, f"has {layer.groups} groups; 1, or one to a channel, can be")
        elif kernel.shape[:2] == (1, 1) and shape[:2] == self._source_shape()[:2]:
            self._append("pointwise", shape, kernel[0, 0].T, bias, more=more)
        else:
            weights = np.moveaxis(kernel, -1, 0)  # [C_out, k_h, k_w, C_in]
            self._append("conv2d", shape, weights, bias, more=more, **geometry)

    def _DepthwiseConv2D(self, layer):
        bias = layer.bias if layer.use_bias else None
        self._depthwise(layer, np.asarray(layer.kernel), bias)
        self._activation(layer)

    def _depthwise(self, layer, kernel, bias):
        """Append a depthwise convolution over the picture: `kernel` [k_h, k_w, C, multiplier]."""
        size, window = self._window(
            layer, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding
        )
        if kernel.shape[3] == 1:
            self._append("depthwise2d", (*size, kernel.shape[2]), kernel[..., 0], bias, **window)
        elif kernel.shape[2] == 1:  # of one channel, it is any convolution
            weights = np.moveaxis(kernel, -1, 0)
            self._append("conv2d", (*size, kernel.shape[3]), weights, bias, **window)
        else:
            self._refuse(
                layer, f"has depth_multiplier {kernel.shape[3]}; want 1, unless of one channel"
            )

    def _Dense(self, layer):
        weights = np.asarray(layer.kernel).T
        bias = layer.bias if layer.use_bias else None
        if len(self.xs[0].shape) == self.axes + 1:
            self._append("dense", (1, 1, layer.units), weights, bias)
        else:  # Keras applies it to every pixel
            self._append("pointwise", (*self._source_shape()[:2], layer.units), weights, bias)
        self._activation(layer)

    def _BatchNormalization(self, layer):
        if layer.axis not in (-1, len(self.value.shape) - 1):
            self._refuse(layer, "must normalize the channels, the last axis")
        mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
        factor = 1 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
        if layer.scale:
            factor = factor * np.asarray(layer.gamma)
        self._normalize(mean, factor, np.asarray(layer.beta) if layer.center else 0.0)

    def _ReLU(self, layer):
        if layer.negative_slope or layer.threshold:
            self._refuse(layer, "has a slope or a threshold; only a plain one can be exported")
        self._clamp(0.0, math.inf if layer.max_value is None else float(layer.max_value))

    def _Dropout(self, layer):
        """Does nothing once trained: its output is an alias of its input, as Flatten's is."""
        self._pass_on(self.xs[0], self.value)

    def _Flatten(self, layer):
        """Dense reads its input as one vector anyway."""
        self._pass_on(self.xs[0], self.value)

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
        index = self.tensor(self.xs[0])
        if id(self.xs[0]) in self.padded and not (index and self.ops[index - 1].low >= 0):
            self._refuse(layer, "counts padded zeros; without a ReLU in front, use padding='same'")
        size, window = self._window(layer, layer.pool_size, layer.strides, (1, 1), layer.padding)
        self._append("max_pool2d", (*size, self._source_shape()[2]), **window)

    def _GlobalAveragePooling2D(self, layer):
        height, width, channels = self._source_shape()
        self._append("average_pool", (1, 1, channels), kernel=(height, width))

    def _TemporalShift(self, layer):
        self._causal(layer)
        self._append("temporal_shift", self._source_shape(), shift_channels=layer.channels)

    def _TemporalDepthwise(self, layer):
        self._causal(layer)
        self._append(
            "temporal_depthwise",
            self._source_shape(),
            layer.kernel,
            layer.bias,
            frames=layer.frames,
            frame_dilation=layer.dilation,
        )

    def _TemporalAverage(self, layer):
        self._causal(layer)
        self._append("temporal_average", self._source_shape(), frames=layer.frames)
