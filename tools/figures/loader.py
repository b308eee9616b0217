#!/usr/bin/env python
"""Write figures/loader.json: how long the C core takes to check the files that take it longest."""

import json
import sys

from host_sdk.bench import loader
from host_sdk.errors import MotionletError


def main():
    text = json.dumps(loader.measure(), indent=1) + "\n"
    loader.figures_path().parent.mkdir(exist_ok=True)
    loader.figures_path().write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    try:
        main()
    except MotionletError as error:
        sys.exit(f"figures: {error}")
