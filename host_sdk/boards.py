"""Facts of Motionlet's boards that decide what fits: boards/BOARD/board.json, key "motionlet"."""

import json
from dataclasses import dataclass

from host_sdk.errors import MotionletError
from host_sdk.flash import board_description
from host_sdk.paths import repository


@dataclass(frozen=True)
class Board:
    """What a board has to offer a model."""

    name: str
    target: str  # whose kernels its firmware has
    mhz: float
    ram_bytes: int  # free for a stream: the heap of MicroPython once motionlet is imported
    flash_bytes: int  # for models: the ROMFS
    benchmarked_on: str  # device of benchmarks.json whose cycles are this board's


def load_board(name):
    """Return the `Board` of that name. Raises MotionletError when no cycles are known of it."""
    facts = board_description(name).get("motionlet")
    if facts is None:
        raise MotionletError(
            f'how fast {name} is has not been measured: its board.json has no "motionlet"; '
            f"measured is: {', '.join(_measured())}"
        )
    return Board(name, **facts)


def _measured():
    files = sorted((repository() / "boards").glob("*/board.json"))
    return [path.parent.name for path in files if "motionlet" in json.loads(path.read_text())]
