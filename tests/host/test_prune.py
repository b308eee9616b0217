"""Pruning: what leaves leaves everywhere, and what stays computes what it did."""

import numpy as np
import pytest
from keras_models import PLAIN, shaken, smooth_clips

from host_sdk import golden, native, quantize
from host_sdk.errors import MotionletError
from host_sdk.networks import NETWORKS, build_network, import_keras
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.packing import pack_for
from host_sdk.train.prune import prune

keras = import_keras()
layers = keras.layers

from host_sdk.networks.layers import EachFrame, TemporalShift  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def channels(model):
    """Return the channels by op; shifts, which may be part of the op behind them, left out."""
    ops = quantize.trace(model)
    return {op.name: op.shape[2] for op in ops if op.kind != "temporal_shift"}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_shrink(name):
    """Half the channels go from every layer; the file shrinks, and shape and labels stay."""
    model = shaken(build_network(name, (16, 16, 1), 5))
    small = prune(model, 0.5)
    before, after = channels(model), channels(small)
    assert before.keys() == after.keys()
    for layer in before:
        whole = layer.endswith("logits") or before[layer] <= 4
        assert after[layer] <= before[layer] * (1 if whole else 0.67), layer
    clips = smooth_clips(2, 6, 16, 16, 1)
    assert small(clips / np.float32(255)).shape == (2, 6, 5)
    graphs = [quantize.quantize(m, clips, **PLAIN) for m in (model, small)]
    big, little = (len(mlet_file.pack(g, planner.plan(g, chains=False))) for g in graphs)
    assert little < big
    assert graphs[1].macs_per_frame < 0.6 * graphs[0].macs_per_frame


@pytest.mark.parametrize("name", NETWORKS)
def test_all_channels_kept_is_the_same_network(name):
    model = shaken(build_network(name, (16, 16, 1), 5))
    x = smooth_clips(1, 5, 16, 16, 1) / np.float32(255)
    assert np.array_equal(model(x), prune(model, 1.0)(x))


def test_a_network_with_maxima():
    """It is traced, pruned, quantized and packed, and runs in C as in the golden model."""
    x = clip = keras.Input((None, 17, 16, 1))
    for name, pool in (("first", layers.MaxPooling2D(3, 2, "same")), ("second", None)):
        x = EachFrame(layers.Conv2D(16, 3, padding="same"), name=f"conv.{name}")(x)
        x = layers.BatchNormalization()(x)
        x = EachFrame(pool or layers.MaxPooling2D(2))(layers.ReLU()(x))
        x = TemporalShift(4)(x)
    x = EachFrame(layers.GlobalAveragePooling2D())(x)
    model = shaken(keras.Model(clip, layers.Dense(3)(x)))
    small = prune(model, 0.5)
    assert {channels(small)[name] for name in ("conv/first", "conv/second")} == {8}
    clips = smooth_clips(3, 5, 17, 16, 1)
    for network in (model, small):
        graph = quantize.quantize(network, clips)
        assert [op.kind for op in graph.ops].count("max_pool2d") == 2
        data = pack_for(graph, "cortex_m0plus")
        stream = native.Stream(native.Model(data))
        for frame, wanted in zip(clips[0], golden.run_clip(graph, clips[0])[-1], strict=True):
            np.testing.assert_array_equal(stream.push(frame), wanted)
        real = np.asarray(network(clips / np.float32(255)))
        (values,) = quantize.Simulation(quantize.trace(network)).batches(clips / np.float32(255))
        np.testing.assert_allclose(values[-1].reshape(real.shape), real, rtol=1e-4, atol=1e-4)


def silenced(kernel, dead):
    kernel = np.array(kernel)
    kernel[..., dead] = 0
    return kernel


def test_dead_channels_go_first():
    """Without the channels that nothing depends on the answers stay the same, to rounding.

    They pass a shift, a sum of two branches, a depthwise layer and a flattened map; of those that
    are shifted and those that are not the same share goes.
    """
    clip = keras.Input((None, 6, 5, 1))
    x = first = EachFrame(layers.Conv2D(8, 3, padding="same", name="first"))(clip)
    x = TemporalShift(4)(x)
    x = EachFrame(layers.DepthwiseConv2D(3, padding="same", name="deep"))(x)
    second = EachFrame(layers.Conv2D(8, 1, name="second"))(x)
    x = layers.ReLU()(layers.Add()([first, second]))
    x = EachFrame(layers.Flatten())(x)
    model = shaken(keras.Model(clip, layers.Dense(3, name="logits")(x)))
    dead = [1, 2, 5, 7]
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, EachFrame) else layer
        if inner.name in ("first", "second"):
            kernel, bias = inner.get_weights()
            inner.set_weights([silenced(kernel, dead), silenced(bias, dead)])
        if inner.name == "deep":  # its bias would make up for silence
            inner.set_weights([inner.get_weights()[0], np.zeros(8)])
    small = prune(model, 0.5)
    assert set(channels(small).values()) == {4, 3}
    shift = next(layer for layer in small.layers if isinstance(layer, TemporalShift))
    assert shift.channels == 2
    x = smooth_clips(2, 5, 6, 5, 1) / np.float32(255)
    np.testing.assert_allclose(small(x), model(x), rtol=1e-4, atol=1e-5)


def test_scaling_a_channel_changes_no_choice():
    clip = keras.Input((None, 6, 5, 1))
    x = EachFrame(layers.Conv2D(12, 3, name="first"))(clip)
    x = EachFrame(layers.Conv2D(6, 1, name="second"))(x)
    model = shaken(keras.Model(clip, x))
    x = smooth_clips(2, 3, 6, 5, 1) / np.float32(255)
    wanted = prune(model, 0.5)(x)
    first, second = (layer.layer for layer in model.layers[1:])
    factor = 10.0 ** np.random.default_rng(0).uniform(-2, 2, 12)
    kernel, bias = first.get_weights()
    first.set_weights([kernel * factor, bias * factor])
    kernel, bias = second.get_weights()
    second.set_weights([kernel / factor[:, None], bias])
    np.testing.assert_allclose(prune(model, 0.5)(x), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("keep", [0, -1, 1.5, float("nan")])
def test_impossible_shares(keep):
    model = build_network("per_frame", (8, 8, 1), 3)
    with pytest.raises(MotionletError, match="share of channels to keep is above 0 and at most 1"):
        prune(model, keep)
