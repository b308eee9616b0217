"""Put what host_sdk needs of the project beside it into the package; the rest is pyproject.toml.

In a wheel it lies in host_sdk/_data, under the names that a checkout has for it. A folder of what
was compiled, $MOTIONLET_BUILT, becomes host_sdk/_data/built; tools/make_dist.py makes one. An
editable install takes everything from the checkout.
"""

import os
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
DATA = ("benchmarks.json", "boards", "device", "native_modules")
TOOLS = ("common.py", "get_sources.py", "get_videos.py")  # which get a film for host_sdk.data


class BuildWithData(build_py):
    """Copies the data behind the modules."""

    def run(self):
        super().run()
        if self.editable_mode:
            return
        data = Path(self.build_lib) / "host_sdk/_data"
        shutil.rmtree(data, ignore_errors=True)
        for name in (*DATA, *(f"tools/{name}" for name in TOOLS)):
            _copy(ROOT / name, data / name)
        if built := os.environ.get("MOTIONLET_BUILT"):
            _copy(Path(built), data / "built")


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    else:
        shutil.copyfile(source, target)


setup(cmdclass={"build_py": BuildWithData})
