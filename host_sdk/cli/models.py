"""Model files: `pack` and `inspect`."""

import json
from pathlib import Path

import rich_click as click

from host_sdk.cli.common import (
    console,
    json_option,
    model_argument,
    out_option,
    print_result,
    read_model,
)
from host_sdk.errors import MotionletError
from host_sdk.files import check_links, write


@click.command()
@click.argument("graph", type=click.Path(dir_okay=False, path_type=Path))
@out_option(dir_okay=False, help="Default: GRAPH with .mlet.")
@json_option
def pack(graph, out, as_json):
    """Plan the memory of a quantized graph and write it as an `.mlet` file."""
    from host_sdk.format.graph import load_graph
    from host_sdk.pack import mlet_file, planner

    if out is None:
        out = graph.with_suffix(".mlet")
        check_links(out.parent, [out.name])
    loaded = load_graph(graph)
    plan = planner.plan(loaded)
    data = mlet_file.pack(loaded, plan)
    if out.exists() and out.samefile(graph):
        raise MotionletError(f"{out}: is the graph itself; name another file for the model")
    write(out, data)
    print_result(
        as_json,
        {
            "model": str(out),
            "bytes": len(data),
            "arena_bytes": plan.arena_bytes,
            "state_bytes": plan.state_bytes,
        },
        f"{len(data):,} bytes, arena {plan.arena_bytes:,}, state {plan.state_bytes:,}; wrote {out}",
    )


@click.command()
@model_argument
@json_option
def inspect(model, as_json):
    """Show a model's layers: shape, MACs, weights, place in the arena, state."""
    from host_sdk.cost.layer_table import describe, print_table

    data, _ = read_model(model)
    description = describe(data)
    if as_json:
        print(json.dumps(description))
    else:
        print_table(console, description)
