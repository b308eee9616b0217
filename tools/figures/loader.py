#!/usr/bin/env python
"""Write figures/loader.json: how long the C core takes to check the files that take it longest."""

from host_sdk.bench import loader
from host_sdk.errors import run_main
from host_sdk.files import make_folder, write_json


def main():
    path = loader.figures_path()
    make_folder(path.parent)
    write_json(path, loader.measure())
    print(path.read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run_main(main)
