"""The C core on the laptop, through cffi: the same sources that run on the device.

Fast enough to evaluate a test set, and the C side of every golden-against-C test.
"""

from host_sdk.native.core_library import NoCompilerError, library
from host_sdk.native.counting import count_work, counter_names, part_names, parts_taken
from host_sdk.native.runner import Model, Stream, run_clip

__all__ = [
    "Model",
    "NoCompilerError",
    "Stream",
    "count_work",
    "counter_names",
    "library",
    "part_names",
    "parts_taken",
    "run_clip",
]
