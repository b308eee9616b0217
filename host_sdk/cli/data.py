"""The group `data`: `inspect` and `show`."""

import json
from pathlib import Path

import rich_click as click

from host_sdk import paths
from host_sdk.cli.common import Group, console, folder_options, json_option, out_option
from host_sdk.errors import MotionletError, on_one_line
from host_sdk.files import make_folder

sheet_option = out_option(dir_okay=False, help="The picture. Default: `build/data/NAME.png`.")
frames_option = click.option("--frames", default=16, show_default=True, help="Frames of a window.")


@click.group(cls=Group)
def data():
    """Look at clips before training on them."""


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@frames_option
@folder_options
@sheet_option
@json_option
def inspect(folder, frames, data_options, out, as_json):
    """Say what FOLDER holds, one folder for each class, and warn of what would spoil a training.

    Clips are videos or arrays (`.npy`, `.npz`): pictures, or temperatures in degrees C.
    `FOLDER/splits.csv` (columns clip, split, group) says who is for training and who for testing.
    A picture shows what a network will see. Exits with 1 when nothing can be trained on FOLDER.
    """
    from host_sdk.data import inspection

    report, task = inspection.inspect_folder(folder, data_options, frames)
    sheet = None
    if task and not report["error"]:
        sheet = _draw(task, out, folder.resolve().name, frames)
    report["sheet"] = str(sheet) if sheet else None
    if as_json:
        print(json.dumps(report))
    else:
        _print(report)
    if report["error"]:
        raise MotionletError(report["error"])


@data.command()
@click.argument("task")
@frames_option
@sheet_option
def show(task, frames, out):
    """Draw some clips of TASK, a built-in task or a folder, into a picture."""
    from host_sdk.data import load_task

    sheet = _draw(load_task(task), out, Path(task).resolve().name, frames)
    console.print(f"wrote {sheet}")


def _draw(task, out, name, frames):
    from host_sdk.data.inspection import contact_sheet

    out = out or paths.build() / "data" / f"{name}.png"
    make_folder(out.parent)
    try:
        contact_sheet(task, out, frames)
    except (OSError, ValueError) as error:
        raise MotionletError(f"{out}: {getattr(error, 'strerror', None) or error}") from None
    return out


def _print(report):
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = ["class", "clips", "seconds", "shortest", "longest"]
    unit = "°C" if report.get("samples", {}).get("thermal") else "grey"
    if "samples" in report:
        columns += [f"range, {unit}", "train", "validation", "test"]
    for name in columns:
        table.add_column(name, justify="left" if name == "class" else "right")
    for label, figures in report["classes"].items():
        lengths = (f"{figures[name]:.1f}" for name in ("seconds", "shortest", "longest"))
        windows = [f"{count:,}" for count in figures.get("split_windows", {}).values()]
        if "range" in figures:
            ends = figures["range"]
            windows.insert(
                0,
                " to ".join(f"{end:.1f}" if unit == "°C" else f"{end:g}" for end in ends)
                if ends
                else "–",
            )
        table.add_row(on_one_line(label), f"{figures['clips']:,}", *lengths, *windows)
    if report["classes"]:
        console.print(table)
    console.print(f"train, validation, test: windows of {report['frames']} frames", style="dim")
    for name in ("sizes", "rates"):
        found = ", ".join(f"{value} ({count:,})" for value, count in report[name].items())
        console.print(f"{name}: {found or 'none'}")
    if report["groups"]:
        found = ", ".join(f"{count} in {split}" for split, count in report["groups"].items())
        console.print(f"groups: {found}")
    if "samples" in report:
        s = report["samples"]
        kind = "thermal" if s["thermal"] else "rgb" if s["channels"] == 3 else "gray"
        console.print(
            f"samples: {s['width']}x{s['height']} {kind} at {s['frames_per_second']:g} fps, "
            f"normalization {s['normalization']}"
        )
    for warning in report["warnings"]:
        console.print(Text.assemble(("warning:", "bold yellow"), f" {warning}"))
    for name, count in report["lost"].items():
        console.print(Text.assemble(("lost", "yellow"), f" {on_one_line(name)}: {count} frames"))
    for name, why in report["skipped"].items():
        console.print(Text.assemble(("skipped", "yellow"), f" {on_one_line(name)}: {why}"))
    if report["sheet"]:
        console.print(f"wrote {report['sheet']}")
