"""What tests compile with, some of which may be missing."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk import paths

XTENSA = paths.repository() / "tools/xtensa_toolchain.py"


def arithmetic(source, folder, types):
    """Compile a C file with functions that GCC calls, such as __mulsf3, into `folder`; load it.

    Returns `types`, {name: (type of the result, *those of the arguments)}, as {name: function}.
    """
    path = folder / "arithmetic.so"
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")
    subprocess.run(["gcc", *flags, "-o", path, source], check=True)
    library, functions = ctypes.CDLL(path), {}
    for name, (result, *arguments) in types.items():
        functions[name] = getattr(library, name)
        functions[name].restype, functions[name].argtypes = result, arguments
    return functions


def need_xtensa():
    """Get the toolchain for Xtensa; return the folder of its programs.

    Skip, with the reason, where it cannot be had.
    """
    done = subprocess.run([sys.executable, XTENSA], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    return Path(done.stdout.strip())
