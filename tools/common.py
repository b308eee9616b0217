"""What the tools share: paths, one-line errors, locks, progress.

Nothing here needs more than Python's standard library; `rich` makes the progress bar nicer
where it is installed.
"""

import hashlib
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

sys.path.append(str(ROOT))

# What the tools take from here too, but what also runs where no checkout is.
from host_sdk.board.flash_map import XIP_BASE as XIP_BASE  # noqa: E402
from host_sdk.board.flash_map import flash_map as flash_map  # noqa: E402
from host_sdk.errors import MotionletError as ToolError  # noqa: E402
from host_sdk.errors import run_main as run_main  # noqa: E402
from host_sdk.files import locked as locked  # noqa: E402
from host_sdk.files import make_folder, write  # noqa: E402
from host_sdk.paths import build  # noqa: E402

BUILD = build()  # $MOTIONLET_BUILD has another, for builds of another MicroPython


def need_programs(programs, packages, hint=""):
    """Raise ToolError unless every program is on the path; `packages` are Debian's names."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise ToolError(
            f"not found: {', '.join(missing)}; on Debian or Ubuntu (on Windows, in WSL): "
            f"apt-get install {' '.join(packages)}{hint}"
        )


def write_atomically(path, data):
    """Write bytes to `path`, in a folder that is made if need be: the old file, or the new one."""
    make_folder(Path(path).parent)
    write(path, data)


def replace_between(path, begin, end, content):
    """Return the text of `path` with `content` between the lines `begin` and `end`."""
    head, found, rest = path.read_text(encoding="utf-8").partition(begin)
    _, also_found, tail = rest.partition(end)
    if not (found and also_found):
        raise ToolError(f"{path.name} has lost the markers of its generated part")
    return head + begin + content + end + tail


def files_in(*roots):
    """The files in directories, or named themselves, without hidden ones and Python's caches."""
    for root in roots:
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
            if path.is_file() and not hidden:
                yield path


def digest(*items):
    """A hash over texts, and over the names and contents of files (Paths)."""
    result = hashlib.sha256()
    for item in items:
        data = item.read_bytes() if isinstance(item, Path) else b""
        result.update(f"{item}\0{len(data)}\0".encode() + data)
    return result.hexdigest()


def last_errors(output):
    """The lines that matter in what a failed compiler, linker or make said."""
    lines = output.rstrip().splitlines()
    # Compilers say "error:", linkers "undefined" or "overflowed"; make adds lines of its own.
    said = [
        line
        for line in lines
        if re.search(r"error|undefined|multiple definition|overflow", line, re.I)
    ]
    said = [line for line in said if not line.startswith("make")] or lines
    return "\n  ".join(said[:12])


class Progress:
    """A progress bar on stderr: rich's if installed and a terminal is there, else plain lines."""

    def __init__(self, title):
        self.title = title
        self._last = None
        try:
            from rich.console import Console
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar
        except ImportError:
            self._bar = None
            return
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        )
        self._bar = Bar(*columns, console=console) if console.is_terminal else None

    def __enter__(self):
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=100)
        return self

    def __exit__(self, *exc):
        if self._bar:
            self._bar.stop()

    def update(self, percent, text=""):
        """Show `percent` (0 to 100) and what is being done."""
        if self._bar:
            self._bar.update(self._task, completed=percent, description=f"{self.title} {text}")
            return
        # Without a terminal: a line per new text or quarter, so that a log stays short.
        key = (text, int(percent) // 25)
        if key != self._last:
            self._last = key
            print(f"{self.title}: {text} {percent:.0f}%", file=sys.stderr, flush=True)
