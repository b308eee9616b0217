"""From clips to a network: `networks` and `train`."""

import json
from pathlib import Path

import rich_click as click

from host_sdk.cli.common import console, json_option, set_option


@click.command()
def networks():
    """List the networks and the options that `train --set` takes."""
    from rich.table import Table

    from host_sdk.networks import NETWORKS, options_of

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("network", "option", "default", "from", "to", ""):
        table.add_column(title, justify="right" if title in ("default", "from", "to") else "left")
    for network in NETWORKS:
        for name, (default, low, high, text) in options_of(network).items():
            table.add_row(network, name, f"{default:g}", f"{low:g}", f"{high:g}", text)
            network = ""
    console.print(table)


@click.command()
@click.option("--task", default="moving_digits", show_default=True, help="What to learn.")
@click.option("--network", default="separable3d", show_default=True)
@set_option
@click.option("--epochs", type=int, help="Passes over the clips.")
@click.option("--clips", type=int, help="Clips to train on.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@json_option
def train(task, network, options, epochs, clips, seed, out, as_json):
    """Train a network; write `model.keras` and `train.json` into the folder OUT.

    `host_sdk networks` lists the networks and what can be `--set`.
    """
    from host_sdk.train import TrainConfig
    from host_sdk.train import train as run

    given = {"epochs": epochs, "clips": clips}
    given = {name: value for name, value in given.items() if value is not None}
    config = TrainConfig(task=task, network=network, options=options, seed=seed, **given)
    result = run(config, out, progress=not as_json)
    if as_json:
        print(json.dumps(result.record))
    else:
        console.print(f"test accuracy {result.test_accuracy:.1%}; wrote {result.model_path}")
