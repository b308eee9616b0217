#!/usr/bin/env python
"""Write fake_boards of figures/robustness.json: commands against boards that answer badly."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests/host"))

import fake_boards

from host_sdk import paths
from host_sdk.bench import power_cuts
from host_sdk.errors import run_main
from host_sdk.files import make_folder, read_json, write_json


def main():
    measured = fake_boards.figures(paths.repository() / "tests/vectors/tiny_separable.mlet")
    path = power_cuts.figures_path()
    make_folder(path.parent)
    others = read_json(path, "make figures NAME=robustness") if path.exists() else {}
    write_json(path, {**others, "fake_boards": measured})
    print(measured)


if __name__ == "__main__":
    run_main(main)
