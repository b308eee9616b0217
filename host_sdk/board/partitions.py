"""The partition table of an ESP32: read from a board's CSV, or as it lies in flash.

The format is ESP-IDF's, "Partition Tables": 32 bytes an entry (magic AA 50, type, subtype, offset,
size, name of 16 bytes, flags), up to an entry that does not start so.
"""

import csv
import struct
from dataclasses import dataclass
from pathlib import Path

from host_sdk.errors import MotionletError

TABLE_OFFSET = 0x8000  # in flash
TABLE_BYTES = 0xC00
FIRST_OFFSET = 0x9000  # behind the table and its own sector
SECTOR = 0x1000  # what flash erases at once
APP_ALIGN = 0x10000  # what the cache maps at once
ROMFS_SUBTYPE = 0x8F  # any that the IDF leaves to the user; MicroPython asks by name
_ENTRY = struct.Struct("<2sBBII16sI")
_MAGIC = b"\xaa\x50"
_TYPES = {"app": 0, "data": 1}
_SUBTYPES = {"factory": 0x00, "phy": 0x01, "nvs": 0x02, "fat": 0x81}


@dataclass(frozen=True)
class Partition:
    """A part of flash; offset and size in bytes."""

    name: str
    type: int
    subtype: int
    offset: int
    size: int

    @property
    def end(self):
        return self.offset + self.size


def read_csv(path):
    """Return the Partitions of a CSV file; offsets and sizes are written out in it."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    rows = csv.reader((line for line in lines if not line.startswith("#")), skipinitialspace=True)
    found = []
    for row in rows:
        if not row:
            continue
        try:
            name, kind, subtype, offset, size = (field.strip() for field in row[:5])
            numbers = _number(kind, _TYPES), _number(subtype, _SUBTYPES)
            found.append(Partition(name, *numbers, int(offset, 0), int(size, 0)))
        except ValueError:
            raise MotionletError(f"{path}: {','.join(row)!r} is no partition") from None
    return found


def _number(text, names):
    return names[text] if text in names else int(text, 0)


def read_binary(data):
    """Return the Partitions of a table as it lies in flash; [] if there is none."""
    found = []
    for start in range(0, len(data) - _ENTRY.size + 1, _ENTRY.size):
        magic, kind, subtype, offset, size, name, _ = _ENTRY.unpack_from(data, start)
        if magic != _MAGIC:
            break
        found.append(
            Partition(name.rstrip(b"\0").decode("utf-8", "replace"), kind, subtype, offset, size)
        )
    return found


def check(partitions, flash_bytes):
    """Raise MotionletError unless the partitions lie side by side in a flash of this size."""
    end = FIRST_OFFSET
    for part in sorted(partitions, key=lambda part: part.offset):
        align = APP_ALIGN if part.type == _TYPES["app"] else SECTOR
        if part.offset % align or part.size % SECTOR or part.size == 0:
            raise MotionletError(
                f"partition {part.name}: offset {part.offset:#x} is no multiple of {align:#x}, or "
                f"size {part.size:#x} none of {SECTOR:#x}"
            )
        if part.offset < end:
            raise MotionletError(
                f"partition {part.name} starts at {part.offset:#x}, below {end:#x}"
            )
        end = part.end
    if end > flash_bytes:
        raise MotionletError(f"the partitions end at {end:#x}, the flash at {flash_bytes:#x}")


def find(partitions, name):
    """Return the Partition of that name, or None."""
    return next((part for part in partitions if part.name == name), None)


def app(partitions):
    """Return the Partition that holds the firmware."""
    return next(part for part in partitions if part.type == _TYPES["app"])
