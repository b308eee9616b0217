# ruff: noqa: F821 (MicroPython's manifest functions)
include("../stock.py")
include("../manifest.py")
