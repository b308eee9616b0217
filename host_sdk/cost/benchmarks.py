"""The rows of benchmarks.json: what was measured, where, and how much of it there was."""

import json

from host_sdk import paths

MHZ = 125  # of the RP2040 as MicroPython sets it, and of the virtual Pico


def read_rows(path):
    """Return the rows of a bench.json, [] when there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def stored_path():
    """Return where the project keeps its table."""
    return paths.data("benchmarks.json")


def stored_rows():
    """Return the rows of the project's table."""
    return read_rows(stored_path())
