"""What the tools share: paths, one-line errors, locks, progress, and the flash map of a board.

Nothing here needs more than Python's standard library; `rich` makes the progress bar nicer
where it is installed.
"""

import ast
import contextlib
import hashlib
import operator
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: builds there run under WSL; a lock is only a courtesy
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

RP2040_FLASH_BYTES = 2 * 1024 * 1024  # fitted on the Raspberry Pi Pico
XIP_BASE = 0x10000000


class ToolError(Exception):
    """A problem that the user can act on; printed as one line."""


def run_main(main):
    """Run `main()` as a script: print a ToolError as one line and exit with 1."""
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def need_programs(programs, packages, hint=""):
    """Raise ToolError unless every program is on the path; `packages` are Debian's names."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise ToolError(
            f"not found: {', '.join(missing)}; on Debian or Ubuntu (on Windows, in WSL): "
            f"apt-get install {' '.join(packages)}{hint}"
        )


@contextlib.contextmanager
def locked(path, busy=None):
    """Hold an exclusive lock on the file `path`.

    While another process holds it: wait; or, if `busy` is given, raise ToolError with that text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise ToolError(busy) from None
        yield


def write_atomically(path, data):
    """Write bytes to `path` so that a reader sees the old file or the new one, never a part."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


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


@dataclass(frozen=True)
class FlashMap:
    """Where an RP2040 board keeps what, as offsets into its flash, in bytes.

    Firmware comes first, then the ROMFS, then the littlefs storage up to the end of flash: the
    order that ports/rp2/rp2_flash.c uses.
    """

    romfs_bytes: int
    storage_bytes: int
    flash_bytes: int = RP2040_FLASH_BYTES

    @property
    def storage_offset(self):
        return self.flash_bytes - self.storage_bytes

    @property
    def romfs_offset(self):
        return self.storage_offset - self.romfs_bytes

    @property
    def firmware_bytes(self):
        """The room for firmware."""
        return self.romfs_offset


_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
}


def _constant(expression):
    """The value of a C constant expression of decimal or hex numbers, + - * << and brackets."""

    def value(node):
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](value(node.left), value(node.right))
        raise ToolError(f"the board header's value {expression!r} is not made of numbers alone")

    try:
        return value(ast.parse(expression.strip(), mode="eval").body)
    except SyntaxError:
        raise ToolError(f"the board header's value {expression!r} is no expression") from None


def flash_map(board_dir):
    """The FlashMap that a board's mpconfigboard.h asks for."""
    header = Path(board_dir) / "mpconfigboard.h"
    if not header.exists():
        raise ToolError(f"{header}: no such board header")
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", header.read_text("utf-8"), flags=re.DOTALL)
    defines = dict(re.findall(r"^\s*#define\s+(MICROPY_HW_\w+)\s+(.+)$", text, flags=re.MULTILINE))
    return FlashMap(
        romfs_bytes=_constant(defines.get("MICROPY_HW_ROMFS_BYTES", "0")),
        storage_bytes=_constant(defines.get("MICROPY_HW_FLASH_STORAGE_BYTES", "1408 * 1024")),
    )
