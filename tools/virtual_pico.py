#!/usr/bin/env python3
"""Run a virtual Pico: `tools/virtual_pico.py --help`, and host_sdk/board/virtual_pico.py."""

from common import run_main

from host_sdk.board.virtual_pico import main

if __name__ == "__main__":
    run_main(main)
