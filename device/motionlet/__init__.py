"""Streaming int8 video networks: `load` a model, open a `stream`, `push` frames.

The documentation of every name is in __init__.pyi, so that it costs no flash here.
"""

import _motionlet
from _motionlet import *  # noqa: F403 the kernels, Model, Stream, FrameRing, constants


def _poll(feed):
    try:
        if feed:
            feed()
        return None  # here, since leaving the block is where Ctrl-C comes, too
    except BaseException as error:
        return error


try:
    _motionlet._poll = _poll  # a native module cannot see what waits; a jump of Python's looks
except AttributeError:
    pass  # a firmware can


def load(path, in_ram=False, slow=False):
    try:
        with _open(path) as file:
            try:
                data = None if in_ram else memoryview(file)
            except TypeError:
                data = None  # not a file of a ROMFS: it has no address
            if data is None:
                data = _read(file, path)
    except OSError as error:
        raise OSError(error.errno, path) from None
    try:
        return Model(data, path, slow)  # noqa: F405
    except ValueError as error:
        raise ValueError("{}: {}".format(path, error)) from None


def _open(path):
    try:
        return open(path, "rb")
    except OSError as error:
        missing = error
    try:
        from .mend import open_left

        return open_left(path)
    except (ImportError, AttributeError, OSError):
        raise missing from None


def _read(file, path):
    file.read(1)  # EISDIR from a folder, which may have any size
    size = file.seek(0, 2)
    file.seek(0)
    try:
        data = bytearray(size)
    except MemoryError:
        import gc

        message = "{}: model has {} bytes, {} are free".format(path, size, gc.mem_free())
        raise MemoryError(message) from None
    file.readinto(data)
    return memoryview(data)  # which Model need not copy
