"""Run ESP-IDF's idf.py: an installed one (IDF_PATH), or the one in its container image."""

import os
import shutil
from pathlib import Path

from common import ROOT, ToolError

IMAGE = "espressif/idf:v5.4"
VERSIONS = "5.2 to 5.4"  # what MicroPython 1.25 builds with
ENGINES = ("docker", "podman")


def command(tree, script):
    """Return the command that runs a shell script where idf.py is on the path.

    tree: MicroPython's sources; they and this repository are seen under their own paths.
    """
    given = os.environ.get("IDF_PATH")
    if given:
        export = Path(given).expanduser() / "export.sh"
        if not export.exists():
            raise ToolError(f"IDF_PATH={given}: no ESP-IDF there (no export.sh)")
        return ["bash", "-c", f'. "{export}" > /dev/null && {script}']
    engine = next((name for name in ENGINES if shutil.which(name)), None)
    if engine is None:
        raise ToolError(
            f"no ESP-IDF: set IDF_PATH to an installed one ({VERSIONS}), or install "
            f"{' or '.join(ENGINES)} to use the image {IMAGE}"
        )
    shared = [word for path in {ROOT, tree} for word in ("-v", f"{path}:{path}")]
    user = ["-u", f"{os.getuid()}:{os.getgid()}", "-e", "HOME=/tmp"]
    return [engine, "run", "--rm", *user, *shared, IMAGE, "bash", "-c", script]
