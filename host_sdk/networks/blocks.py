"""Building blocks that the networks share."""

from keras import layers

from host_sdk.networks.layers import (
    BatchNormalization,
    EachFrame,
    TemporalAverage,
    TemporalDepthwise,
    TemporalShift,
)


def scaled(channels, width):
    """Return `channels` times `width`, as a multiple of 4."""
    return max(4, round(channels * width / 4) * 4)


def normalized(x, name, relu=True):
    """Batch normalization and ReLU: both vanish in the exported op in front of them."""
    x = BatchNormalization(momentum=0.9, name=f"{name}.normalize")(x)
    return layers.ReLU(name=f"{name}.relu")(x) if relu else x


def convolution(x, channels, name, kernel=1, stride=1, relu=True):
    """Convolution of every frame (a pointwise one by default), normalized."""
    layer = layers.Conv2D(
        channels, kernel, strides=stride, padding="same", use_bias=False, name=name
    )
    return normalized(EachFrame(layer, name=name)(x), name, relu)


def depthwise(x, name, stride=1, relu=True):
    """3x3 depthwise convolution of every frame, normalized."""
    layer = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False, name=name)
    return normalized(EachFrame(layer, name=name)(x), name, relu)


def temporal_depthwise(x, name, taps, dilation=1):
    """Causal depthwise convolution along time, normalized."""
    x = TemporalDepthwise(taps, dilation, use_bias=False, name=name)(x)
    return normalized(x, name)


def temporal_shift(x, name, share):
    """Take about `share` of the channels from the previous frame: a multiple of 4, half at most."""
    channels = x.shape[-1]
    return TemporalShift(min(scaled(channels, share), channels // 2), name=name)(x)


def inverted_residual(x, name, channels, expanded, stride, shift=0.0, taps=0):
    """MobileNetV2's block: expand (pointwise), depthwise 3x3, project (pointwise, no ReLU).

    The input is added where it has the output's shape. With `shift`, the branch begins with a
    temporal shift: the shift's only reader is the expansion, and the sum still gets the input as
    it was. With `taps`, a convolution along time follows the depthwise one.
    """
    y = temporal_shift(x, f"{name}.shift", shift) if shift else x
    y = convolution(y, expanded, f"{name}.expand")
    y = depthwise(y, f"{name}.depthwise", stride)
    if taps:
        y = temporal_depthwise(y, f"{name}.temporal", taps)
    y = convolution(y, channels, f"{name}.project", relu=False)
    if stride == 1 and x.shape[-1] == channels:
        y = layers.Add(name=f"{name}.add")([x, y])
    return y


def head(x, classes, average_frames):
    """Logits of every frame: the mean over the picture, then over the last frames, then dense."""
    x = EachFrame(layers.GlobalAveragePooling2D(name="head.pool"), name="head.pool")(x)
    if average_frames > 1:
        x = TemporalAverage(average_frames, name="head.average")(x)
    return layers.Dense(classes, name="head.logits")(x)
