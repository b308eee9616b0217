"""The networks and their layers, in float: causal, saved whole, and small enough."""

import numpy as np
import pytest

from host_sdk.errors import MotionletError
from host_sdk.networks import NETWORKS, answers, build_network, import_keras, load_network

keras = import_keras()

from host_sdk.networks.layers import (  # noqa: E402
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
def test_saved_and_loaded(name, tmp_path):
    model = build_network(name, (16, 16, 1), 4)
    model.save(tmp_path / "model.keras")
    x = clip(1, 6, 16, 16, 1)
    assert np.array_equal(run(load_network(tmp_path / "model.keras"), x), run(model, x))


def test_width_scales():
    sizes = [build_network("tsm", (32, 32, 1), 9, w).count_params() for w in (0.5, 1, 2)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_baseline_is_of_equal_size():
    sizes = [build_network(n, (32, 32, 1), 9).count_params() for n in ("tsm", "per_frame")]
    assert sizes[0] == sizes[1]


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
    for width, classes in ((0, 9), (-1, 9), (1, 0), (float("nan"), 9)):
        with pytest.raises(MotionletError, match="want 0 < width"):
            build_network("tsm", (32, 32, 1), classes, width)
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
