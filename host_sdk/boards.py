"""Facts of Motionlet's boards that decide what fits: boards/BOARD/board.json, key "motionlet"."""

from dataclasses import dataclass

from host_sdk.errors import MotionletError
from host_sdk.flash import board_description


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
    """Return the `Board` of that name. Raises MotionletError when nothing is known of it."""
    facts = board_description(name).get("motionlet")
    if facts is None:
        raise MotionletError(f'boards/{name}/board.json lacks "motionlet": target, mhz, …')
    return Board(name, **facts)
