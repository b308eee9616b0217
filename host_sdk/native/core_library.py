"""Compile the C core into a shared library, once for every version of its sources.

The tuned kernels of all targets are in it too, with C twins for their assembly, so that what is
packed for a target can be sized, run and tested here.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

import cffi

from host_sdk import paths
from host_sdk.errors import MotionletError

FLAGS = ("-std=c99", "-O3", "-fPIC", "-shared", "-Wall", "-Wextra", "-DMLET_ALL_TARGETS")


def _declarations(header):
    """Return what cffi can read of a header: no preprocessor lines, no inline bodies."""
    text = re.sub(r"//[^\n]*", "", header)
    text = re.sub(r"static inline [^{]*\{.*?\n\}", "", text, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus\n.*?#endif", "", text, flags=re.S)
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _compile(sources, target):
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None:
        raise MotionletError(
            "no C compiler: install the packages gcc and libc6-dev (apt-get install gcc libc6-dev)"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Under a name of its own first, so that two processes at once do no harm.
    handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".so")
    os.close(handle)
    include = [f"-I{folder}" for folder in sorted({path.parent for path in sources})]
    command = [compiler, *FLAGS, *include, "-o", temporary, *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        os.unlink(temporary)
        raise MotionletError(f"the C core does not compile with {compiler}:\n{done.stderr.strip()}")
    os.replace(temporary, target)


@functools.cache
def library():
    """Return (ffi, lib) of the C core, compiled first when its sources are new.

    Raises MotionletError when there is no C compiler.
    """
    module = paths.repository() / "native_modules/motionlet"
    core = module / "core"
    folders = (core, *sorted((module / "arch").iterdir()))
    files = sorted(path for folder in folders for path in folder.glob("*.[ch]"))
    headers = [core / "mlet.h", core / "mlet_kernels.h"]
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    target = paths.build() / f"native/mlet-{digest.hexdigest()[:16]}.so"
    if not target.exists():
        _compile([path for path in files if path.suffix == ".c"], target)
    ffi = cffi.FFI()
    for header in headers:
        ffi.cdef(_declarations(header.read_text(encoding="utf-8")))
    return ffi, ffi.dlopen(str(target))
