"""From a network to a graph of integers: `quantize`."""

import json
from pathlib import Path

import rich_click as click

from host_sdk.cli.common import console, read
from host_sdk.errors import MotionletError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: FOLDER/model.graph.")
@click.option(
    "--method",
    default="mse",
    show_default=True,
    help="Ranges of activations: `mse`, `percentile` or `minmax`.",
)
@click.option("--clips", default=64, show_default=True, help="Clips to calibrate with.")
@click.option(
    "--int4",
    multiple=True,
    metavar="NAME",
    help="A layer to give weights of 4 bits, or `all`. Can be repeated.",
)
def quantize(folder, out, method, clips, int4):
    """Quantize what `train` left in FOLDER to int8, calibrated on streams of training clips."""
    from host_sdk.data import load_task
    from host_sdk.graph import save_graph
    from host_sdk.networks import load_network
    from host_sdk.quantize import quantize as run

    try:
        record = json.loads(read(folder / "train.json"))
        config, labels = record["config"], record["labels"]
    except (ValueError, KeyError, TypeError):
        raise MotionletError(f"{folder}/train.json is not what `host_sdk train` writes") from None
    task = load_task(config["task"])
    samples, _ = task.make_clips(clips, config["frames"], "train", config["seed"])
    model = load_network(folder / "model.keras")
    int4 = "all" if "all" in int4 else int4
    graph = run(model, samples, labels, task.FRAMES_PER_SECOND, method, int4)
    out = out or folder / "model.graph"
    save_graph(graph, out)
    console.print(f"{len(graph.ops)} ops, {graph.parameters:,} parameters; wrote {out}")
