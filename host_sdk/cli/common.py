"""What the commands share: consoles, options, the progress bar."""

import contextlib
import dataclasses
import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import rich_click as click
from rich.console import Console

from host_sdk import paths
from host_sdk.data.options import FolderOptions
from host_sdk.errors import MotionletError, printable
from host_sdk.files import read


class PlainConsole(Console):
    """Shows texts as they are, whatever they are: labels and names of files come from elsewhere.

    No markup, no emoji; what would steer the terminal is escaped. A terminal wraps a long line by
    itself, and a file is to have it whole.
    """

    def __init__(self, **options):
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=True, **options)
        if not self.is_terminal:
            self.width = 1000  # tables are whole there, too

    def render_str(self, text, **options):
        return super().render_str(printable(text), **options)

    def render(self, renderable, options=None):
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


console = PlainConsole()
messages = PlainConsole(stderr=True)

DEVICE_HELP = (
    "`auto` (the one board attached, else the virtual Pico), `virtual`, `unix`, a serial port, "
    "or a URL of pyserial's such as `socket://HOST:PORT`"
)


def _limit(context, parameter, seconds):
    """Open devices with this limit for as long as the command runs."""
    from host_sdk.board.devices.base import limited

    if seconds is not None:
        context.with_resource(limited(**{parameter.name: seconds}))


def limit_options(command):
    """Give a command that uses a device the options of how long to wait for it."""
    options = {
        ("--silence", "silence"): "Give up on a device that says nothing for so long; default: 30.",
        ("--timeout", "whole"): "Give up on a single request after so long; default: 600.",
    }
    for names, text in reversed(options.items()):
        kind = click.FloatRange(0, min_open=True)
        option = click.option(
            *names, type=kind, metavar="SECONDS", help=text, expose_value=False, callback=_limit
        )
        command = option(command)
    return command


def device_option(command):
    """Give a command the option `--device`, as `spec`, and those of how long to wait for it."""
    option = click.option(
        "--device", "spec", default="auto", show_default=True, metavar="DEVICE", help=DEVICE_HELP
    )
    return option(limit_options(command))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_result(as_json, record, text):
    """Print what a command did: `record` as JSON if that was asked for, else `text`."""
    if as_json:
        print(json.dumps(record))
    else:
        console.print(text)


def _settings(context, parameter, values):
    """Return {name: number} of NAME=VALUE words."""
    found = {}
    for word in values:
        name, _, value = word.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise MotionletError(f"--set {word}: want NAME=NUMBER, such as width=1.5") from None
        found[name] = int(number) if number.is_integer() else number
    return found


set_option = click.option(
    *("--set", "options"),
    multiple=True,
    metavar="NAME=NUMBER",
    callback=_settings,
    help="An option of the network, such as `width=1.5`. Can be repeated.",
)


def folder_options(command):
    """Give a command the options of a folder of clips.

    It gets those that were given as `data_options`, a dict for `host_sdk.data.load_task`.
    """
    fields = dataclasses.fields(FolderOptions)

    @functools.wraps(command)
    def with_options(**given):
        values = {f.name: given.pop(f.name) for f in fields}
        changed = {f.name: values[f.name] for f in fields if values[f.name] != f.default}
        return command(data_options=changed, **given)

    for f in reversed(fields):
        kind = next((k for k in (bool, int, float) if k in (f.type, *get_args(f.type))), str)
        with_options = click.option(
            f"--{f.name.replace('_', '-')}",
            **({"is_flag": True} if kind is bool else {"type": kind, "default": f.default}),
            metavar=f.metadata["metavar"],
            help=f.metadata["help"],
        )(with_options)
    return with_options


class Group(click.RichGroup):
    """A group whose commands refuse an option that is given twice and has one value."""

    def resolve_command(self, ctx, args):
        """Find the command, and look at its options."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:
            with contextlib.suppress(click.UsageError):  # the command itself will say that
                parser = command.make_parser(click.Context(command, info_name=name, parent=ctx))
                _, _, given = parser.parse_args(args=list(rest))
                for option in given:
                    once = isinstance(option, click.Option) and not (
                        option.multiple or option.is_flag or option.count
                    )
                    if once and given.count(option) > 1:
                        raise Repeated(f"{option.opts[0]} is given twice; it takes one value")
        return name, command, rest


class Repeated(click.ClickException):
    """An option that is given twice; exits with 2, as other misuse does."""

    exit_code = 2


class Bytes(click.ParamType):
    """A number of bytes; `64k` is 64 × 1024."""

    name = "BYTES"

    def convert(self, value, param, ctx):
        """Return it as an int."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)b?", str(value).lower())
        if not found:
            self.fail(f"{value!r} is not a number of bytes, such as 65536 or 64k", param, ctx)
        return int(float(found[1]) * {"": 1, "k": 1024, "m": 1024**2}[found[2]])


class Share(click.ParamType):
    """A share: `65%` or 0.65."""

    name = "SHARE"

    def convert(self, value, param, ctx):
        """Return it as a float, 1 for 100%."""
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = None
        if share is None or not 0 < share <= 1:
            self.fail(f"{value!r} is not a share above 0% and up to 100%, such as 65%", param, ctx)
        return share


def seed_option(text):
    """Return the option `--seed`, which decides what `text` says."""
    kind = click.IntRange(0, 2**31 - 1)  # as far as every generator of random numbers goes
    return click.option("--seed", type=kind, default=0, show_default=True, help=text)


def out_option(*, dir_okay=True, file_okay=True, **given):
    """Return the option `--out`, or `-o`: the path to write to."""
    kind = click.Path(dir_okay=dir_okay, file_okay=file_okay, path_type=Path)
    return click.option("-o", "--out", type=kind, **given)


run_argument = click.argument("run", type=click.Path(file_okay=False, path_type=Path))
# An .mlet file, or a run folder.
model_argument = click.argument("model", type=click.Path(path_type=Path))


@contextlib.contextmanager
def progress_stages():
    """Yield `stage(title)`: a context manager that gives a callback (done, total) for its bar."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        Remaining(),
    )
    quiet = not messages.is_terminal  # where the bar would leave an empty line
    with Progress(*columns, console=messages, transient=True, disable=quiet) as bar:

        @contextlib.contextmanager
        def stage(title):
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
            bar.remove_task(task)

        yield stage


@contextlib.contextmanager
def progress_bar(title):
    """Yield a callback (done, total) that draws a bar."""
    with progress_stages() as stage, stage(title) as progress:
        yield progress


def model_name(path):
    """Return the name on a device of the model in a file or in a run folder."""
    return f"{path.resolve().name}.mlet" if path.is_dir() else path.name


def read_model(path):
    """Return (bytes, graph) of an .mlet file, or of a run folder, which is packed if need be."""
    from host_sdk.pack import mlet_file

    if path.is_dir():
        from host_sdk.pack.pipeline import model_of
        from host_sdk.train.run_folder import open_run

        data = model_of(open_run(path))
    else:
        data = read(path)
    try:
        return data, mlet_file.read(data)[0]
    except MotionletError as error:
        raise MotionletError(f"{path}: {error}") from None


def build_firmware(board, user_modules=(), clean=False, variant=None, same_modules=False):
    """Build a board's firmware; what is already built stays.

    same_modules: with the user modules that the image has which is there.
    """
    from host_sdk.board.images import image_path

    about = image_path(board, variant, "user_modules.json")
    if same_modules and about.exists():
        user_modules = json.loads(read(about))
    tool = paths.repository("building firmware") / "tools/build_firmware.py"
    command = [sys.executable, str(tool), board]
    for module in user_modules:
        command += ["--user-module", str(module)]
    if clean:
        command.append("--clean")
    if variant:
        command += ["--variant", variant]
    if subprocess.run(command).returncode:
        sys.exit(1)  # the tool has said why
