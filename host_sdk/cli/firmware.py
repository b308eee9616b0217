"""The group `firmware`: `build` and `flash`."""

from pathlib import Path

import rich_click as click

from host_sdk.cli.common import Group, build_firmware, console, messages
from host_sdk.errors import MotionletError

variant_option = click.option("--variant", help="Of the board, such as SPIRAM_OCT (ESP32-S3).")


@click.group(cls=Group)
def firmware():
    """Build MicroPython with Motionlet in it, and put it on a board."""


@firmware.command()
@click.option("--board", default="MOTIONLET_PICO", show_default=True, help="Or `unix`.")
@click.option(
    "--user-module",
    "user_modules",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A further user C module, such as ulab/code; may be repeated.",
)
@variant_option
@click.option("--clean", is_flag=True, help="Build everything again.")
def build(board, user_modules, variant, clean):
    """Build firmware into `build/firmware/BOARD`; its sources are fetched when missing.

    For an ESP32 an installed ESP-IDF (`IDF_PATH`) builds, or its container image.
    """
    build_firmware(board, user_modules, clean, variant)


@firmware.command()
@click.option("--board", default="MOTIONLET_PICO", show_default=True)
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    help="Default: what was built.",
)
@click.option("--drive", type=click.Path(path_type=Path), help="Drive of a Pico in BOOTSEL mode.")
@variant_option
@click.option("--port", help="Serial port (ESP32).")
@click.option("--erase-all", is_flag=True, help="Erase the board's file system too (ESP32).")
def flash(board, image, drive, variant, port, erase_all):
    """Write firmware to a board: a UF2 copy or picotool (RP2040), esptool (ESP32)."""
    from host_sdk.board import flash as flashing
    from host_sdk.board.images import find_image
    from host_sdk.cost.boards import board_description

    chip = board_description(board)["mcu"]
    is_rp2 = chip.startswith("rp2")
    if not is_rp2 and port is None:
        raise MotionletError(f"{board} has an {chip}: say which --port it is on")
    if image is None:
        image = find_image(board, variant, "firmware.uf2" if is_rp2 else "firmware.bin")
    if is_rp2:
        with messages.status("looking for a board in its bootloader, and copying"):
            how = flashing.flash_uf2(image, drive)
        console.print(f"{image}: {how}")
        return
    console.print(f"{image}: {flashing.flash_esp32(chip, port, image, erase_all)}")
