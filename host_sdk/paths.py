"""Where things are: in the checkout that this SDK runs from, or with the installed package.

A checkout keeps what is generated in build/. An installed package brings its data along, as
setup.py puts them into a wheel, and generates into the user's cache.
"""

import functools
import os
from pathlib import Path

from host_sdk.errors import MotionletError

PACKAGE = Path(__file__).resolve().parent
DATA = PACKAGE / "_data"  # of an installed package: what a checkout has, under the same names


@functools.cache
def checkout():
    """Return the root of the checkout that this SDK runs from; None when it was installed."""
    root = PACKAGE.parent
    return root if (root / "native_modules/motionlet/core/mlet.h").exists() else None


def repository(what="this"):
    """Return the checkout's root, which holds the tools too.

    Raises MotionletError where there is none: `what` is had in a checkout only.
    """
    root = checkout()
    if root is None:
        raise MotionletError(
            f"{what} needs a checkout of Motionlet, with `pip install -e .` in it; this is the "
            f"installed package in {PACKAGE}"
        )
    return root


def data(name):
    """Return where a part of the project lies: "boards", "device", "native_modules/motionlet"."""
    root = checkout()
    if root is None and not DATA.exists():
        raise MotionletError(
            f"{PACKAGE} came without its data: install Motionlet's wheel, or use a checkout"
        )
    return (root or DATA) / name


def built(name):
    """Return where something built lies: "firmware/BOARD/firmware.uf2". It may not exist.

    In a checkout that is in `build()`; an installed package has brought it, or has it not.
    """
    return data("built") / name if checkout() is None else build() / name


def build():
    """Return the folder for everything generated; it may not exist yet.

    A checkout has it in build/, or in $MOTIONLET_BUILD; an installed package uses
    $MOTIONLET_CACHE, or the user's cache.
    """
    root = checkout()
    if root is not None:
        return Path(os.environ.get("MOTIONLET_BUILD") or root / "build").absolute()
    if chosen := os.environ.get("MOTIONLET_CACHE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("motionlet", appauthor=False)
