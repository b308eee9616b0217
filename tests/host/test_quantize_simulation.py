"""Float ops in TensorFlow: are they the Keras network, and rounded, the golden integers?"""

from dataclasses import replace

import numpy as np
import pytest
from keras_models import PLAIN, keras_outputs, shaken, smooth_clips

from host_sdk import golden, quantize
from host_sdk.format.mlet import OP_CODES
from host_sdk.networks import build_network, import_keras

keras = import_keras()
layers = keras.layers

from host_sdk.networks.layers import (  # noqa: E402
    EachFrame,
    TemporalAverage,
    TemporalDepthwise,
    TemporalShift,
)

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def everything():
    """A model with an op of every kind, a residual, odd windows and strides, and ReLU6."""
    clip = keras.Input((None, 11, 9, 2))
    stem = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="stem")
    x = EachFrame(stem)(clip)
    y = TemporalShift(2)(x)
    y = EachFrame(layers.Conv2D(6, 1, name="mix"))(y)
    x = layers.ReLU(max_value=6)(layers.Add()([x, y]))
    x = EachFrame(layers.DepthwiseConv2D((2, 3), name="deep"))(x)
    x = TemporalDepthwise(3, 2)(x)
    x = layers.ReLU()(x)
    x = layers.ReLU(max_value=3)(EachFrame(layers.MaxPooling2D(2, 1, "same"))(x))
    x = EachFrame(layers.AveragePooling2D((2, 3), strides=(2, 1)))(x)
    x = TemporalAverage(3)(x)
    x = layers.Dense(8)(x)
    x = EachFrame(layers.GlobalAveragePooling2D())(x)
    return shaken(keras.Model(clip, layers.Dense(4)(x)))


@pytest.fixture(scope="module")
def whole():
    """(model, its input, uint8 clips) of every op."""
    model, clips = everything(), smooth_clips(4, 7, 11, 9, 2)
    return model, quantize.real_input(model, clips), clips


def golden_outputs(graph, clips):
    int8 = (clips.astype(np.int16) - 128).astype(np.int8)
    outputs = [golden.run_clip(graph, clip) for clip in int8]
    return [np.stack(values) for values in zip(*outputs, strict=True)]


def test_real_numbers_are_those_of_keras(whole):
    model, x, clips = whole
    ops = quantize.trace(model)
    assert {op.kind for op in ops} == set(OP_CODES)
    (values,) = quantize.Simulation(ops).batches(x)
    for wanted, got in zip(keras_outputs(model, ops, clips), values, strict=True):
        np.testing.assert_allclose(got, wanted.reshape(got.shape), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("int4", [(), "all"])
def test_integers_are_golden(whole, int4):
    """In float64 every value of every op is the golden one; in float32 near ties may differ."""
    model, x, clips = whole
    ops = quantize.trace(model)
    graph = quantize.quantize(model, clips, int4=int4, **PLAIN)
    wanted = golden_outputs(graph, clips)
    for dtype, allowed in (("float64", 0), ("float32", 1e-3)):
        (values,) = quantize.Simulation(ops, graph, dtype).batches(x)
        differing = total = 0
        for op, golden_values, got in zip(graph.ops, wanted, values, strict=True):
            got = got + graph.tensors[op.output].zero_point
            differing += np.sum(got != golden_values)
            total += got.size
            assert np.abs(got - golden_values).max() <= 1, op.name
        assert differing <= allowed * total, dtype


def test_range_of_a_stream():
    """Calibration sees the values of a stream: frame t with the past that t frames left behind."""
    clip = keras.Input((None, 4, 5, 1))
    model = shaken(keras.Model(clip, TemporalAverage(3)(TemporalDepthwise(3, 2)(clip))))
    clips = smooth_clips(3, 6, 4, 5, 1)
    ops = quantize.trace(model)
    ranges = quantize.calibrate(ops, quantize.real_input(model, clips), "minmax")
    frames = [
        [v[:, -1] for v in keras_outputs(model, ops, clips[:, : t + 1])]
        for t in range(clips.shape[1])
    ]
    for (low, high), values in zip(ranges, zip(*frames, strict=True), strict=True):
        assert low == pytest.approx(min(0, np.min(values)), rel=1e-5)
        assert high == pytest.approx(max(0, np.max(values)), rel=1e-5)


# Equalization and bias correction


def spread(ops, seed=0):
    """Scale the channels of tensors by up to 30 either way; return ops that compute the same."""
    rng = np.random.default_rng(seed)
    ops = list(ops)
    for first, second in zip(range(len(ops) - 1), range(1, len(ops)), strict=True):
        maker, reader = ops[first], ops[second]
        if maker.weights is None or reader.weights is None or np.isfinite(maker.high):
            continue
        factor = 30 ** rng.uniform(-1, 1, len(maker.bias))
        ops[first] = replace(
            maker,
            weights=maker.weights * maker.by_channel(factor),
            bias=maker.bias * factor,
        )
        ops[second] = replace(reader, weights=reader.weights / factor)
    return ops


@pytest.fixture(scope="module")
def spreadable():
    model = shaken(build_network("separable3d", (16, 16, 1), 5), seed=2)
    return model, quantize.real_input(model, smooth_clips(6, 8, 16, 16, 1))


def test_equalization_changes_no_answer(whole, spreadable):
    for model, x in (whole[:2], spreadable):
        ops = quantize.trace(model)
        same_ops = quantize.equalize(ops, x)
        changed = [
            not np.allclose(a.weights, b.weights)
            for a, b in zip(ops, same_ops, strict=True)
            if a.weights is not None
        ]
        assert any(changed)
        wanted, got = (
            quantize.Simulation(o, dtype="float64").all_logits(x) for o in (ops, same_ops)
        )
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max())


def test_equalization_rescues_badly_scaled_channels(spreadable):
    model, x = spreadable
    frames, good = quantize.input_tensor(model), quantize.trace(model)
    bad = spread(good)
    wanted, got = (quantize.Simulation(ops).all_logits(x) for ops in (good, bad))
    np.testing.assert_allclose(got, wanted, atol=1e-3 * np.abs(wanted).max())

    def error(ops, equalize):
        return quantize.post_training(ops, frames, x, "mse", (), equalize, False).error

    assert error(bad, True) < error(bad, False) / 4
    assert error(bad, True) < 2 * error(good, False)


def test_bias_correction_restores_the_mean(spreadable):
    """Coarse weights move the mean of the logits; corrected biases take that back."""
    model, x = spreadable
    ops, frames = quantize.trace(model), quantize.input_tensor(model)
    wanted = quantize.Simulation(ops).all_logits(x).mean(axis=(0, 1))
    off = {}
    for correct in (False, True):
        made = quantize.post_training(ops, frames, x, "mse", "all", False, correct)
        assert made.bias_corrected == correct
        got = quantize.Simulation(made.ops, made.graph).all_logits(x).mean(axis=(0, 1))
        off[correct] = np.abs(got - wanted).max()
    assert off[True] < off[False] / 3


def test_the_better_way_is_taken(spreadable):
    model, x = spreadable
    ops, frames = quantize.trace(model), quantize.input_tensor(model)
    best = quantize.post_training(ops, frames, x)
    for equalize in (False, True):
        for correct in (False, True):
            one = quantize.post_training(ops, frames, x, "mse", (), equalize, correct)
            assert one.error >= best.error
            if (equalize, correct) == (best.equalized, best.bias_corrected):
                assert one.error == best.error
