"""From an int8 `.tflite` file to a graph of integers, with the file's own scales and weights.

Our operators are those of TensorFlow Lite's int8 scheme, but for the rounding: SPEC.md rounds once,
half up; TensorFlow Lite's kernels round in two steps, or in float, and differ among themselves. So
a byte may differ by one from theirs. What each operator becomes is in docs/import.md.
"""

import math
import struct
from dataclasses import replace

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.check import check_graph
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.format.normalization import PIXELS
from host_sdk.importing.keras_file import Imported
from host_sdk.networks import import_keras
from host_sdk.quantize.integers import largest_sums
from host_sdk.quantize.requantize import quantize_add, quantize_multipliers

_CALIBRATE = (
    "quantize it to int8 with a representative data set and TFLITE_BUILTINS_INT8, or import the "
    "Keras model"
)
_STATE = "keeps state in a variable; import the Keras model, whose causal layers become rings"
_LOOP = "use causal convolutions along time in a Keras model"
_NEAREST = {
    **dict.fromkeys(
        ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"),
        _STATE,
    ),
    **dict.fromkeys(
        ("LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"),
        f"a recurrent layer; {_LOOP}",
    ),
    **dict.fromkeys(("WHILE", "IF"), f"a loop or a branch; {_LOOP}"),
    **dict.fromkeys(("CONCATENATION", "SUB", "MUL", "MAXIMUM", "MINIMUM"), "the nearest is ADD"),
    **dict.fromkeys(
        ("LEAKY_RELU", "PRELU", "ELU", "HARD_SWISH", "GELU", "TANH"), "the nearest is RELU6"
    ),
}
_IMAGE_SIDE = 8  # pixels: what is smaller is hardly a picture
# What the converter makes of pixels / 255, / 127.5 - 1, and as they are: (range, lowest value).
_PICTURES = ((1.0, 0.0), (2.0, -1.0), (255.0, 0.0), (255.0, -128.0))


def import_tflite(data, name, labels=(), frames_per_second=0.0):
    """Return the `Imported` graph of a `.tflite` file's bytes; `name` is for errors.

    Tensors of int8, per tensor; weights of int8, per channel or per tensor. A uint8 or float end,
    with a QUANTIZE or DEQUANTIZE next to it, becomes int8. An input that can be a picture takes
    pixels, any other raw int8. Raises a MotionletError that names every operator that cannot be.
    """
    import_keras()  # without its chatter
    try:
        from tensorflow.lite.python import schema_py_generated as schema
    except ImportError as error:
        raise MotionletError(f"reading a .tflite file needs TensorFlow: {error}") from None
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        builder = _Builder(model, schema, name)
    except MotionletError:
        raise
    except (
        struct.error,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
    ) as error:
        raise MotionletError(f"{name} is damaged, or no .tflite file: {error}") from None
    graph = replace(builder.graph, labels=list(labels), frames_per_second=float(frames_per_second))
    channels = graph.tensors[graph.outputs[0]].channels
    if labels and len(labels) != channels:
        raise MotionletError(f"{len(labels)} labels for {channels} outputs")
    check_graph(graph)
    return Imported(graph, builder.notes, builder.places)


class _Refused(MotionletError):
    """One operator cannot be imported."""


class _Builder:
    """Builds `graph`, op by op. `index` says which tensor of ours each of the file's is."""

    def __init__(self, model, schema, name):
        self.schema, self.name = schema, name
        self.buffers, self.codes = model.buffers, model.operatorCodes
        self.names = {v: k for k, v in vars(schema.BuiltinOperator).items() if k[0] != "_"}
        self.types = {v: k for k, v in vars(schema.TensorType).items() if k[0] != "_"}
        self.sub = model.subgraphs[0]
        self.tensors = self.sub.tensors
        self.graph, self.index, self.notes, self.places = Graph(), {}, [], []
        self.padded = {}  # tensor of the file -> ((top, bottom), (left, right)) of zeros around
        self.ended = {}  # tensor of the file behind an activation left out -> its operator
        operators = self.sub.operators or []
        self.kinds = [self._kind(operator) for operator in operators]
        self._refuse_floats(operators)
        self._add_inputs(operators)
        faults = []
        for number, operator in enumerate(operators):
            try:
                self._add_op(self.kinds[number], operator)
            except _Refused as fault:
                faults.append(f"{number}: {fault}")
                self._stand_in(operator)
        if len(faults) == 1:
            raise MotionletError(f"{name}: operator {faults[0]}")
        if faults:
            lines = "".join(f"\n  {fault}" for fault in faults)
            raise MotionletError(
                f"{name}: {len(faults)} of {len(operators)} operators cannot be imported:{lines}"
            )
        self._add_outputs()

    # Reading

    def _kind(self, operator):
        code = self.codes[operator.opcodeIndex]
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        if builtin == self.schema.BuiltinOperator.CUSTOM:
            custom = code.customCode or b"?"
            return f"CUSTOM {custom.decode(errors='replace')}"
        return self.names.get(builtin, f"number {builtin}")

    def _type(self, i):
        return self.types.get(self.tensors[i].type, "unknown")

    def _title(self, i):
        name = (self.tensors[i].name or b"").decode(errors="replace")
        return name.split(";")[0] or f"tensor {i}"

    def _constant(self, i):
        """Return the array of a constant, or None."""
        tensor = self.tensors[i]
        data = self.buffers[tensor.buffer].data
        if data is None or not len(data):
            return None
        dtypes = {"INT8": np.int8, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32}
        dtype = dtypes.get(self._type(i))
        if dtype is None:
            raise _Refused(f"has weights of {self._type(i)}; want INT8")
        shape = () if tensor.shape is None else tuple(tensor.shape)
        return np.frombuffer(bytes(data), dtype).reshape(shape)

    def _dimensions(self, i):
        shape = self.tensors[i].shape
        return [] if shape is None else [int(n) for n in shape]

    def _shape(self, i):
        """Return (height, width, channels) of a tensor whose batch is 1."""
        dimensions = self._dimensions(i)
        if len(dimensions) > 1 and dimensions[0] != 1:
            raise _Refused(f"{self._title(i)!r} is {dimensions}: a batch of 1 can be imported")
        if len(dimensions) > 4:
            raise _Refused(f"{self._title(i)!r} is {dimensions}: of 4 dimensions at most")
        return tuple([1, 1, 1, *dimensions[1 if len(dimensions) > 1 else 0 :]][-3:])

    def _quantization(self, i):
        """Return (scale, zero point) of an int8 or uint8 tensor, as int8."""
        q = self.tensors[i].quantization
        kind = self._type(i)
        if kind not in ("INT8", "UINT8"):
            wide = "int16 activations; want int8" if kind == "INT16" else f"{kind}; want INT8"
            raise _Refused(f"{self._title(i)!r} is of {wide}")
        if q is None or q.scale is None or len(q.scale) != 1:
            raise _Refused(f"{self._title(i)!r} has no scale of its own; {_CALIBRATE}")
        zero = int(q.zeroPoint[0]) if q.zeroPoint is not None and len(q.zeroPoint) else 0
        return float(q.scale[0]), zero - 128 * (kind == "UINT8")

    def _refuse_floats(self, operators):
        """Raise MotionletError for a file that is not quantized, in one line."""
        ends = ("QUANTIZE", "DEQUANTIZE")
        for kind, operator in zip(self.kinds, operators, strict=True):
            inputs = [i for i in operator.inputs if i >= 0]
            outputs = [i for i in operator.outputs if i >= 0]
            if kind in ends or not inputs or not outputs:
                continue
            if self._type(outputs[0]) != "FLOAT32" or self._type(inputs[0]) != "FLOAT32":
                continue
            where = f"{self.name}: {kind} {self._title(outputs[0])!r} computes in floats"
            hybrid = any(self._type(i) == "INT8" for i in inputs[1:])
            why = ", with weights of int8 (dynamic range)" if hybrid else ""
            raise MotionletError(f"{where}{why}: {_CALIBRATE}")

    # Ends

    def _add_inputs(self, operators):
        inputs = [int(i) for i in self.sub.inputs]
        if not inputs or not operators:
            raise MotionletError(f"{self.name} has no input or no operator")
        for i in inputs:
            signature = self.tensors[i].shapeSignature
            if signature is not None and any(n < 0 for n in list(signature)[1:]):
                raise MotionletError(
                    f"{self.name}: input {self._title(i)!r} is {[int(n) for n in signature]}, of "
                    "unknown size; convert with a fixed input shape"
                )
            try:
                self._add_input(i, operators)
            except _Refused as fault:
                raise MotionletError(f"{self.name}: input {fault}") from None

    def _add_input(self, i, operators):
        source = i  # whose scale is ours: that behind a QUANTIZE of a float input
        readers = [n for n, o in enumerate(operators) if i in list(o.inputs)]
        if self._type(i) == "FLOAT32":
            if [self.kinds[n] for n in readers] != ["QUANTIZE"]:
                raise _Refused(f"{self._title(i)!r} is of floats; {_CALIBRATE}")
            source = int(operators[readers[0]].outputs[0])
        shape = self._shape(i)
        if [self.kinds[n] for n in readers] == ["RESHAPE"]:  # then it has that shape at once
            shape = self._shape(int(operators[readers[0]].outputs[0]))
        tensor = Tensor(self._title(i), *shape, *self._quantization(source))
        self.graph.inputs.append(self._input(len(self.graph.tensors), tensor))
        self.index[i] = len(self.graph.tensors)
        self.graph.tensors.append(tensor)
        self.places.append(source)

    def _input(self, place, tensor):
        """Return the `Input` of a tensor: pixels if it may well be a picture."""
        scale, zero = tensor.scale, tensor.zero_point
        ends = 255 * scale, scale * (-128 - zero)
        picture = any(
            abs(ends[0] - span) < span / 50 and abs(ends[1] - low) < span / 50
            for span, low in _PICTURES
        )
        side = min(tensor.height, tensor.width)
        if side < _IMAGE_SIDE or tensor.channels not in (1, 3) or not picture:
            self.notes.append(f"input {tensor.name!r} is raw int8, q = x / {scale:.6g} + {zero}")
            return Input(place, "raw")
        self.notes.append(
            f"input {tensor.name!r} is pixels: to the network, black is {ends[1]:.4g} and white "
            f"{ends[1] + ends[0]:.4g}"
        )
        # A pixel v enters as v - 128, whatever that stands for.
        pixels = replace(PIXELS, scale=float(np.float32(scale)), zero_point=zero, offset=128 + zero)
        return Input(place, {1: "gray8", 3: "rgb888"}[tensor.channels], pixels)

    def _add_outputs(self):
        for i in (int(i) for i in self.sub.outputs):
            index = self.index.get(i)
            if index is None or index < len(self.graph.inputs):
                raise MotionletError(f"{self.name}: output {self._title(i)!r} is no operator's")
            if i in self.padded:
                raise MotionletError(f"{self.name}: output {self._title(i)!r} is a padded map")
            self.graph.outputs.append(index)

    # Building

    def _add_op(self, kind, operator):
        self.operator, self.kind = operator, kind
        self.inputs = [int(i) for i in operator.inputs]
        self.outputs = [int(i) for i in operator.outputs]
        if self.outputs and all(self._type(i) in ("INT32", "INT64") for i in self.outputs):
            return  # it computes a shape, which the tensors have already
        handler = getattr(self, f"_{kind}", None) if kind.isupper() else None
        if handler is None:
            hint = _NEAREST.get(kind, "docs/import.md lists those that can")
            self._refuse(f"cannot be imported; {hint}")
        if len(self.outputs) != 1:
            self._refuse(f"has {len(self.outputs)} outputs; one can be imported")
        for i in self.inputs:
            if i in self.ended and kind not in ("QUANTIZE", "DEQUANTIZE"):
                self._refuse(f"follows {self.ended[i]}, which can only come last")
            if i in self.padded and kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D"):
                self._refuse("reads a padded map; only a convolution or MAX_POOL_2D can")
        try:
            handler(operator.builtinOptions)
        except _Refused as fault:
            self._refuse(str(fault))

    def _refuse(self, why):
        if why.startswith(f"{self.kind} "):
            raise _Refused(why)
        title = self._title(self.outputs[0]) if self.outputs else ""
        raise _Refused(f"{self.kind} {title!r}: {why}" if title else f"{self.kind}: {why}")

    def _stand_in(self, operator):
        """Let what reads a refused operator's outputs be looked at too."""
        for i in (int(i) for i in operator.outputs):
            if i in self.index:
                continue
            sizes = [1, 1, 1, *(max(1, n) for n in self._dimensions(i)[1:])][-3:]
            self.index[i] = len(self.graph.tensors)
            self.graph.tensors.append(Tensor("", *sizes, 1.0, 0))

    def _source(self, place=0):
        """Return our tensor that an input of the operator is."""
        i = self.inputs[place]
        if i not in self.index:
            raise _Refused(f"reads {self._title(i)!r}, a constant or of no operator")
        return self.graph.tensors[self.index[i]]

    def _append(self, kind, shape, inputs=None, **fields):
        """Append an op that writes the operator's output; return it and its tensor."""
        output = self.outputs[0]
        tensor = Tensor(self._title(output), *shape, *self._quantization(output))
        self._check_size(shape)
        places = [self.index[i] for i in inputs or self.inputs[:1]]
        op = Op(kind, tensor.name, places, len(self.graph.tensors), **fields)
        self.graph.tensors.append(tensor)
        self.graph.ops.append(op)
        self.places.append(output)
        self.index[output] = op.output
        return op, tensor

    def _check_size(self, shape):
        expected = self._shape(self.outputs[0])
        if math.prod(shape) != math.prod(expected):
            raise _Refused(f"gives {expected}, where {tuple(shape)} fits its input")

    def _activated(self, op, tensor, options):
        """Bound an op's output as its fused activation says."""
        names = {v: k for k, v in vars(self.schema.ActivationFunctionType).items()}
        name = names.get(options.fusedActivationFunction, "?")
        bounds = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
        if name not in bounds:
            raise _Refused(f"has the activation {name}; RELU and RELU6 can be imported")
        self._bound(op, tensor, *bounds[name])

    def _bound(self, op, tensor, low, high):
        def quantized(real):
            return int(np.clip(tensor.zero_point + round(real / tensor.scale), -128, 127))

        if low is not None:
            op.act_min = max(op.act_min, quantized(low))
        if high is not None:
            op.act_max = min(op.act_max, quantized(high))

    def _weigh(self, op, target, weights, channel_axis):
        """Give an op its weights, bias, multipliers and shifts."""
        source = self.graph.tensors[op.inputs[0]]
        q, channels = self.tensors[self.inputs[1]].quantization, target.channels
        if q is None or q.scale is None or len(q.scale) not in (1, channels):
            raise _Refused("has weights without scales, one or one to a channel")
        if q.zeroPoint is not None and np.any(q.zeroPoint):
            raise _Refused("has weights with a zero point; convert it anew, per channel")
        if weights.min(initial=0) < -127:
            raise _Refused("has a weight of -128; want -127 to 127")
        if weights.shape[channel_axis] != channels:
            raise _Refused(f"has weights for {weights.shape[channel_axis]} of {channels} channels")
        bias = np.zeros(channels, np.int32)
        if len(self.inputs) > 2 and self.inputs[2] >= 0:
            bias = self._constant(self.inputs[2])
            if bias is None or bias.dtype != np.int32 or bias.size != channels:
                raise _Refused("has no constant int32 bias of one value to a channel")
        scales = np.broadcast_to(np.asarray(q.scale, np.float64), channels)
        real = source.scale * scales / target.scale
        op.weights, op.bias = np.array(weights), np.array(bias.reshape(channels))
        # Too small to move any output.
        dead = real < 2.0**-31
        if dead.any():
            op.weights[(slice(None),) * (channel_axis % weights.ndim) + (dead,)] = 0
            op.bias[dead] = 0
            real = np.where(dead, 2.0**-31, real)
        op.multiplier, op.shift = quantize_multipliers(real, largest_sums(op, source))

    def _weights(self):
        weights = self._constant(self.inputs[1])
        if weights is None or weights.dtype != np.int8:
            raise _Refused(f"has weights of {self._type(self.inputs[1])}; want constant INT8")
        return weights

    def _window(self, options, kernel, dilation=(1, 1)):
        """Return the output's height and width, and the geometry of a 2D window."""
        source, stride = self._source(), (options.strideH, options.strideW)
        if min(*kernel, *stride, *dilation) < 1:
            raise _Refused("has a kernel, stride or dilation of 0")
        zeros = self.padded.get(self.inputs[0], ((0, 0), (0, 0)))
        size, top_left = [], []
        for axis, (before, after) in enumerate(zeros):
            n, step = source.shape[axis] + before + after, stride[axis]
            span = (kernel[axis] - 1) * dilation[axis] + 1
            if options.padding == self.schema.Padding.SAME:
                out = -(-n // step)
                before += max((out - 1) * step + span - n, 0) // 2
            else:
                out = (n - span) // step + 1
            if before > span - 1 or (out - 1) * step - before > source.shape[axis] - 1:
                raise _Refused("has windows that lie in the padding alone; pad by less")
            size.append(out)
            top_left.append(before)
        return size, {
            "kernel": tuple(int(n) for n in kernel),
            "stride": stride,
            "dilation": tuple(dilation),
            "padding": tuple(top_left),
        }

    def _alias(self):
        """Let the operator's output be its input."""
        i, output = self.inputs[0], self.outputs[0]
        self._source()
        self.index[output] = self.index[i]
        return self.graph.tensors[self.index[i]]

    def _rescale(self):
        """Append what brings a tensor to another scale: a depthwise2d with a weight of 1."""
        source = self._source()
        channels = source.channels
        op, target = self._append("depthwise2d", source.shape)
        op.weights, op.bias = np.ones((1, 1, channels), np.int8), np.zeros(channels, np.int32)
        real = np.full(channels, source.scale / target.scale)
        op.multiplier, op.shift = quantize_multipliers(real, largest_sums(op, source))
        return op, target

    def _same_scale(self):
        source = self._source()
        return (source.scale, source.zero_point) == self._quantization(self.outputs[0])

    # One handler an operator

    def _CONV_2D(self, options):
        weights, source = self._weights(), self._source()  # [C_out, k_h, k_w, C_in]
        dilation = (options.dilationHFactor, options.dilationWFactor)
        size, window = self._window(options, weights.shape[1:3], dilation)
        shape = (*size, weights.shape[0])
        if weights.shape[3] != source.channels:
            if weights.shape[3] != 1 or weights.shape[0] != source.channels:
                groups = source.channels // max(1, weights.shape[3])
                raise _Refused(f"has {groups} groups; 1, or one to a channel, can be")
            op, target = self._append("depthwise2d", shape, **window)
            self._weigh(op, target, np.moveaxis(weights[..., 0], 0, -1), 2)
        elif weights.shape[1:3] == (1, 1) and tuple(size) == source.shape[:2]:
            op, target = self._append("pointwise", shape)
            self._weigh(op, target, weights[:, 0, 0], 0)
        else:
            op, target = self._append("conv2d", shape, **window)
            self._weigh(op, target, weights, 0)
        self._activated(op, target, options)

    def _DEPTHWISE_CONV_2D(self, options):
        weights, source = self._weights()[0], self._source()  # [k_h, k_w, C_out]
        dilation = (options.dilationHFactor, options.dilationWFactor)
        size, window = self._window(options, weights.shape[:2], dilation)
        shape = (*size, weights.shape[2])
        if weights.shape[2] == source.channels:
            op, target = self._append("depthwise2d", shape, **window)
            self._weigh(op, target, weights, 2)
        elif source.channels == 1:  # of one channel, it is any convolution
            op, target = self._append("conv2d", shape, **window)
            self._weigh(op, target, np.moveaxis(weights, -1, 0)[..., None], 0)
        else:
            factor = weights.shape[2] / source.channels
            raise _Refused(f"has depth_multiplier {factor:g}; want 1, unless of one channel")
        self._activated(op, target, options)

    def _FULLY_CONNECTED(self, options):
        weights, source = self._weights(), self._source()
        if weights.shape[1] == source.size:
            op, target = self._append("dense", (1, 1, weights.shape[0]))
        elif weights.shape[1] == source.channels:
            op, target = self._append("pointwise", (*source.shape[:2], weights.shape[0]))
        else:
            raise _Refused(
                f"has weights for {weights.shape[1]} values; its input has {source.size}"
            )
        self._weigh(op, target, weights, 0)
        self._activated(op, target, options)

    def _ADD(self, options):
        a, b = self._source(0), self._source(1)
        if a.shape != b.shape:
            raise _Refused(f"adds {a.shape} and {b.shape}; want two of one shape")
        op, target = self._append("add", a.shape, self.inputs)
        *both, shift = quantize_add(a.scale / target.scale, b.scale / target.scale)
        op.multiplier, op.shift = np.array(both, np.int32), np.array([shift], np.uint8)
        self._activated(op, target, options)

    def _AVERAGE_POOL_2D(self, options):
        kernel, source = (options.filterHeight, options.filterWidth), self._source()
        size, window = self._window(options, kernel)
        ends = [(size[i] - 1) * window["stride"][i] + kernel[i] for i in (0, 1)]
        if window["padding"] != (0, 0) or ends[0] > source.height or ends[1] > source.width:
            raise _Refused("has windows that leave the image; use padding VALID")
        op, target = self._average((*size, source.channels), math.prod(kernel), **window)
        self._activated(op, target, options)

    def _average(self, shape, count, **window):
        op, target = self._append("average_pool", shape, **window)
        real = self._source().scale / (target.scale * count)
        op.multiplier, op.shift = quantize_multipliers(real)
        return op, target

    def _MAX_POOL_2D(self, options):
        source = self._source()
        if self.inputs[0] in self.padded:
            index = self.index[self.inputs[0]]
            maker = next((op for op in self.graph.ops if op.output == index), None)
            if maker is None or maker.act_min < source.zero_point:
                raise _Refused("counts padded zeros; without a RELU in front, use padding SAME")
        size, window = self._window(options, (options.filterHeight, options.filterWidth))
        self._largest((*size, source.channels), options, **window)

    def _largest(self, shape, options=None, **window):
        if not self._same_scale():
            raise _Refused("changes the scale; convert it anew")
        op, target = self._append("max_pool2d", shape, **window)
        if options:
            self._activated(op, target, options)
        return op, target

    def _over_the_picture(self):
        """Check that the axes of a reduction are height and width; return the input's tensor."""
        axes, source = self._constant(self.inputs[1]), self._source()
        dimensions = len(self._dimensions(self.inputs[0]))
        known = set() if axes is None else {int(n) % dimensions for n in np.ravel(axes)}
        if dimensions not in (3, 4) or known != set(range(1, dimensions - 1)):
            raise _Refused("reduces other axes than height and width together")
        return source

    def _MEAN(self, options):
        source = self._over_the_picture()
        kernel = (source.height, source.width)
        self._average((1, 1, source.channels), math.prod(kernel), kernel=kernel)

    def _SUM(self, options):
        source = self._over_the_picture()
        self._average((1, 1, source.channels), 1, kernel=(source.height, source.width))

    def _REDUCE_MAX(self, options):
        source = self._over_the_picture()
        self._largest((1, 1, source.channels), kernel=(source.height, source.width))

    def _PAD(self, options):
        sizes = self._constant(self.inputs[1])
        if sizes is None or sizes.shape != (4, 2) or np.any(sizes[0]) or np.any(sizes[3]):
            raise _Refused("pads other axes than height and width")
        if np.any(sizes < 0) or not self._same_scale():
            raise _Refused("cuts off, or changes the scale")
        if self.inputs[0] in self.padded:
            raise _Refused("pads a padded map; pad once")
        self._alias()
        self.padded[self.outputs[0]] = tuple(tuple(int(n) for n in row) for row in sizes[1:3])

    def _PADV2(self, options):
        value = self._constant(self.inputs[2])
        if value is None or value.size != 1 or int(value.ravel()[0]) != self._source().zero_point:
            raise _Refused("pads with other values than 0")
        self._PAD(options)

    def _RESHAPE(self, options):
        source, shape = self._source(), self._shape(self.outputs[0])
        few = [n for n in source.shape if n != 1] == [n for n in shape if n != 1]
        vector = shape[:2] == (1, 1) and shape[2] == source.size
        if not (shape == source.shape or vector or (few and shape[2] == source.channels)):
            raise _Refused(f"makes {shape} of {source.shape}, which moves values")
        self._alias()

    _SQUEEZE = _EXPAND_DIMS = _RESHAPE

    def _RELU(self, options):
        self._clamp(0, None)

    def _RELU6(self, options):
        self._clamp(0, 6)

    def _RELU_N1_TO_1(self, options):
        self._clamp(-1, 1)

    def _clamp(self, low, high):
        if self._same_scale():
            op, target = self._append("max_pool2d", self._source().shape)
        else:
            op, target = self._rescale()
        self._bound(op, target, low, high)

    def _QUANTIZE(self, options):
        ended = self.ended.get(self.inputs[0])
        if ended or self._type(self.inputs[0]) == "FLOAT32" or self._same_scale():
            self._alias()  # behind what is left out; of a float input; from uint8 or to it
            if ended:
                self.ended[self.outputs[0]] = ended
        else:
            self._rescale()

    def _DEQUANTIZE(self, options):
        self._alias()
        self.ended[self.outputs[0]] = "DEQUANTIZE"
        self.notes.append(f"{self._title(self.outputs[0])}: the output is int8, not float")

    def _SOFTMAX(self, options):
        self._alias()
        self.ended[self.outputs[0]] = self.kind
        self.notes.append(
            f"{self._title(self.outputs[0])}: {self.kind} left out; what is the greatest stays so"
        )

    _LOGISTIC = _LOG_SOFTMAX = _SOFTMAX
