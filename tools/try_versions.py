#!/usr/bin/env python3
"""Build and test Motionlet with other versions of MicroPython.

    tools/try_versions.py DIR…          trees of MicroPython, with their submodules
    tools/try_versions.py 1.26.1        a version that tools/get_sources.py gets
    tools/try_versions.py DIR… --only unix,natmod

For each tree, in build/versions/VERSION: the unix port and, where pico-sdk is there, the firmware
for the virtual Pico, with Motionlet in them, and the native modules of all architectures whose
compilers are here; then the device tests on all of these. With several trees, and the pinned one
beside them, each version's native modules in each other's firmware, too.

What ran is noted in build/support, for README's table (tools/support_table.py).
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from common import BUILD, ROOT, ToolError, run_main, write_atomically
from get_sources import RELEASES, micropython_dir, sdk_for, version_of

HOST = ROOT / "tests/host"
# {what is tried: (target to build first, or None; tests)}
TRIED = {
    "unix": ("unix", [HOST / "test_on_device.py", "-k", "unix"]),
    "pico": ("MOTIONLET_PICO", [HOST / "test_on_device.py", "-k", "virtual"]),
    "natmod": (None, [HOST / "test_natmod.py", "-k", "unix_port or on_qemu or stock_pico"]),
}
ACROSS = [HOST / "test_versions.py"]


@dataclass
class Tree:
    """MicroPython's sources, and what came of them."""

    path: Path
    folder: Path | None = None  # for what is built, by default one of its own
    said: dict = field(default_factory=dict)  # {what was tried: how it went}

    @property
    def version(self):
        """In words, with `-preview` where the tree is of none that was released."""
        text = (self.path / "py/mpconfig.h").read_text()
        preview = "MICROPY_VERSION_PRERELEASE 1" in text
        return ".".join(map(str, version_of(self.path))) + "-preview" * preview

    @property
    def build(self):
        return self.folder or BUILD / "versions" / self.version

    def environment(self, **more):
        """Return the environment of what is built from this tree and tested."""
        chosen = {"MICROPYTHON_DIR": str(self.path), "MOTIONLET_BUILD": str(self.build)}
        return {**os.environ, **chosen, **more}

    def prepare(self):
        """Let the folder for builds have what does not depend on MicroPython's version."""
        self.build.mkdir(parents=True, exist_ok=True)
        for name in ("xtensa", "native"):
            if (BUILD / name).exists() and not (self.build / name).exists():
                (self.build / name).symlink_to(BUILD / name)

    def has(self, what):
        """Whether the tree has what a part of TRIED builds from; note it otherwise."""
        try:
            sdk_for("rp2" if what == "pico" else "unix", self.path)
        except ToolError as error:
            self.said[what] = f"not tried: {error}"
            return False
        return True

    def build_and_test(self, what):
        target, tests = TRIED[what]
        if not self.has(what):
            return
        if target is not None:
            tool = [sys.executable, ROOT / "tools/build_firmware.py", target]
            done = subprocess.run(tool, env=self.environment(), stderr=subprocess.PIPE, text=True)
            if done.returncode:
                self.said[what] = done.stderr.strip().splitlines()[-1]
                return
        self.said[what] = self.test(tests)

    def test(self, tests, **environment):
        """Run tests with pytest; return its last line, after the names of what failed."""
        command = [sys.executable, "-m", "pytest", "-q", "-rf", "-n0", *tests]
        done = subprocess.run(
            [str(word) for word in command],
            cwd=ROOT,
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            text=True,
        )
        lines = done.stdout.strip().splitlines() or ["pytest said nothing"]
        if done.returncode:
            print(done.stdout, file=sys.stderr)
            failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
            return "; ".join([*failed, lines[-1]])
        return lines[-1]

    def passed(self):
        """Whether all that was tried works."""
        return not any(self._is_bad(said) for said in self.said.values())

    @staticmethod
    def _is_bad(said):
        if said.startswith("not tried"):
            return False
        return "passed" not in said or "failed" in said or "error" in said

    def note(self):
        """Copy what the tests noted to where README's table is written from."""
        for path in (self.build / "support").glob("*.json"):
            write_atomically(BUILD / "support" / path.name, path.read_bytes())


def tree_of(given):
    """Return the Tree that an argument names: a folder, or a version to get."""
    if given in RELEASES:
        return Tree(micropython_dir(version=given))
    path = Path(given).expanduser().resolve()
    version_of(path)
    return Tree(path)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trees", nargs="+", metavar="DIR|VERSION")
    parser.add_argument(
        "--only",
        default=",".join([*TRIED, "across"]),
        help=f"of {', '.join(TRIED)} and across, by commas (all)",
    )
    args = parser.parse_args()
    wanted = args.only.split(",")
    if unknown := set(wanted) - {*TRIED, "across"}:
        raise ToolError(f"--only {unknown.pop()}: there are {', '.join(TRIED)} and across")
    os.environ.pop("MICROPYTHON_DIR", None)
    trees = [tree_of(given) for given in args.trees]
    for tree in trees:
        tree.prepare()
        for what in TRIED:
            if what in wanted:
                print(f"MicroPython {tree.version}: {what}", file=sys.stderr, flush=True)
                tree.build_and_test(what)
        tree.note()
    if "across" in wanted:
        trees.insert(0, Tree(micropython_dir(), BUILD))
        for tree in trees:
            tool = [sys.executable, ROOT / "tools/build_natmod.py", "all", "--full"]
            subprocess.run(tool, env=tree.environment(), check=True)
        for tree in trees:
            print(f"MicroPython {tree.version}: across", file=sys.stderr, flush=True)
            others = [str(each.build / "dist") for each in trees if each is not tree]
            tree.said["across"] = tree.test(ACROSS, MOTIONLET_MODULES=":".join(others))
    for tree in trees:
        for what, said in tree.said.items():
            print(f"MicroPython {tree.version:16} {what:8} {said}")
    summary = {tree.version: tree.said for tree in trees}
    write_atomically(BUILD / "versions/tried.json", json.dumps(summary, indent=1).encode() + b"\n")
    if not all(tree.passed() for tree in trees):
        raise ToolError("not all of it works: see above")


if __name__ == "__main__":
    run_main(main)
