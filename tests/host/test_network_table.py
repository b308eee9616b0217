"""The table of networks in docs/networks.md: what is trained stays, and its figures are true."""

import json
import shutil
import sys

import pytest

from host_sdk import paths
from host_sdk.train import TrainConfig
from host_sdk.train.run_folder import open_run

sys.path.insert(0, str(paths.repository() / "tools"))
import network_table
from common import ToolError

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.slow
def test_a_row(tiny_run, pico_firmware, tmp_path, monkeypatch):
    run = open_run(tiny_run)
    monkeypatch.setattr(network_table, "CONFIG", TrainConfig(**run.config))
    shutil.copytree(tiny_run, tmp_path / "per_frame/seed0")
    before = (tmp_path / "per_frame/seed0/model.keras").stat().st_mtime_ns
    network_table.train_all(["per_frame"], 2, tmp_path)
    assert (tmp_path / "per_frame/seed0/model.keras").stat().st_mtime_ns == before
    shares = []
    cells = network_table.row("per_frame", tmp_path, lambda share, text: shares.append(share))
    assert shares == sorted(shares)
    row = dict(zip(network_table.TITLES, cells, strict=True))
    both = [open_run(tmp_path / "per_frame" / seed).record for seed in ("seed0", "seed1")]
    words = network_table.mean_and_spread([record["accuracy"]["test"] for record in both])
    assert (row["network"], row["seeds"], row["float"]) == ("`per_frame`", 2, words)
    assert int(row["parameters"].replace(",", "")) > 1000
    again = network_table.int8_accuracy(open_run(tmp_path / "per_frame/seed1"), None)
    assert 0 < again == json.loads((tmp_path / "per_frame/seed1/int8.json").read_text())["accuracy"]
    cycles = int(row["cycles a frame"].replace(",", ""))
    assert round(125e6 / cycles) == int(row["frames a second"])


def test_a_training_of_another_kind_is_refused(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "per_frame/seed0")
    with pytest.raises(ToolError, match="seed0 was trained otherwise than `host_sdk train` does"):
        network_table.trained("per_frame", tmp_path)
    with pytest.raises(ToolError, match="no tsm is trained in"):
        network_table.trained("tsm", tmp_path)


def test_words():
    assert network_table.mean_and_spread([0.5, 0.52]) == "51.0 ± 1.4 %"
    assert network_table.mean_and_spread([0.5]) == "50.0 %"
    titles, rule, row = network_table.table([range(10)]).splitlines()
    assert titles.count("|") == rule.count("|") == row.count("|") == 11
