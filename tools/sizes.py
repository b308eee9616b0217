#!/usr/bin/env python3
"""How large Motionlet is in what is built of it, and the stack it needs.

    tools/sizes.py     prints rows for benchmarks.json, as JSON

Builds first what is not up to date. What cannot be built here is left out, with the reason.

A row is {case, impl, device, bytes}. `device` is an architecture, and "firmware" or "native
module". `impl` says which memory: "flash" or "RAM" of a part of the C code or of "files/NAME",
"stack" of a function, "frozen", or, of a native module, "file".
"""

import collections
import json
import sys

import build_firmware
import build_natmod
import stack_usage
from common import ToolError, run_main

# The firmware whose Motionlet is weighed: architecture, board, directory of the result, and user
# modules.
XTENSA = build_firmware.FIRMWARE / "XTENSA_SIM_motionlet"
FIRMWARE = (
    ("armv6m", "MOTIONLET_PICO", build_firmware.FIRMWARE / "MOTIONLET_PICO", ()),
    ("xtensawin", "XTENSA_SIM", XTENSA, (build_firmware.MODULE,)),
    ("x64", "unix", build_firmware.FIRMWARE / "unix", ()),
)
BY_FILE = ("armv6m",)
FLASH = build_firmware.CONSTANT + build_firmware.IN_BOTH  # kinds of sections
CODE_IN_RAM, VARIABLES = ("time_critical",), ("data", "bss")
KERNELS = {f"core/mlet_{name}" for name in stack_usage.KERNELS}


def part(file):
    """Return which part of Motionlet a file of size.json is."""
    if file.startswith("arch/"):
        return "tuned kernels"
    if file.startswith("core/"):
        return "portable kernels" if file in KERNELS else "loader, streams, frames"
    return "MicroPython binding"


def _sum(kinds, names):
    return sum(kinds.get(name, 0) for name in names)


def firmware_rows(arch, board, out, modules):
    """Return the rows of Motionlet in a firmware."""
    report = build_firmware.build(board, modules, quiet=True, out=out)
    files = report["files"]
    flash, ram = collections.Counter(), collections.Counter({"code": 0, "variables": 0})
    for file, kinds in files.items():
        flash[part(file)] += _sum(kinds, FLASH)
        ram["code"] += _sum(kinds, CODE_IN_RAM)
        ram["variables"] += _sum(kinds, VARIABLES)
    stack = {}
    if arch in stack_usage.MACHINES:
        stack = stack_usage.stack_bytes(out / "firmware.elf", arch)
    if arch in BY_FILE:
        for file, kinds in files.items():
            flash[f"files/{file}"] = _sum(kinds, FLASH)
            ram[f"files/{file}"] = _sum(kinds, CODE_IN_RAM)
    memories = {"flash": flash, "RAM": ram, "stack": stack}
    memories["frozen"] = {"Python package, in flash": report["frozen_bytes"]}
    return _rows(f"{arch}, firmware", memories)


def natmod_rows(arch):
    """Return the rows of the native module."""
    report = build_natmod.build(arch, quiet=True)
    code = report["text_bytes"] + report.get("rodata_bytes", 0)
    memories = {
        "file": {"_motionlet.mpy": report["mpy_bytes"]},
        "RAM": {"code": code, "variables": report["bss_bytes"]},
    }
    return _rows(f"{arch}, native module", memories)


def _rows(device, memories):
    return [
        {"case": case, "impl": memory, "device": device, "bytes": count}
        for memory, counts in memories.items()
        for case, count in counts.items()
    ]


def all_rows():
    """Return the rows of all that can be built here."""
    jobs = [(f"firmware {job[0]}", firmware_rows, job) for job in FIRMWARE]
    jobs += [(f"natmod {arch}", natmod_rows, (arch,)) for arch in build_natmod.ARCHITECTURES]
    rows = []
    for name, measure, job in jobs:
        try:
            rows += measure(*job)
        except ToolError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
    return rows


def main():
    print(json.dumps(all_rows(), indent=1))


if __name__ == "__main__":
    run_main(main)
