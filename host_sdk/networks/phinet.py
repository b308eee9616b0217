"""PhiNet's inverted residuals, whose hyper-parameters set MACs, flash and RAM one by one.

The scaling is that of PhiNets (Paissan, Ancilotto and Farella, 2022): `alpha` scales all channels,
and with them the MACs (about alpha squared); `beta` shapes the expansion along the depth, and so
mostly the parameters, which sit in the last blocks; `t0` is the expansion of the first blocks,
whose maps are the largest, and so sets the RAM. Block n of N expands its input by

    t(n) = t0 * ((1 - n / N) + beta * n / N)

and the channels double wherever the picture is halved. What differs: no squeeze-and-excite and
ReLU for hard swish, which the operators of SPEC.md lack; the picture is halved at fixed blocks;
and each block has a memory, a temporal shift in front (see `tsm`) or, with `taps`, a depthwise
convolution along time behind the one over the picture.
"""

import keras

from host_sdk.networks.blocks import convolution, depthwise, head, inverted_residual, scaled
from host_sdk.networks.options import SHIFT, Option

OPTIONS = {
    "alpha": Option(1.0, 0.1, 16.0, "scales the channels, to multiples of 4"),
    "beta": Option(1.0, 0.1, 4.0, "expansion of the last blocks, in parts of t0"),
    "t0": Option(3.0, 1.0, 10.0, "expansion of the first blocks"),
    "blocks": Option(4, 2, 12, "inverted residual blocks"),
    "shift": SHIFT,
    "taps": Option(0, 0, 7, "frames of a convolution along time in place of the shift; 0: none"),
}

STEM = 8
HALVED_AT = (1, 3)  # blocks with stride 2, besides the stem
AVERAGE_FRAMES = 4


def build(frame_shape, classes, alpha, beta, t0, blocks, shift, taps):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    x = convolution(clip, scaled(STEM, alpha), "stem", kernel=3, stride=2)
    x = depthwise(x, "separable.depthwise")
    x = convolution(x, scaled(STEM, alpha), "separable.pointwise", relu=False)
    channels = STEM
    for n in range(1, blocks + 1):
        stride = 2 if n in HALVED_AT else 1
        channels *= stride
        expansion = t0 * ((1 - n / blocks) + beta * n / blocks)
        expanded = scaled(x.shape[-1], expansion)
        memory = {"taps": taps} if taps else {"shift": shift}
        x = inverted_residual(x, f"block{n}", scaled(channels, alpha), expanded, stride, **memory)
    return keras.Model(clip, head(x, classes, AVERAGE_FRAMES), name="phinet")
