"""How layers of Keras that our own networks have not become ops: `KerasLayers`.

Each handler has the name of its layer, with `_` in front. docs/import.md lists what becomes of
which layer.
"""

import math

import numpy as np

BOUNDS = {"linear": (-math.inf, math.inf), "relu": (0.0, math.inf), "relu6": (0.0, 6.0)}
LAST_ACTIVATIONS = ("softmax", "sigmoid", "log_softmax")  # they keep the order of what they get
# Layers that may become part of the op in front of them.
FOLDED = ("BatchNormalization", "ReLU", "Activation", "Rescaling", "Normalization")
# Layers that can take in zeros laid around what they read.
PADDED_READERS = (
    *("Conv1D", "DepthwiseConv1D", "SeparableConv1D", "Conv3D", "MaxPooling2D"),
    *("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "AveragePooling2D"),
)

_REMEMBERS = (
    "a recurrent layer; use what remembers without a loop: causal Conv1D, SeparableConv1D behind "
    "ZeroPadding1D, or TemporalDepthwise, TemporalShift, TemporalAverage"
)
_ACTIVATION = "the nearest is ReLU, with max_value=6 for what saturates"
_ALONG_TIME = "along time, the nearest is TemporalAverage, or AveragePooling3D((1, n, n)) without"
# What to use in place of a layer that cannot be exported.
NEAREST = {
    **dict.fromkeys(
        ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D"),
        _REMEMBERS,
    ),
    **dict.fromkeys(("LeakyReLU", "PReLU", "ELU"), _ACTIVATION),
    "Concatenate": "the nearest is Add, of maps of as many channels each",
    **dict.fromkeys(
        ("Multiply", "Subtract", "Average", "Maximum", "Minimum", "Dot"), "the nearest is Add"
    ),
    **dict.fromkeys(
        ("LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization"),
        "the nearest is BatchNormalization",
    ),
    **dict.fromkeys(("MultiHeadAttention", "Attention"), "the nearest is TemporalDepthwise"),
    **dict.fromkeys(("MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D"), _ALONG_TIME),
    "GlobalMaxPooling3D": _ALONG_TIME,
}


class KerasLayers:
    """Handlers; the class that has them offers `_append` and the rest that they use."""

    # What several use

    def _reads_last(self, layer):
        self._pass_on(self.xs[0], self.value)

    def _causal(self, layer, frames=1, dilation=1, padding="causal"):
        """Note that a layer looks back, and refuse one whose past is not ours.

        With `padding` "causal" zeros come before the first frame, as here. With "valid" the layer
        begins to answer when it has seen enough: our first answers are not Keras's.
        """
        reach = (frames - 1) * dilation
        if padding == "same" and reach:
            self._refuse(
                layer,
                "looks at frames that are still to come; use padding='causal', or 'valid' behind "
                "ZeroPadding1D((kernel - 1, 0))",
            )
        lacking = self.lags[id(self.value)]
        before, after = self.padded.get(id(self.xs[0]), {}).get("time", (0, 0))
        if padding != "valid":
            before += reach
        if after or before > reach:
            self._refuse(
                layer, f"has {before} and {after} frames of zeros around; {reach} and 0 do"
            )
        if before and lacking:
            self._refuse(
                layer,
                "pads with zeros what begins late, behind a layer of padding='valid'; use one "
                "kind of padding for all",
            )
        self.lags[id(self.value)] = lacking + reach - before

    def _along_time(self, layer, kernel, bias, window=None):
        """Append a convolution along time too: `kernel` [frames, k_h, k_w, C_in / groups, C_out].

        With one group, the frames that it reads become channels: they are copied side by side, and
        temporal shifts delay each copy; then a convolution over the picture takes all of them. All
        of that is exact.
        """
        frames, dilation = kernel.shape[0], layer.dilation_rate[0]
        height, width, channels = self._source_shape()
        if any(step != 1 for step in layer.strides[:1]):
            self._refuse(layer, "has a stride along time; only 1 can be exported")
        self._causal(layer, frames, dilation, layer.padding)
        if frames == 1:
            self._picture(layer, kernel[0], bias, window, channels, more=False)
        elif layer.groups == channels == kernel.shape[4] and kernel.shape[1:3] == (1, 1):
            self._append(
                "temporal_depthwise",
                (height, width, channels),
                kernel[:, 0, 0, 0],
                bias,
                frames=frames,
                frame_dilation=dilation,
            )
        elif layer.groups != 1:
            self._refuse(layer, f"has {layer.groups} groups; 1, or one to a channel, can be")
        else:
            shape = (height, width, frames * channels)
            copies = np.tile(np.eye(channels), (frames, 1))
            self._append("pointwise", shape, copies, part="past")
            for delay in range(1, (frames - 1) * dilation + 1):
                # Oldest first: copy i is to be delayed by (frames - 1 - i) * dilation.
                count = frames - -(-delay // dilation)
                shifted = count * channels
                part = f"delay{delay}"
                self._append("temporal_shift", shape, part=part, more=True, shift_channels=shifted)
            side = np.concatenate(kernel, axis=2)  # [k_h, k_w, frames * C_in, C_out]
            self._picture(layer, side, bias, window, shape[2], more=True)

    def _picture(self, layer, kernel, bias, window, channels, more):
        """Append a convolution over the picture, or over each pixel where there is no window."""
        if window is None:
            shape = (*self._source_shape()[:2], kernel.shape[3])
            self._append("pointwise", shape, kernel[0, 0].T, bias, more=more)
        else:
            self._convolution(layer, kernel, bias, window, channels, more)

    # One handler a layer

    def _Activation(self, layer):
        name = getattr(layer.activation, "__name__", "")
        if name in LAST_ACTIVATIONS:
            self._leave_out(layer, name)
        elif name == "linear":
            self._refuse(layer, "is linear; leave it out")
        elif name in BOUNDS:
            self._clamp(*BOUNDS[name])
        else:
            self._refuse(layer, f"is {name!r}, which cannot be exported; {_ACTIVATION}")

    def _Softmax(self, layer):
        self._leave_out(layer, "softmax")

    def _Rescaling(self, layer):
        self._normalize(0.0, np.asarray(layer.scale), np.asarray(layer.offset))

    def _Normalization(self, layer):
        channels = self._source_shape()[2]
        mean, variance = np.ravel(layer.mean), np.ravel(layer.variance)
        if layer.invert or {mean.size, variance.size} - {1, channels}:
            self._refuse(layer, "must normalize by channel, or all channels alike")
        self._normalize(mean, 1 / np.maximum(np.sqrt(variance), 1e-7), 0.0)

    def _SeparableConv2D(self, layer):
        depthwise = np.asarray(layer.depthwise_kernel)
        if depthwise.shape[3] != 1:
            self._refuse(layer, f"has depth_multiplier {depthwise.shape[3]}; want 1")
        size, window = self._window(
            layer, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding
        )
        shape = (*size, depthwise.shape[2])
        self._append("depthwise2d", shape, depthwise[..., 0], part="depthwise", **window)
        bias = layer.bias if layer.use_bias else None
        weights = np.asarray(layer.pointwise_kernel)[0, 0].T
        self._append("pointwise", (*size, layer.filters), weights, bias, more=True)
        self._activation(layer)

    def _GlobalMaxPooling2D(self, layer):
        height, width, channels = self._source_shape()
        self._append("max_pool2d", (1, 1, channels), kernel=(height, width), stride=(1, 1))

    def _ZeroPadding2D(self, layer):
        if layer.data_format != "channels_last":
            self._refuse(layer, "must be channels_last")
        self.padded[id(self.value)] = {"picture": layer.padding}

    def _ZeroPadding1D(self, layer):
        self.padded[id(self.value)] = {"time": tuple(layer.padding)}

    def _ZeroPadding3D(self, layer):
        time, *picture = (tuple(ends) for ends in layer.padding)
        self.padded[id(self.value)] = {"time": time, "picture": tuple(picture)}

    def _Cropping1D(self, layer):
        before, after = layer.cropping
        if after:
            self._refuse(layer, "leaves out the last frames; a stream answers to them")
        self.lags[id(self.value)] += before

    def _GetItem(self, layer):
        """`x[:, -1]`: the last frame's values, which a stream gives at each frame."""
        key = layer.key if isinstance(layer.key, tuple) else (layer.key,)
        whole = slice(None)
        if self.axes != 2 or key[:2] != (whole, -1) or any(k != whole for k in key[2:]):
            self._refuse(layer, "takes a part of a tensor; only the last frame, x[:, -1], can be")
        self._whole_clips()

    def _Reshape(self, layer):
        """Reshaping that moves nothing: to one vector, or by axes of 1."""
        shape, target = self._source_shape(), tuple(self.value.shape[self.axes :])
        first = self.tensor(self.xs[0]) == 0 and target == shape
        few = [n for n in shape if n != 1] == [n for n in target if n != 1]
        if not (first or len(target) == 1 or (few and target[-1] == shape[2])):
            self._refuse(layer, f"makes {target} of {shape}, which moves values; want one vector")

    def _Conv1D(self, layer):
        kernel = np.asarray(layer.kernel)[:, None, None]  # [frames, 1, 1, C_in / groups, C_out]
        self._along_time(layer, kernel, layer.bias if layer.use_bias else None)
        self._activation(layer)

    def _DepthwiseConv1D(self, layer):
        self._depthwise_along_time(layer, layer.kernel, layer.bias if layer.use_bias else None)
        self._activation(layer)

    def _SeparableConv1D(self, layer):
        self._depthwise_along_time(layer, layer.depthwise_kernel, None, part="depthwise")
        shape = (*self._source_shape()[:2], layer.filters)
        bias = layer.bias if layer.use_bias else None
        weights = np.asarray(layer.pointwise_kernel)[0].T
        self._append("pointwise", shape, weights, bias, more=True)
        self._activation(layer)

    def _depthwise_along_time(self, layer, kernel, bias, part=None):
        kernel, dilation = np.asarray(kernel), layer.dilation_rate[0]  # [frames, C, multiplier]
        if kernel.shape[2] != 1:
            self._refuse(layer, f"has depth_multiplier {kernel.shape[2]}; want 1")
        if layer.strides[0] != 1:
            self._refuse(layer, "has a stride along time; only 1 can be exported")
        self._causal(layer, len(kernel), dilation, layer.padding)
        self._append(
            "temporal_depthwise",
            self._source_shape(),
            kernel[..., 0],
            bias,
            part=part,
            frames=len(kernel),
            frame_dilation=dilation,
        )

    def _Conv3D(self, layer):
        sizes = (layer.kernel_size, layer.strides, layer.dilation_rate)
        window = (*(size[1:] for size in sizes), layer.padding)
        bias = layer.bias if layer.use_bias else None
        self._along_time(layer, np.asarray(layer.kernel), bias, window)
        self._activation(layer)

    def _MaxPooling3D(self, layer):
        size, window = self._over_the_picture(layer)
        self._append("max_pool2d", (*size, self._source_shape()[2]), **window)

    def _AveragePooling3D(self, layer):
        if layer.padding != "valid":
            self._refuse(layer, "has windows that leave the image; use padding='valid'")
        size, window = self._over_the_picture(layer)
        self._append("average_pool", (*size, self._source_shape()[2]), **window)

    def _over_the_picture(self, layer):
        if layer.pool_size[0] != 1 or layer.strides[0] != 1:
            self._refuse(layer, f"pools along time; {_ALONG_TIME}")
        pool, strides = layer.pool_size[1:], layer.strides[1:]
        return self._window(layer, pool, strides, (1, 1), layer.padding)

    def _GlobalAveragePooling1D(self, layer):
        self._average_of_clip(more=False)

    def _GlobalAveragePooling3D(self, layer):
        height, width, channels = self._source_shape()
        shape = (1, 1, channels)
        self._append("average_pool", shape, part="picture", kernel=(height, width))
        self._average_of_clip(more=True)

    def _average_of_clip(self, more):
        frames, channels = self.xs[0].shape[1], self._source_shape()[2]
        if frames is None:
            self._refuse(self.layer, "averages all frames; the input must say how many there are")
        self._append("temporal_average", (1, 1, channels), more=more, frames=frames)
        self._whole_clips()

    def _whole_clips(self):
        """Note that from here on there is one value for a clip: that after its last frame."""
        self.timeless.add(id(self.value))
        self.notes.append(
            f"{self.layer.name}: here the network answers to a whole clip; after each frame, the "
            "stream answers to the frames up to it"
        )


for _name in (
    *("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"),
    *("GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity"),
):
    setattr(KerasLayers, f"_{_name}", KerasLayers._reads_last)
