"""Separable 3D convolutions: depthwise over the picture, depthwise over time, then pointwise."""

import keras

from host_sdk.networks.blocks import convolution, depthwise, head, normalized, scaled
from host_sdk.networks.layers import TemporalDepthwise

# Output channels, stride over the picture, frames between the temporal taps.
BLOCKS = ((16, 2, 1), (32, 1, 1), (32, 2, 2), (64, 1, 2))
STEM = 8
TAPS = 3
AVERAGE_FRAMES = 4


def _block(x, name, channels, stride, dilation):
    x = depthwise(x, f"{name}.depthwise", stride, relu=False)
    x = TemporalDepthwise(TAPS, dilation, use_bias=False, name=f"{name}.temporal")(x)
    x = normalized(x, f"{name}.temporal")
    return convolution(x, channels, f"{name}.pointwise")


def build(frame_shape, classes, width=1.0):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    x = convolution(clip, scaled(STEM, width), "stem", kernel=3, stride=2)
    for number, (channels, stride, dilation) in enumerate(BLOCKS, 1):
        x = _block(x, f"block{number}", scaled(channels, width), stride, dilation)
    return keras.Model(clip, head(x, classes, AVERAGE_FRAMES), name="separable3d")
