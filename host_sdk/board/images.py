"""Firmware images: what a checkout builds, or what an installed package has brought along."""

from pathlib import Path

from host_sdk import paths
from host_sdk.errors import MotionletError


def image_path(board, variant=None, name="firmware.uf2"):
    """Return where a board's image lies; it may not exist."""
    return paths.built("firmware") / "-".join(filter(None, [board, variant])) / name


def find_image(board, variant=None, name="firmware.uf2", given=None):
    """Return the path of a board's image, or of the one `given`, which must exist.

    Raises MotionletError that says how to get it.
    """
    path = Path(given or image_path(board, variant, name))
    if path.exists():
        return path
    if paths.checkout() is None:
        if given:
            raise MotionletError(f"{given}: no such file")
        raise MotionletError(
            f"this package has no firmware for {board}: a checkout of Motionlet builds it"
        )
    how = f"make firmware BOARD={board}"
    if variant:
        how = f"host_sdk firmware build --board {board} --variant {variant}"
    raise MotionletError(f"{path} is not there: run `{how}` first")
