"""All of it at once: `demo`."""

import functools

import rich_click as click

from host_sdk.cli.common import build_firmware, console, progress_bar


@click.command()
@click.option("--fresh", is_flag=True, help="Train again, even if a trained network is there.")
def demo(fresh):
    """Train, quantize, pack, deploy, stream and verify on the virtual Pico; then show it."""
    from host_sdk.bench import demo as demonstrating

    build = functools.partial(build_firmware, same_modules=True)
    demonstrating.run(console, build, progress_bar, fresh)
