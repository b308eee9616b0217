"""The binding's source: how its files stand on one another, and names it has of the format."""

import ast
import re

import pytest

from host_sdk import paths
from host_sdk.format import mlet

BINDING = paths.repository() / "native_modules/motionlet/binding"
PARTS = {path.name: path.read_text() for path in BINDING.glob("*.h")}
INCLUDE = re.compile(r'^#include "(\w+\.h)"$', re.MULTILINE)


def below(name, seen=()):
    """Return all parts that a part stands on; fail at a circle."""
    assert name not in seen, " -> ".join([*seen, name])
    found = set()
    for other in INCLUDE.findall(PARTS[name]):
        if other in PARTS:
            found |= {other} | below(other, (*seen, name))
    return found


def test_the_files_of_the_binding_have_no_circle():
    assert len(PARTS) >= 9
    for name in PARTS:
        below(name)
    # It is found where there is one: a guard would hide it from the compiler.
    PARTS["a.h"], PARTS["b.h"] = '#include "b.h"\n', '#include "a.h"\n'
    try:
        with pytest.raises(AssertionError, match=r"a\.h -> b\.h -> a\.h"):
            below("a.h")
    finally:
        del PARTS["a.h"], PARTS["b.h"]


def test_what_reads_a_stream_is_not_known_to_what_makes_it():
    assert below("stream.h") >= {"model.h", "frame.h", "arguments.h", "values.h", "port.h"}
    assert below("model.h").isdisjoint({"stream.h", "trace.h", "kernels.h", "ring.h"})


@pytest.mark.parametrize(
    ("macro", "table"), [("MLET_TARGET_NAMES", "TARGETS"), ("MLET_PIXEL_NAMES", "PIXEL_FORMATS")]
)
def test_names_of_the_format_are_its_own(macro, table):
    """In the order of their numbers, each with its NUL, however long it is."""
    (text,) = re.findall(rf"#define {macro} (\".*\")\n", PARTS["model.h"])
    names = ast.literal_eval(text).split("\0")
    assert names[-1] == ""
    assert {name: code for code, name in enumerate(names[:-1])} == getattr(mlet, table)
