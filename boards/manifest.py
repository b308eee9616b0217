# ruff: noqa: F821 (MicroPython's manifest functions)
# What every Motionlet firmware freezes; a board's own manifest.py includes this.
include("$(MPY_DIR)/extmod/asyncio")
package("motionlet", base_path="../device")
# From MicroPython 1.29 on a manifest names C modules too; before, USER_C_MODULES does.
if "c_module" in globals():
    c_module("../native_modules/motionlet")
