"""Files that are whole or as they were."""

import json
from pathlib import Path

from host_sdk.errors import MotionletError


def read(path):
    """Return the bytes of a file. Raises MotionletError naming it when that fails."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise MotionletError(f"{path}: {error.strerror}") from None


def make_folder(path):
    """Make a folder, and those above it, unless it is there."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MotionletError(f"cannot make the folder {path}: {error.strerror}") from None


def write(path, data):
    """Write bytes under another name first, so that the file is whole or as it was."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise MotionletError(f"{path}: {error.strerror}") from None


def write_json(path, value):
    """Write `value` as JSON, in the same way."""
    write(path, (json.dumps(value, indent=1) + "\n").encode())
