"""The format's facts are stated once: what is generated from them is current."""

import subprocess
import sys

from host_sdk import native, paths
from host_sdk.format import mlet as fmt


def test_generated_files_are_current():
    tool = paths.repository() / "tools/generate_format.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_check_sees_a_stale_file(tmp_path):
    """The same tool on a copy with one field moved."""
    root = paths.repository()
    for name in (
        "tools/generate_format.py",
        "tools/common.py",
        "host_sdk/format/mlet.py",
        "host_sdk/__init__.py",
        "host_sdk/format/__init__.py",
        "host_sdk/format/operators.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((root / name).read_text())
    core = "native_modules/motionlet/core/"
    for name in ("SPEC.md", *(f"{core}mlet_{it}.h" for it in ("field", "format", "operators"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((root / name).read_text().replace("65535", "65534"))
    command = [sys.executable, tmp_path / "tools/generate_format.py"]
    done = subprocess.run([*command, "--check"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "mlet_format.h" in done.stderr
    assert "SPEC.md" in done.stderr
    assert subprocess.run(command).returncode == 0
    assert subprocess.run([*command, "--check"]).returncode == 0


def test_the_c_core_knows_the_same_ops():
    ffi, lib = native.library()
    names = {code: name for name, code in fmt.OP_CODES.items()}
    for code in range(256):
        name = lib.mlet_op_name(code)
        assert (None if name == ffi.NULL else ffi.string(name).decode()) == names.get(code)


def test_a_normalization_lies_in_c_as_in_the_file():
    """The core reads the record through a struct, not field by field."""
    ffi, _ = native.library()
    struct = dict(ffi.typeof("mlet_normalization_t").fields)
    offsets = {name: offset for name, (offset, _) in fmt.field_offsets(fmt.NORMALIZATION).items()}
    assert {name: field.offset for name, field in struct.items()} == offsets
    assert ffi.sizeof("mlet_normalization_t") == fmt.codec(fmt.NORMALIZATION).size
