"""The C core on the laptop, through cffi: the same sources that run on the device.

Fast enough to evaluate a test set, and the C side of every golden-against-C test.
"""

from host_sdk.native.core_library import NoCompilerError, library
from host_sdk.native.runner import Model, Stream, make_layer, run_clip, run_layer

__all__ = ["Model", "NoCompilerError", "Stream", "library", "make_layer", "run_clip", "run_layer"]
