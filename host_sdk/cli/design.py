"""The command `design`, and the options that say what must fit on which board."""

import dataclasses
import json
import shlex
from types import SimpleNamespace

import rich_click as click

from host_sdk.cli.common import Bytes, console, json_option, messages, set_option
from host_sdk.errors import MotionletError

BUDGET = (
    click.option("--board", default="MOTIONLET_PICO", show_default=True, help="Where it must fit."),
    click.option("--ram", type=Bytes(), help="For a stream; default: what the board has."),
    click.option("--flash", type=Bytes(), help="For the model; default: the board's ROMFS."),
)


def budget_options(command):
    """Give a command the options of a budget: board, ram, flash."""
    for option in reversed(BUDGET):
        command = option(command)
    return command


def find_designs(task, fps, board, ram, flash, network, options):
    """Return (board, [Design], [why other networks have none]) for a task, within the budget."""
    from host_sdk.cost import design
    from host_sdk.cost.boards import load_board

    board = load_board(board)
    if not 0 < fps < float("inf"):
        raise MotionletError(f"--fps must be above 0, not {fps:g}")
    budget = design.Budget(
        board.ram_bytes if ram is None else ram,
        board.flash_bytes if flash is None else flash,
        board.mhz * 1e6 / fps,
    )
    problem = design.Problem(tuple(task.FRAME_SHAPE), tuple(task.LABELS), board, task.NORMALIZATION)
    with messages.status("") as status:
        count = iter(range(1, 10**6))
        networks = [network] if network else None
        found, failures = design.find_all(
            *(problem, budget, networks, options),
            on_step=lambda: status.update(f"{next(count)} networks tried"),
        )
    return board, found, failures


def _frame_shape(context, parameter, value):
    if value is None:
        return None
    numbers = value.lower().split("x")
    if len(numbers) != 3 or not all(n.isdecimal() for n in numbers):
        raise MotionletError(f"--frame-shape {value}: want HEIGHTxWIDTHxCHANNELS, such as 32x32x1")
    return tuple(map(int, numbers))


@click.command()
@budget_options
@click.option("--fps", type=float, help="Frames a second; default: the task's, or 10.")
@click.option("--network", help="Only this one; default: all but per_frame.")
@set_option
@click.option("--task", help="A built-in task to fit; default: moving_digits.")
@click.option("--data", "folder", metavar="DIR", help="A folder of clips to fit.")
@click.option("--frame-shape", callback=_frame_shape, metavar="HxWxC", help="Or frames like this,")
@click.option("--classes", type=click.IntRange(1), help="with so many classes.")
@json_option
def design(board, fps, ram, flash, network, options, task, folder, frame_shape, classes, as_json):
    """Find the networks that use a board's RAM, flash and time best.

    RAM (of a stream: arena, state, its own fields) and flash are to the byte, of networks packed
    for the board; cycles are reckoned from the benchmark table. Of all that fit, each network's
    best has the most parameters times MACs.
    """
    from host_sdk.data import TASKS, load_task
    from host_sdk.format.normalization import PIXELS

    if task and folder:
        raise MotionletError("want --task or --data, not both")
    task = task or folder  # which --task took too
    learn = ""  # what `train` is to learn from
    if frame_shape or classes:
        if task or not (frame_shape and classes):
            raise MotionletError("want --task or --data, or --frame-shape and --classes, no mix")
        labels = [f"class {i}" for i in range(classes)]
        task = SimpleNamespace(
            FRAME_SHAPE=frame_shape, LABELS=labels, FRAMES_PER_SECOND=10, NORMALIZATION=PIXELS
        )
        learn = "--data DIR "
    else:
        if task:
            learn = f"--{'task' if task in TASKS else 'data'} {shlex.quote(task)} "
        task = load_task(task or "moving_digits")
    fps = task.FRAMES_PER_SECOND if fps is None else fps
    facts, found, failures = find_designs(task, fps, board, ram, flash, network, options)
    if as_json:
        print(
            json.dumps([dataclasses.asdict(d) | {"fps": facts.mhz * 1e6 / d.cycles} for d in found])
        )
        return
    _print(facts, found)
    for failure in failures:
        messages.print(failure)
    best = found[0]
    words = " ".join(f"--set {name}={value:g}" for name, value in best.options.items())
    console.print(
        f"\nTo train the first: host_sdk train {learn}--network {best.network} {words} --out RUN"
    )


def words_of(design):
    """Return the options of a design in words."""
    return " ".join(f"{name}={value:g}" for name, value in design.options.items())


def _print(board, designs):
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("network")
    for title in ("parameters", "MACs", "RAM", "flash", "cycles", "fps"):
        table.add_column(title, justify="right")
    options = Table(box=None, show_header=False, pad_edge=False)
    for d in designs:
        table.add_row(
            d.network,
            *(f"{n:,}" for n in (d.parameters, d.macs, d.ram_bytes, d.flash_bytes)),
            f"{d.cycles:,.0f}",
            f"{board.mhz * 1e6 / d.cycles:.1f}",
        )
        options.add_row(d.network, words_of(d))
    console.print(table)
    console.print("\nwith these options", style="bold")
    console.print(options)
