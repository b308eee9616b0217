"""figures/sizes.json: how large each configuration is; tools/figures/sizes.py writes it."""

import json

from host_sdk import files, paths
from host_sdk.board.native_module import CORE, GROUPS

MAIN = ("core", "full", "for_demo")
LOUD = 0.02  # a change that is shown, as a share


def stored_path():
    return paths.repository() / "figures/sizes.json"


def stored():
    """Return the rows {arch, where, configuration, flash, ram}."""
    path = stored_path()
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def key(row):
    return row["arch"], row["where"], row["configuration"]


def write(rows):
    """Keep rows, and those that were there of what was not weighed now."""
    weighed = {key(row)[:2] for row in rows}
    old = [row for row in stored() if key(row)[:2] not in weighed]
    kept = {key(row): row for row in [*old, *rows]}
    lines = ",\n".join(json.dumps(kept[each]) for each in sorted(kept))
    files.make_folder(stored_path().parent)
    files.write(stored_path(), f"[\n{lines}\n]\n".encode())


def moved(old, new):
    """Return [(flash before, row)] of rows that grew or shrank by more than `LOUD`."""
    before = {key(row): row["flash"] for row in old}
    found = [(before[key(row)], row) for row in new if key(row) in before]
    return [(was, row) for was, row in found if abs(row["flash"] / was - 1) > LOUD]


def tables(rows):
    """Return lines of Markdown: what configurations have, by architecture; what a group adds."""
    found = {key(row): row for row in rows}
    lines = []
    for where, title in (("natmod", "native module"), ("firmware", "firmware")):
        archs = sorted({row["arch"] for row in rows if row["where"] == where})
        lines += ["", *_head(title, archs)]
        for name in MAIN:
            for what, words in (
                ("flash", "file" if where == "natmod" else "flash"),
                ("ram", "RAM"),
                ("ram_imported", "heap, once imported, with the Python package"),
            ):
                cells = [found.get((arch, where, name), {}).get(what) for arch in archs]
                if any(cell is not None for cell in cells):
                    lines.append(_line(f"`{name}`, {words}", cells))
    archs = sorted({row["arch"] for row in rows if row["where"] == "natmod"})
    lines += ["", *_head("what a group adds to a native module", archs)]
    for group, words in GROUPS.items():
        small, large = _pair(group)
        pairs = [[found.get((a, "natmod", name)) for name in (small, large)] for a in archs]
        cells = [b["flash"] - a["flash"] if a and b else None for a, b in pairs]
        lines.append(_line(f"{words} (`{group}`)", cells))
    return lines


def _pair(group):
    """Return the configurations without and with a group."""
    if group in CORE.groups:
        return f"core-{group}", "core"
    if group == "kernels":
        return "core+portable", "core+portable+kernels"
    return "core", f"core+{group}"


def _head(title, archs):
    return [f"| bytes, {title} | {' | '.join(archs)} |", "|---|" + "--:|" * len(archs)]


def _line(words, cells):
    return f"| {words} | {' | '.join('–' if n is None else f'{n:,}' for n in cells)} |"
