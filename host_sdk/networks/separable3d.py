"""Separable 3D convolutions: depthwise over the picture, depthwise over time, then pointwise.

A 3D convolution is taken apart twice: into space and time, as R(2+1)D does (Tran et al., 2018),
and each of them into depthwise and pointwise, as MobileNet does. In time it looks back only, and
later blocks look back in longer steps, as WaveNet's dilated convolutions do.
"""

import keras

from host_sdk.networks.blocks import convolution, depthwise, head, scaled, temporal_depthwise
from host_sdk.networks.options import WIDTH, Option

OPTIONS = {
    "width": WIDTH,
    "taps": Option(3, 2, 7, "frames that a convolution along time combines"),
    "dilation": Option(2, 1, 8, "frames from tap to tap in the second half of the blocks"),
}

# Output channels, stride over the picture.
BLOCKS = ((16, 2), (32, 1), (32, 2), (64, 1))
STEM = 8
AVERAGE_FRAMES = 4


def build(frame_shape, classes, width, taps, dilation):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    x = convolution(clip, scaled(STEM, width), "stem", kernel=3, stride=2)
    for index, (channels, stride) in enumerate(BLOCKS):
        name = f"block{index + 1}"
        x = depthwise(x, f"{name}.depthwise", stride, relu=False)
        late = index >= len(BLOCKS) // 2
        x = temporal_depthwise(x, f"{name}.temporal", taps, dilation if late else 1)
        x = convolution(x, scaled(channels, width), f"{name}.pointwise")
    return keras.Model(clip, head(x, classes, AVERAGE_FRAMES), name="separable3d")
