"""Compile the C core into a shared library, once for every version of its sources.

The tuned kernels of all targets are in it too, with C twins for their assembly, so that what is
packed for a target can be sized, run and tested here.
"""

import contextlib
import functools
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cffi

from host_sdk import paths
from host_sdk.errors import MotionletError
from host_sdk.files import make_folder

# The machines that wheels bring a compiled library for, and Zig's name of each. A Linux machine
# needs glibc of 2014 or later.
PLATFORMS = {
    "linux-x86_64": "x86_64-linux-gnu.2.17",
    "linux-aarch64": "aarch64-linux-gnu.2.17",
    "darwin-x86_64": "x86_64-macos",
    "darwin-arm64": "aarch64-macos",
    "win32-amd64": "x86_64-windows-gnu",
}
FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared", "-Wall", "-Wextra")
ALL = ("-DMLET_ALL_TARGETS",)
COUNTING = (*ALL, "-DMLET_COUNTING")
BROUGHT = (ALL, COUNTING)  # what a wheel has compiled

# What mlet_count.h and mlet_part.h have besides; the names are asked for.
COUNTERS = """
const char *mlet_counter_name(uint32_t index);
const char *mlet_part_name(uint32_t index);
extern uint32_t mlet_parts_taken;
mlet_status_t mlet_count_op(void *context, uint16_t op, const int8_t *output, uint32_t bytes);
"""


def _declarations(header):
    """Return what cffi can read of a header: no preprocessor lines, no inline bodies."""
    text = re.sub(r"//[^\n]*", "", header)
    text = re.sub(r"static inline [^{]*\{.*?\n\}", "", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif", "", text, flags=re.S)
    text = text.replace("\\\n", "")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


class NoCompilerError(MotionletError):
    """There is no C compiler on this machine."""


def find_compiler():
    """Return the command line of a C compiler that runs: $CC, cc, gcc, clang, or PyPI's Zig."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    zig = [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else []
    for command in (["cc"], ["gcc"], ["clang"], zig):
        if not command or shutil.which(command[0]) is None:
            continue
        # A Mac without its developer tools has a cc that only says so.
        if not subprocess.run([*command, "--version"], capture_output=True).returncode:
            return command
    raise NoCompilerError(
        "no C compiler: `pip install ziglang` brings one, as does `apt-get install gcc libc6-dev` "
        "on Debian or Ubuntu"
    )


def this_platform():
    """Return the name of this machine in `PLATFORMS`; it may have none there."""
    return f"{sys.platform}-{platform.machine().lower()}" if sys.maxsize > 2**32 else "32-bit"


def library_path(folder, name, flags=ALL):
    """Return the path of the library for a platform in a folder of such."""
    kind = "-counting" if flags == COUNTING else ""
    return folder / f"{name}{kind}{'.dll' if name.startswith('win32') else '.so'}"


def _compile(sources, target, compiler, flags):
    if sys.stderr.isatty():
        print("compiling the C core, this once …", file=sys.stderr)
    make_folder(target.parent)
    include = [f"-I{folder}" for folder in sorted({path.parent for path in sources})]
    # In a folder of its own first, so that two processes at once do no harm.
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        command = [*compiler, *flags, *include, "-o", str(made), *map(str, sources)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        except OSError as error:
            raise MotionletError(f"CC={shlex.join(compiler)}: {error.strerror}") from None
        if done.returncode:
            raise MotionletError(
                f"the C core does not compile with {shlex.join(compiler)}:\n{done.stderr.strip()}"
            )
        made.replace(target)


def _sources():
    """Return (folder of the core, all .c and .h files that make the library)."""
    module = paths.data("native_modules/motionlet")
    core = module / "core"
    folders = (core, *sorted((module / "arch").iterdir()))
    return core, sorted(path for folder in folders for path in folder.glob("*.[ch]"))


def compiled(flags=ALL, name=None):
    """Return the path of the library, compiled first when its sources are new.

    name: of `PLATFORMS`, to compile for it with Zig; by default for this machine.
    """
    _, files = _sources()
    digest = hashlib.sha256(" ".join((*FLAGS, *flags)).encode())
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    folder = paths.build() / f"native/mlet-{digest.hexdigest()[:16]}"
    target = library_path(folder, name or this_platform())
    if not target.exists():
        zig = [sys.executable, "-m", "ziglang", "cc", "-target", PLATFORMS.get(name), "-s"]
        compiler = zig if name else find_compiler()
        _compile(
            [path for path in files if path.suffix == ".c"], target, compiler, (*FLAGS, *flags)
        )
    return target


def _open(ffi, flags):
    """Return the library: the one an installed package has for this machine, or one compiled."""
    brought = library_path(paths.built("native"), this_platform(), flags)
    if paths.checkout() is None and flags in BROUGHT and brought.exists():
        # It may not load: for want of glibc, say. Then as where there is none.
        with contextlib.suppress(OSError):
            return ffi.dlopen(str(brought))
    return ffi.dlopen(str(compiled(flags)))


@functools.cache
def library(flags=ALL):
    """Return (ffi, lib) of the C core, compiled first when its sources are new.

    `flags` of the compiler choose what is built in: mlet_config.h says what there is; `COUNTING`
    is for one that counts what its kernels do. Raises NoCompilerError when there is no C compiler,
    and the library did not come with the package.
    """
    core, _ = _sources()
    ffi = cffi.FFI()
    for header in ("mlet.h", "mlet_kernels.h"):
        ffi.cdef(_declarations((core / header).read_text(encoding="utf-8")))
    if flags == COUNTING:
        ffi.cdef(COUNTERS)
    return ffi, _open(ffi, flags)
