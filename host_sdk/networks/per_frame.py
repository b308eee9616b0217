"""Inverted residuals without memory: what single frames tell, to compare with.

The blocks are MobileNetV2's (Sandler et al., 2018) at a fraction of the size. `features`, the
network without its head, is also what `late_fusion` runs on every frame.
"""

import keras

from host_sdk.networks.blocks import convolution, head, inverted_residual, scaled
from host_sdk.networks.options import WIDTH

OPTIONS = {"width": WIDTH}

# Output channels, expanded channels, stride over the picture.
BLOCKS = ((12, 24, 2), (12, 36, 1), (24, 48, 2), (24, 72, 1))
STEM = 8


def features(clip, width):
    """Return the map that the blocks make of every frame, an eighth as high and wide."""
    x = convolution(clip, scaled(STEM, width), "stem", kernel=3, stride=2)
    for number, (channels, expanded, stride) in enumerate(BLOCKS, 1):
        channels, expanded = scaled(channels, width), scaled(expanded, width)
        x = inverted_residual(x, f"block{number}", channels, expanded, stride)
    return x


def build(frame_shape, classes, width):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    logits = head(features(clip, width), classes, average_frames=1)
    return keras.Model(clip, logits, name="per_frame")
