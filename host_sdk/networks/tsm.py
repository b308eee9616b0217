"""Temporal shift network: inverted residual blocks that look one frame back.

Each block expands the channels, lets some of them come from the previous frame, mixes
neighbouring pixels (depthwise) and projects back. The shift sits on the expanded tensor, which
nothing else reads, so a device can do it in place. With `temporal` off the same network sees
single frames only: the baseline.
"""

import keras
from keras import layers

from host_sdk.networks.blocks import convolution, depthwise, head, scaled
from host_sdk.networks.layers import TemporalShift

# Output channels, expanded channels, stride of the depthwise convolution.
BLOCKS = ((12, 24, 2), (12, 36, 1), (24, 48, 2), (24, 72, 1))
STEM = 8
AVERAGE_FRAMES = 4


def _block(x, name, channels, expanded, stride, temporal):
    y = convolution(x, expanded, f"{name}.expand")
    if temporal:
        y = TemporalShift(expanded // 4, name=f"{name}.shift")(y)
    y = depthwise(y, f"{name}.depthwise", stride)
    y = convolution(y, channels, f"{name}.project", relu=False)
    if stride == 1 and x.shape[-1] == channels:
        y = layers.Add(name=f"{name}.add")([x, y])
    return y


def build(frame_shape, classes, width=1.0, temporal=True):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    x = convolution(clip, scaled(STEM, width), "stem", kernel=3, stride=2)
    for number, (channels, expanded, stride) in enumerate(BLOCKS, 1):
        x = _block(
            x, f"block{number}", scaled(channels, width), scaled(expanded, width), stride, temporal
        )
    logits = head(x, classes, AVERAGE_FRAMES if temporal else 1)
    return keras.Model(clip, logits, name="tsm" if temporal else "per_frame")
