"""XiNet's blocks: compress the channels, then a full 3x3 convolution.

A block is the XiConv of XiNet (Ancilotto, Paissan and Farella, 2023): a pointwise convolution
compresses to C / gamma channels, the picture that entered the network is added to them (brought to
their size by average pooling and to their number by a pointwise convolution), and a 3x3
convolution leads to C channels. Few wide layers use a processor better than many thin ones: the
3x3 convolution does most of the work. What differs: no attention, ReLU for SiLU, and a temporal
shift in front of each block, whose only reader is the compression.
"""

import keras
from keras import layers

from host_sdk.networks.blocks import convolution, head, scaled, temporal_shift
from host_sdk.networks.layers import EachFrame
from host_sdk.networks.options import SHIFT, WIDTH, Option

OPTIONS = {
    "width": WIDTH,
    "gamma": Option(4.0, 1.0, 8.0, "compression: channels in front of the 3x3 convolutions"),
    "shift": SHIFT,
}

# Output channels, stride over the picture.
BLOCKS = ((16, 2), (32, 1), (32, 2), (48, 1))
STEM = 8
AVERAGE_FRAMES = 4


def _halved(x, size, name):
    """Average 2x2 pixels to `size`, half of x rounded up: the last ones alone where x is odd."""
    window = [n - 2 * (half - 1) for n, half in zip(x.shape[2:4], size, strict=True)]
    pool = layers.AveragePooling2D(window, strides=2, name=name)
    return EachFrame(pool, name=name)(x)


def build(frame_shape, classes, width, gamma, shift):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    x = convolution(clip, scaled(STEM, width), "stem", kernel=3, stride=2)
    picture = clip
    for number, (channels, stride) in enumerate(BLOCKS, 1):
        name = f"block{number}"
        if picture.shape[2:4] != x.shape[2:4]:
            picture = _halved(picture, x.shape[2:4], f"{name}.picture.pool")
        channels = scaled(channels, width)
        few = scaled(channels, 1 / gamma)
        y = temporal_shift(x, f"{name}.shift", shift)
        y = convolution(y, few, f"{name}.compress", relu=False)
        skip = convolution(picture, few, f"{name}.picture", relu=False)
        y = layers.ReLU(name=f"{name}.relu0")(layers.Add(name=f"{name}.add")([y, skip]))
        x = convolution(y, channels, f"{name}.conv", kernel=3, stride=stride)
    return keras.Model(clip, head(x, classes, AVERAGE_FRAMES), name="xinet")
