#!/usr/bin/env python
"""Write power_cuts of figures/robustness.json: what is left when power fails while deploying.

The table of docs/power.md is written from it.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))

from common import ROOT, replace_between, write_atomically

from host_sdk.bench import power_cuts
from host_sdk.errors import run_main
from host_sdk.files import make_folder, read_json, write_json

NAMES = {"romfs": "ROMFS", "littlefs": "littlefs", "fat": "FAT"}
BEGIN = "<!-- written by tools/figures/power_cuts.py: begin -->\n"
END = "<!-- written by tools/figures/power_cuts.py: end -->"


def main():
    counts = power_cuts.counts(power_cuts.FULL)
    for kind, count in counts.items():
        for line in count.lost[:5]:
            print(f"{kind}: {line}")
    measured = {kind: count.result() for kind, count in counts.items()}
    path = power_cuts.figures_path()
    make_folder(path.parent)
    others = read_json(path, "make figures NAME=robustness") if path.exists() else {}
    write_json(path, {**others, "power_cuts": measured})
    page = ROOT / "docs/power.md"
    write_atomically(page, replace_between(page, BEGIN, END, table(measured)).encode())
    print(table(measured), end="")


def table(measured):
    """Return the figures as a table."""
    lines = [f"| {NAMES[kind]} | {n['states']:,} | {n['lost']} |" for kind, n in measured.items()]
    return "\n".join(["| | states | lost |", "|---|---|---|", *lines, ""])


if __name__ == "__main__":
    run_main(main)
