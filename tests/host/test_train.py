"""Training, at toy size: it learns, it repeats, it leaves whole files."""

import dataclasses
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from host_sdk.cli import main
from host_sdk.data import moving_digits
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph
from host_sdk.format.normalization import Normalization
from host_sdk.networks import build_network, load_network
from host_sdk.train import Stopped, TrainConfig, accuracy, float_logits, run, train, train_seeds
from host_sdk.train.run import short_sighted
from host_sdk.train.run_folder import open_run, open_runs

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = TrainConfig(
    options={"width": 0.5},
    frames=6,
    clips=96,
    validation_clips=27,
    test_clips=27,
    epochs=2,
    batch=16,
    warm_up=2,
    seed=7,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(SMALL, tmp_path_factory.mktemp("out") / "deep" / "down", progress=False)


def test_it_learns(trained):
    loss = trained.record["history"]["loss"]
    assert len(loss) == 2
    assert loss[1] < loss[0]


def test_record(trained):
    record = json.loads((trained.model_path.parent / "train.json").read_text())
    assert record == trained.record
    assert TrainConfig(**record["config"]) == SMALL
    assert record["labels"] == moving_digits.LABELS
    assert record["versions"]["tensorflow"].startswith("2.")
    assert set(record["data_sha256"]) == {"train", "validation", "test"}
    assert len(set(record["data_sha256"].values())) == 3
    assert {p.name for p in trained.model_path.parent.iterdir()} == {"model.keras", "train.json"}


def test_a_network_that_sees_less_than_a_clip(tmp_path):
    said = []
    config = dataclasses.replace(SMALL, network="tsm", frames=9, epochs=1, clips=16)
    record = train(config, tmp_path, progress=False, tell=said.append).record
    assert record["reach_frames"] == 8
    (line,) = said
    assert line.startswith("answers of tsm depend on the last 8 frames, and a clip has 9: ")
    for other in (dataclasses.replace(config, frames=8), SMALL):
        assert short_sighted(other, 16 if other is SMALL else 8) is None


def test_saved_model_gives_the_recorded_accuracy(trained):
    clips, labels = moving_digits.make_clips(27, 6, "test", seed=7)
    logits = float_logits(load_network(trained.model_path), clips)
    assert logits.shape == (27, 6, 9)
    assert accuracy("separable3d", logits, labels) == trained.test_accuracy


def test_quantize_command(trained, tmp_path):
    """Layers are named as training named them; each gets 4 bits that is asked to."""

    def quantize(*options):
        out = tmp_path / "model.graph"
        folder = str(trained.model_path.parent)
        said = CliRunner().invoke(
            main, ["quantize", folder, "-o", str(out), "--clips", "2", *options]
        )
        return said, {op.name: op.weight_bits for op in load_graph(out).ops}

    _, bits = quantize()
    assert set(bits.values()) == {8}
    chosen = ["stem", "head/logits"]
    _, bits = quantize(*(word for name in chosen for word in ("--int4", name)))
    assert [name for name, few in bits.items() if few == 4] == chosen
    _, bits = quantize("--int4", "all")
    assert {name for name, few in bits.items() if few == 4} > {*chosen, "block1/pointwise"}
    said, _ = quantize("--int4", "stern")
    assert said.exit_code == 1
    assert "no op 'stern' that can have 4-bit weights; there is: stem, " in said.stderr


def test_same_seed_same_weights(trained, tmp_path):
    (tmp_path / "model.graph").write_text("of a network before")
    again = train(SMALL, tmp_path, progress=False)
    assert {p.name for p in tmp_path.iterdir()} == {"model.keras", "train.json"}
    for first, second in zip(trained.model.weights, again.model.weights, strict=True):
        assert np.array_equal(first, second), first.name
    other = train(dataclasses.replace(SMALL, seed=8, epochs=1), tmp_path, progress=False)
    assert not np.array_equal(trained.model.weights[0], other.model.weights[0])


def test_progress_shows_loss_and_accuracy(capsys, tmp_path):
    train(dataclasses.replace(SMALL, network="per_frame", epochs=1, clips=32), tmp_path)
    shown = capsys.readouterr().err
    assert "epoch 1/1" in shown
    assert "loss" in shown
    assert "accuracy" in shown


def interrupted_at(epoch, step):
    """Return an `on_step` that presses Ctrl-C after a step."""

    def on_step(state):
        if (state.epoch, state.step) == (epoch, step):
            signal.raise_signal(signal.SIGINT)

    return on_step


def test_resumed_is_as_if_never_stopped(trained, tmp_path):
    """Stopped at the end of an epoch (6 steps of 16 clips), and again in the middle of one."""
    for resume, place in ((False, (0, 6)), (True, (1, 3))):
        with pytest.raises(Stopped, match="stopped in epoch 2 of 2; with --resume it goes on"):
            train(SMALL, tmp_path, False, resume, on_step=interrupted_at(*place))
        assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.npz"]
    again = train(SMALL, tmp_path, progress=False, resume=True)
    assert {p.name for p in tmp_path.iterdir()} == {"model.keras", "train.json"}
    said = CliRunner().invoke(main, ["train", "--out", str(tmp_path), "--resume"])
    assert "nothing to resume: the training in " in said.stderr
    assert again.record["history"] == trained.record["history"]
    for first, second in zip(trained.model.weights, again.model.weights, strict=True):
        assert np.array_equal(first, second), first.name


def test_resume_refuses_changes(tmp_path, monkeypatch):
    with pytest.raises(MotionletError, match="nothing to resume: there is no"):
        train(SMALL, tmp_path, resume=True)
    with pytest.raises(Stopped):
        train(SMALL, tmp_path, progress=False, on_step=interrupted_at(0, 1))
    said = CliRunner().invoke(
        main, ["train", "--out", str(tmp_path), "--resume", "--epochs", "3", "--set", "width=1"]
    )
    assert said.exit_code == 1
    wanted = "cannot resume: it was started with epochs 2, now 3; options: width 0.5, now 1"
    assert wanted in said.stderr.replace("\n", " ")
    monkeypatch.setitem(moving_digits.SPLITS, "train", (0, 100))
    with pytest.raises(MotionletError, match="cannot resume: the data changed since"):
        train(SMALL, tmp_path, progress=False, resume=True)
    (tmp_path / "checkpoint.npz").write_bytes(b"not one")
    with pytest.raises(MotionletError, match=r"checkpoint\.npz: not a checkpoint"):
        train(SMALL, tmp_path, progress=False, resume=True)


def test_seeds(tmp_path):
    """Each into its own folder; what is done stays when resumed."""
    config = dataclasses.replace(SMALL, epochs=1, clips=32, seed=3)
    summary = train_seeds(config, tmp_path, 2, progress=False)
    assert json.loads((tmp_path / "seeds.json").read_text())["mean"] == summary["mean"]
    records = [run.record for run in open_runs(tmp_path)]
    assert [r["config"]["seed"] for r in records] == [3, 4]
    tests = [r["accuracy"]["test"] for r in records]
    assert summary["mean"] == pytest.approx(np.mean(tests))
    assert summary["standard_deviation"] == pytest.approx(abs(tests[0] - tests[1]) / 2**0.5)
    before = (tmp_path / "seed3/model.keras").stat().st_mtime_ns
    assert train_seeds(config, tmp_path, 2, progress=False, resume=True) == summary
    assert (tmp_path / "seed3/model.keras").stat().st_mtime_ns == before
    with pytest.raises(MotionletError, match="started with batch 16, now 8"):
        train_seeds(dataclasses.replace(config, batch=8), tmp_path, 2, resume=True)


def test_teacher(trained, tmp_path):
    """A student that listens to the teacher alone believes what no label says."""
    shutil.copytree(trained.model_path.parent, tmp_path / "stubborn")
    head = (stubborn := load_network(trained.model_path)).get_layer("head.logits")
    head.set_weights([np.zeros_like(head.kernel), np.arange(9) == 4])
    head.bias.assign(8 * head.bias)
    stubborn.save(tmp_path / "stubborn/model.keras")
    config = dataclasses.replace(
        SMALL, teacher=str(tmp_path / "stubborn"), teacher_weight=1.0, temperature=1.0
    )
    student = train(config, tmp_path / "student", progress=False)
    clips, _ = moving_digits.make_clips(27, 6, "test", seed=7)
    assert np.mean(np.argmax(float_logits(student.model, clips)[:, -1], axis=-1) == 4) > 0.9
    assert len(student.record["teacher_sha256"]) == 64
    with pytest.raises(MotionletError, match="teacher_weight must be 0 to 1"):
        dataclasses.replace(SMALL, teacher_weight=2)
    with pytest.raises(MotionletError, match=r"none.train\.json"):
        train(dataclasses.replace(SMALL, teacher=str(tmp_path / "none")), tmp_path / "x")


def test_divergence_is_told(tmp_path, monkeypatch):
    def infinite(*arguments, **options):
        model = build_network(*arguments, **options)
        model.get_layer("head.logits").bias.assign([np.inf] * 9)
        return model

    monkeypatch.setattr(run, "build_network", infinite)
    with pytest.raises(MotionletError, match="training diverged"):
        train(dataclasses.replace(SMALL, network="tsm"), tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


class OneClass:
    """A task whose clips are all alike in class."""

    LABELS = ("wave", "still")
    FRAME_SHAPE = moving_digits.FRAME_SHAPE
    NORMALIZATION = moving_digits.NORMALIZATION

    @staticmethod
    def make_clips(*arguments):
        samples, labels = moving_digits.make_clips(*arguments)
        return samples, np.zeros_like(labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["wave"], "has one class only, 'wave'; want two"),
        (["wave", "still"], "all clips to train on are of one class, 'wave'"),
    ],
)
def test_one_class(labels, message, tmp_path, monkeypatch):
    monkeypatch.setattr(OneClass, "LABELS", labels)
    monkeypatch.setattr(run, "load_task", lambda *_: OneClass)
    with pytest.raises(MotionletError, match=message):
        train(SMALL, tmp_path, progress=False)


@pytest.fixture
def folder(tmp_path):
    """A folder of clips: squares that grow, and others that shrink."""
    rng = np.random.default_rng(0)
    for name, sizes in (("grow", range(1, 9)), ("shrink", range(8, 0, -1))):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for number in range(8):
            clip = rng.integers(0, 60, (8, 12, 12)).astype(np.uint8)
            for frame, size in zip(clip, sizes, strict=True):
                frame[2 : 2 + size, 2 : 2 + size] += 180
            np.save(tmp_path / "clips" / name / f"{number}.npy", clip)
    return tmp_path / "clips"


def train_on(folder, *words):
    return CliRunner().invoke(
        main,
        ["train", "--data", str(folder), "--out", str(folder.parent / "run"), "--json", *words],
    )


def test_folder_of_clips(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    folder = Path(folder.name)  # a relative path, which train.json must not hold
    words = ("--frames", "6", "--clips", "16", "--epochs", "1", "--batch", "8", "--color", "gray")
    said = train_on(folder, *words)
    assert said.exit_code == 0, said.stderr
    record = json.loads(said.stdout)
    assert record["labels"] == ["grow", "shrink"]
    folder = folder.resolve()
    assert record["config"]["task"] == str(folder)
    monkeypatch.chdir(folder)
    assert record["config"]["data"]["color"] == "gray"
    assert record["config"]["test_clips"] is None
    run = open_run(folder.parent / "run")
    clips, labels = run.make_clips("test")
    logits = float_logits(run.load_network(), clips)
    assert accuracy("separable3d", logits, labels) == record["accuracy"]["test"]
    np.save(folder / "grow/0.npy", np.zeros((8, 12, 12), np.uint8))
    again = train_on(folder, *words)
    assert json.loads(again.stdout)["data_sha256"] != record["data_sha256"]


def test_bad_folders(folder):
    def fails(message, *words):
        said = train_on(folder, *words)
        assert said.exit_code == 1
        assert message in said.stderr.replace("\n", " ")

    fails("want --task or --data, not both", "--task", "moving_digits")
    said = train_on(folder.parent / "none")
    assert said.stderr.replace("\n", "") == f"error: {folder.parent / 'none'}: no such folder"
    fails("frames must be an integer of at least 2, not 1", "--frames", "1")
    fails("9 frames", "--frames", "9")  # the clips have 8
    shutil.rmtree(folder / "shrink")
    fails("one class", "--frames", "6")
    shutil.rmtree(folder / "grow")
    fails("holds no folder; want one for each class", "--frames", "6")
    assert not (folder.parent / "run").exists()


def test_other_input_values(tmp_path, monkeypatch):
    """A task with a background subtracted trains on what the quantized network will meet."""
    monkeypatch.setattr(moving_digits, "NORMALIZATION", Normalization.background(64), raising=False)
    result = train(dataclasses.replace(SMALL, epochs=1, clips=32), tmp_path, progress=False)
    kind = Normalization.from_dict(result.record["normalization"])
    assert kind == Normalization.background(64)
    clips, labels = moving_digits.make_clips(27, 6, "test", seed=7)
    logits = float_logits(result.model, clips, normalization=kind)
    assert accuracy("separable3d", logits, labels) == result.test_accuracy
    assert not np.array_equal(logits, float_logits(result.model, clips))


def test_accuracy_counts_the_last_answer():
    logits = np.zeros((3, 4, 2), np.int8)
    logits[:, :3, 0] = 100  # all frames but the last say 0 ...
    logits[:, 3, 1] = 50
    assert accuracy("tsm", logits, np.array([1, 1, 0])) == pytest.approx(2 / 3)
    assert accuracy("per_frame", logits, np.array([1, 1, 0])) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 1, "warm_up": 0}, "frames must be an integer of at least 2, not 1"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"data": {"fps": 5}}, "moving_digits takes no data options"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, not 0"),
        ({"batch": 2.5}, "batch must be an integer"),
        ({"warm_up": 6}, "warm_up must be 0 to frames - 1 = 5, not 6"),
        ({"learning_rate": 0}, "learning_rate must be above 0 and below 1"),
        ({"seed": -1}, "seed must be 0 to"),
        ({"task": "chess"}, "no task named 'chess'"),
        ({"network": "resnet"}, "no network named 'resnet'"),
        ({"options": {"width": 0}}, "width of separable3d must be a number from 0.1 to 16"),
    ],
)
def test_bad_config(change, message, tmp_path):
    with pytest.raises(MotionletError, match=message):
        train(dataclasses.replace(SMALL, **change), tmp_path / "out", progress=False)
    assert not list(tmp_path.glob("out/*"))


def test_bad_directory(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MotionletError, match=r"cannot make the folder .*out: .*file is a file"):
        train(SMALL, tmp_path / "file" / "out", progress=False)


def test_a_stopped_training_is_not_lost(tmp_path):
    """Whoever forgets --resume, or --fresh, is asked."""
    stop = tmp_path / "run/seed1"
    stop.mkdir(parents=True)
    (stop / "checkpoint.npz").write_bytes(b"hours of work")
    for out, more in ((stop, []), (tmp_path / "run", ["--seeds", "2"])):
        said = CliRunner().invoke(main, ["train", "--out", str(out), *more])
        assert said.exit_code == 1
        assert f"a training was stopped in {stop}: --resume goes on with it, --fresh" in said.stderr
    assert (stop / "checkpoint.npz").read_bytes() == b"hours of work"
    said = CliRunner().invoke(main, ["train", "--out", str(stop), "--resume", "--fresh"])
    assert "want --resume or --fresh, not both" in said.stderr


def test_the_last_line_is_of_the_last_epoch(tmp_path, capfd):
    """Loss, accuracy and validation are of one epoch, once it was judged."""
    record = train(SMALL, tmp_path).record
    shown = capfd.readouterr().err.strip().splitlines()[-1]
    history = {name: values[-1] for name, values in record["history"].items()}
    assert f"epoch {SMALL.epochs}/{SMALL.epochs}" in shown
    assert f"loss {history['loss']:.3f}  accuracy {history['accuracy']:.1%}" in shown
    assert f"validation {history['validation_accuracy']:.1%}" in shown
