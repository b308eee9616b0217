"""Run ESP-IDF's idf.py: an installed one (IDF_PATH), or the one in its container image."""

import os
import re
import shutil
from pathlib import Path

from common import ROOT, ToolError
from get_sources import version_of

IMAGE = "espressif/idf:v5.4"
# {first MicroPython: the versions that it says it builds with, and the first of them}
VERSIONS = {
    (1, 25): ("5.2 to 5.4", (5, 2)),
    (1, 27): ("5.2 to 5.5", (5, 2)),
    (1, 28): ("5.3 to 5.5", (5, 3)),
}
ENGINES = ("docker", "podman")


def command(tree, script):
    """Return the command that runs a shell script where idf.py is on the path.

    tree: MicroPython's sources; they and this repository are seen under their own paths.
    """
    given = _given()
    if given:
        return ["bash", "-c", f'. "{given / "export.sh"}" > /dev/null && {script}']
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    if engine is None:
        raise ToolError(
            f"no ESP-IDF: set IDF_PATH to an installed one ({_versions(tree)[0]}), or install "
            f"{' or '.join(ENGINES)} to use the image {IMAGE}"
        )
    shared = [word for path in {ROOT, tree} for word in ("-v", f"{path}:{path}")]
    user = ["-u", f"{os.getuid()}:{os.getgid()}", "-e", "HOME=/tmp"]
    return [engine, "run", "--rm", *user, *shared, IMAGE, "bash", "-c", script]


def _given():
    """Return the folder that IDF_PATH names, None where it names none."""
    given = os.environ.get("IDF_PATH")
    if not given:
        return None
    if not (Path(given).expanduser() / "export.sh").exists():
        raise ToolError(f"IDF_PATH={given}: no ESP-IDF there (no export.sh)")
    return Path(given).expanduser().resolve()


def version(folder):
    """Return the version of ESP-IDF in a folder, such as (5, 2, 2)."""
    path = folder / "tools/cmake/version.cmake"
    text = path.read_text() if path.exists() else ""
    found = dict(re.findall(r"set\(IDF_VERSION_(\w+) (\d+)\)", text))
    try:
        return tuple(int(found[part]) for part in ("MAJOR", "MINOR", "PATCH"))
    except KeyError:
        raise ToolError(f"IDF_PATH={folder}: {path.name} there tells no version") from None


def description():
    """Return in words which ESP-IDF is used: where it is, and its version."""
    given = _given()
    return IMAGE if given is None else f"{given} {'.'.join(map(str, version(given)))}"


def _versions(tree):
    found = version_of(tree)
    return VERSIONS[max(known for known in VERSIONS if known <= found)]


def check(tree):
    """Raise ToolError if the ESP-IDF that IDF_PATH names is too old for MicroPython in `tree`.

    A newer one than it knows of is tried.
    """
    given = _given()
    words, first = _versions(tree)
    if given is not None and version(given) < first:
        raise ToolError(
            f"IDF_PATH={given} is ESP-IDF {'.'.join(map(str, version(given)))}, and MicroPython "
            f"{'.'.join(map(str, version_of(tree)))} builds with {words}"
        )


class Ninja:
    """How far ninja is, by the lines that idf.py prints while it builds.

    Others count in brackets, too: ESP-IDF's component manager its components, "[1/2] name (1.0)",
    and the ninja that builds the bootloader its own files, which are fewer.
    """

    def __init__(self):
        self._started, self._total = False, 0

    def part(self, line):
        """Return the part of the build that is done (0 to 1); None if a line does not tell."""
        if line.startswith("Running ninja"):
            self._started = True
        found = re.match(r"\[(\d+)/(\d+)\] ", line)
        if not (self._started and found) or re.search(r"\] \S+ \([\w.~-]+\)$", line):
            return None
        done, total = int(found.group(1)), int(found.group(2))
        if total < self._total:
            return None
        self._total = total
        return done / total
