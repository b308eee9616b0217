"""Takes from Python on Linux what it lacks on Windows: put this folder on PYTHONPATH.

The standard library, pyserial and mpremote keep it: on Windows they have parts of their own.
"""

import builtins
import os

MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
FUNCTIONS = ("fork", "geteuid", "getgid", "getuid", "killpg", "openpty", "setsid", "ttyname")
LIBRARY = os.path.dirname(os.__file__)

find = builtins.__import__


def find_for_windows(name, globals=None, *rest, **given):
    """As `__import__`, without MODULES."""
    importer = globals or {}
    file = importer.get("__file__") or LIBRARY
    standard = file.startswith(LIBRARY) and "site-packages" not in file
    portable = importer.get("__name__", "").startswith(("serial", "mpremote"))
    if name in MODULES and not (standard or portable):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return find(name, globals, *rest, **given)


builtins.__import__ = find_for_windows
for function in FUNCTIONS:
    delattr(os, function)
