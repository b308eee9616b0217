# ruff: noqa: F821 (MicroPython's manifest functions)
freeze("$(PORT_DIR)/modules")
include("../manifest.py")
