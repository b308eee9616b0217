"""The moving digits: do they move as they say, and does no single frame tell?"""

import zlib

import numpy as np
import pytest

from host_sdk.data import fingerprint, load_task
from host_sdk.data import moving_digits as task
from host_sdk.errors import MotionletError

CHANCE = 1 / len(task.LABELS)


@pytest.fixture(scope="module")
def clips():
    """1,800 clips to learn from and 900 to be asked about."""
    return task.make_clips(1800, 16, "train"), task.make_clips(900, 16, "test")


def of_label(clips, label):
    frames, labels = clips
    return frames[labels == task.LABELS.index(label), ..., 0].astype(float)


def step(frames, later):
    """Return (dx, dy) [N] by which frames [N, 32, 32] moved: the peak of the correlation."""
    centred = [f - f.mean(axis=(1, 2), keepdims=True) for f in (frames, later)]
    spectra = [np.fft.fft2(f) for f in centred]
    peak = np.fft.ifft2(spectra[1] * spectra[0].conj()).real.reshape(len(frames), -1).argmax(1)
    dy, dx = np.divmod(peak, 32)
    return (dx + 16) % 32 - 16, (dy + 16) % 32 - 16


def ink(frames):
    """Return how many pixels belong to the digit."""
    background = np.median(frames, axis=(-2, -1), keepdims=True)
    return (frames > background + 50).sum(axis=(-2, -1))


def test_shapes_and_balance(clips):
    for (frames, labels), count in zip(clips, (1800, 900), strict=True):
        assert frames.shape == (count, 16, 32, 32, 1)
        assert frames.dtype == np.uint8
        assert np.all(np.bincount(labels) == count // 9)


def test_seed_and_split_decide_everything():
    first = task.make_clips(20, 5, "train", seed=3)
    assert fingerprint(*first) == fingerprint(*task.make_clips(20, 5, "train", seed=3))
    assert fingerprint(*first) != fingerprint(*task.make_clips(20, 5, "train", seed=4))
    assert fingerprint(*first) != fingerprint(*task.make_clips(20, 5, "test", seed=3))
    assert fingerprint(*first) != fingerprint(first[0], first[1] + 1)


def test_no_digit_is_in_two_splits():
    digits = task._digits()
    ranges = list(task.SPLITS.values())
    assert (ranges[0][0], ranges[-1][1]) == (0, len(digits))
    seen = [{digit.tobytes() for digit in digits[slice(*r)]} for r in ranges]
    assert len(set.union(*seen)) == sum(map(len, seen))


@pytest.mark.parametrize(
    ("label", "axis", "sign"), [("left", 0, -1), ("right", 0, 1), ("up", 1, -1), ("down", 1, 1)]
)
def test_moves_as_labelled(clips, label, axis, sign):
    frames = of_label(clips[1], label)
    moved = step(frames[:, 4], frames[:, 8])
    assert np.mean(sign * moved[axis] > 0) > 0.97
    assert abs(np.mean(moved[1 - axis])) < 0.5


def test_turns_as_labelled():
    digit, centre = np.array([0]), np.array([15.5])
    size = np.array([28.0])
    upright, turned = (
        task._draw(digit, centre, centre, np.array([angle]), size)[0] for angle in (0, np.pi / 2)
    )
    assert np.abs(turned - np.rot90(upright, -1)).max() < 0.15  # -1: clockwise
    assert np.abs(turned - upright).max() > 0.5
    assert task._DIRECTIONS[task.LABELS.index("clockwise"), 2] == 1
    assert task._DIRECTIONS[task.LABELS.index("counter-clockwise"), 2] == -1


def test_grows_and_shrinks_as_labelled(clips):
    for label, sign in (("growing", 1), ("shrinking", -1)):
        before, after = (ink(of_label(clips[1], label)[:, t]) for t in (8, 10))
        agree = np.mean(sign * (after - before.astype(int)) > 0)
        assert agree > 0.75  # not those that start again at the other end
    still = of_label(clips[1], "still")
    assert np.mean(np.abs(step(still[:, 4], still[:, 8])) <= 1) > 0.97


def test_one_frame_does_not_tell(clips):
    """What a classifier learns from a frame is chance; the same one from two frames is not."""
    from sklearn.ensemble import RandomForestClassifier

    def score(features):
        (train, train_labels), (test, test_labels) = (
            (features(frames[..., 0].astype(np.float32)), labels) for frames, labels in clips
        )
        forest = RandomForestClassifier(60, min_samples_leaf=5, random_state=0, n_jobs=2)
        return forest.fit(train, train_labels).score(test, test_labels)

    def pixels_and_size(time):
        def features(frames):
            small = frames[:, time].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4)).reshape(-1, 64)
            return np.column_stack([small, ink(frames[:, time])])

        return features

    def two_frames(frames):
        growth = ink(frames[:, 10]) / (ink(frames[:, 8]) + 1)
        return np.column_stack([*step(frames[:, 8], frames[:, 10]), growth])

    # 900 answers at chance: one standard deviation is 1.05 %.
    assert score(pixels_and_size(time=0)) < CHANCE + 0.042
    assert score(pixels_and_size(time=15)) < CHANCE + 0.042
    assert score(two_frames) > 5 * CHANCE


def test_frames_of_all_labels_are_alike_on_average(clips):
    """Not even in the mean picture or the mean size does a label stand out."""
    frames = np.concatenate([c[0] for c in clips])[:, -1, :, :, 0].astype(float)
    labels = np.concatenate([c[1] for c in clips])
    sizes = ink(frames)
    for label in range(len(task.LABELS)):
        mine = sizes[labels == label]
        assert abs(mine.mean() - sizes.mean()) < 4.5 * sizes.std() / np.sqrt(len(mine))
        columns = frames[labels == label].mean(axis=(0, 1))
        assert np.ptp(columns) < 14  # grey levels: no side is preferred


def test_frames_pack_well(clips):
    frames = clips[1][0][:20].reshape(-1, 32 * 32)
    assert np.mean([len(zlib.compress(f.tobytes(), 9)) for f in frames]) < 400


def test_stream_changes_its_motion():
    frames, labels = task.make_stream(["left", "still", "right"], 10, seed=1)
    assert frames.shape == (30, 32, 32, 1)
    assert labels.tolist() == [0] * 10 + [8] * 10 + [1] * 10
    dx, _ = step(*(frames[t, ..., 0].astype(float) for t in (range(0, 29), range(1, 30))))
    assert dx[:9].mean() < -0.5  # the step into frame 1 ... 9
    assert np.abs(dx[9:19]).mean() < 0.5
    assert dx[19:].mean() > 0.5
    again, _ = task.make_stream([0, 8, 1], 10, seed=1)
    assert np.array_equal(frames, again)


def test_clips_of_any_length():
    assert task.make_clips(1, 1)[0].shape == (1, 1, 32, 32, 1)
    assert task.make_clips(10, 40)[0].shape == (10, 40, 32, 32, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_task("walking_digits"), "no task named 'walking_digits'"),
        (lambda: task.make_clips(0), "at least 1, not 0 and 16"),
        (lambda: task.make_clips(1, 0), "at least 1, not 1 and 0"),
        (lambda: task.make_clips(1, split="exam"), "no split named 'exam'"),
        (lambda: task.make_stream([], 3), "at least one motion"),
        (lambda: task.make_stream(["sideways"], 3), "motions must be among left, right"),
        (lambda: task.make_stream([9], 3), "motions must be among left, right"),
        (lambda: task.make_stream([-1], 3), "motions must be among left, right"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(MotionletError, match=message):
        call()
