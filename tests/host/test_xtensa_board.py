"""Arithmetic of tests/boards/XTENSA_SIM, MicroPython's board on an emulated Xtensa core."""

import ctypes

import numpy as np
import pytest
import toolchains
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import paths

FLOATS = st.floats(width=32) | st.integers(0, 2**32 - 1).map(
    lambda bits: float(np.uint32(bits).view(np.float32))
)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """Its runtime.c, on this machine."""
    source = paths.repository() / "tests/boards/XTENSA_SIM/runtime.c"
    types = {
        "__divsf3": (ctypes.c_float, ctypes.c_float, ctypes.c_float),
        "__extendsfdf2": (ctypes.c_double, ctypes.c_float),
        "__truncdfsf2": (ctypes.c_float, ctypes.c_double),
        "__floatsidf": (ctypes.c_double, ctypes.c_int32),
        "__bswapdi2": (ctypes.c_uint64, ctypes.c_uint64),
    }
    return toolchains.arithmetic(source, tmp_path_factory.mktemp("runtime"), types)


def same(found, wanted):
    """Whether two floats are the same number, sign of 0 and all, or both are no number."""
    if np.isnan(wanted):
        return np.isnan(found)
    return found == wanted and np.signbit(found) == np.signbit(wanted)


@given(a=FLOATS, b=FLOATS)
def test_quotients_are_rounded_to_the_nearest_float(runtime, a, b):
    with np.errstate(all="ignore"):
        wanted = np.float32(a) / np.float32(b)
    assert same(runtime["__divsf3"](a, b), wanted)


@given(single=FLOATS, double=st.floats() | FLOATS.map(lambda x: x * (1 + 2**-24)))
def test_floats_become_doubles_and_doubles_the_nearest_float(runtime, single, double):
    assert same(runtime["__extendsfdf2"](single), single)
    with np.errstate(all="ignore"):
        wanted = np.float32(double)
    assert same(runtime["__truncdfsf2"](double), wanted)


@given(value=st.integers(-(2**31), 2**31 - 1))
def test_integers_become_doubles(runtime, value):
    assert runtime["__floatsidf"](value) == value


@given(value=st.integers(0, 2**64 - 1))
def test_bytes_are_swapped(runtime, value):
    assert runtime["__bswapdi2"](value).to_bytes(8, "big") == value.to_bytes(8, "little")
