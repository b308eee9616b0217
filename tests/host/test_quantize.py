"""The quantizer: is the integer graph the Keras network, and does it refuse what it cannot say?"""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from keras_models import PLAIN, keras_outputs, shaken, smooth_clips

from host_sdk import golden, quantize
from host_sdk.data import moving_digits
from host_sdk.errors import MotionletError
from host_sdk.format.check import check_graph
from host_sdk.networks import NETWORKS, build_network, import_keras
from host_sdk.pack import targets
from host_sdk.quantize.integers import weight_scales
from host_sdk.quantize.requantize import (
    quantize_add,
    quantize_multiplier,
    quantize_multipliers,
    short_multiplier,
)

keras = import_keras()
layers = keras.layers

from host_sdk.networks.layers import (  # noqa: E402
    EachFrame,
    TemporalAverage,
    TemporalDepthwise,
    TemporalShift,
)

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


# Multipliers


@given(st.floats(2.0**-32, 2.0**30 - 1))
def test_multiplier_is_the_nearest(real):
    m, n = quantize_multiplier(real)
    assert 2**30 <= m < 2**31
    assert 1 <= n <= 62
    assert abs(m / 2**n - real) <= real * 2.0**-31


@pytest.mark.parametrize("real", [0, -1.0, 2.0**30, 2.0**-33, math.inf, math.nan])
def test_multiplier_out_of_range(real):
    with pytest.raises(MotionletError, match="multiplier"):
        quantize_multiplier(real)


def test_multiplier_rounds_up_to_a_power_of_two():
    assert quantize_multiplier(1 - 2.0**-40) == (2**30, 30)
    ms, ns = quantize_multipliers([1.0, 0.75])
    assert (ms.dtype, ns.dtype) == (np.int32, np.uint8)
    assert (ms.tolist(), ns.tolist()) == ([2**30, 3 * 2**29], [30, 31])


@example(600.0, 0)  # of a channel whose sums are all 0
@given(st.floats(2.0**-30, 2.0**10), st.integers(0, 2**31 - 1))
def test_short_multiplier(real, sum_max):
    """It fits in 32 bits with room for zero point and rounding; one bit more would not."""
    m, n = quantize_multiplier(real, sum_max)
    assert 2**30 <= m < 2**31
    assert 1 <= n <= 62
    short = short_multiplier(real, sum_max)
    if short is None:
        assert (m, n) == quantize_multiplier(real)
        return
    short, s = short
    assert (m, n) == (short << (n - s), n)
    assert 1 <= s <= 30
    assert abs(short / 2**s - real) <= real * 2.0**-11
    factor = max(sum_max, 1)
    assert factor * short + 128 * 2**s + 2 ** (s - 1) < 2**31
    assert s == 30 or factor * round(real * 2 ** (s + 1)) + 257 * 2**s >= 2**31


def test_short_multiplier_where_it_must_exist():
    """A layer of 32 taps with the largest weights, its outputs over the whole int8 range."""
    sum_max = 32 * 127 * 255
    m, s = short_multiplier(128 / sum_max, sum_max)
    assert m.bit_length() >= 10
    assert abs(m / 2**s * sum_max - 128) < 128 / 2**10
    assert short_multiplier(128 / 2**30, 2**30) is None


@given(st.floats(0, 2.0**20), st.floats(2.0**-20, 2.0**20))
def test_add_shares_the_largest_shift(a, b):
    m_a, m_b, n = quantize_add(a, b)
    assert 0 <= min(m_a, m_b) <= max(m_a, m_b) < 2**22
    assert 1 <= n <= 23
    assert n == 23 or max(a, b) * 2 ** (n + 1) >= 2**22 - 1.5
    assert max(abs(m_a / 2**n - a), abs(m_b / 2**n - b)) <= 2.0 ** -(n + 1)


def test_add_out_of_range():
    for pair in ((2.0**21, 1), (-1, 1), (math.nan, 1), (1, math.inf)):
        with pytest.raises(MotionletError, match="addition"):
            quantize_add(*pair)


# Layers: int8 against float


def network(height, width, channels, *stack):
    x = clip = keras.Input((None, height, width, channels))
    for layer in stack:
        x = layer(x)
    return shaken(keras.Model(clip, x))


def run_both(model, clips, **options):
    """Return the graph, and float (Keras) and dequantized int8 (golden) outputs of its ops."""
    graph = quantize.quantize(model, clips, **PLAIN, **options)
    check_graph(graph)
    floats = keras_outputs(model, quantize.trace(model), clips)
    outputs = [golden.run_clip(graph, (c.astype(np.int16) - 128).astype(np.int8)) for c in clips]
    reals = []
    for i, op in enumerate(graph.ops):
        tensor = graph.tensors[op.output]
        q = np.stack([o[i] for o in outputs]).astype(float)
        reals.append((q - tensor.zero_point) * tensor.scale)
        floats[i] = floats[i].reshape(reals[-1].shape)
    return graph, floats, reals


def same(kind, *arguments, **options):
    return EachFrame(kind(*arguments, padding="same", **options))


SINGLE = {
    "conv": same(layers.Conv2D, 5, 3),
    "conv stride 2": same(layers.Conv2D, 5, 3, strides=2),
    "conv 5x5 stride 2": same(layers.Conv2D, 5, 5, strides=2),
    "conv 2x4": same(layers.Conv2D, 5, (2, 4)),
    "conv stride 3": same(layers.Conv2D, 5, 3, strides=3),
    "conv 1x1 stride 2": same(layers.Conv2D, 5, 1, strides=2),
    "conv dilated": same(layers.Conv2D, 5, 3, dilation_rate=2),
    "conv valid": EachFrame(layers.Conv2D(5, 3, strides=2)),
    "conv relu": same(layers.Conv2D, 5, 3, activation="relu"),
    "conv relu6": same(layers.Conv2D, 5, 3, activation="relu6"),
    "conv no bias": same(layers.Conv2D, 5, 3, use_bias=False),
    "pointwise": EachFrame(layers.Conv2D(5, 1)),
    "pointwise dense": layers.Dense(5),
    "depthwise": same(layers.DepthwiseConv2D, 3),
    "depthwise stride 2": same(layers.DepthwiseConv2D, 3, strides=2),
    "depthwise valid": EachFrame(layers.DepthwiseConv2D((3, 5))),
    "average": EachFrame(layers.AveragePooling2D(2)),
    "average overlapping": EachFrame(layers.AveragePooling2D(3, strides=2)),
    "max": EachFrame(layers.MaxPooling2D(2)),
    "max overlapping": same(layers.MaxPooling2D, 3, strides=2),
    "max 2x3": same(layers.MaxPooling2D, (2, 3), strides=1),
    "global average": EachFrame(layers.GlobalAveragePooling2D()),
    "global average, kept": EachFrame(layers.GlobalAveragePooling2D(keepdims=True)),
    "temporal": TemporalDepthwise(3),
    "temporal dilated": TemporalDepthwise(3, 2),
    "temporal average": TemporalAverage(4),
    "shift": TemporalShift(2),
}


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (10, 11)])
@pytest.mark.parametrize("name", SINGLE)
def test_layer_equals_keras(name, size):
    layer = type(SINGLE[name]).from_config(SINGLE[name].get_config())
    model = network(*size, 3, layer)
    clips = smooth_clips(4, 7, *size, 3)
    graph, floats, reals = run_both(model, clips, method="minmax")
    assert len(graph.ops) == 1
    # Each weight is off by half a step at most, and so is the output.
    op, step = graph.ops[0], graph.tensors[1].scale
    error = np.abs(reals[0] - floats[0]).max()
    slack = 0.51 * step
    if op.weights is not None:
        weights = quantize.trace(model)[0].weights
        slack += np.abs(weights).max() / 254 * (op.weights.size / graph.tensors[1].channels)
    assert error <= slack
    signal = np.abs(floats[0]).max()
    assert error < signal / 20


def test_normalization_and_relu_vanish():
    model = network(
        8,
        8,
        2,
        same(layers.Conv2D, 6, 3),
        layers.BatchNormalization(epsilon=0.5),
        layers.ReLU(max_value=6),
        same(layers.DepthwiseConv2D, 3, use_bias=False),
        layers.BatchNormalization(center=False),
        layers.Dropout(0.5),
        layers.ReLU(),
        TemporalDepthwise(2),
        layers.BatchNormalization(scale=False),
        EachFrame(layers.Conv2D(4, 1)),
        EachFrame(layers.BatchNormalization()),
        EachFrame(layers.ReLU()),
    )
    graph, floats, reals = run_both(model, smooth_clips(4, 6, 8, 8, 2))
    assert [op.kind for op in graph.ops] == [
        "conv2d",
        "depthwise2d",
        "temporal_depthwise",
        "pointwise",
    ]
    first, zero = graph.ops[0], graph.tensors[1].zero_point
    assert first.act_min == zero == -128
    assert first.act_max == min(127, round(zero + 6 / graph.tensors[1].scale))
    assert graph.ops[2].act_min == -128 < graph.tensors[3].zero_point  # no ReLU behind it
    for wanted, got in zip(floats, reals, strict=True):
        assert np.mean((got - wanted) ** 2) < np.mean(wanted**2) / 300  # 25 dB


def test_a_shift_goes_into_the_op_that_reads_it():
    """Where a device can do it in one, by words; not in front of a conv2d, nor of odd channels."""
    model = network(
        8,
        8,
        8,
        TemporalShift(4),
        same(layers.DepthwiseConv2D, 3),
        layers.ReLU(),
        TemporalShift(8),
        EachFrame(layers.Conv2D(12, 1)),
        TemporalShift(2),
        EachFrame(layers.Conv2D(8, 1)),
        TemporalShift(4),
        same(layers.Conv2D, 4, 3),
    )
    graph, floats, reals = run_both(model, smooth_clips(4, 6, 8, 8, 8))
    assert [(op.kind, op.shift_channels) for op in graph.ops] == [
        ("depthwise2d", 4),
        ("pointwise", 8),
        ("temporal_shift", 2),
        ("pointwise", 0),
        ("temporal_shift", 4),
        ("conv2d", 0),
    ]
    for wanted, got in zip(floats, reals, strict=True):
        assert np.mean((got - wanted) ** 2) < np.mean(wanted**2) / 300


def test_residual_flatten_and_names():
    clip = keras.Input((None, 6, 6, 2))
    x = EachFrame(layers.Conv2D(2, 1), name="block1.mix")(clip)
    x = layers.ReLU(name="block1.relu")(layers.Add(name="block1.add")([clip, x]))
    y = TemporalShift(1, name="shift")(x)
    x = layers.Add(name="sum")([x, y])  # x is read twice
    x = EachFrame(layers.AveragePooling2D(3), name="pool")(x)
    x = layers.Dropout(0.1)(EachFrame(layers.Flatten())(x))
    model = shaken(keras.Model(clip, layers.Dense(5, name="logits")(x)))
    graph, floats, reals = run_both(
        model, smooth_clips(4, 6, 6, 6, 2), labels=list("abcde"), frames_per_second=12.5
    )
    names = [op.name for op in graph.ops]
    assert names == ["block1/mix", "block1/add", "shift", "sum", "pool", "logits"]
    assert graph.ops[1].act_min == graph.tensors[2].zero_point
    assert graph.ops[5].weights.shape == (5, 2 * 2 * 2)
    assert (graph.labels, graph.frames_per_second) == (list("abcde"), 12.5)
    assert graph.input.pixel_format == "raw"  # of two channels
    for wanted, got in zip(floats, reals, strict=True):
        assert np.mean((got - wanted) ** 2) < np.mean(wanted**2) / 300


def test_image_model():
    """A Keras model of images is a network of streams without a memory."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(x)
    model = shaken(keras.Model(image, layers.Dense(3)(x)))
    images = smooth_clips(6, 1, 8, 8, 3)[:, 0]
    graph = quantize.quantize(model, images)
    assert graph.input.pixel_format == "rgb888"
    got = golden.run_clip(graph, (images.astype(np.int16) - 128).astype(np.int8))[-1][:, 0, 0]
    real = (got.astype(float) - graph.tensors[-1].zero_point) * graph.tensors[-1].scale
    wanted = np.asarray(model(images / np.float32(255)))
    assert np.abs(real - wanted).max() < np.abs(wanted).max() / 20


# Whole networks


def test_sizes_of_the_networks():
    """What the networks may cost on a device, and MACs as TensorFlow's own profiler counts them."""
    for name in ("tsm", "separable3d"):
        model = build_network(name, (32, 32, 1), 9)
        graph = quantize.quantize(model, moving_digits.make_clips(2, 4)[0], **PLAIN)
        assert graph.parameters <= 30_000
        assert graph.macs_per_frame <= 1_500_000
        computed = [op.output for op in graph.ops if op.kind != "temporal_shift"]
        assert sum(graph.tensors[i].size for i in computed) <= 50_000
        temporal = sum(graph.macs(op) for op in graph.ops if op.kind == "temporal_depthwise")
        assert graph.macs_per_frame - temporal == macs_by_profiler(model)


def macs_by_profiler(model):
    """Count the MACs of convolutions and matrix products on one frame, from TensorFlow's graph."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    one_frame = tf.TensorSpec((1, 1, *model.inputs[0].shape[2:]))
    traced = tf.function(lambda x: model(x, training=False)).get_concrete_function(one_frame)
    frozen = convert_variables_to_constants_v2(traced)
    options = tf.compat.v1.profiler.ProfileOptionBuilder(
        tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    )
    options = options.with_empty_output().order_by("float_ops").build()
    with tf.Graph().as_default() as flat:
        tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), name="")
        profile = tf.compat.v1.profiler.profile(flat, options=options, cmd="op")
    counted = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
    operations, node = 0, profile
    while node.children:  # a chain: each op type hangs below the one before
        node = node.children[0]
        operations += node.float_ops if node.name in counted else 0
    return operations // 2


@pytest.mark.parametrize("name", NETWORKS)
def test_one_step_of_32_bits_is_enough(name):
    """The multipliers are such that the Cortex-M0+ needs no 64-bit product for any channel."""
    model = shaken(build_network(name, (16, 16, 1), 9), seed=3)
    graph = quantize.quantize(model, smooth_clips(4, 8, 16, 16, 1))
    with_weights = [op for op in graph.ops if op.weights is not None]
    assert len(with_weights) > 3
    for op in with_weights:
        source, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
        shift = targets.relayout(op, source, output, "cortex_m0plus")["shift"]
        assert (shift & 0x80).all(), op.name


# Weights of 4 bits


def test_int4():
    model = network(
        8, 8, 2, EachFrame(layers.Conv2D(8, 3)), EachFrame(layers.Conv2D(6, 1, name="one"))
    )
    clips = smooth_clips(8, 4, 8, 8, 2)
    names = [op.name for op in quantize.trace(model)]
    for chosen, bits in (((), [8, 8]), (names[1:], [8, 4]), ("all", [4, 4])):
        graph, floats, reals = run_both(model, clips, int4=chosen)
        assert [op.weight_bits for op in graph.ops] == bits
        for op, few in zip(graph.ops, bits, strict=True):
            assert np.abs(op.weights.astype(int)).max() == 2 ** (few - 1) - 1
        for real, wanted in zip(reals, floats, strict=True):
            error = np.sqrt(np.mean((real - wanted) ** 2) / np.mean(wanted**2))
            assert error < (0.02 if bits == [8, 8] else 0.2)


def test_int4_scales_have_the_least_error():
    weights = np.random.default_rng(0).normal(0, 1, (16, 100))
    scales = weight_scales(weights, (1,), 7)

    def error(scale):
        return np.sum((np.clip(np.rint(weights / scale), -7, 7) * scale - weights) ** 2, axis=1)

    best = error(scales[:, None])
    widest = np.abs(weights).max(axis=1, keepdims=True) / 7
    assert best.sum() < 0.9 * error(widest).sum()
    for shrink in np.linspace(1, 0.4, 61):
        assert (best <= error(widest * shrink) * (1 + 1e-12)).all()
    np.testing.assert_allclose(weight_scales(weights, (1,), 127) * 127, 7 * widest[:, 0])


def test_int4_of_what_cannot_have_it():
    model = network(8, 8, 2, EachFrame(layers.DepthwiseConv2D(3, name="deep")))
    with pytest.raises(MotionletError, match=r"no op .* can have 4-bit weights; there is: none"):
        quantize.quantize(model, smooth_clips(2, 3, 8, 8, 2), int4=["deep"])
    graph = quantize.quantize(model, smooth_clips(2, 3, 8, 8, 2), int4="all")
    assert graph.ops[0].weight_bits == 8


# Numbers at the edges


def test_dead_channels_and_bold_biases():
    model = network(4, 4, 1, EachFrame(layers.Conv2D(5, 3)))
    kernel, bias = (np.array(w) for w in model.get_weights())
    kernel[..., 0], bias[0] = 0, 0  # dead
    kernel[..., 1], bias[1] = 0, 3  # constant
    kernel[..., 2], bias[2] = 1e-30, -2  # as good as constant
    kernel[..., 3], bias[3] = 1e-12, 0
    model.set_weights([kernel, bias])
    graph, floats, reals = run_both(model, smooth_clips(3, 4, 4, 4, 1))
    step = graph.tensors[1].scale
    assert not graph.ops[0].weights[:2].any()
    assert np.abs(reals[0] - floats[0])[..., :4].max() <= 0.51 * step


def test_all_zero_network():
    model = network(4, 4, 1, EachFrame(layers.Conv2D(2, 1)), layers.ReLU(), TemporalAverage(2))
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    _, _, reals = run_both(model, smooth_clips(2, 3, 4, 4, 1))
    assert not reals[1].any()


def test_range_always_holds_zero():
    for low, high in ((2, 5), (-5, -2), (0, 0), (-1, 3), (-1e-40, 0)):
        scale, zero_point = quantize.scale_and_zero_point(low, high)
        assert scale > 0
        assert scale == np.float32(scale)
        assert -128 <= zero_point <= 127
        for real in (min(low, 0), max(high, 0)):
            assert (
                abs(
                    (np.clip(round(real / scale) + zero_point, -128, 127) - zero_point) * scale
                    - real
                )
                <= scale * 1.001
            )


def test_input_is_the_pixel():
    model = network(4, 4, 1, EachFrame(layers.Conv2D(1, 1)))
    dark = np.zeros((1, 2, 4, 4, 1), np.uint8)  # the clips do not choose the input's range
    frames = quantize.quantize(model, dark).tensors[0]
    assert (frames.scale, frames.zero_point) == (np.float32(1 / 255), -128)


def test_methods_treat_outliers_differently():
    model = network(16, 16, 1, EachFrame(layers.Conv2D(1, 1)), EachFrame(layers.Conv2D(1, 1)))
    model.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)] * 2)
    clips = np.random.default_rng(0).integers(0, 26, (40, 4, 16, 16, 1)).astype(np.uint8)
    clips[0, 0, 0, 0, 0] = 255  # one pixel in forty thousand
    tops = {}
    for method in quantize.METHODS:
        tensor = quantize.quantize(model, clips, method=method, **PLAIN).tensors[1]
        tops[method] = (127 - tensor.zero_point) * tensor.scale
    assert tops["minmax"] == pytest.approx(1)
    assert tops["percentile"] < 0.2
    assert tops["mse"] <= tops["minmax"]
    last = quantize.quantize(model, clips, method="percentile", **PLAIN).tensors[2]
    assert (127 - last.zero_point) * last.scale == pytest.approx(1)  # answers are not clipped


# What is refused


def refused(*stack, size=(8, 8, 4)):
    def build():
        x = clip = keras.Input((None, *size))
        for layer in stack:
            x = layer(x)
        return keras.Model(clip, x)

    return build


class Add(layers.Layer):
    """What a user may write: the name alone does not make it ours."""

    def call(self, x):
        return x + 1


def two_inputs():
    inputs = [keras.Input((None, 8, 8, 4)) for _ in range(2)]
    return keras.Model(inputs, layers.Add()(inputs))


def add_of_three():
    clip = keras.Input((None, 8, 8, 4))
    return keras.Model(clip, layers.Add()([clip, clip, clip]))


def volumes():
    x = keras.Input((8, 8, 8, 8, 4))
    return keras.Model(x, layers.Dense(2)(x))


def two_that_cannot_be():
    clip = keras.Input((None, 8, 8, 4))
    x = EachFrame(layers.UpSampling2D())(clip)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return keras.Model(clip, layers.LeakyReLU()(EachFrame(layers.Conv2D(2, 1))(x)))


def temporal_on_images():
    image = keras.Input((8, 8, 4))
    return keras.Model(image, TemporalAverage(2)(image))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (refused(EachFrame(layers.UpSampling2D())), "UpSampling2D.*cannot be exported; these can"),
        (refused(EachFrame(layers.Conv2D(4, 3, groups=2))), "has 2 groups"),
        (refused(EachFrame(layers.Conv2D(4, 3, activation="tanh"))), "has activation 'tanh'"),
        (refused(EachFrame(layers.DepthwiseConv2D(3, depth_multiplier=2))), "depth_multiplier 2"),
        (refused(EachFrame(layers.Conv2D(4, 1)), layers.ReLU(negative_slope=0.1)), "has a slope"),
        (refused(EachFrame(layers.AveragePooling2D(3, padding="same"))), "windows that leave"),
        (refused(EachFrame(layers.Flatten()), TemporalAverage(2)), "behind Flatten"),
        (refused(EachFrame(TemporalAverage(2))), "needs whole clips"),
        (temporal_on_images, "needs whole clips"),
        (refused(layers.Flatten()), "works on images"),
        (two_inputs, "2 inputs and 1 outputs"),
        (add_of_three, "must add two"),
        (volumes, "the model's input is"),
        (two_that_cannot_be, r"^2 of 5 layers cannot be exported:\n  1: .*\n  5: .*is ReLU"),
        (refused(Add()), "cannot be exported"),
        (lambda: None, "only a functional or sequential"),
    ],
)  # fmt: skip
def test_refused(build, message):
    with pytest.raises(MotionletError, match=message):
        quantize.trace(build())


def test_bad_clips():
    model = network(4, 4, 1, EachFrame(layers.Conv2D(2, 1)))
    good = smooth_clips(1, 2, 4, 4, 1)
    for clips, message in (
        (good / 255, "needs uint8 clips of 5 dimensions, not float64"),
        (good[0], "needs uint8 clips of 5 dimensions"),
        (good[:0], "needs uint8 clips"),
        (good[:, :, 1:], r"are \(3, 4, 1\), the network takes \(4, 4, 1\)"),
    ):
        with pytest.raises(MotionletError, match=message):
            quantize.quantize(model, clips)
    with pytest.raises(MotionletError, match="no calibration method 'median'"):
        quantize.quantize(model, good, method="median")
    with pytest.raises(MotionletError, match="3 labels for 2 outputs"):
        quantize.quantize(model, good, labels=list("abc"))
    long = network(4, 4, 1, EachFrame(layers.Conv2D(2, 1)), TemporalAverage(300))
    with pytest.raises(MotionletError, match="op 1: frames: 300 is not in 1 to 256"):
        quantize.quantize(long, good)
    wide = network(260, 260, 1, EachFrame(layers.Flatten()), layers.Dense(1))
    with pytest.raises(MotionletError, match="67600 products in a sum, at most 65535"):
        quantize.quantize(wide, np.zeros((1, 1, 260, 260, 1), np.uint8))
    model.set_weights([w * np.nan for w in model.get_weights()])
    with pytest.raises(MotionletError, match="not finite"):
        quantize.quantize(model, good)
