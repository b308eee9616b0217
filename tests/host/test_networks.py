"""The networks and their layers: causal, saved whole, and exported to the same function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_models import PLAIN, shaken, smooth_clips

from host_sdk import golden, native, quantize
from host_sdk.errors import MotionletError
from host_sdk.format.check import check_graph
from host_sdk.networks import (
    NETWORKS,
    answers,
    build_network,
    import_keras,
    load_network,
    options_of,
)
from host_sdk.networks.float_ops import reach
from host_sdk.pack import mlet_file, planner

keras = import_keras()

from host_sdk.networks.layers import (  # noqa: E402
    BatchNormalization,
    EachFrame,
    TemporalAverage,
    TemporalDepthwise,
    TemporalShift,
)

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
rng = np.random.default_rng(5)


def clip(*shape):
    return rng.normal(size=shape).astype(np.float32)


def run(layer, x):
    return np.asarray(layer(x))


def test_each_frame_is_the_layer_on_every_frame():
    layer = keras.layers.Conv2D(3, 3, strides=2, padding="same")
    x = clip(2, 5, 7, 9, 4)
    got = run(EachFrame(layer), x)
    assert got.shape == (2, 5, 4, 5, 3)
    for t in range(5):
        np.testing.assert_allclose(got[:, t], run(layer, x[:, t]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_shift(channels):
    x = clip(2, 5, 3, 2, 4)
    got = run(TemporalShift(channels), x)
    assert np.array_equal(got[..., channels:], x[..., channels:])
    assert np.array_equal(got[:, 1:, ..., :channels], x[:, :-1, ..., :channels])
    assert not got[:, 0, ..., :channels].any()


@pytest.mark.parametrize(("frames", "dilation"), [(1, 1), (3, 1), (3, 2), (2, 7)])
def test_temporal_depthwise(frames, dilation):
    x = clip(2, 6, 3, 2, 4)
    layer = TemporalDepthwise(frames, dilation)
    layer.build(x.shape)
    layer.bias.assign(clip(4))
    got = run(layer, x)
    kernel, wanted = np.asarray(layer.kernel), np.zeros_like(x) + np.asarray(layer.bias)
    for t in range(6):
        for tap in range(frames):  # tap 0 meets the oldest frame
            past = t - (frames - 1 - tap) * dilation
            if past >= 0:
                wanted[:, t] += kernel[tap] * x[:, past]
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.5, "epsilon": 0.1}, {"scale": False}])
def test_batch_normalization_is_that_of_keras(options):
    """Answers, gradients and what is kept for later, while training and after."""
    import tensorflow as tf

    x, weight = 3 * clip(2, 3, 4, 5, 6) + 1, clip(2, 3, 4, 5, 6)
    results = []
    for kind in (BatchNormalization, keras.layers.BatchNormalization):
        layer, given = kind(**options), tf.Variable(x)
        layer.build(x.shape)
        layer.beta.assign(np.arange(6) - 2.0)
        with tf.GradientTape() as tape:
            y = layer(given, training=True)
            loss = tf.reduce_sum(y * weight)
        gradients = tape.gradient(loss, [given, *layer.trainable_variables])
        kept = [layer.moving_mean, layer.moving_variance]
        results.append([np.asarray(value) for value in (y, *gradients, *kept, layer(x))])
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("frames", [1, 4, 9])
def test_temporal_average(frames):
    x = clip(2, 6, 5)
    got = run(TemporalAverage(frames), x)
    for t in range(6):
        wanted = x[:, max(0, t - frames + 1) : t + 1].sum(axis=1) / frames
        np.testing.assert_allclose(got[:, t], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_depend_on_the_past_only(name):
    model = build_network(name, (16, 24, 3), 5)
    x = clip(2, 12, 16, 24, 3)
    changed = x.copy()
    changed[:, 7] += 1
    before, after = run(model, x), run(model, changed)
    assert before.shape == (2, 12, 5)
    moved = np.abs(before - after).max(axis=(0, 2)) > 1e-4 * np.abs(before).max()
    assert not moved[:7].any()
    assert moved[7]
    # A memory shows in later frames; the baseline has none.
    assert moved[8:].any() == (name != "per_frame")


@pytest.mark.parametrize("name", NETWORKS)
def test_reach(name):
    """The frame that is `reach` - 1 frames old still counts, the one before it does not."""
    model = build_network(name, (16, 24, 3), 5)
    frames = reach(model)
    x = clip(1, frames + 2, 16, 24, 3)
    changed = x.copy()
    changed[:, 0] += 100
    moved = np.abs(run(model, x) - run(model, changed)).max(axis=(0, 2)) > 0
    assert moved[frames - 1]
    assert not moved[frames:].any()


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_and_loaded(name, tmp_path):
    model = build_network(name, (16, 16, 1), 4)
    model.save(tmp_path / "model.keras")
    x = clip(1, 6, 16, 16, 1)
    assert np.array_equal(run(load_network(tmp_path / "model.keras"), x), run(model, x))


# What each network becomes: a word for each op, blocks and all.
_RESIDUAL = "shift pointwise depthwise2d pointwise"
_HEAD = "average_pool temporal_average dense"
_XI = "shift {}pointwise pointwise add conv2d"
EXPORTED = {
    "tsm": f"conv2d {_RESIDUAL} {_RESIDUAL} add {_RESIDUAL} {_RESIDUAL} add {_HEAD}",
    "separable3d": "conv2d " + "depthwise2d temporal_depthwise pointwise " * 4 + _HEAD,
    "late_fusion": "conv2d "
    + "pointwise depthwise2d pointwise pointwise depthwise2d pointwise add " * 2
    + "dense dense temporal_depthwise dense",
    "phinet": "conv2d depthwise2d pointwise "
    + f"{_RESIDUAL} {_RESIDUAL} add {_RESIDUAL} {_RESIDUAL} add {_HEAD}",
    "xinet": "conv2d "
    + " ".join(_XI.format(pool) for pool in ("average_pool ", "average_pool ", "", "average_pool "))
    + f" {_HEAD}",
    "per_frame": "conv2d "
    + "pointwise depthwise2d pointwise pointwise depthwise2d pointwise add " * 2
    + "average_pool dense",
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "shape", [(8, 8, 1), (9, 13, 3), (24, 32, 1), (64, 64, 3)], ids="{0[0]}x{0[1]}x{0[2]}".format
)
def test_exported(name, shape):
    """The graph has the ops expected; in it stream = clip = the C core, next to the float net."""
    model = shaken(build_network(name, shape, 5), seed=3)
    clips = smooth_clips(4, 10, *shape)
    graph = quantize.quantize(model, clips, **PLAIN)
    check_graph(graph)
    # A shift is an op of its own, or part of the one that reads it.
    kinds = [
        "shift" if op.kind == "temporal_shift" else "shift " * bool(op.shift_channels) + op.kind
        for op in graph.ops
    ]
    assert " ".join(kinds).split() == EXPORTED[name].split()
    reports = quantize.report_layers(
        quantize.trace(model), graph, quantize.real_input(model, clips)
    )
    assert min(r.sqnr_db for r in reports) > 15
    assert max(r.clipped for r in reports) < 0.02

    clip = clips[0]
    whole = golden.run_clip(graph, clip)
    stream = golden.Stream(graph)
    core = native.Stream(native.Model(mlet_file.pack(graph, planner.plan(graph))))
    for t, frame in enumerate(clip):
        for op, wanted, got in zip(graph.ops, whole, stream.push_trace(frame), strict=True):
            assert np.array_equal(wanted[t], got), (op.name, t)
        assert np.array_equal(core.push(frame), whole[-1][t])
    assert len({o.tobytes() for o in whole[-1]}) > 1  # frames do differ


@pytest.mark.parametrize("name", NETWORKS)
def test_every_option_can_be_exported(name):
    known = options_of(name)
    values = {
        key: (st.integers if isinstance(o.default, int) else st.floats)(
            o.low, min(o.high, 4 * o.default or o.high)
        )
        for key, o in known.items()
    }
    sides = st.integers(8, 40)

    @settings(max_examples=6)
    @given(st.fixed_dictionaries({}, optional=values), sides, sides, st.sampled_from([1, 3]))
    def build(options, height, width, channels):
        model = build_network(name, (height, width, channels), 3, **options)
        graph = quantize.quantize(model, smooth_clips(1, 2, height, width, channels), **PLAIN)
        check_graph(graph)
        planner.plan(graph)
        assert graph.tensors[graph.outputs[0]].shape == (1, 1, 3)

    build()


@pytest.mark.parametrize("name", NETWORKS)
def test_width_scales(name):
    key = "alpha" if name == "phinet" else "width"
    sizes = [build_network(name, (32, 32, 1), 9, **{key: w}).count_params() for w in (0.5, 1, 2)]
    assert sizes[0] < sizes[1] < sizes[2]


def cost(**options):
    """(MACs a frame, parameters, largest expanded map) of a PhiNet."""
    model = build_network("phinet", (32, 32, 1), 9, **options)
    graph = quantize.quantize(model, smooth_clips(1, 2, 32, 32, 1), **PLAIN)
    return (
        graph.macs_per_frame,
        graph.parameters,
        max(t.size for t in graph.tensors if t.name.endswith("expand")),
    )


def test_options_of_phinet_scale_apart():
    macs, parameters, largest = cost()
    flat = cost(beta=0.5)
    # Less expansion of late blocks spares parameters above all; the largest map hardly changes.
    assert flat[1] / parameters < flat[0] / macs
    assert flat[2] / largest > 0.8
    thin = cost(t0=1.5)
    assert thin[2] / largest == pytest.approx(0.5, abs=0.1)
    assert cost(alpha=2)[0] / macs > 2.5


def test_late_fusion_expresses_filters_along_time():
    """Equal copies and equal weights across features: K filters over the last T vectors."""
    features, frames, copies = 8, 5, 2
    model = build_network(
        "late_fusion", (8, 8, 1), 3, features=features, frames=frames, copies=copies
    )
    filters = rng.normal(size=(frames, copies)).astype(np.float32)
    model.get_layer("fusion.copies").kernel.assign(np.tile(np.eye(features), (1, copies)))
    model.get_layer("fusion.temporal").kernel.assign(np.repeat(filters, features, axis=1))
    parts = keras.Model(
        model.inputs[0],
        [model.get_layer(n).output for n in ("features.relu", "fusion.temporal.relu")],
    )
    vectors, mixed = (np.asarray(x)[0] for x in parts(clip(1, 9, 8, 8, 1)))
    epsilon = model.get_layer("fusion.temporal.normalize").epsilon  # two normalizations, untrained
    past = np.concatenate([np.zeros((frames - 1, features), np.float32), vectors])
    for t in range(9):
        wanted = np.maximum(filters.T @ past[t : t + frames], 0).ravel() / (1 + epsilon)
        np.testing.assert_allclose(mixed[t], wanted, rtol=1e-4, atol=1e-5)


def test_answers_of_the_baseline_are_means():
    logits = clip(3, 8, 4)
    got = np.asarray(answers("per_frame", logits))
    for t in range(8):
        np.testing.assert_allclose(got[:, t], logits[:, : t + 1].mean(axis=1), rtol=1e-4, atol=1e-6)
    assert answers("tsm", logits) is logits


def test_bad_arguments(tmp_path):
    with pytest.raises(MotionletError, match="no network named 'resnet'"):
        build_network("resnet", (32, 32, 1), 9)
    for shape in ((32, 32), (7, 32, 1), (32, 32, 0)):
        with pytest.raises(MotionletError, match="does not fit"):
            build_network("tsm", shape, 9)
    with pytest.raises(MotionletError, match="a class at least, not 0"):
        build_network("tsm", (32, 32, 1), 0)
    for options, message in (
        ({"width": 0}, "width of tsm must be a number from 0.1 to 16, not 0"),
        ({"width": float("nan")}, "not nan"),
        ({"shift": 0.75}, "shift of tsm must be a number from 0.05 to 0.5, not 0.75"),
        ({"alpha": 1}, "tsm has no option 'alpha'; it has: width, shift"),
    ):
        with pytest.raises(MotionletError, match=message):
            build_network("tsm", (32, 32, 1), 9, **options)
    with pytest.raises(MotionletError, match="taps of separable3d must be an integer from 2 to 7"):
        build_network("separable3d", (32, 32, 1), 9, taps=2.5)
    with pytest.raises(MotionletError, match="no model at"):
        load_network(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("not a model")
    with pytest.raises(MotionletError, match=r"text\.keras is not a Keras model"):
        load_network(tmp_path / "text.keras")
    for layer, options in (
        (TemporalShift, {"channels": 0}),
        (TemporalDepthwise, {"frames": 3, "dilation": 0}),
        (TemporalAverage, {"frames": 1.5}),
    ):
        with pytest.raises(ValueError, match="must be an integer of at least 1"):
            layer(**options)
    with pytest.raises(ValueError, match="cannot shift 5 channels of 4"):
        TemporalShift(5)(clip(1, 2, 3, 3, 4))
