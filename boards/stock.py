# ruff: noqa: F821 (MicroPython's manifest functions)
# All that the port's own boards freeze: who flashes one of ours loses nothing that he had.
try:
    include("$(PORT_DIR)/boards/manifest.py")
except Exception as error:
    # Sources without micropython-lib: what does not come from there is taken in by now.
    if "not found" not in str(error):
        raise
