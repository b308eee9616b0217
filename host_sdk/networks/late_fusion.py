"""Late fusion: a feature vector of every frame, and the last ones weighed together at the end.

This is the form of StreamTinyNet (Shalby, Pavan and Roveri, 2024): an extractor g runs on each new
frame alone, the vectors of the last T frames are kept, a 1x1 convolution mixes them along time, and
a dense layer answers. There, a filter has one weight for each of the T frames, the same for all D
features. Here K copies of the vector, made by a dense layer, meet a depthwise convolution over T
frames: a weight for each frame, copy and feature. With copies that are equal, and weights that are
equal across features, it is StreamTinyNet's layer of K filters; so it can express all of those and
more. What differs is the price of it: the past takes (T - 1) * K * D bytes, not (T - 1) * D.

The features are not averaged over the picture, or it could not tell where anything was.
"""

import keras
from keras import layers

from host_sdk.networks import per_frame
from host_sdk.networks.blocks import normalized, scaled, temporal_depthwise
from host_sdk.networks.layers import EachFrame
from host_sdk.networks.options import WIDTH, Option

OPTIONS = {
    "width": WIDTH,
    "frames": Option(8, 2, 32, "feature vectors that are weighed together"),
    "features": Option(32, 4, 256, "length of a frame's feature vector"),
    "copies": Option(2, 1, 8, "filters along time for every feature"),
}


def build(frame_shape, classes, width, frames, features, copies):
    """Return the Keras model; see `host_sdk.networks`."""
    clip = keras.Input((None, *frame_shape), name="frames")
    x = per_frame.features(clip, width)
    x = EachFrame(layers.Flatten(name="features.flatten"), name="features.flatten")(x)
    x = _dense(x, scaled(features, 1), "features")
    x = _dense(x, scaled(features, copies), "fusion.copies")
    x = temporal_depthwise(x, "fusion.temporal", frames)
    logits = layers.Dense(classes, name="head.logits")(x)
    return keras.Model(clip, logits, name="late_fusion")


def _dense(x, units, name):
    return normalized(layers.Dense(units, use_bias=False, name=name)(x), name)
