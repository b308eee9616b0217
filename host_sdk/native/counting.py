"""What a packed model's kernels do in a frame, counted by the C core itself.

The core is compiled once more, with MLET_COUNTING: see mlet_count.h for what is counted.
"""

import functools
import itertools

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.native.core_library import COUNTING, library
from host_sdk.native.runner import STATUS, aligned


@functools.cache
def counter_names():
    """Return the names of all counters, in the order of `count_work`'s columns."""
    return _names(library(COUNTING)[1].mlet_counter_name)


@functools.cache
def part_names():
    """Return the names of all parts of kernels (mlet_part.h)."""
    return _names(library(COUNTING)[1].mlet_part_name)


def _names(name_of):
    ffi, _ = library(COUNTING)
    names = map(name_of, itertools.count())
    return tuple(ffi.string(name).decode() for name in itertools.takewhile(bool, names))


def parts_taken(data):
    """Return the names of the parts of kernels that a packed model takes, as a frozenset."""
    _, lib = library(COUNTING)
    lib.mlet_parts_taken = 0
    count_work(data)
    taken = lib.mlet_parts_taken
    return frozenset(name for bit, name in enumerate(part_names()) if taken >> bit & 1)


def count_work(data):
    """Return what each op of a packed model does in a frame of noise, int64 [ops, counters].

    An op is run as the plan has it, whole or row by row; what the runner does before it is the
    op's. Raises native.NoCompilerError where the core cannot be compiled.
    """
    ffi, lib = library(COUNTING)
    model, stream = ffi.new("mlet_model_t *"), ffi.new("mlet_stream_t *")
    file = aligned(len(data))
    file[:] = np.frombuffer(data, np.int8)
    _check(lib.mlet_model_open(model, _pointer(ffi, file), len(data), ffi.NULL))
    memory = aligned(lib.mlet_stream_bytes(model))
    _check(lib.mlet_stream_init(stream, model, _pointer(ffi, memory), len(memory)))
    counts = np.zeros((model.op_count, len(counter_names())), np.uint64)
    rng = np.random.default_rng(1)
    for index in range(model.input_count):
        shape = lib.mlet_model_tensor(model, lib.mlet_model_input(model, index)).shape
        size = shape.height * shape.width * shape.channels
        noise = (rng.integers(0, 256, size) - 128).astype(np.int8)
        ffi.memmove(lib.mlet_stream_input(stream, index), noise.tobytes(), size)
    _check(lib.mlet_stream_run(stream, lib.mlet_count_op, _pointer(ffi, counts)))
    return counts.astype(np.int64)


def _pointer(ffi, array):
    return ffi.cast("void *", array.ctypes.data)


def _check(status):
    if status:
        raise MotionletError(STATUS[status])
