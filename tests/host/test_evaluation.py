"""Evaluating a run folder: the figures agree with each other, and nobody is fooled."""

import json
import shutil
import types

import numpy as np
import pytest
from click.testing import CliRunner

from host_sdk import native
from host_sdk.cli import main
from host_sdk.data import moving_digits
from host_sdk.errors import MotionletError
from host_sdk.evaluation import Options, evaluate, evaluate_folder
from host_sdk.evaluation.background import folder_streams, task_streams
from host_sdk.pack.pipeline import model_of
from host_sdk.train import TrainConfig, accuracy, train
from host_sdk.train.run_folder import open_run

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def result(evaluated_run):
    return json.loads((evaluated_run / "evaluate.json").read_text())


def test_figures_agree_with_each_other(result, tiny_run):
    run = open_run(tiny_run)
    clips = result["clips"]["test"]
    assert clips == run.config["test_clips"]
    assert np.sum(result["confusion"]) == clips
    assert np.trace(result["confusion"]) == result["accuracy"]["int8"]["right"]
    assert result["by_frame"]["int8"][-1] == result["accuracy"]["int8"]
    assert result["data_changed"] is False
    assert 1 < result["clips"]["test_groups"] <= clips
    assert result["accuracy"]["float"]["value"] == run.record["accuracy"]["test"]
    assert sum(row["clips"] for row in result["classes"]) == clips
    whole = [row for row in result["dropped"] if row["every"] == 1]
    assert [row["precision"] for row in whole] == ["float32", "model.mlet", "4-bit weights"]
    assert whole[0]["accuracy"] == result["accuracy"]["float"]
    assert whole[1]["accuracy"] == result["accuracy"]["int8"]
    assert whole[1]["decision"] == result["decision"]
    assert [row["frames"] for row in result["dropped"][:4]] == [6, 3, 2, 2]
    assert (
        sum(layer["macs"] for layer in result["cost"]["layers"]) == result["cost"]["macs_per_frame"]
    )
    for memory in result["cost"]["targets"].values():
        assert max(t["offset"] + t["bytes"] for t in memory["arena"]) <= memory["arena_bytes"]
        assert sum(op["bytes"] for op in memory["state"]) == memory["state_bytes"]


def test_accuracy_is_that_of_the_core(result, tiny_run):
    """The same clips once more, by the plainest way to run them."""
    run = open_run(tiny_run)
    clips, labels = run.make_clips("test")
    model = native.Model(model_of(run))
    logits = np.stack([native.run_clip(model, run.normalization.run(clip)) for clip in clips])
    expected = accuracy("per_frame", logits.reshape(*clips.shape[:2], -1), labels)
    assert result["accuracy"]["int8"]["value"] == expected


def test_a_network_without_memory_is_caught(result):
    """Shuffling, reversing: the mean over frames stays what it was."""
    for name in ("shuffled", "backwards"):
        assert result["controls"][name]["same_answer"]["value"] > 0.95
    assert any(
        "not shown that the order of the frames matters" in line for line in result["warnings"]
    )


@pytest.fixture(scope="module")
def leaky_folder(tmp_path_factory):
    """Clips that look like motion and are not: class, brightness and length go together."""
    folder = tmp_path_factory.mktemp("leaky")
    rng = np.random.default_rng(0)
    for number, label in enumerate(("fall", "none", "rise")):
        (folder / label).mkdir()
        for clip in range(20):
            film = rng.integers(0, 90, (36 + 4 * number, 8, 8)) + 80 * number
            np.save(folder / label / f"{clip}.npy", film.astype(np.uint8))
    return folder


@pytest.mark.slow
def test_a_leaky_folder_is_caught(leaky_folder, tmp_path):
    counts = {"clips": 90, "validation_clips": None, "test_clips": None}
    config = TrainConfig(
        task=str(leaky_folder),
        data={"augment": "none"},
        network="tsm",
        frames=4,
        epochs=10,
        batch=8,
        warm_up=1,
        **counts,
    )
    train(config, tmp_path, progress=False)
    found = evaluate(open_run(tmp_path))
    assert found["accuracy"]["int8"]["value"] > 0.9
    assert found["controls"]["shuffled"]["accuracy"]["value"] > 0.9
    assert found["controls"]["frozen"]["accuracy"]["value"] > 0.9
    said = "\n".join(found["warnings"])
    assert "It is not shown that the order of the frames matters" in said
    assert "Single frames tell something of the label" in said
    for clue in ("mean level", "clip length", "file size"):
        assert f"The {clue} of a clip tells something of its label" in said
    windows = found["clips"]["test"]
    assert f"The {windows} unseen clips are of 9 groups only" in said
    assert found["accuracy"]["int8"]["worth"] <= 9
    by_clue = {leak["clue"]: leak for leak in found["leaks"]}
    assert by_clue["clip length"]["accuracy"]["of"] == 60
    assert by_clue["picture size"]["accuracy"] is None
    # Background is the whole of the test clips of the class `none`: 3 of 40 frames.
    assert found["alarms"]["quiet"] == ["none"]
    hours = found["alarms"]["thresholds"][0]["false_alarms"]["hours"]
    assert hours == 3 * 40 / found["frames_per_second"] / 3600


def test_seeds_and_that_it_repeats(tiny_run, tmp_path):
    for name in ("seed0", "seed1"):  # of one training, so all must be equal
        shutil.copytree(tiny_run, tmp_path / name)
    found = evaluate_folder(tmp_path, Options(clips=9, background_minutes=0.5))
    assert found == json.loads((tmp_path / "evaluate.json").read_text())
    assert found["seeds"] == ["seed0", "seed1"]
    one, other = ((tmp_path / name / "evaluate.json").read_text() for name in found["seeds"])
    assert one == other
    assert found["spread"]["int8"]["values"] == [json.loads(one)["accuracy"]["int8"]["value"]] * 2
    assert found["spread"]["int8"]["sd"] == 0


def test_other_clips_than_at_the_training_are_told(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    record = json.loads((tmp_path / "run/train.json").read_text())
    record["data_sha256"]["test"] = "another"
    (tmp_path / "run/train.json").write_text(json.dumps(record))
    found = evaluate(open_run(tmp_path / "run"), Options(background_minutes=0.5))
    assert found["warnings"][0].startswith("The clips are not those that it was trained with")


def test_background_of_a_folder(tmp_path):
    """Hidden files are none of it; what cannot be looked into is told."""
    (tmp_path / "night/.Trash-1000").mkdir(parents=True)
    np.save(tmp_path / "night/a.npy", np.zeros((4, 8, 8), np.uint8))
    (tmp_path / "night/._a.npy").write_bytes(b"")
    (tmp_path / "night/.Trash-1000/b.npy").write_bytes(b"")
    assert len(folder_streams(tmp_path, moving_digits)[1]) == 1
    (tmp_path / "night/b.npy").symlink_to("c.npy")
    with pytest.raises(MotionletError, match=r"night/b.npy: a link to c.npy, which is not there"):
        folder_streams(tmp_path, moving_digits)


def test_background_of_a_task():
    clips, labels = moving_digits.make_clips(18, 4, "test")
    still = moving_digits.LABELS.index("still")
    what, streams = task_streams(moving_digits, [still], clips, labels, 1)
    assert "'still'" in what
    assert [stream.shape for stream in streams] == [(300, 32, 32, 1)] * 2
    without = types.SimpleNamespace(LABELS=moving_digits.LABELS, FRAMES_PER_SECOND=10)
    _, streams = task_streams(without, [still], clips, labels, 1)
    assert np.array_equal(streams, clips[labels == still])
    what, streams = task_streams(without, [], clips, labels, 1)
    assert "nothing moves" in what
    assert np.array_equal(streams[3], np.broadcast_to(clips[3, 0], (100, 32, 32, 1)))


def test_device(tiny_run, unix_firmware):
    found = evaluate(
        open_run(tiny_run), Options(clips=9, background_minutes=0.5, device="unix", sample=2)
    )
    device = found["device"]
    assert (device["clips"], device["frames"], device["differing_bytes"]) == (2, 12, 0)
    assert len(device["layers"]) == len(found["cost"]["layers"])
    assert found["decision"]["computing_milliseconds"] == device["microseconds_per_frame"] / 1000


def test_command(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "quiet").mkdir()
    np.save(tmp_path / "quiet/dark.npy", np.zeros((50, 20, 30), np.uint8))
    words = ["evaluate", str(tmp_path / "run"), "--clips", "9"]
    words += ["--background", str(tmp_path / "quiet")]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 0, said.stderr
    found = json.loads((tmp_path / "run/evaluate.json").read_text())
    assert found["alarms"]["background"] == str(tmp_path / "quiet")
    assert found["alarms"]["thresholds"][0]["false_alarms"]["hours"] == 50 / 10 / 3600
    for text in ("accuracy, int8", "counter-clockwise", "frames shuffled", "false alarms an hour"):
        assert text in said.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere holds no trained network"),
        (["RUN", "--clips", "0"], "clips must be a number above 0, not 0"),
        (["RUN", "--minutes", "nan"], "background_minutes must be a number above 0, not nan"),
        (["RUN", "--minutes", "inf"], "background_minutes must be a number above 0, not inf"),
        (["RUN", "--threshold", "2"], "threshold must be above 0 and at most 1, not 2"),
        (["RUN", "--background", "."], ".: no clips in it"),
    ],
)
def test_wrong_input(words, message, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {path.name for path in tiny_run.iterdir()}
    words = [str(tiny_run) if word == "RUN" else word for word in words]
    said = CliRunner().invoke(main, ["evaluate", *words])
    assert said.exit_code == 1
    assert message in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
    assert {path.name for path in tiny_run.iterdir()} <= before


def test_an_empty_background_is_told_before_the_work(tiny_run, tmp_path):
    with pytest.raises(MotionletError, match="no clips in it"):
        evaluate(open_run(tiny_run), Options(background=tmp_path))


def test_an_evaluation_of_other_clips_is_kept(evaluated_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(evaluated_run, folder)
    first = (folder / "evaluate.json").read_bytes()
    evaluate_folder(folder, Options(clips=9, background_minutes=0.5))
    assert (folder / "evaluate.1.json").read_bytes() == first
    assert json.loads((folder / "evaluate.json").read_text())["clips"]["test"] == 9
    result = evaluate_folder(folder, Options(clips=9, background_minutes=0.5, seed=1))
    assert sorted(path.name for path in folder.glob("evaluate*")) == [
        "evaluate.1.json",
        "evaluate.json",
    ]
    said = "\n".join(result["warnings"])
    assert "There are 9 unseen clips only" in said
    assert "False alarms were counted in 0.5 minutes only: up to 443 an hour may not show" in said
