"""From clips to a network: `train`."""

import json
from pathlib import Path

import rich_click as click

from host_sdk.cli.common import console, json_option


@click.command()
@click.option("--task", default="moving_digits", show_default=True, help="What to learn.")
@click.option("--network", default="separable3d", show_default=True)
@click.option("--width", default=1.0, show_default=True, help="Scales the network's channels.")
@click.option("--epochs", type=int, help="Passes over the clips.")
@click.option("--clips", type=int, help="Clips to train on.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@json_option
def train(task, network, width, epochs, clips, seed, out, as_json):
    """Train a network; write `model.keras` and `train.json` into the folder OUT.

    Networks: `separable3d`, `tsm` (temporal shift) and `per_frame` (no memory, to compare with).
    """
    from host_sdk.train import TrainConfig
    from host_sdk.train import train as run

    given = {"epochs": epochs, "clips": clips}
    given = {name: value for name, value in given.items() if value is not None}
    config = TrainConfig(task=task, network=network, width=width, seed=seed, **given)
    result = run(config, out, progress=not as_json)
    if as_json:
        print(json.dumps(result.record))
    else:
        console.print(f"test accuracy {result.test_accuracy:.1%}; wrote {result.model_path}")
