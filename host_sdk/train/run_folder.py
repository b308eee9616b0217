"""Run folders: what training, quantizing, packing and evaluating leave behind, in one place.

| file | written by |
|---|---|
| `model.keras`, `train.json` | `host_sdk train --out RUN`; `checkpoint.npz` while it goes on |
| `model.graph`, `quantize.json` | `host_sdk quantize RUN` |
| `model.mlet` | `host_sdk pack RUN/model.graph` |
| `evaluate.json` | `host_sdk evaluate RUN`; `evaluate.1.json` … are of other clips, before |

`RUN/seed0`, `RUN/seed1` … are run folders of the same configuration trained with other seeds.
"""

import functools
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from shlex import quote

import numpy as np

import host_sdk
from host_sdk.errors import MotionletError
from host_sdk.files import check_links, make_folder, read_json, replacing, write_json
from host_sdk.format.normalization import PIXELS, Normalization

CALIBRATION_CLIPS = 64  # training clips to quantize with
CHECKPOINT = "checkpoint.npz"  # of a training that is not done
DERIVED = ("model.graph", "quantize.json", "model.mlet", "evaluate.json")  # from the network
# The field of the configuration that says how many clips a split has.
COUNTS = {"train": "clips", "validation": "validation_clips", "test": "test_clips"}


@dataclass(frozen=True)
class Run:
    """A run folder. `record` is what train.json holds."""

    folder: Path
    record: dict

    @property
    def config(self):
        """The `TrainConfig` of the training, as a dict."""
        return self.record["config"]

    @property
    def labels(self):
        return self.record["labels"]

    @property
    def normalization(self):
        """The `Normalization` that the network's samples go through."""
        saved = self.record.get("normalization")
        return Normalization.from_dict(saved) if saved else PIXELS

    @functools.cached_property
    def task(self):
        """The task that the run was trained on; see `host_sdk.data`."""
        from host_sdk.data import TASKS, load_task

        name = self.config["task"]
        if name not in TASKS and not Path(name).is_dir():
            raise MotionletError(
                f"{self.folder}: the clips that it was trained on are not in {name} any more; put "
                f'them back, or write where they are as "task" into {self.folder}/train.json'
            )
        return load_task(name, self.config.get("data"))

    def make_clips(self, split, count=None):
        """Return (samples [N, T, H, W, C], labels [N]) of a split.

        All that training had, or `count` of the split if that is fewer.
        """
        return self.make_grouped_clips(split, count)[:2]

    def make_grouped_clips(self, split, count=None):
        """As `make_clips`, and groups [N]: which clips have more in common than a label."""
        all_clips = self.config[COUNTS[split]]
        if None not in (count, all_clips):
            count = min(count, all_clips)
        elif count is None:
            count = all_clips
        arguments = count, self.config["frames"], split, self.config["seed"]
        if hasattr(self.task, "make_grouped_clips"):
            return self.task.make_grouped_clips(*arguments)
        samples, labels = self.task.make_clips(*arguments)
        return samples, labels, np.arange(len(labels))

    def load_network(self):
        """Return the Keras model."""
        from host_sdk.networks import load_network

        return load_network(self.folder / "model.keras")


def write_run(folder, model, record):
    """Write a trained network and its record; remove what was made of an earlier one."""
    folder = Path(folder)
    make_folder(folder)
    check_links(folder)
    with replacing(folder / "model.keras") as path:
        model.save(path)
        write_json(folder / "train.json", record)  # before the network is seen: this may fail
        earlier = [path.name for path in folder.glob("evaluate.*.json")]
        for name in (CHECKPOINT, *DERIVED, *earlier):
            (folder / name).unlink(missing_ok=True)


def versions(*packages):
    """Return {name: version} of Motionlet, Python and `packages`, for a record."""
    return {
        "motionlet": host_sdk.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def stopped_in(folder):
    """Return the folders, this one or those of its seeds, in which a training was stopped."""
    folder = Path(folder)
    places = [folder, *sorted(folder.glob("seed*"))]
    return [place for place in places if (place / CHECKPOINT).exists()]


def open_run(folder):
    """Return the `Run` in a folder.

    Raises MotionletError when training left none there, or links lead out of it.
    """
    check_links(folder)
    path = Path(folder) / "train.json"
    if not path.exists():
        why = f"there is no {path}"
        if (path.parent / CHECKPOINT).exists():
            words = f"host_sdk train --resume --out {quote(str(folder))}"
            why = f"its training was stopped; `{words}` goes on"
        raise MotionletError(f"{folder} holds no trained network: {why}")
    return Run(Path(folder), read_json(path, "host_sdk train", config=dict, labels=list))


def open_runs(folder):
    """Return the runs of a folder: those in seed0, seed1 …, or itself if there are none."""
    check_links(folder)
    seeds = [path for path in Path(folder).glob("seed*") if path.name[4:].isdecimal()]
    seeds.sort(key=lambda path: int(path.name[4:]))
    return [open_run(path) for path in seeds or [folder]]
