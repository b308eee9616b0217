#!/usr/bin/env python
"""Write micropython_tests of figures/robustness.json: MicroPython's own tests on the unix port.

With Motionlet in it and without: what Motionlet breaks is the difference. Some tests are of time,
and a busy machine fails them.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import build_firmware
from common import ROOT
from get_sources import micropython_dir

from host_sdk.errors import MotionletError, run_main
from host_sdk.files import make_folder, read_json, write_json

PROGRAMS = {"ours": "unix", "stock": "unix_stock"}
PATH = ROOT / "figures/robustness.json"


def measure(jobs=1, folders=()):
    """Return {"ours": {"passed", "of"}, "stock": …}, and print the names of those that fail.

    jobs: how many tests run at a time. folders: of MicroPython's tests, by default all that its
    own run-tests.py takes.
    """
    return {who: _run(name, jobs, folders) for who, name in PROGRAMS.items()}


def _run(name, jobs, folders):
    build_firmware.build(name, quiet=True)
    program = build_firmware.FIRMWARE / name / "micropython"
    tests = micropython_dir() / "tests"
    with tempfile.TemporaryDirectory() as results:
        words = [sys.executable, "run-tests.py", "-j", jobs, "-r", results]
        words += ["-d", *folders] if folders else []
        done = subprocess.run(
            [str(word) for word in words],
            cwd=tests,
            env={**os.environ, "MICROPY_MICROPYTHON": str(program)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    counts, failed = read(done.stdout)
    print(f"{name}: {counts['passed']} of {counts['of']}; failed: {failed}")
    return counts


def read(said):
    """Return ({"passed", "of"}, names of what failed), from what run-tests.py printed."""
    of, passed = (
        re.search(rf"^(\d+) tests {word}\b", said, re.MULTILINE) for word in ("performed", "passed")
    )
    if not (of and passed):
        lines = said.strip().splitlines() or ["nothing"]
        raise MotionletError(f"run-tests.py said {lines[-1]!r}, and no count of tests")
    failed = re.search(r"^\d+ tests failed: (.*)$", said, re.MULTILINE)
    counts = {"passed": int(passed.group(1)), "of": int(of.group(1))}
    return counts, failed.group(1) if failed else "none"


def main():
    measured = measure()
    make_folder(PATH.parent)
    others = read_json(PATH, "make figures NAME=robustness") if PATH.exists() else {}
    write_json(PATH, {**others, "micropython_tests": measured})


if __name__ == "__main__":
    run_main(main)
