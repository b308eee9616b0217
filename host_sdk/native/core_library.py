"""Compile the C core into a shared library, once for every version of its sources.

The tuned kernels of all targets are in it too, with C twins for their assembly, so that what is
packed for a target can be sized, run and tested here.
"""

import functools
import hashlib
import importlib.util
import os
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

FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared", "-Wall", "-Wextra")
ALL = ("-DMLET_ALL_TARGETS",)
COUNTING = (*ALL, "-DMLET_COUNTING")

# What mlet_count.h has besides; the counters' names are asked for.
COUNTERS = """
const char *mlet_counter_name(uint32_t index);
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


def _compile(sources, target, flags):
    compiler = find_compiler()
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


@functools.cache
def library(flags=ALL):
    """Return (ffi, lib) of the C core, compiled first when its sources are new.

    `flags` of the compiler choose what is built in: mlet_config.h says what there is; `COUNTING`
    is for one that counts what its kernels do. Raises NoCompilerError when there is no C compiler.
    """
    module = paths.repository() / "native_modules/motionlet"
    core = module / "core"
    folders = (core, *sorted((module / "arch").iterdir()))
    files = sorted(path for folder in folders for path in folder.glob("*.[ch]"))
    headers = [core / "mlet.h", core / "mlet_kernels.h"]
    digest = hashlib.sha256(" ".join((*FLAGS, *flags)).encode())
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    suffix = ".dll" if sys.platform == "win32" else ".so"
    target = paths.build() / f"native/mlet-{digest.hexdigest()[:16]}{suffix}"
    if not target.exists():
        _compile([path for path in files if path.suffix == ".c"], target, (*FLAGS, *flags))
    ffi = cffi.FFI()
    for header in headers:
        ffi.cdef(_declarations(header.read_text(encoding="utf-8")))
    if flags == COUNTING:
        ffi.cdef(COUNTERS)
    return ffi, ffi.dlopen(str(target))
