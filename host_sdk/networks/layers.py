"""Keras layers of streaming networks. Their tensors are clips: [batch, time, height, width, C].

All are causal: the output at frame t depends on frames 0 ... t only, and what came before frame 0
counts as zero. So a network of them gives the same answers frame by frame as on a whole clip.
"""

import keras
from keras import ops

_register = keras.saving.register_keras_serializable("motionlet")


def _past(clip, frames):
    """Return `clip` delayed by `frames`: zeros come first."""
    if frames == 0:
        return clip
    padding = [(0, 0)] * len(clip.shape)
    padding[1] = (frames, 0)
    # Not [:, :-frames], whose gradient TensorFlow computes ten times as slowly as that of a slice.
    return ops.slice(ops.pad(clip, padding), [0] * len(clip.shape), ops.shape(clip))


def _positive(**values):
    for name, value in values.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {value!r}")


@_register
class EachFrame(keras.layers.Wrapper):
    """Apply a layer for images to every frame of a clip (time is folded into the batch)."""

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build((None, *input_shape[2:]))
        self.built = True

    def compute_output_shape(self, input_shape):
        image = self.layer.compute_output_shape((None, *input_shape[2:]))
        return (*input_shape[:2], *image[1:])

    def call(self, clip, training=None):
        shape = ops.shape(clip)
        images = ops.reshape(clip, (-1, *clip.shape[2:]))
        images = self.layer(images)
        return ops.reshape(images, (-1, shape[1], *images.shape[1:]))


@_register
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer, in training by TensorFlow's one op for all of it.

    Keras computes the same of many ops, each of which reads and writes the whole clip.
    """

    def call(self, clip, training=None, mask=None):
        last = self.axis in (-1, len(clip.shape) - 1)
        fits = last and self.scale and self.center and not self.renorm and mask is None
        if not (training and self.trainable and fits):
            return super().call(clip, training=training, mask=mask)
        import tensorflow as tf

        channels = clip.shape[-1]
        rows = tf.reshape(clip, (1, 1, -1, channels))
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            rows, self.gamma, self.beta, epsilon=self.epsilon
        )
        # That op divides by one less than the count; Keras does not.
        count = tf.cast(tf.shape(rows)[2], variance.dtype)
        variance = variance * ((count - 1) / count)
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + new * (1 - self.momentum))
        return tf.reshape(y, tf.shape(clip))


@_register
class TemporalShift(keras.layers.Layer):
    """The first `channels` channels come from the previous frame (online TSM)."""

    def __init__(self, channels, **options):
        super().__init__(**options)
        _positive(channels=channels)
        self.channels = channels

    def build(self, input_shape):
        if self.channels > input_shape[-1]:
            raise ValueError(f"cannot shift {self.channels} channels of {input_shape[-1]}")

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, clip):
        shifted, kept = ops.split(clip, [self.channels], axis=-1)
        return ops.concatenate([_past(shifted, 1), kept], axis=-1)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


@_register
class TemporalDepthwise(keras.layers.Layer):
    """Causal depthwise convolution along time: `frames` taps, `dilation` frames apart.

    `kernel` is [frames, channels], the oldest tap first. It starts out as the identity plus noise,
    so that a fresh network passes the current frame on.
    """

    def __init__(self, frames, dilation=1, use_bias=True, **options):
        super().__init__(**options)
        _positive(frames=frames, dilation=dilation)
        self.frames = frames
        self.dilation = dilation
        self.use_bias = use_bias

    def build(self, input_shape):
        channels = input_shape[-1]

        def initializer(shape, dtype=None):
            noise = keras.random.normal(shape, stddev=0.3, dtype=dtype, seed=self._seed)
            newest = ops.cast(ops.arange(self.frames) == self.frames - 1, noise.dtype)
            return noise + newest[:, None]

        self._seed = keras.random.SeedGenerator()
        self.kernel = self.add_weight((self.frames, channels), initializer, name="kernel")
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight((channels,), "zeros", name="bias")

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, clip):
        result = 0
        for tap in range(self.frames):
            delay = (self.frames - 1 - tap) * self.dilation
            result = result + self.kernel[tap] * _past(clip, delay)
        return result if self.bias is None else result + self.bias

    def get_config(self):
        return {
            **super().get_config(),
            "frames": self.frames,
            "dilation": self.dilation,
            "use_bias": self.use_bias,
        }


@_register
class TemporalAverage(keras.layers.Layer):
    """The mean of the last `frames` frames; those before the first count as zero."""

    def __init__(self, frames, **options):
        super().__init__(**options)
        _positive(frames=frames)
        self.frames = frames

    def compute_output_shape(self, input_shape):
        return input_shape

    def call(self, clip):
        return sum(_past(clip, delay) for delay in range(self.frames)) / self.frames

    def get_config(self):
        return {**super().get_config(), "frames": self.frames}
