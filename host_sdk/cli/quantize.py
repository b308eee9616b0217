"""From a network to a smaller one, and to a graph of integers: `prune` and `quantize`."""

import rich_click as click

from host_sdk.cli.common import (
    Bytes,
    Share,
    json_option,
    out_option,
    print_result,
    progress_bar,
    run_argument,
    seed_option,
)
from host_sdk.errors import MotionletError
from host_sdk.train.run_folder import CALIBRATION_CLIPS


@click.command()
@run_argument
@out_option(dir_okay=False, help="Default: RUN/model.graph.")
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
    "--equalize/--no-equalize",
    default=None,
    help="Bring the channels of a tensor to one width. By default: if it helps, as measured.",
)
@click.option(
    "--correct-bias/--no-correct-bias",
    default=None,
    help="Let biases make up for rounded weights. By default: if it helps, as measured.",
)
@click.option(
    "--int4",
    multiple=True,
    metavar="NAME",
    help="A layer to give weights of 4 bits, or `all`. Can be repeated.",
)
@click.option(
    "--bytes",
    "file_bytes",
    type=Bytes(),
    help="Give weights of 4 bits to those layers that bear it best, until the `.mlet` file has at "
    "most so many bytes, such as `8k`.",
)
@click.option(
    "--budget",
    type=Share(),
    help="The same, until the weights take at most this share of their bytes with 8 bits, such "
    "as `65%`.",
)
@click.option(
    "--qat",
    default=0,
    metavar="EPOCHS",
    help="Quantization-aware training: so many passes over the training clips with the rounding "
    "in place. Cannot be resumed; Ctrl-C leaves what was there.",
)
@seed_option("Of the order of clips in training.")
@json_option
def quantize(
    run, out, method, clips, equalize, correct_bias, int4, file_bytes, budget, qat, seed, as_json
):
    """Quantize what `train` left in RUN to int8, calibrated on streams of training clips.

    Writes the graph, and beside it `quantize.json`, which says how it was made.
    """
    from host_sdk.files import check_links, write_json
    from host_sdk.format.graph import save_graph
    from host_sdk.pack.pipeline import quantize_run
    from host_sdk.quantize.recipe import Recipe
    from host_sdk.train.run_folder import open_run

    recipe = Recipe(
        method=method,
        clips=clips,
        equalize=equalize,
        correct_bias=correct_bias,
        int4="all" if "all" in int4 else int4,
        bytes=file_bytes,
        weights_share=budget,
        qat_epochs=qat,
        seed=seed,
    )
    run = open_run(run)
    out = out or run.folder / "model.graph"
    if not out.parent.is_dir():
        raise MotionletError(f"{out.parent}: no such folder")
    check_links(out.parent, ["quantize.json"])
    with progress_bar("quantizing") as tell:
        graph, record = quantize_run(run, recipe, tell)
    save_graph(graph, out)
    write_json(out.with_name("quantize.json"), record)
    narrow = f", 4 bits in {', '.join(record['int4'])}" if record["int4"] else ""
    print_result(
        as_json,
        {**record, "graph": str(out)},
        f"{len(graph.ops)} ops, {graph.parameters:,} parameters, weights of "
        f"{record['weight_bytes']:,} bytes{narrow}; wrote {out}",
    )


@click.command()
@run_argument
@click.option("--keep", type=Share(), required=True, help="Channels to keep, such as `70%`.")
@out_option(file_okay=False, required=True, help="The run folder to write.")
@click.option("--epochs", default=4, show_default=True, help="Passes over the training clips.")
@seed_option("Of the order of clips in training.")
@json_option
def prune(run, keep, out, epochs, seed, as_json):
    """Remove the least important channels of the network in RUN; write the run folder OUT.

    What is left is a smaller network of the same layers. It then learns to answer as the larger
    one does, and can be quantized like any other.
    """
    from host_sdk.train.prune import prune_run
    from host_sdk.train.run_folder import open_run

    run = open_run(run)
    with progress_bar("fine-tuning") as tell:
        record = prune_run(run, keep, out, epochs, seed, tell)
    before, after = record["pruned"]["macs"]
    print_result(
        as_json,
        record,
        f"{run.record['parameters']:,} → {record['parameters']:,} parameters, "
        f"{before:,} → {after:,} MACs a frame, test accuracy "
        f"{run.record['accuracy']['test']:.1%} → {record['accuracy']['test']:.1%}; wrote {out}",
    )
