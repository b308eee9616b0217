#!/usr/bin/env python3
"""Write figures/sizes.json anew: how large each configuration is, in a firmware and as a module.

It is a list of {arch, where, configuration, flash, ram}: bytes of `flash` in a firmware, or of the
.mpy, and of `ram` before any model is loaded: of a module, its code, constants and variables. Where
it was tried, `ram_imported` is what the heap has less after `import motionlet`.

Configurations are "core", "full", "for_demo", and core with one group more ("core+int4") or less
("core-chains"). Builds first what is not up to date; what cannot be built here keeps its figures.
"""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

import build_firmware
import build_natmod
from common import ToolError, run_main

from host_sdk.bench import sizes
from host_sdk.bench.measure import demo_case
from host_sdk.board import install, native_module
from host_sdk.board.devices import open_device
from host_sdk.errors import MotionletError

FIRMWARE = {"armv6m": "MOTIONLET_PICO", "x64": "unix"}


def selections(graph, arch):
    """Return {configuration: Selection} of what is weighed as a native module."""
    core = native_module.CORE
    found = {**native_module.CONFIGURATIONS, "for_demo": native_module.made_for([graph], arch)}
    for group in native_module.GROUPS:
        if group in core.groups:
            found[f"core-{group}"] = core.having(core.groups - {group})
        elif group == "kernels":  # which are portable ones
            found["core+portable+kernels"] = core.having(core.groups | {"portable", "kernels"})
        else:
            found[f"core+{group}"] = core.having(core.groups | {group})
    return found


def natmod_rows(graph, arch):
    """Return the rows of native modules for an architecture."""
    rows = []
    for configuration, selection in selections(graph, arch).items():
        build_natmod.compile_object(arch, selection.key)
        linked = native_module.link(arch, selection, build_natmod.OBJECTS)
        sizes_of = {"flash": len(linked.mpy), "ram": linked.ram_bytes}
        rows.append(row(arch, "natmod", configuration, sizes_of))
    return rows


def firmware_rows(graph, arch, board):
    """Return the rows of Motionlet in a firmware."""
    wanted = native_module.made_for([graph], arch)
    demo = [f"MLET_WITH_{kind.upper()}=1" for kind in sorted(wanted.operators)]
    demo += [f"MLET_WITH_{group.upper()}=1" for group in sorted(wanted.groups)]
    core = ["MLET_CONFIG_CORE"]
    definitions = {"full": [], "core": core, "for_demo": [*core, "MLET_WITH_OPERATORS=0", *demo]}
    rows = []
    for configuration, defined in definitions.items():
        out = build_firmware.FIRMWARE / (board if not defined else f"{board}-{configuration}")
        if defined:
            os.environ["MOTIONLET_CONFIG"] = " ".join(defined)
        try:
            report = build_firmware.build(board, quiet=True, out=out)
        finally:
            os.environ.pop("MOTIONLET_CONFIG", None)
        found = {"flash": report["module_bytes"], "ram": report["module_ram"]}
        rows.append(row(arch, "firmware", configuration, found))
    return rows


def row(arch, where, configuration, found):
    return {"arch": arch, "where": where, "configuration": configuration, **found}


def try_on_a_pico(graph, rows):
    """Import each module on the virtual Pico, with MicroPython's own firmware."""
    build_firmware.build("RPI_PICO", quiet=True)
    for each in rows:
        wanted, models = each["configuration"], []
        if (each["arch"], each["where"]) == ("armv6m", "natmod") and wanted in sizes.MAIN:
            if wanted == "for_demo":
                wanted, models = "models", [graph]
            with open_device("virtual", board="RPI_PICO") as pico:
                done = install.install(pico, wanted=wanted, models=models)
            each["ram_imported"] = done.ram_bytes


def main():
    graph = demo_case().graph
    jobs = [(natmod_rows, (graph, arch)) for arch in build_natmod.ARCHITECTURES]
    jobs += [(firmware_rows, (graph, *each)) for each in FIRMWARE.items()]
    rows = []
    for measure, job in jobs:
        try:
            rows += measure(*job)
        except (ToolError, MotionletError) as error:
            print(f"{' '.join(job[1:])}: left as it was: {error}", file=sys.stderr)
    try_on_a_pico(graph, rows)
    before = sizes.stored()
    sizes.write(rows)
    for old, new in sizes.moved(before, rows):
        print(f"{new['arch']} {new['where']} {new['configuration']}: {old:,} -> {new['flash']:,}")


if __name__ == "__main__":
    run_main(main)
