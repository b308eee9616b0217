#!/usr/bin/env python
"""Write power_cuts of figures/robustness.json: what is left when power fails while deploying."""

import json

from host_sdk.bench import power_cuts
from host_sdk.errors import run_main
from host_sdk.files import make_folder, read_json, write_json


def main():
    path = power_cuts.figures_path()
    make_folder(path.parent)
    others = read_json(path, "make figures NAME=robustness") if path.exists() else {}
    counts = power_cuts.counts(power_cuts.FULL)
    for kind, count in counts.items():
        for line in count.lost[:5]:
            print(f"{kind}: {line}")
    measured = {kind: count.result() for kind, count in counts.items()}
    write_json(path, {**others, "power_cuts": measured})
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    run_main(main)
