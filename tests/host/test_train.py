"""Training, at toy size: it learns, it repeats, it leaves whole files."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from host_sdk.cli import main
from host_sdk.data import moving_digits
from host_sdk.errors import MotionletError
from host_sdk.graph import load_graph
from host_sdk.networks import load_network
from host_sdk.train import TrainConfig, accuracy, float_logits, train

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
    again = train(SMALL, tmp_path, progress=False)
    for first, second in zip(trained.model.weights, again.model.weights, strict=True):
        assert np.array_equal(first, second), first.name
    other = train(dataclasses.replace(SMALL, seed=8, epochs=1), tmp_path, progress=False)
    assert not np.array_equal(trained.model.weights[0], other.model.weights[0])


def test_progress_shows_loss_and_accuracy(capsys, tmp_path):
    train(dataclasses.replace(SMALL, network="per_frame", epochs=1, clips=32), tmp_path)
    shown = capsys.readouterr().out
    assert "epoch 1/1" in shown
    assert "loss" in shown
    assert "accuracy" in shown


def test_divergence_is_told(tmp_path, monkeypatch):
    config = dataclasses.replace(SMALL, network="tsm", clips=32, epochs=1)
    make_clips = moving_digits.make_clips

    def with_nan(*arguments):
        clips, labels = make_clips(*arguments)
        return clips.astype(np.float32) * np.nan, labels

    monkeypatch.setattr(moving_digits, "make_clips", with_nan)
    with pytest.raises(MotionletError, match="training diverged"):
        train(config, tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_accuracy_counts_the_last_answer():
    logits = np.zeros((3, 4, 2), np.int8)
    logits[:, :3, 0] = 100  # all frames but the last say 0 ...
    logits[:, 3, 1] = 50
    assert accuracy("tsm", logits, np.array([1, 1, 0])) == pytest.approx(2 / 3)
    assert accuracy("per_frame", logits, np.array([1, 1, 0])) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be an integer of at least 1, not 0"),
        ({"batch": 2.5}, "batch must be an integer"),
        ({"warm_up": 6}, "warm_up must be 0 to frames - 1 = 5, not 6"),
        ({"learning_rate": 0}, "learning_rate must be in 0"),
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
    with pytest.raises(MotionletError, match="cannot make the directory"):
        train(SMALL, tmp_path / "file" / "out", progress=False)
