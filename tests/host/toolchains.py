"""Toolchains that tests need and that may be missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk import paths

XTENSA = paths.repository() / "tools/xtensa_toolchain.py"


def need_xtensa():
    """Get the toolchain for Xtensa; return the folder of its programs.

    Skip, with the reason, where it cannot be had.
    """
    done = subprocess.run([sys.executable, XTENSA], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    return Path(done.stdout.strip())
