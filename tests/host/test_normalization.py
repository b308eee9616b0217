"""Input normalization: numpy against SPEC.md's formulas on Python's integers, and its purpose."""

import json
import math

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.errors import MotionletError
from host_sdk.format.normalization import Normalization, sample_range, to_samples

INT16 = sample_range("int16")


def by_the_book(n, values):
    """The q of one element's samples, as SPEC.md, section 3, has it."""
    largest, result = 0, []
    total = values[0] * 2**n.rate
    for v in values:
        if n.kind == "window":
            u = v - n.offset
        else:
            u = v - (total + 2**n.rate // 2) // 2**n.rate
            total += u
            largest = max(largest, abs(total) + 2**n.rate // 2)
        product = u * n.multiplier + 2 ** (n.shift - 1)
        largest = max(largest, abs(product))
        result.append(min(max(n.zero_point + product // 2**n.shift, -128), 127))
    assert largest < 2**31
    return result


@given(st.data())
def test_formulas_by_the_book(data):
    n = data.draw(strategies.normalizations())
    clip = data.draw(strategies.samples_for(n))
    expected = np.empty(clip.shape, np.int8)
    for place in np.ndindex(clip.shape[1:]):
        expected[(slice(None), *place)] = by_the_book(n, clip[(slice(None), *place)].tolist())
    np.testing.assert_array_equal(n.run(clip), expected)


@given(st.data())
def test_it_streams(data):
    n = data.draw(strategies.normalizations())
    clip = data.draw(strategies.samples_for(n))
    state, whole = None, n.run(clip)
    for t, frame in enumerate(clip):
        q, state = n.step(frame, state)
        np.testing.assert_array_equal(q, whole[t])
        np.testing.assert_array_equal(n.run(clip[: t + 1]), whole[: t + 1])  # nothing looks ahead
    batch = np.stack([clip, clip[::-1]])[None]
    np.testing.assert_array_equal(n.run(batch)[0, 0], whole)
    np.testing.assert_array_equal(n.run(batch)[0, 1], n.run(clip[::-1]))


def test_pixels():
    n = Normalization.pixels()
    v = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    q = n.run(v)
    np.testing.assert_array_equal(q, v.astype(int) - 128)
    np.testing.assert_allclose(n.real(q), v / 255, atol=1e-6)
    assert n.is_pixels
    assert not Normalization.window(0, 254).is_pixels


@given(st.floats(-300, 200), st.floats(0.01, 100), st.sampled_from([1, 10, 100]))
def test_a_window_maps_its_ends(low, width, unit):
    high = low + width
    levels = [round(level * unit) for level in (low, high)]
    if levels[0] == levels[1]:
        with pytest.raises(MotionletError, match="is empty"):
            Normalization.window(low, high, "int16", unit)
        return
    n = Normalization.window(low, high, "int16", unit)
    levels = [levels[0] - 5, levels[0], levels[1], levels[1] + 5]
    q = n.run(np.array(levels, np.int16).reshape(1, 1, 4, 1))
    np.testing.assert_allclose(n.real(q).ravel(), [0, 0, 1, 1], atol=1e-6)


@given(st.sampled_from(["uint8", "int16"]), st.floats(1, 200), st.integers(0, 15))
def test_a_span_maps_to_one(sample_type, span, rate):
    build = Normalization.background if rate else Normalization.difference
    n = build(span, *[rate] * bool(rate), sample_type=sample_type, samples_per_unit=1)
    jump = round(span)
    v = np.array([20, 20 + jump], np.int64).astype(sample_type).reshape(2, 1, 1, 1)
    first, second = n.real(n.run(v)).ravel()
    assert first == 0
    assert second == pytest.approx(min(jump / span, 1), abs=0.6 / 127)


@given(st.integers(1, 15), st.integers(-20000, 20000), st.integers(-8000, 8000))
def test_who_stands_still_fades(rate, level, step):
    n = Normalization.background(127, rate, "int16", 1)  # q = u, where that is within int8
    frames = 60 if rate > 3 else 12 * 2**rate
    v = np.full((frames + 1, 1, 1, 1), level + step, np.int16)
    v[0] = level
    state, mean = None, [level]
    for frame in v:
        _, state = n.step(frame, state)
        mean.append(int(state.item()) / 2**rate)
    left = [level + step - m for m in mean[2:]]  # behind frame 1, 2, ...
    for t, rest in enumerate(left, start=1):
        assert abs(rest - step * (1 - 2.0**-rate) ** t) <= 0.5 + 1e-9
    if rate <= 3:
        assert n.step(v[-1], state)[0].item() == 0  # to nothing: the mean has no dead zone


def test_drift_fades_and_a_person_shows():
    """A room that warms by 3 degrees in 400 frames, and someone 1 degree over it at the end."""
    room = (2200 + 300 * np.arange(400) // 400).astype(np.int16)
    room[390:] += 100
    samples = room.reshape(400, 1, 1, 1)
    n = Normalization.background(2, 5, "int16")
    real = n.real(n.run(samples)).ravel() * 2
    assert abs(real[:390]).max() < 0.3
    assert real[390] == pytest.approx(1, abs=0.3)


def test_difference_is_the_frame_before():
    n = Normalization.difference(127, "uint8")
    v = np.array([10, 15, 15, 0], np.uint8).reshape(4, 1, 1, 1)
    assert n.run(v).ravel().tolist() == [0, 5, 0, -15]


@given(strategies.normalizations())
def test_dicts(n):
    assert Normalization.from_dict(json.loads(json.dumps(n.to_dict()))) == n
    assert Normalization.from_dict(n.to_dict()).scale == n.scale


def test_texts():
    assert str(Normalization.pixels()) == "pixels"
    assert str(Normalization.window(18, 35.5, "int16")) == "window 18 to 35.5"
    assert str(Normalization.background(1.5, 6, "int16")) == "background, span 1.5, rate 6"
    assert str(Normalization.difference(40)) == "difference, 40"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normalization.window(5, 5), "a window from 5 to 5 is empty"),
        (lambda: Normalization.window(-1, 5), "-1 is not in 0 to 255"),
        (lambda: Normalization.window(math.nan, 5), "nan is not in 0 to 255"),
        (lambda: Normalization.window(0, 400, "int16"), "400 is not in -327.68 to 327.67"),
        (lambda: Normalization.background(0.001, 4, "int16"), "span is 0.001, must be 0.01 to"),
        (lambda: Normalization.background(4, 0), "rate is 0, must be an integer from 1 to 15"),
        (lambda: Normalization.background(4, 2.5), "rate is 2.5, must be an integer"),
        (lambda: Normalization.window(0, 9, "float32"), "'float32'; there are uint8 and int16"),
        (lambda: Normalization.from_dict({"kind": "window"}), "a normalization has kind,"),
        (
            lambda: Normalization("window", "uint8", 1 << 14, 1, 0, 1.0),
            "multiplier is 16384, must be an integer from 1 to 16383",
        ),
        (lambda: Normalization("mean", "uint8", 1, 1, 0, 1.0), "'mean'; there is: window, back"),
        (lambda: Normalization("window", "uint8", 1, 1, 0, 0.0), "scale is 0.0, must be above 0"),
        (
            lambda: Normalization.pixels().run(np.zeros((1, 2, 2, 1), np.int16)),
            "want samples of uint8, not int16",
        ),
        (lambda: Normalization.pixels().run(np.zeros((2, 2), np.uint8)), "want samples \\[..., T"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(MotionletError, match=message):
        make()


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1), st.integers(1, 255))
def test_real_values_become_samples(values, unit):
    def exact(x):
        if math.isinf(x):
            return INT16[x > 0]
        top, bottom = x.as_integer_ratio()
        return min(max((2 * top * unit + bottom) // (2 * bottom), INT16[0]), INT16[1])

    assert to_samples(values, unit).tolist() == [exact(x) for x in values]


def test_halves_round_up_and_nan_is_refused():
    assert to_samples([0.5, -0.5, 1.5, -1.5], 1).tolist() == [1, 0, 2, -1]
    with pytest.raises(MotionletError, match=r"not numbers \(NaN\), such as that at \(1, 0\)"):
        to_samples([[0.0], [math.nan]])  # no frame


@given(st.integers(1, 12), st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_a_stream_that_begins_with_the_background(rate, frames, seed):
    """It sees the next frame as a stream does that saw all frames before."""
    n = Normalization.background(20, rate, "int16")
    film = np.random.default_rng(seed).integers(-3000, 3000, (frames, 3, 4, 1)).astype(np.int16)
    known, whole = n.backgrounds(film), n.run(film)
    assert np.array_equal(known[0], film[0])
    for t in range(1, frames):
        assert np.array_equal(n.run(np.stack([known[t], film[t]]))[1], whole[t])
