"""Motionlet's boards, as boards/BOARD/board.json describes them.

Its key "motionlet" has the facts that decide what fits: `Board`.
"""

import json
from dataclasses import dataclass

from host_sdk.errors import MotionletError
from host_sdk.paths import data


@dataclass(frozen=True)
class Board:
    """What a board has to offer a model."""

    name: str
    target: str  # whose kernels its firmware has
    mhz: float
    ram_bytes: int  # free for a stream: the heap of MicroPython once motionlet is imported
    flash_bytes: int  # for models: the ROMFS
    benchmarked_on: str  # device of benchmarks.json whose cycles are this board's


def descriptions():
    """Return {name: content of board.json} of all boards, in order of their names."""
    files = sorted(data("boards").glob("*/board.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in files}


def board_description(name):
    """Return board.json of a board; raises MotionletError for a name that none has."""
    known = descriptions()
    if name not in known:
        raise MotionletError(f"no board named {name}; there is: {', '.join(known)}")
    return known[name]


def load_board(name):
    """Return the `Board` of that name. Raises MotionletError when no cycles are known of it."""
    facts = board_description(name).get("motionlet")
    if facts is None:
        measured = [board for board, known in descriptions().items() if "motionlet" in known]
        raise MotionletError(
            f'how fast {name} is has not been measured: its board.json has no "motionlet"; '
            f"measured is: {', '.join(measured)}"
        )
    return Board(name, **facts)
