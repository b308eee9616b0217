"""Where an RP2040 board keeps firmware, ROMFS and files, as its mpconfigboard.h says."""

import ast
import operator
import re
from dataclasses import dataclass
from pathlib import Path

from host_sdk.errors import MotionletError

RP2040_FLASH_BYTES = 2 * 1024 * 1024  # fitted on the Raspberry Pi Pico
XIP_BASE = 0x10000000


@dataclass(frozen=True)
class FlashMap:
    """Where an RP2040 board keeps what, as offsets into its flash, in bytes.

    Firmware comes first, then the ROMFS, then the littlefs storage up to the end of flash: the
    order that ports/rp2/rp2_flash.c uses.
    """

    romfs_bytes: int
    storage_bytes: int
    flash_bytes: int = RP2040_FLASH_BYTES

    @property
    def storage_offset(self):
        return self.flash_bytes - self.storage_bytes

    @property
    def romfs_offset(self):
        return self.storage_offset - self.romfs_bytes

    @property
    def firmware_bytes(self):
        """The room for firmware."""
        return self.romfs_offset


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
}


def _constant(expression):
    """The value of a C constant expression of decimal or hex numbers, + - * << and brackets."""

    def value(node):
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        raise MotionletError(
            f"the board header's value {expression!r} is not made of numbers alone"
        )

    try:
        return value(ast.parse(expression.strip(), mode="eval").body)
    except SyntaxError:
        raise MotionletError(f"the board header's value {expression!r} is no expression") from None


def flash_map(board_dir):
    """The FlashMap that a board's mpconfigboard.h asks for."""
    header = Path(board_dir) / "mpconfigboard.h"
    if not header.exists():
        raise MotionletError(f"{header}: no such board header")
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", header.read_text("utf-8"), flags=re.DOTALL)
    defines = dict(re.findall(r"^\s*#define\s+(MICROPY_HW_\w+)\s+(.+)$", text, flags=re.MULTILINE))
    return FlashMap(
        romfs_bytes=_constant(defines.get("MICROPY_HW_ROMFS_BYTES", "0")),
        storage_bytes=_constant(defines.get("MICROPY_HW_FLASH_STORAGE_BYTES", "1408 * 1024")),
    )
