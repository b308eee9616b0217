"""All of it at once: `demo`."""

import rich_click as click

from host_sdk.cli.common import build_firmware, console, progress_bar


@click.command()
@click.option("--fresh", is_flag=True, help="Train again, even if a trained network is there.")
def demo(fresh):
    """Train, quantize, pack, deploy, stream and verify on the virtual Pico; then show it."""
    from host_sdk.bench import demo as demonstrating

    demonstrating.run(console, build_firmware, progress_bar, fresh)
