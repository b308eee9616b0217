"""Float ops in TensorFlow: as real numbers, or rounded wherever the integers of a graph round.

The second is *fake quantization*. It has gradients, so that a network can be trained with the
rounding in it: every rounding counts as the identity (straight-through), every clamp as a clamp.
"""

import math
from dataclasses import replace

import numpy as np

from host_sdk.networks import import_keras
from host_sdk.quantize.integers import channel_scales, largest_weight

BATCH = 16  # clips


class Simulation:
    """A network of `FloatOp`s over whole clips.

    Without a graph it computes in real numbers. With the graph that was made of these ops, the
    values between ops are q - zero_point, integers held as floats, and every op computes what
    SPEC.md says: sums of integers times m / 2^n, rounded half up, clamped. With `dtype` "float64"
    that is exact where the multipliers are short (`requantize.short_multiplier`); with "float32"
    one value in some thousands lies so near to a tie that it rounds to the other side.

    `variables` (of Keras) are what can be trained: by op with weights, weights, bias, and the
    logarithm of what became of the scale of each channel's weights. In fake quantization they are
    in such units that one learning rate suits them all: a unit is sqrt(N) steps where N steps are
    the largest weight, or the range of the output.
    """

    def __init__(self, ops, graph=None, dtype="float32"):
        keras = import_keras()
        self.ops, self.graph, self.dtype = ops, graph, dtype
        self.input_scale = graph.tensors[0].scale if graph else 1.0
        self.output_scale = graph.tensors[len(ops)].scale if graph else 1.0
        self._parameters = {}  # index of an op -> its three variables
        self._units = {}  # index of an op -> the units of two of them
        self._scales = {}  # index of an op -> what the scales of its weights were at first
        for index, op in enumerate(ops):
            if op.weights is None:
                continue
            if graph:
                source, target = graph.tensors[op.inputs[0]], graph.tensors[index + 1]
                bits = graph.ops[index].weight_bits
                self._scales[index] = channel_scales(op, source, target, bits)
            units = self._units[index] = self._units_of(index, op)
            start = (op.weights / units[0], op.bias / units[1], np.zeros_like(op.bias))
            self._parameters[index] = [keras.Variable(v, dtype=dtype) for v in start]
        self.variables = [v for three in self._parameters.values() for v in three]

    def _units_of(self, index, op):
        """Return the units of the variables that are weights and bias."""
        if not self.graph:
            return 1.0, 1.0
        target = self.graph.tensors[index + 1]
        unit = math.sqrt(self._most(index))
        return op.by_channel(self._scales[index] * unit), target.scale * math.sqrt(255)

    def _most(self, index):
        return largest_weight(self.graph.ops[index].weight_bits)

    def _grown(self, index):
        """Return by what factor the scales of an op's weights have changed."""
        import tensorflow as tf

        return tf.exp(self._parameters[index][2].value / math.sqrt(self._most(index)))

    def weights_and_bias(self, index):
        """Return the real weights and bias of an op, as TensorFlow's tensors."""
        weights, bias, _ = self._parameters[index]
        return weights.value * self._units[index][0], bias.value * self._units[index][1]

    def set_bias(self, index, bias):
        """Set an op's real bias."""
        self._parameters[index][1].assign(bias / self._units[index][1])

    def run(self, clips):
        """Return the output of every op over `clips`, real [N, T, H, W, C], as a list.

        They are [N, T, H', W', C']; in the sense of the class: real numbers, or q - zero_point.
        """
        values = [self.enter(clips)]
        for index, op in enumerate(self.ops):
            values.append(self.step(index, op, [values[i] for i in op.inputs]))
        return values[1:]

    def enter(self, clips):
        """Return the values of the input tensor."""
        import tensorflow as tf

        x = tf.cast(clips, self.dtype)
        return tf.round(x / self.input_scale) if self.graph else x

    def step(self, index, op, xs):
        """Return the output of op `index` from its inputs."""
        if op.kind == "temporal_shift":
            return _shift(op, xs[0])
        return (self._integers if self.graph else self._reals)(index, op, xs)

    def rounded(self, index):
        """Return an op's weights and bias, rounded, and the scales of its channels."""
        import tensorflow as tf

        op = self.ops[index]
        weights, bias = self.weights_and_bias(index)
        scales, most = self._scales[index] * self._grown(index), self._most(index)
        weights = tf.clip_by_value(weights / op.by_channel(scales), -most, most)
        bias = bias / (self.graph.tensors[op.inputs[0]].scale * scales)
        return _nearest(weights), _nearest(bias), scales

    def logits(self, clips):
        """Return the last op's output as real numbers [N, T, elements]."""
        import tensorflow as tf

        last = self.run(clips)[-1]
        rows = tf.reshape(last, (*tf.unstack(tf.shape(last)[:2]), math.prod(self.ops[-1].shape)))
        return rows * self.output_scale

    def batches(self, clips, batch=BATCH):
        """Yield what `run` returns, as arrays, batch by batch."""
        import tensorflow as tf

        run = self.run
        if len(clips) > 8 * batch:  # then it pays to compile it
            run = tf.function(run, reduce_retracing=True)
        for i in range(0, len(clips), batch):
            yield [value.numpy() for value in run(tf.constant(clips[i : i + batch]))]

    def all_logits(self, clips):
        """Return what `logits` gives for any number of clips, as an array."""
        last = np.concatenate([values[-1] for values in self.batches(clips)])
        return last.reshape(*last.shape[:2], -1) * self.output_scale

    def trained(self):
        """Return the float ops as the variables have them now, scales of the weights included."""
        ops = list(self.ops)
        for index in self._parameters:
            weights, bias = (v.numpy().astype(np.float64) for v in self.weights_and_bias(index))
            scales = None
            if self.graph:
                scales = self._scales[index] * self._grown(index).numpy().astype(np.float64)
            ops[index] = replace(ops[index], weights=weights, bias=bias, scales=scales)
        return ops

    def _reals(self, index, op, xs):
        import tensorflow as tf

        if op.kind == "add":
            y = xs[0] + xs[1]
        elif op.kind == "max_pool2d":
            y = _largest(op, xs[0])
        elif op.weights is None:
            y = linear(op, xs[0], None) / op.averaged
        else:
            weights, bias = self.weights_and_bias(index)
            y = linear(op, xs[0], weights) + bias
        if op.low > -math.inf:
            y = tf.maximum(y, tf.constant(op.low, y.dtype))
        if op.high < math.inf:
            y = tf.minimum(y, tf.constant(op.high, y.dtype))
        return y

    def _integers(self, index, op, xs):
        import tensorflow as tf

        quantized, zero = self.graph.ops[index], self.graph.tensors[index + 1].zero_point
        if op.kind == "add":
            factors = quantized.multiplier / 2.0 ** quantized.shift[0]
            y = xs[0] * tf.constant(factors[0], xs[0].dtype) + xs[1] * factors[1]
        elif op.kind == "max_pool2d":
            y = _largest(op, xs[0])
        else:
            factor = quantized.multiplier * 2.0 ** -quantized.shift.astype(float)
            factor = tf.constant(factor, xs[0].dtype)
            if op.weights is None:
                y = linear(op, xs[0], None) * factor
            else:
                weights, bias, _ = self.rounded(index)
                y = (linear(op, xs[0], weights) + bias) * (factor * self._grown(index))
        y = _half_up(y)
        return tf.clip_by_value(y, quantized.act_min - zero, quantized.act_max - zero)


def linear(op, x, weights):
    """Return the sums of an op's taps, without bias, over clips `x` [N, T, H, W, C].

    `weights` are in the layout of `graph.Op`; averages have none.
    """
    import tensorflow as tf

    if op.geometry.get("shift_channels"):
        x = _shift(op, x)
    if op.kind == "pointwise":
        return tf.linalg.matmul(x, weights, transpose_b=True)
    if op.kind == "dense":
        clips, frames = tf.unstack(tf.shape(x)[:2])
        rows = tf.reshape(x, (-1, math.prod(x.shape[2:])))
        y = tf.linalg.matmul(rows, weights, transpose_b=True)
        return tf.reshape(y, (clips, frames, *op.shape))
    if op.kind == "temporal_depthwise":
        dilation, taps = op.geometry["frame_dilation"], op.geometry["frames"]
        return sum(_delayed(x, (taps - 1 - tap) * dilation) * weights[tap] for tap in range(taps))
    if op.kind == "temporal_average":
        return sum(_delayed(x, delay) for delay in range(op.geometry["frames"]))
    images = tf.reshape(x, (-1, *x.shape[2:]))
    y = _windows(op, images, weights)
    return tf.reshape(y, (-1, tf.shape(x)[1], *op.shape))


def _largest(op, x):
    """Return the largest values of a max_pool2d's windows; of taps outside the image, none is."""
    import tensorflow as tf

    images = _padded(op, tf.reshape(x, (-1, *x.shape[2:])), -math.inf)
    y = tf.nn.max_pool2d(images, op.geometry["kernel"], op.geometry["stride"], "VALID")
    return tf.reshape(y, (-1, tf.shape(x)[1], *op.shape))


def _padded(op, images, value):
    """Return images that hold all windows of `op`, with `value` around what they were."""
    import tensorflow as tf

    kernel, stride = op.geometry["kernel"], op.geometry.get("stride", (1, 1))
    dilation, before = op.geometry.get("dilation", (1, 1)), op.geometry.get("padding", (0, 0))
    padding = [(0, 0)]
    for axis in (0, 1):
        end = (op.shape[axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1
        padding.append((before[axis], max(0, end - before[axis] - images.shape[axis + 1])))
    return tf.pad(images, [*padding, (0, 0)], constant_values=value)


def _windows(op, images, weights):
    """Return the sums over the windows of conv2d, depthwise2d or average_pool."""
    import tensorflow as tf

    kernel, stride = op.geometry["kernel"], op.geometry.get("stride", (1, 1))
    if op.kind == "average_pool" and kernel == tuple(images.shape[1:3]):
        return tf.reduce_sum(images, axis=(1, 2), keepdims=True)
    dilation = op.geometry.get("dilation", (1, 1))
    images = _padded(op, images, 0)
    if op.kind == "conv2d":
        return tf.nn.conv2d(
            images, tf.transpose(weights, (1, 2, 3, 0)), stride, "VALID", dilations=dilation
        )
    if op.kind == "depthwise2d" and stride[0] == stride[1]:  # else TensorFlow has none
        strides = (1, *stride, 1)
        return tf.nn.depthwise_conv2d(
            images, weights[..., None], strides, "VALID", dilations=dilation
        )
    result = 0
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            top, left = a * dilation[0], b * dilation[1]
            height = (op.shape[0] - 1) * stride[0] + 1
            width = (op.shape[1] - 1) * stride[1] + 1
            tap = images[:, top : top + height : stride[0], left : left + width : stride[1]]
            result = result + (tap if weights is None else tap * weights[a, b])
    return result


def _delayed(x, frames):
    """Return clips `x` [N, T, ...] `frames` frames later; before them comes 0."""
    import tensorflow as tf

    if frames == 0:
        return x
    padded = tf.pad(x, [(0, 0), (frames, 0), (0, 0), (0, 0), (0, 0)])
    return tf.slice(padded, [0] * 5, tf.shape(x))  # its gradient is a pad; that of [:, :n] is slow


def _shift(op, x):
    import tensorflow as tf

    channels = op.geometry["shift_channels"]
    shifted, kept = tf.split(x, [channels, x.shape[-1] - channels], axis=-1)
    return tf.concat([_delayed(shifted, 1), kept], axis=-1)


def _straight_through(rounding):
    def rounded(x):
        import tensorflow as tf

        return tf.custom_gradient(lambda v: (rounding(tf, v), lambda upstream: upstream))(x)

    return rounded


_nearest = _straight_through(lambda tf, v: tf.round(v))  # ties to even, as numpy.rint
_half_up = _straight_through(lambda tf, v: tf.floor(v + 0.5))
