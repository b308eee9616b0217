#!/usr/bin/env python3
"""Write README's table of what was checked, from what the last test runs noted in build/support.

    tools/support_table.py            write it
    tools/support_table.py --check    only say what differs; exit with 1 if anything does

A row counts the scripts of tests/device that passed on a device; it takes `make test` first, and
`pytest --device=PORT tests/host/test_on_device.py` for a board.
"""

import argparse
import difflib
import json

from common import BUILD, ROOT, ToolError, replace_between, run_main, write_atomically

BEGIN = "<!-- written by tools/support_table.py: begin -->\n"
END = "<!-- written by tools/support_table.py: end -->"

# How a device is named in tests, and where it runs; any other is a board.
PLACES = {
    "virtual Pico": "the firmware image in rp2040py",
    "unix MicroPython": "a process",
    "qemu": "QEMU",
}


def rows(records, scripts):
    """Yield the cells of each row; `scripts` is how many there are."""
    for row in sorted(records, key=lambda r: (r["motionlet"], r["machine"], r["micropython"])):
        place = next((p for name, p in PLACES.items() if row["device"].startswith(name)), "a board")
        passed = len(row["scripts"])
        yield (
            row["machine"] or row["device"],
            row["architecture"],
            row["micropython"],
            row["motionlet"],
            f"{place}: {passed} of {scripts} device tests",
        )


def table(records, scripts):
    """Return the table as Markdown."""
    titles = ("board", "architecture", "MicroPython", "Motionlet in", "how it was checked")
    lines = [titles, ["---"] * len(titles), *rows(records, scripts)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether it is current")
    check = parser.parse_args().check
    records = [json.loads(path.read_text()) for path in (BUILD / "support").glob("*.json")]
    if not records:
        raise ToolError("nothing is noted in build/support: run `make test` first")
    scripts = len(list((ROOT / "tests/device").glob("test_*.py")))
    path = ROOT / "README.md"
    text = table(records, scripts) + "\n"
    content = replace_between(path, BEGIN, END, text)
    if not check:
        write_atomically(path, content.encode())
        print(text, end="")
        return
    before = path.read_text(encoding="utf-8")
    if content != before:
        difference = difflib.unified_diff(
            before.splitlines(), content.splitlines(), "README.md", "what was tested", "", "", 0, ""
        )
        print(*difference, sep="\n")
        raise ToolError("README's table is not what was tested: tools/support_table.py writes it")


if __name__ == "__main__":
    run_main(main)
