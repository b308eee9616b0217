"""Run folders: what is missing is made, what is there is used, what is stale is not."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from host_sdk import cli
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph, save_graph
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.pipeline import model_of
from host_sdk.train import run_folder
from host_sdk.train.run_folder import DERIVED, open_run, open_runs

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_graph_and_model_are_made_once(tiny_run):
    run = open_run(tiny_run)
    data = model_of(run)
    made = {path.name: path.stat().st_mtime_ns for path in tiny_run.iterdir()}
    assert set(made) == {"model.keras", "train.json", *DERIVED} - {"evaluate.json"}
    assert model_of(run) == data == (tiny_run / "model.mlet").read_bytes()
    assert {path.name: path.stat().st_mtime_ns for path in tiny_run.iterdir()} == made
    assert mlet_file.read(data)[0].labels == run.labels


def test_a_model_of_another_graph_is_packed_anew(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    run = open_run(tmp_path / "run")
    before = model_of(run)
    graph = load_graph(run.folder / "model.graph")
    graph.ops[0].bias = graph.ops[0].bias + 1
    save_graph(graph, run.folder / "model.graph")
    after = model_of(run)
    assert after != before
    assert np.array_equal(mlet_file.read(after)[0].ops[0].bias, graph.ops[0].bias)
    # A plan of one's own is kept.
    flat = mlet_file.pack(graph, planner.plan(graph, chains=False))
    (run.folder / "model.mlet").write_bytes(flat)
    assert model_of(run) == flat


def test_clips_are_those_of_the_training(tiny_run):
    run = open_run(tiny_run)
    clips, labels = run.make_clips("test")
    assert len(clips) == len(labels) == run.config["test_clips"]
    assert len(run.make_clips("validation", 3)[0]) == 3
    assert len(run.make_clips("validation", 10**6)[0]) == run.config["validation_clips"]


def test_clips_that_have_moved(tmp_path):
    record = {"config": {"task": str(tmp_path / "gone")}, "labels": []}
    (tmp_path / "train.json").write_text(json.dumps(record))
    with pytest.raises(MotionletError, match=r"that it was trained on are not in .*/gone any more"):
        open_run(tmp_path).task  # noqa: B018


def test_seeds_in_order(tmp_path):
    for name in ("seed10", "seed2", "seedling"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.json").write_text(json.dumps({"config": {}, "labels": []}))
    assert [run.folder.name for run in open_runs(tmp_path)] == ["seed2", "seed10"]


def test_links_out_of_a_folder_that_was_sent(tiny_run, tmp_path):
    """Nothing outside is read for a part of the run, or replaced."""
    other = tmp_path / "other"
    other.write_text("as it was")
    for name in (*run_folder.DERIVED, "model.keras", "train.json", run_folder.CHECKPOINT, "seed0"):
        run = tmp_path / name.replace(".", "-")
        shutil.copytree(tiny_run, run)
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(other)
        commands = [["quantize", run], ["evaluate", run], ["report", run]]
        commands += [["train", "--out", run], ["prune", run, "--keep", "50%", "--out", run]]
        if name == "model.mlet":
            commands.append(["pack", run / "model.graph"])
        if name == "quantize.json":
            commands.append(["quantize", tiny_run, "--out", run / "model.graph"])
        for command in commands:
            result = CliRunner().invoke(cli.main, list(map(str, command)))
            assert result.exit_code == 1
            assert f"{run / name}: a link out of the folder, to {other}" in result.stderr
        assert other.read_text() == "as it was"


def test_links_within_a_folder(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "run/model.keras").rename(tmp_path / "run/first.keras")
    (tmp_path / "run/model.keras").symlink_to("first.keras")
    (tmp_path / "here").symlink_to("run")  # one's own link to a run is nobody else's
    assert open_run(tmp_path / "here").load_network()


@pytest.mark.parametrize("content", ["", "[]", '{"config": 3, "labels": []}', "{}"])
def test_another_train_json(tmp_path, content):
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(MotionletError, match=r"train\.json is not what `host_sdk train` writes"):
        open_run(tmp_path)
    with pytest.raises(MotionletError, match="none holds no trained network: there is no"):
        open_run(tmp_path / "none")
    (tmp_path / "none").mkdir()
    (tmp_path / "none/checkpoint.npz").touch()
    with pytest.raises(MotionletError, match="its training was stopped; `host_sdk train --resume"):
        open_run(tmp_path / "none")
