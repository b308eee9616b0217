"""From clips to a network: `networks` and `train`."""

import dataclasses
import json
from pathlib import Path

import rich_click as click

from host_sdk.cli.common import (
    console,
    folder_options,
    json_option,
    messages,
    out_option,
    print_result,
    set_option,
)
from host_sdk.cli.design import budget_options, find_designs, words_of
from host_sdk.data import TASKS, load_task
from host_sdk.data.options import FolderOptions
from host_sdk.errors import MotionletError
from host_sdk.files import check_links
from host_sdk.networks import NETWORKS
from host_sdk.train.run_folder import CHECKPOINT, stopped_in


@click.command()
@json_option
def networks(as_json):
    """List the networks and the options that `train --set` takes.

    Reach is how many frames an answer depends on, with the options' defaults.
    """
    from rich.table import Table

    from host_sdk.networks import build_network, options_of
    from host_sdk.networks.float_ops import reach

    frames = {name: reach(build_network(name, (32, 32, 1), 2)) for name in NETWORKS}
    if as_json:
        options = {
            name: {key: value._asdict() for key, value in options_of(name).items()}
            for name in NETWORKS
        }
        print(json.dumps({n: {"reach": frames[n], "options": options[n]} for n in NETWORKS}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("network", "reach", "option", "default", "from", "to", ""):
        numbers = title in ("reach", "default", "from", "to")
        table.add_column(title, justify="right" if numbers else "left")
    for network in NETWORKS:
        shown = network, str(frames[network])
        for name, (default, low, high, text) in options_of(network).items():
            table.add_row(*shown, name, f"{default:g}", f"{low:g}", f"{high:g}", text)
            shown = "", ""
    console.print(table)


# The panels of `train --help`; what they lack is in the last one.
click.rich_click.OPTION_GROUPS["host_sdk train"] = [
    {"name": name, "options": [f"--{word.replace('_', '-')}" for word in words]}
    for name, words in {
        "What to learn": ("task", "data", "frames", "clips"),
        "Clips of your own (with --data)": [f.name for f in dataclasses.fields(FolderOptions)],
        "The network": ("network", "set"),
        "To fit a board": ("fit", "board", "ram", "flash"),
        "How to train": ("epochs", "batch", "learning_rate", "warm_up", "seed", "seeds"),
        "A teacher": ("teacher", "teacher_weight", "temperature"),
    }.items()
]


@click.command()
@click.option("--task", help=f"A built-in task: {', '.join(TASKS)}; default: the first.")
@click.option(
    "--data", "folder", metavar="DIR", help="A folder of clips to learn from, not a built-in task."
)
@folder_options
@click.option(
    "--network",
    help=f"{', '.join(NETWORKS)}; default: separable3d; with --fit, the best.",
)
@set_option
@click.option(
    "--fit", is_flag=True, help="Choose the largest network that fits, as `host_sdk design` does."
)
@budget_options
@click.option("--frames", type=int, help="Length of a clip; default: 16.")
@click.option(
    "--clips",
    type=int,
    help="Clips to train on; default: 5400. If a folder has fewer, they are repeated, changed "
    "as --augment says.",
)
@click.option("--epochs", type=int, help="Passes over the clips; default: 8.")
@click.option("--batch", type=int, help="Clips in a step; default: 32.")
@click.option("--learning-rate", type=float, help="At the start; falls to 0. Default: 0.006.")
@click.option(
    "--warm-up", type=int, help="Frames of a clip whose answers do not count; default: 3/8."
)
@click.option("--seed", type=int, help="Decides all that is random; default: 0.")
@click.option("--seeds", type=click.IntRange(1), help="Train so often, into OUT/seed0, seed1 …")
@click.option("--teacher", metavar="RUN", help="Learn from this network's answers too.")
@click.option("--teacher-weight", type=float, help="Their share in the loss; default: 0.5.")
@click.option("--temperature", type=float, help="Softens answers compared; default: 4.")
@click.option("--resume", is_flag=True, help="Go on where training in OUT was stopped.")
@click.option("--fresh", is_flag=True, help="Forget the training that was stopped in OUT.")
@out_option(file_okay=False, required=True, help="The run folder to write.")
@json_option
def train(
    folder, data_options, fit, board, ram, flash, seeds, resume, fresh, out, as_json, **given
):
    """Train a network; write `model.keras` and `train.json` into the folder OUT.

    `host_sdk networks` lists the networks and what can be `--set`. Ctrl-C stops after the step
    under way; `--resume` goes on with it, and leads to the same network as if it had not stopped.

    `host_sdk data inspect` shows what comes of the options for clips of your own.
    """
    from host_sdk.train import TrainConfig, saved_config, train_seeds
    from host_sdk.train import train as run

    given = {name: value for name, value in given.items() if value not in (None, {})}
    if folder:
        if "task" in given:
            raise MotionletError("want --task or --data, not both")
        if not Path(folder).is_dir():
            raise MotionletError(f"{folder}: no such folder")
        folder = str(Path(folder).resolve())
        options = _resolved_options(folder, data_options)
        given |= {"task": folder, "data": options, "validation_clips": None, "test_clips": None}
    elif data_options:
        name = next(iter(data_options)).replace("_", "-")
        raise MotionletError(f"--{name} is for clips of your own: give --data too")
    if resume and fresh:
        raise MotionletError("want --resume or --fresh, not both")
    if (ram, flash) != (None, None) and not fit:
        raise MotionletError("--ram and --flash are for choosing options: give --fit too")
    if resume and not seeds:
        given = saved_config(out) | given
    check_links(out, [CHECKPOINT])
    if not resume and not fresh and (stopped := stopped_in(out)):
        raise MotionletError(
            f"a training was stopped in {stopped[0]}: --resume goes on with it, --fresh forgets it"
        )
    config = TrainConfig(**given)
    if fit and (seeds or not resume):
        task = load_task(config.task, config.data)
        best = find_designs(
            *(task, task.FRAMES_PER_SECOND, board, ram, flash),
            *(given.get("network"), config.options),
        )[1][0]
        config = dataclasses.replace(config, network=best.network, options=best.options)
        messages.print(f"{best.network} fits: {words_of(best)}")
    if seeds:
        record = train_seeds(config, out, seeds, not as_json, resume, messages.print)
        text = f"test accuracy {record['mean']:.1%} ± {record['standard_deviation']:.1%}"
    else:
        result = run(config, out, not as_json, resume, tell=messages.print)
        record, text = result.record, f"test accuracy {result.test_accuracy:.1%}"
    print_result(as_json, record, f"{text}; wrote {out}")


def _resolved_options(folder, data_options):
    """Return the options of a folder's task with nothing left to choose, to be written down."""
    from host_sdk.data.folder import counts
    from host_sdk.data.splits import alike_warning

    task = load_task(folder, data_options)
    if task.unused:
        messages.print(f"no clip that can be used of {', '.join(task.unused)}")
    for same in task.alike:
        messages.print(alike_warning(same), markup=False)
    if count := sum(map(counts, task.skipped.values())):
        messages.print(f"files skipped: {count}; host_sdk data inspect says why")
    return dataclasses.asdict(task.options)
