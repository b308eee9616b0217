"""From a network to a graph of integers: `quantize`."""

from pathlib import Path

import rich_click as click

from host_sdk.cli.common import console
from host_sdk.run_folder import CALIBRATION_CLIPS


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: FOLDER/model.graph.")
@click.option(
    "--method",
    default="mse",
    show_default=True,
    help="Ranges of activations: `mse`, `percentile` or `minmax`.",
)
@click.option(
    "--clips", default=CALIBRATION_CLIPS, show_default=True, help="Clips to calibrate with."
)
@click.option(
    "--int4",
    multiple=True,
    metavar="NAME",
    help="A layer to give weights of 4 bits, or `all`. Can be repeated.",
)
def quantize(folder, out, method, clips, int4):
    """Quantize what `train` left in FOLDER to int8, calibrated on streams of training clips."""
    from host_sdk.graph import save_graph
    from host_sdk.run_folder import open_run

    int4 = "all" if "all" in int4 else int4
    graph = open_run(folder).quantize(clips, method=method, int4=int4)
    out = out or folder / "model.graph"
    save_graph(graph, out)
    console.print(f"{len(graph.ops)} ops, {graph.parameters:,} parameters; wrote {out}")
