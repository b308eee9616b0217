"""Figures of merit, against cases worked by hand and against slower ways to say the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.stats import binomtest

from host_sdk.errors import MotionletError
from host_sdk.evaluation import alarms, controls, leaks, metrics
from host_sdk.evaluation.alarms import Rule

counts = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts)
def test_wilson_interval(pair):
    right, of = pair
    share = metrics.share(right, of)
    assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1
    assert share["high"] > share["low"]
    # The ends solve (p - value)^2 = z^2 p (1 - p) / n.
    for p in (share["low"], share["high"]):
        assert (p - share["value"]) ** 2 * of == pytest.approx(
            1.959964**2 * p * (1 - p), rel=1e-3, abs=1e-6
        )


def test_wilson_interval_by_hand():
    share = metrics.share(8, 10)
    assert (share["low"], share["high"]) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@given(counts)
def test_wilson_interval_is_scipy_s(pair):
    share, wilson = metrics.share(*pair), binomtest(*pair).proportion_ci(0.95, "wilson")
    assert (share["low"], share["high"]) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_what_grouped_answers_are_worth():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    together = (rng.random(60) < 0.7)[groups]
    assert metrics.worth(together, groups) == pytest.approx(60, rel=0.1)  # one answer a group
    apart = rng.random(600) < 0.7
    assert metrics.worth(apart, groups) > 400
    assert metrics.worth(apart) == metrics.worth(apart, np.arange(600)) == 600
    assert metrics.worth(np.ones(600), groups) == 60
    assert metrics.worth(apart, np.zeros(600)) == 1
    # Two groups tell next to nothing of a third.
    assert metrics.worth(apart, np.arange(600) % 2) < 20


def test_intervals_over_groups_hold():
    """Of films that differ in how hard they are, about 95% of the intervals hold the truth."""
    rng = np.random.default_rng(1)
    groups, held, naive = np.repeat(np.arange(15), 20), 0, 0
    for _ in range(400):
        right = rng.random(300) < rng.beta(3, 1, 15)[groups]  # of mean 3/4
        shares = (metrics.accuracy(right, np.ones(300), g) for g in (groups, None))
        inside = [share["low"] <= 0.75 <= share["high"] for share in shares]
        held, naive = held + inside[0], naive + inside[1]
    assert 0.92 < held / 400 < 0.99
    assert naive / 400 < 0.75


LABELS = np.array([0, 0, 0, 1, 1, 2])
ANSWERS = np.array([0, 0, 1, 1, 0, 0])


def test_confusion_and_classes_by_hand():
    assert metrics.confusion(LABELS, ANSWERS, 4) == [
        [2, 1, 0, 0],
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    rows = metrics.by_class(LABELS, ANSWERS, ["a", "b", "c", "d"])
    assert rows[0] == {"label": "a", "precision": 0.5, "recall": 2 / 3, "f1": 4 / 7, "clips": 3}
    assert rows[1] == {"label": "b", "precision": 0.5, "recall": 0.5, "f1": 0.5, "clips": 2}
    assert (rows[2]["precision"], rows[2]["recall"]) == (None, 0)  # never answered
    assert (rows[3]["precision"], rows[3]["recall"], rows[3]["clips"]) == (None, None, 0)
    assert metrics.accuracy(LABELS, ANSWERS)["right"] == 3
    assert metrics.chance(LABELS) == 0.5


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_confusion_counts_every_clip(pairs):
    labels, answers = np.array(pairs).T
    matrix = np.array(metrics.confusion(labels, answers, 5))
    assert matrix.sum(axis=1).tolist() == np.bincount(labels, minlength=5).tolist()
    assert matrix.sum(axis=0).tolist() == np.bincount(answers, minlength=5).tolist()
    assert np.trace(matrix) == metrics.accuracy(labels, answers)["right"]


@given(npst.arrays(bool, st.tuples(st.integers(1, 5), st.integers(1, 8))))
def test_frames_to_decide(right):
    labels = np.zeros(len(right), int)
    answers = np.where(right, 0, 1)
    for found, row in zip(metrics.frames_to_decide(labels, answers), right, strict=True):
        good = [t + 1 for t in range(len(row)) if row[t:].all()]
        assert found == good[0] if good else np.isnan(found)


def test_accuracy_by_frame():
    shares = metrics.by_frame(np.array([1, 2]), np.array([[0, 1, 1], [0, 0, 2]]))
    assert [share["right"] for share in shares] == [0, 1, 2]


def test_calibration_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [1.0, 0.0]])
    found = metrics.calibration(np.array([0, 1, 1, 0]), probabilities)
    assert [(b["low"], b["clips"], b["accuracy"]) for b in found["bins"]] == [
        (0.6, 1, 1.0),
        (0.9, 3, pytest.approx(2 / 3)),
    ]
    expected = (0.35 + 3 * abs(2 / 3 - 2.9 / 3)) / 4
    assert found["ece"] == pytest.approx(expected)


@given(st.integers(1, 40), st.integers(2, 5), st.floats(0.1, 10), st.integers(0, 2**32 - 1))
def test_calibration_error_is_bounded(count, classes, scale, seed):
    rng = np.random.default_rng(seed)
    probabilities = metrics.softmax(rng.normal(0, scale, (count, classes)))
    found = metrics.calibration(rng.integers(0, classes, count), probabilities)
    assert 0 <= found["ece"] <= 1
    assert sum(b["clips"] for b in found["bins"]) == count
    for b in found["bins"]:
        assert b["low"] - 1e-9 <= b["confidence"] <= b["high"] + 1e-9


def test_temperature_is_found_again():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    labels = np.array([rng.choice(3, p=p) for p in metrics.softmax(logits)])
    assert metrics.fit_temperature(labels, 5 * logits) == pytest.approx(5, rel=0.1)
    over_confident = metrics.calibration(labels, metrics.softmax(5 * logits))
    assert over_confident["ece"] > 0.1
    assert metrics.calibration(labels, metrics.softmax(5 * logits, 5))["ece"] < 0.03
    assert metrics.fit_temperature(logits.argmax(axis=1), logits) == 1


def test_paired_test_by_hand():
    labels = np.zeros(20, int)
    mine, others = np.zeros(20, int), np.ones(20, int)
    others[:10] = 0
    assert metrics.fewer_right(labels, mine, others) == pytest.approx(2.0**-10)
    assert metrics.fewer_right(labels, others, mine) == 1
    assert metrics.fewer_right(labels, mine, mine) == 1
    # Ten groups of two, five of which lost both.
    groups = np.arange(20) // 2
    assert metrics.fewer_right(labels, mine, others, groups) == pytest.approx(2.0**-5)


def test_spread():
    found = metrics.spread([0.5, 0.7])
    assert (found["mean"], found["sd"]) == (pytest.approx(0.6), pytest.approx(0.02**0.5))
    assert metrics.spread([0.5])["sd"] is None


# Alarms


def slow_alarms(rule, probabilities):
    found, run = [], np.zeros(probabilities.shape[1], int)
    for t in range(len(probabilities)):
        mean = probabilities[max(0, t - rule.smooth + 1) : t + 1].mean(axis=0)
        run = np.where(mean >= rule.threshold - 1e-9, run + 1, 0)
        found += [(t, int(c)) for c in np.flatnonzero(run == rule.hold)]
    return found


@given(
    st.builds(Rule, st.integers(1, 6), st.sampled_from([0.25, 0.5, 0.75]), st.integers(1, 4)),
    npst.arrays(
        float,
        st.tuples(st.integers(1, 30), st.integers(1, 3)),
        elements=st.sampled_from([0, 0.5, 1]),
    ),
)
def test_alarms(rule, probabilities):
    assert rule.alarms(probabilities) == slow_alarms(rule, probabilities)


def test_false_alarms_by_hand():
    quiet_stream = np.tile([1.0, 0.0], (3600, 1))
    none = alarms.false_alarms(Rule(1, 0.5, 1), [quiet_stream] * 5, [0], 10)
    assert (none["alarms"], none["hours"], none["low"]) == (0, 0.5, 0)
    assert none["high"] == pytest.approx(-np.log(0.025) / 0.5)
    loud = quiet_stream.copy()
    loud[100:103] = loud[200:202] = [0, 1]
    found = alarms.false_alarms(Rule(1, 0.5, 3), [loud], [0], 1)
    assert (found["alarms"], found["per_hour"]) == (1, 1.0)
    assert (found["low"], found["high"]) == pytest.approx((0.0253, 5.572), abs=1e-3)


def test_events_by_hand():
    sure = np.eye(3)
    streams = [sure[[0, 0, 1]], sure[[0, 2, 1]], sure[[0, 0, 0]], sure[[1, 1, 1]]]
    found = alarms.events(Rule(1, 0.9, 1), [1, 1, 1, 0], streams, quiet=[0])
    assert found == {"events": 3, "right": 1, "wrong": 1, "silent": 1, "frames": [3]}


def test_background_classes():
    assert alarms.background_classes(["left", "Still", "none"]) == [1, 2]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"smooth": 0}, "smooth must be at least 1 frame, not 0"),
        ({"hold": -1}, "hold must be at least 1 frame, not -1"),
        ({"threshold": 0}, "threshold must be above 0 and at most 1, not 0"),
    ],
)
def test_bad_rule(rule, message):
    with pytest.raises(MotionletError, match=message):
        Rule(**rule)


# Controls and leaks


@given(npst.arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 2, *[st.just(2)] * 3)))
def test_controls_change_only_the_order(clips):
    shuffled, frozen = controls.shuffled(clips), controls.frozen(clips)
    for changed in (shuffled, frozen, controls.backwards(clips)):
        assert changed.shape == clips.shape
    for before, mixed, still in zip(clips, shuffled, frozen, strict=True):
        assert sorted(f.tobytes() for f in before) == sorted(f.tobytes() for f in mixed)
        assert {f.tobytes() for f in still} <= {f.tobytes() for f in before}
        assert len({f.tobytes() for f in still}) == 1
    assert np.array_equal(controls.backwards(controls.backwards(clips)), clips)


def test_shuffling_depends_on_the_seed():
    clips = np.arange(32).reshape(1, 32, 1, 1, 1)
    assert np.array_equal(controls.shuffled(clips, 1), controls.shuffled(clips, 1))
    assert not np.array_equal(controls.shuffled(clips, 1), controls.shuffled(clips, 2))
    assert not np.array_equal(controls.shuffled(clips), clips)


def test_leaks_are_found():
    """Of three clues, one tells the label, one tells half of it, one nothing."""
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    clues = {
        "clip length": 16 + labels,
        "frames a second": np.where(labels == 2, 25, 30),
        "noise": rng.normal(size=120),
        "width": np.full(120, 32),
    }
    by_clue = {leak["clue"]: leak for leak in leaks.find_leaks(clues, labels)}
    assert [by_clue[name]["leak"] for name in clues] == [True, True, False, False]
    assert by_clue["clip length"]["accuracy"]["value"] == 1
    assert by_clue["frames a second"]["accuracy"]["value"] == pytest.approx(2 / 3, abs=0.05)
    assert by_clue["noise"]["chance"] == pytest.approx(1 / 3)
    assert by_clue["width"]["accuracy"] is None


def test_brightness_leaks():
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 2
    clips = rng.integers(0, 100, (60, 3, 4, 4, 1)) + 40 * labels[:, None, None, None, None]
    found = leaks.find_leaks(*leaks.clues(None, clips.astype(np.uint8), labels))
    assert {leak["clue"] for leak in found if leak["leak"]} >= {"mean level"}


def test_clips_of_a_group_are_not_on_both_sides():
    """What only tells which film a clip is from does not tell the label of another film."""
    films = np.repeat(np.arange(20), 10)
    labels = np.random.default_rng(2).permutation(np.arange(20) % 2)[films]
    clue = {"camera": np.random.default_rng(3).permutation(20)[films]}
    assert leaks.find_leaks(clue, labels)[0]["leak"]
    assert not leaks.find_leaks(clue, labels, groups=films)[0]["leak"]


def test_a_class_of_one_clip():
    assert leaks.find_leaks({"n": np.arange(5)}, np.array([0, 0, 0, 0, 1]))[0]["accuracy"] is None
