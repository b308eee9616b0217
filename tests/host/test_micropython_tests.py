"""MicroPython's own tests on the firmware with Motionlet: as many pass as without it."""

import sys

import pytest

from host_sdk import paths
from host_sdk.errors import MotionletError

sys.path.append(str(paths.repository() / "tools/figures"))

import micropython_tests

SAID = """\
pass  basics/a.py
FAIL  basics/b.py
912 tests performed (32154 individual testcases)
898 tests passed
102 tests skipped: x y
14 tests failed: b c
"""


def test_counts_are_those_that_micropython_prints():
    assert micropython_tests.read(SAID) == ({"passed": 898, "of": 912}, "b c")
    all_passed = "3 tests performed (5 individual testcases)\n3 tests passed\n"
    assert micropython_tests.read(all_passed) == ({"passed": 3, "of": 3}, "none")
    with pytest.raises(MotionletError, match="said 'no such file', and no count"):
        micropython_tests.read("no such file\n")


def test_motionlet_breaks_no_test_of_micropython(unix_firmware):
    """Of those for what it stands on, in seconds; `make figures` runs all of them."""
    measured = micropython_tests.measure(folders=["micropython", "import"])
    assert measured["ours"]["of"] == measured["stock"]["of"] > 50
    assert measured["ours"]["passed"] >= measured["stock"]["passed"] - 1  # one may be of time
