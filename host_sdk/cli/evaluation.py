"""How good a model is: `evaluate` and `report`."""

import json
import sys
from pathlib import Path

import rich_click as click

from host_sdk.cli.common import (
    DEVICE_HELP,
    build_firmware,
    console,
    json_option,
    limit_options,
    out_option,
    print_result,
    progress_stages,
    run_argument,
    seed_option,
)


@click.command()
@run_argument
@click.option("--clips", type=int, help="Of the test split; default: all.")
@click.option("--device", "spec", metavar="DEVICE", help=f"Run a sample there too: {DEVICE_HELP}.")
@limit_options
@click.option("--sample", default=3, show_default=True, help="Test clips that the device gets.")
@click.option(
    "--background",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of clips in which nothing happens, to count false alarms on.",
)
@click.option(
    "--minutes",
    default=30.0,
    show_default=True,
    help="Background to make, where the task can make it.",
)
@click.option("--smooth", default=4, show_default=True, help="Frames averaged before an alarm.")
@click.option("--threshold", default=0.8, show_default=True, help="Probability of an alarm.")
@click.option("--hold", default=3, show_default=True, help="Frames it must last.")
@seed_option("Of the controls.")
@json_option
def evaluate(run, clips, spec, sample, background, minutes, smooth, threshold, hold, seed, as_json):
    """Evaluate the int8 network of a run folder; write `evaluate.json` into it.

    It is quantized and packed by default settings if `quantize` and `pack` have not done it.

    On unseen clips: accuracy with its confidence interval, by class and by frames seen, time to a
    decision, calibration, dropped frames. On background: false alarms an hour. On clips without
    motion, and from clues besides it: is it motion that the network sees?

    RUN may hold the seeds of one configuration, seed0, seed1 …: each is evaluated, and the spread
    is shown. Exits with 1 when a device differs by a byte from the golden model.
    """
    from host_sdk.board.images import image_path
    from host_sdk.evaluation import Options, Rule, evaluate_folder
    from host_sdk.evaluation.summary import print_summary

    rule = Rule(smooth, threshold, hold)
    options = Options(clips, rule, background, minutes, spec, sample, seed)
    if spec in ("virtual", "unix"):
        board = {"virtual": "MOTIONLET_PICO"}.get(spec, spec)
        name = {"unix": "micropython"}.get(spec, "firmware.uf2")
        if not image_path(board, name=name).exists():
            build_firmware(board)
    with progress_stages() as stage:
        result = evaluate_folder(run, options, stage)
    if as_json:
        print(json.dumps(result))
    else:
        print_summary(console, result)
        console.print(f"\nwrote {run / 'evaluate.json'}")
    if result.get("device") and result["device"]["differing_bytes"]:
        sys.exit(1)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(file_okay=False, path_type=Path))
@out_option(dir_okay=False, default="report.html", show_default=True, help="The page.")
@json_option
def report(runs, out, as_json):
    """Write one HTML page about run folders that were evaluated.

    It needs no network and no other file, and reads well on a phone, in light and in dark. Runs
    are shown side by side, then one by one: confusion, frames seen and dropped, reliability, false
    alarms, controls, memory map, layers, and how to make each once more.
    """
    from host_sdk.report import write_report

    size = write_report(runs, out)
    print_result(as_json, {"page": str(out), "bytes": size}, f"wrote {out}, {size:,} bytes")
