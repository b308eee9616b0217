"""Where things are: the checkout that this SDK belongs to, and what it generates."""

import functools
from pathlib import Path

from host_sdk.errors import MotionletError


@functools.cache
def repository():
    """Return the checkout's root, which holds the C core, the boards and the tools."""
    root = Path(__file__).resolve().parent.parent
    if not (root / "native_modules/motionlet/core/mlet.h").exists():
        raise MotionletError(
            f"{root} is not a Motionlet checkout: install with `pip install -e .` from one"
        )
    return root


def build():
    """Return the folder for everything generated; it may not exist yet."""
    return repository() / "build"


def device_package():
    """Return the folder of the Python package that goes onto devices."""
    return repository() / "device/motionlet"


def packaged(name):
    """Return where `name` lies that came with an installed SDK; in a checkout nothing is there."""
    return Path(__file__).resolve().parent / name
