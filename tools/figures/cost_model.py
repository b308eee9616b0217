#!/usr/bin/env python
"""Write figures/cost_model.json: how well cycles are foretold of networks that were never measured.

What the layers of benchmarks.json do is counted anew; their cycles stay as measured. Then each
network is left out of the fit and reckoned. BENCHMARKS.md is written from both.
"""

import sys

from host_sdk.bench import measure, report
from host_sdk.cost import cost_model
from host_sdk.cost.benchmarks import stored_rows
from host_sdk.errors import run_main


def main():
    report.keep(measure.recount(stored_rows(), lambda name: print(name, file=sys.stderr)))
    print(cost_model.figures_path().read_text(encoding="utf-8"))


if __name__ == "__main__":
    run_main(main)
