"""The command line `host_sdk`: verbs only; what they do is in the modules they call.

One module here for each group of commands that the help shows.
"""

import sys

import rich_click as click
from rich.text import Text

import host_sdk
from host_sdk.cli import (
    data,
    demo,
    design,
    evaluation,
    firmware,
    importing,
    models,
    on_device,
    quantize,
    training,
)
from host_sdk.cli.common import Group, messages
from host_sdk.errors import MotionletError, printable

GROUPS = {
    "From clips to a model": (
        data.data,
        training.networks,
        design.design,
        training.train,
        quantize.prune,
        quantize.quantize,
        importing.import_,
        models.pack,
        models.inspect,
    ),
    "How good it is": (evaluation.evaluate, evaluation.report),
    "On a device": (
        on_device.devices,
        on_device.install,
        on_device.deploy,
        on_device.models,
        on_device.verify,
        on_device.run,
        on_device.bench,
    ),
    "Firmware": (firmware.firmware,),
    "All of it at once": (demo.demo,),
}

click.rich_click.TEXT_MARKUP = "markdown"
click.rich_click.COMMAND_GROUPS = {
    "host_sdk": [
        {"name": name, "commands": [command.name for command in commands]}
        for name, commands in GROUPS.items()
    ]
}


FORMER = {"run": "stream"}  # names of commands that still work


class Commands(Group):
    """Prints a MotionletError, or that memory is out, as one line and exits with 1."""

    def get_command(self, ctx, name):
        return super().get_command(ctx, FORMER.get(name, name))

    def main(self, *arguments, **given):
        for stream in (sys.stdout, sys.stderr):  # a Windows pipe may have no arrows, only code 1252
            stream.reconfigure(errors="replace")
        return super().main(*arguments, **given)

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except MemoryError as error:  # numpy's says how much it wanted
            messages.print(Text.assemble(("error:", "bold red"), f" out of memory: {error}"))
            sys.exit(1)
        except MotionletError as error:
            messages.print(Text.assemble(("error:", "bold red"), f" {printable(str(error))}"))
            trace = getattr(error, "traceback", "")
            if trace and ctx.params.get("verbose"):
                messages.print(trace)
            sys.exit(1)
        except click.ClickException as error:  # which may name a file
            error.message = printable(error.message)
            raise


@click.group(cls=Commands)
@click.version_option(host_sdk.__version__, prog_name="host_sdk")
@click.option("--verbose", is_flag=True, help="Show the device's traceback with an error.")
def main(verbose):
    """Motionlet: streaming video inference for MicroPython microcontrollers.

    Data flows one way: clips → `train` → `quantize` → `pack` → `deploy` → `verify`. Start with
    `host_sdk demo`, which does it all on an emulated Raspberry Pi Pico.
    """


for _commands in GROUPS.values():
    for _command in _commands:
        main.add_command(_command)
