#!/usr/bin/env python3
"""Train the networks of docs/networks.md with several seeds, and write its table of them.

    tools/network_table.py [--seeds 3] [--no-train]

Trains each network of `host_sdk networks` on moving digits as `host_sdk train --network NAME` does,
into build/networks/NAME/seed0, seed1 … What is trained already stays, and Ctrl-C can stop it: the
next call goes on from there. All networks get their first seed before any gets its second.
`--no-train` makes the table of what is trained so far.

Every network is quantized as `host_sdk quantize` does without options. Accuracies are means over
the seeds, with the standard deviation of a sample; int8 is the C core's on this machine. Cycles are
the device's own time for a frame, measured on the virtual Pico, where the network of the first seed
is verified against the golden model byte by byte; parameters, memory and MACs are of it, too.
"""

import argparse
import dataclasses
import hashlib
import json
import sys

from common import BUILD, ROOT, Progress, ToolError, replace_between, run_main, write_atomically

sys.path.insert(0, str(ROOT))

from host_sdk.cost.boards import load_board
from host_sdk.cost.design import Problem
from host_sdk.errors import MotionletError
from host_sdk.evaluation.inference import Int8Network
from host_sdk.evaluation.metrics import spread
from host_sdk.evaluation.on_device import run_sample
from host_sdk.files import write_json
from host_sdk.networks import NETWORKS
from host_sdk.pack.pipeline import graph_of, model_of
from host_sdk.train import TrainConfig, accuracy, train_seeds
from host_sdk.train.run_folder import open_run

BEGIN = "<!-- written by tools/network_table.py: begin -->\n"
END = "<!-- written by tools/network_table.py: end -->"
CONFIG = TrainConfig()  # of every network
BOARD = "MOTIONLET_PICO"
VERIFIED = 1  # clips that the virtual Pico gets
TITLES = (
    *("network", "seeds", "float", "int8", "parameters", "MACs a frame"),
    *("RAM, bytes", "flash, bytes", "cycles a frame", "frames a second"),
)


def train_all(networks, seeds, folder):
    """Train what is not trained yet."""
    for seed in range(seeds):
        for index, network in enumerate(networks):
            number = seed * len(networks) + index + 1
            print(f"{network}, seed {seed} ({number} of {seeds * len(networks)})", file=sys.stderr)
            config = dataclasses.replace(CONFIG, network=network)
            train_seeds(config, folder / network, seed + 1, resume=True)


def trained(network, folder):
    """Return the runs of a network that are done, the first seed first."""
    runs = [open_run(path.parent) for path in (folder / network).glob("seed*/train.json")]
    for run in runs:
        config = dataclasses.replace(CONFIG, network=network, seed=run.config["seed"])
        if run.config != dataclasses.asdict(config):
            raise ToolError(f"{run.folder} was trained otherwise than `host_sdk train` does now")
    if not runs:
        raise ToolError(f"no {network} is trained in {folder}: run without --no-train")
    return sorted(runs, key=lambda run: run.config["seed"])


def int8_accuracy(run, progress):
    """Return the share of the test clips that the C core answers rightly.

    It is kept in the run's int8.json for as long as model.mlet stays what it is.
    """
    path, data = run.folder / "int8.json", model_of(run)
    of = hashlib.sha256(data).hexdigest()
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("sha256") != of:
        clips, labels = run.make_clips("test")
        logits = Int8Network(data).logits(clips, progress)
        kept = {"sha256": of, "accuracy": accuracy(run.config["network"], logits, labels)}
        write_json(path, kept)
    return kept["accuracy"]


def cycles_a_frame(run):
    """Return the cycles of `Stream.push` on the virtual Pico; its bytes must be the golden ones."""
    clips, _ = run.make_clips("test", VERIFIED)
    name = f"{run.config['network']}.mlet"
    found = run_sample("virtual", name, model_of(run), clips)
    if found["differing_bytes"]:
        raise ToolError(f"{run.folder}: the virtual Pico differs from the golden model")
    return found["microseconds_per_frame"] * found["clock_hz"] / 1e6


def row(network, folder, progress):
    """Return the cells of a network. `progress(share, text)` hears how far it has come."""
    runs = trained(network, folder)
    int8 = []
    for index, run in enumerate(runs):

        def tell(done, total, index=index):
            progress((index + done / total) / (len(runs) + 1), f"{network}, seed {index}")

        int8.append(int8_accuracy(run, tell))
    progress(len(runs) / (len(runs) + 1), f"{network} on the virtual Pico")
    task, board = runs[0].task, load_board(BOARD)
    problem = Problem(task.FRAME_SHAPE, tuple(task.LABELS), board, task.NORMALIZATION)
    cost = problem.cost_of(network, {}, graph_of(runs[0]))
    cycles = cycles_a_frame(runs[0])
    return (
        f"`{network}`",
        len(runs),
        mean_and_spread([run.record["accuracy"]["test"] for run in runs]),
        mean_and_spread(int8),
        f"{cost.parameters:,}",
        f"{cost.macs:,}",
        f"{cost.ram_bytes:,}",
        f"{cost.flash_bytes:,}",
        f"{cycles:,.0f}",
        f"{board.mhz * 1e6 / cycles:.0f}",
    )


def mean_and_spread(shares):
    """Return shares in words: their mean, and their standard deviation if there are several."""

    found = spread(shares)
    sd = "" if found["sd"] is None else f" ± {100 * found['sd']:.1f}"
    return f"{100 * found['mean']:.1f}{sd} %"


def table(rows):
    """Return the table as Markdown."""
    lines = [TITLES, ["---"] + ["--:"] * (len(TITLES) - 1), *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network (3)")
    parser.add_argument("--no-train", action="store_true", help="take what is trained already")
    args = parser.parse_args()
    if args.seeds < 1:
        raise ToolError(f"--seeds must be at least 1, not {args.seeds}")
    folder = BUILD / "networks"
    try:
        if not args.no_train:
            train_all(NETWORKS, args.seeds, folder)
        with Progress("networks") as bar:
            rows = []
            for network in NETWORKS:

                def tell(share, text):
                    bar.update(100 * (len(rows) + share) / len(NETWORKS), text)

                rows.append(row(network, folder, tell))
    except MotionletError as error:
        raise ToolError(str(error)) from None
    path, text = ROOT / "docs/networks.md", table(rows)
    write_atomically(path, replace_between(path, BEGIN, END, text).encode())
    print(text, end="")


if __name__ == "__main__":
    run_main(main)
