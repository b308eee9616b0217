"""Temporal shift: inverted residuals in which some channels come from the previous frame.

It is the online TSM of Lin, Gan and Han (2019) in MobileNetV2's blocks: only the past is shifted
in, and the shift stands at the beginning of the residual branch, so that the sum around it keeps
the current frame whole. Each block looks one frame back, all of them as many frames as there are
blocks; the mean over the last frames does the rest. Besides its size, what differs from the paper
is that mean: the paper sums up the answers of 8 or 16 frames of a clip.
"""

import keras

from host_sdk.networks.blocks import convolution, head, inverted_residual, scaled
from host_sdk.networks.options import SHIFT, WIDTH

OPTIONS = {"width": WIDTH, "shift": SHIFT}

# Output channels, expanded channels, stride over the picture.
BLOCKS = ((16, 32, 2), (16, 48, 1), (32, 96, 2), (32, 96, 1))
STEM = 8
AVERAGE_FRAMES = 4


def build(frame_shape, classes, width, shift):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    x = convolution(clip, scaled(STEM, width), "stem", kernel=3, stride=2)
    for number, (channels, expanded, stride) in enumerate(BLOCKS, 1):
        channels, expanded = scaled(channels, width), scaled(expanded, width)
        x = inverted_residual(x, f"block{number}", channels, expanded, stride, shift=shift)
    return keras.Model(clip, head(x, classes, AVERAGE_FRAMES), name="tsm")
