"""Building blocks that the networks share."""

from keras import layers

from host_sdk.networks.layers import EachFrame, TemporalAverage


def scaled(channels, width):
    """Return `channels` times `width`, as a multiple of 4."""
    return max(4, round(channels * width / 4) * 4)


def normalized(x, name, relu=True):
    """Batch normalization and ReLU: both vanish in the exported op in front of them."""
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}.normalize")(x)
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


def head(x, classes, average_frames):
    """Logits of every frame: the mean over the picture, then over the last frames, then dense."""
    x = EachFrame(layers.GlobalAveragePooling2D(name="head.pool"), name="head.pool")(x)
    if average_frames > 1:
        x = TemporalAverage(average_frames, name="head.average")(x)
    return layers.Dense(classes, name="head.logits")(x)
