"""The playback task: the same content in all classes, and nothing but motion tells them apart."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from host_sdk import paths
from host_sdk.data import playback, splits
from host_sdk.errors import MotionletError

FORWARD, BACKWARD, FROZEN, DOUBLE = range(4)


@pytest.fixture(scope="module", autouse=True)
def film():
    """The real film; it is fetched when it is not there."""
    tool = paths.repository() / "tools/get_videos.py"
    fetched = subprocess.run([sys.executable, tool], capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"no film: {fetched.stderr.strip().splitlines()[-1]}")
    return playback._film()[0]


@pytest.fixture(scope="module")
def clips():
    """1,200 clips to learn from and 600 to be asked about."""
    return playback.make_clips(1200, 16, "train"), playback.make_clips(600, 16, "test")


def test_the_film(film):
    assert film.shape == (795, 576, 768)
    assert film.dtype == np.uint8


def test_shapes_balance_and_seeds(clips):
    samples, labels = clips[1]
    assert samples.shape == (600, 16, 48, 48, 1)
    assert samples.dtype == np.uint8
    assert np.all(np.bincount(labels) == 150)
    first, again = (playback.make_clips(8, 5, "test", seed=3)[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, playback.make_clips(8, 5, "test", seed=4)[0])


def test_splits_are_of_different_times(film):
    spans = [playback.span(split) for split in splits.SPLITS]
    assert spans[0][0] == 0
    assert spans[-1][1] == len(film)
    for (_, end), (begin, _) in itertools.pairwise(spans):
        assert begin - end == playback._GAP


@pytest.mark.parametrize("frames", [1, 2, 16])
def test_classes_show_the_same_frames_in_their_ways(frames):
    """And none shows a frame that double speed could not show: so splits cannot overlap."""
    rng = np.random.default_rng(0)
    shown = np.array([playback._shown(rng, frames) for _ in range(2000)])
    assert shown.min() == 0
    assert shown.max() == 2 * (frames - 1)
    for label, step in ((FORWARD, 1), (BACKWARD, -1), (FROZEN, 0), (DOUBLE, 2)):
        assert np.all(np.diff(shown[:, label], axis=1) == step)
    assert np.array_equal(shown[:, BACKWARD], shown[:, FORWARD, ::-1])
    # On the average they show the same time, so what comes and goes is in all of them as often.
    assert np.ptp(shown.mean(axis=(0, 2))) <= 0.05 * frames


def test_a_scene_is_played_in_all_ways(monkeypatch):
    monkeypatch.setattr(playback, "_NOISE", 0)
    for seed in range(5):
        samples, labels = playback.make_clips(4, 8, "test", seed)
        clips = samples[np.argsort(labels)]
        assert np.array_equal(clips[BACKWARD], clips[FORWARD, ::-1])
        assert np.all(clips[FROZEN] == clips[FROZEN, 0])
        whole = {frame.tobytes() for frame in clips[DOUBLE]}
        same = sum(frame.tobytes() in whole for frame in clips[FORWARD])
        assert same == 4  # every second one


def test_groups_are_of_one_time(film):
    samples, labels, groups = playback.make_grouped_clips(80, 16, "test")
    assert np.array_equal(samples, playback.make_clips(80, 16, "test")[0])
    for group in np.unique(groups):  # whole scenes
        counts = np.bincount(labels[groups == group], minlength=4)
        assert len(set(counts.tolist())) == 1
    begin, end = playback.span("test")
    assert 2 <= len(np.unique(groups)) <= (end - begin) / playback._GAP


def test_scenes_move_on():
    """What a clip shows when it is not frozen changes all the time, in its middle most of all."""
    samples, labels = playback.make_clips(200, 16, "test")
    clips = samples[labels == FORWARD][..., 0].astype(float)
    changes = np.abs(np.diff(clips, axis=1)) > 8 * playback._NOISE
    assert np.mean(changes.any(axis=(2, 3))) > 0.8
    assert changes[:, :, 12:36, 12:36].mean() > 1.3 * changes.mean()


def test_shrinking_is_the_area_resize_of_the_device():
    from host_sdk.golden.frames import area_resize

    frames = np.random.default_rng(0).integers(0, 256, (2, 144, 144)).astype(np.uint8)
    small = np.floor(playback._shrink(frames) + 0.5)
    for got, frame in zip(small, frames, strict=True):
        assert np.array_equal(got, area_resize(frame[..., None].astype(np.int64), 48, 48)[..., 0])


def test_noise_hides_the_flicker_of_the_film(film):
    """Where nothing moves, playing clips must not flicker more than frozen ones."""
    _, moving = playback._film()
    rng = np.random.default_rng(0)
    flicker = []
    while len(flicker) < 30:
        time, row, column = (rng.integers(0, size) for size in (779, 60, 84))
        if not moving[time : time + 15, row : row + 12, column : column + 12].any():
            rows, columns = (slice(8 * at, 8 * at + 96) for at in (row, column))
            steps = np.diff(playback._shrink(film[time : time + 16, rows, columns]), axis=0)
            flicker.append(steps.std() / np.sqrt(2))
    assert np.mean(flicker) < playback._NOISE / 5


def test_one_frame_does_not_tell(clips):
    """Nor do mean and contrast tell forward from backward; how much moves tells what is frozen."""
    from sklearn.ensemble import RandomForestClassifier

    def learn(features, chosen):
        (train, train_labels), (test, test_labels) = (
            (features(samples[np.isin(labels, chosen)]), labels[np.isin(labels, chosen)])
            for samples, labels in clips
        )
        forest = RandomForestClassifier(60, min_samples_leaf=5, random_state=0)
        return forest.fit(train, train_labels).score(test, test_labels)

    def frame(time):
        return lambda s: s[:, time].reshape(-1, 8, 6, 8, 6).mean(axis=(2, 4)).reshape(-1, 64)

    def changes(samples):
        steps = np.abs(np.diff(samples[..., 0].astype(float), axis=1)).mean(axis=(2, 3))
        return np.sort(steps, axis=1)

    everything = [FORWARD, BACKWARD, FROZEN, DOUBLE]
    # 600 answers at a chance of 1/4: one standard deviation is 1.8 %, of 300 at 1/2: 2.9 %.
    assert learn(frame(0), everything) < 0.25 + 0.07
    assert learn(frame(15), everything) < 0.25 + 0.07
    assert learn(changes, [FORWARD, BACKWARD]) < 0.5 + 0.115
    assert learn(changes, [FORWARD, FROZEN]) > 0.95
    assert learn(changes, [FORWARD, DOUBLE]) > 0.6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "at least 1, not 0 and 16"),
        ((1, 0), "at least 1, not 1 and 0"),
        ((1, 16, "exam"), "no split named 'exam'"),
        ((4, 40, "validation"), "validation clips have at most 34 frames, not 40"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(MotionletError, match=message):
        playback.make_clips(*arguments)


def test_the_longest_clips():
    assert playback.make_clips(4, 34, "validation")[0].shape == (4, 34, 48, 48, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file or directory"), (b"not it", "is another film: its SHA-256 is")],
)
def test_a_folder_without_the_film(tmp_path, monkeypatch, content, message):
    if content:
        (tmp_path / "vtest.avi").write_bytes(content)
    monkeypatch.setenv("MOTIONLET_VIDEOS", str(tmp_path))
    tool = paths.repository() / "tools/get_videos.py"
    said = subprocess.run(
        [sys.executable, tool, "--dest", tmp_path / "kept"], capture_output=True, text=True
    )
    assert said.returncode == 1
    assert message in said.stderr
    assert said.stderr.count("\n") == 1
    assert [p.name for p in (tmp_path / "kept").iterdir()] == [".lock"]
