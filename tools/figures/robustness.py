#!/usr/bin/env python
"""Write figures/robustness.json anew: each of its parts is measured by a tool of its own beside."""

import micropython_tests
import power_cuts

from host_sdk.errors import run_main

PARTS = (micropython_tests, power_cuts)


def main():
    for part in PARTS:
        part.main()


if __name__ == "__main__":
    run_main(main)
