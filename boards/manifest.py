# ruff: noqa: F821 (MicroPython's manifest functions)
# What every Motionlet firmware freezes; a board's own manifest.py includes this.
include("$(MPY_DIR)/extmod/asyncio")
package("motionlet", base_path="../device")
