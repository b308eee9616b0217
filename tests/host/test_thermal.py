"""Thermal arrays from end to end: what normalization is for, and that C does the same."""

import numpy as np
import pytest

from host_sdk.board.verify import NativeTarget, verify
from host_sdk.cost.layer_table import describe
from host_sdk.data import clips, fingerprint, load_task, thermal_walk
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph, save_graph
from host_sdk.format.normalization import HUNDREDTHS, Normalization
from host_sdk.pack import mlet_file, planner


def test_clips_are_what_the_task_says():
    assert load_task("thermal_walk") is thermal_walk
    samples, labels = thermal_walk.make_clips(50, 12)
    assert (samples.dtype, samples.shape) == (np.int16, (50, 12, *thermal_walk.FRAME_SHAPE))
    assert np.bincount(labels).tolist() == [10] * 5
    assert fingerprint(samples, labels) == fingerprint(*thermal_walk.make_clips(50, 12))
    assert fingerprint(samples, labels) != fingerprint(*thermal_walk.make_clips(50, 12, "test"))
    with pytest.raises(MotionletError, match="at least 1, not None"):
        thermal_walk.make_clips(None)
    with pytest.raises(MotionletError, match="no split named 'all'; there is: train, valid"):
        thermal_walk.make_clips(5, split="all")


def test_who_walks_is_where_the_label_says():
    samples, labels = thermal_walk.make_clips(200, 16, seed=3)
    real = thermal_walk.NORMALIZATION.run(samples).astype(float)[..., 0]
    columns = real[:, :, 8:20].mean(axis=2)  # [N, T, 32]
    where = columns[:, [5, 14]].argmax(axis=2)
    moved = where[:, 1] - where[:, 0]
    assert np.mean(moved[labels == 0] < 0) > 0.9
    assert np.mean(moved[labels == 1] > 0) > 0.9
    assert np.mean(np.abs(moved[labels == 3]) <= 2) > 0.9


def detection(normalization):
    """How well one number tells clips with someone from empty ones: the area under the ROC curve.

    The number is the warmest patch of 3 x 3 in the last frame, as the network sees it.
    """
    samples, labels = thermal_walk.make_clips(300, 16, "test")
    last = normalization.run(samples)[:, -1, :, :, 0].astype(float)
    patches = np.lib.stride_tricks.sliding_window_view(last, (3, 3), axis=(1, 2))
    warmest = patches.mean(axis=(3, 4)).max(axis=(1, 2))
    empty = labels == thermal_walk.LABELS.index("empty")
    higher = warmest[~empty][:, None] - warmest[empty]
    return np.mean(np.where(higher == 0, 0.5, higher > 0))


def test_a_fixed_window_fails_where_background_subtraction_does_not():
    assert detection(Normalization.window(15, 40, "int16")) < 0.75
    assert detection(Normalization.background(2, 6, "int16")) > 0.95


def test_the_whole_way_through_c(make_vectors, tmp_path):
    """Clips of another size and noise, in a graph that was saved, packed and read."""
    save_graph(make_vectors.tiny_thermal(), tmp_path / "model.graph")
    saved = load_graph(tmp_path / "model.graph")
    data = mlet_file.pack(saved, planner.plan(saved))
    graph = mlet_file.read(data)[0]
    assert graph.inputs == saved.inputs == make_vectors.tiny_thermal().inputs
    samples, _ = thermal_walk.make_clips(2, 6)
    for clip in (clips.to_input(graph, samples[0]), clips.noise_clip(graph)):
        assert clip.shape[1:] == graph.tensors[0].shape
        report = verify(NativeTarget(data), graph, clip)
        assert (report.difference, report.frames) == (None, len(clip))
        assert len(np.unique(np.concatenate(report.logits))) > 2
    told = describe(data)
    assert told["format_version"] == 3
    assert told["inputs"][0]["normalization"] == "background, span 2, rate 3"
    assert told["inputs"][0]["background_bytes"] == 4 * 6 * 8


def test_verify_sees_a_wrong_background(make_vectors):
    """A target that normalizes otherwise is caught at the input tensor."""
    graph, other = make_vectors.tiny_thermal(), make_vectors.tiny_thermal()
    other.input.normalization = Normalization.background(2, 4, "int16")
    data = mlet_file.pack(other, planner.plan(other))
    difference = verify(NativeTarget(data), graph, clips.noise_clip(graph)).difference
    assert (difference.op, difference.name) == (-1, "input")
    assert difference.frame > 0


def test_clips_in_degrees_become_samples(make_vectors, tmp_path):
    graph = make_vectors.tiny_thermal()
    celsius = np.random.default_rng(0).normal(22, 2, (3, 6, 8)).astype(np.float32)
    np.save(tmp_path / "celsius.npy", celsius)
    clip = clips.load_clip(tmp_path / "celsius.npy")
    np.testing.assert_array_equal(clip[..., 0], np.floor(celsius.astype(float) * HUNDREDTHS + 0.5))
    np.testing.assert_array_equal(clips.to_input(graph, clip), clip)
    with pytest.raises(MotionletError, match="the clip holds uint8, the model takes int16"):
        clips.to_input(graph, np.zeros((2, 6, 8, 1), np.uint8))
    with pytest.raises(MotionletError, match="has 2 channels; 1 is needed"):
        clips.to_input(graph, np.zeros((2, 6, 8, 2), np.int16))
