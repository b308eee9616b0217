#!/usr/bin/env python3
"""Get a toolchain for Xtensa and a machine to run its code on, without Espressif's packages.

    tools/xtensa_toolchain.py [--dest DIR]

prints the path of a folder of programs:

    xtensa-cc            compiles C and assembly into objects (tools/xtensa_cc.py), for the ESP32-S3
    clang, llc, llvm-mc, llvm-objdump                     LLVM, which has an Xtensa backend
    xtensa-lx106-elf-ld, -ar, -nm, -objcopy, -size        binutils
    qemu-system-xtensa                                    runs it

They are Debian's packages of the release below, unpacked into a root of their own with the C
library they were built for, so that they run on any release and touch nothing outside it.
"""

import argparse
import functools
import glob
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from common import BUILD, Progress, ToolError, locked, run_main
from get_sources import DEBIAN_SUITE, apt_get, prepare_apt

LLVM = 22
PACKAGES = (f"clang-{LLVM}", f"llvm-{LLVM}", "qemu-system-misc", "binutils-xtensa-lx106")
HEADERS = "picolibc-xtensa-lx106-elf"  # the C library's; without the GCC that it asks for

# What of the packages is unpacked.
NEEDED = re.compile(
    rf"\./usr/(lib/[^/]+/[^/]+\.so[^/]*|lib/llvm-{LLVM}/lib/clang/.*|lib/xtensa-lx106-elf/.*"
    rf"|lib/llvm-{LLVM}/bin/(clang|clang-{LLVM}|llc|llvm-mc|llvm-objdump|llvm-objcopy)"
    r"|bin/xtensa-lx106-elf-.*|bin/qemu-system-xtensa)"
)
STAMP = f"{DEBIAN_SUITE}: {' '.join((*PACKAGES, HEADERS))}\n{NEEDED.pattern}"

WRAPPER = """#!/bin/sh
exec "{loader}" --library-path "{libraries}" --argv0 "$0" "{program}" "$@"
"""
DRIVER = """#!/bin/sh
exec "{python}" "{script}" "{root}" "$@"
"""


def toolchain(dest=None):
    """Return the folder of programs as a Path; get them first if they are not there."""
    dest = Path(dest or BUILD / "xtensa").resolve()
    stamp = dest / ".motionlet-toolchain"
    with locked(dest / ".lock"):
        if not (stamp.exists() and stamp.read_text() == STAMP):
            try:
                _get(dest)
            except ToolError as error:
                raise ToolError(f"cannot get the Xtensa toolchain: {error}") from None
            stamp.write_text(STAMP)
        _write_wrappers(dest)
    return dest / "bin"


def _get(dest):
    work = Path(tempfile.mkdtemp(prefix=".get-", dir=dest))
    try:
        prepare_apt(work)
        with Progress("Xtensa toolchain") as progress:
            apt = functools.partial(apt_get, work, progress)
            apt(0, 10, "reading the package lists", "update")
            # As if on an empty machine, so that all that they need comes along.
            apt(10, 75, "LLVM, QEMU, binutils", "install", "-y", "--download-only", *PACKAGES)
            apt(75, 80, "C headers", "download", HEADERS)
            archives = [*work.glob("*.deb"), *work.glob("apt/cache/archives/*.deb")]
            for index, archive in enumerate(archives):
                progress.update(80 + 20 * index / len(archives), "unpacking")
                _unpack(archive, work / "root")
            progress.update(100, "unpacked")
        shutil.rmtree(dest / "root", ignore_errors=True)
        (work / "root").rename(dest / "root")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack(archive, root):
    """Unpack what is needed of a Debian package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as deb:
        with tarfile.open(fileobj=deb.stdout, mode="r|") as tar:
            if hasattr(tarfile, "tar_filter"):
                tar.extraction_filter = tarfile.tar_filter
            for member in tar:
                if NEEDED.fullmatch(member.name) and not member.isdir():
                    tar.extract(member, root)
        deb.stdout.read()
    if deb.returncode:
        raise ToolError(f"{archive.name}: damaged")


def _write_wrappers(dest):
    """Write a script for each program, which starts it with the C library of its root."""
    root = dest / "root/usr"
    loaders = glob.glob(str(root / "lib/*/ld-linux*.so.*"))
    if len(loaders) != 1:
        raise ToolError(f"{root}/lib: want one dynamic loader, found {len(loaders)}")
    folder = Path(loaders[0]).parent
    (dest / "bin").mkdir(exist_ok=True)
    llvm = root / f"lib/llvm-{LLVM}"
    programs = [llvm / "bin" / name for name in ("clang", "llc", "llvm-mc", "llvm-objdump")]
    programs += sorted((root / "bin").iterdir())
    scripts = {
        program.name: WRAPPER.format(
            loader=loaders[0], libraries=f"{folder}:{llvm}/lib", program=program
        )
        for program in programs
    }
    scripts["xtensa-cc"] = DRIVER.format(
        python=sys.executable, script=Path(__file__).with_name("xtensa_cc.py"), root=root
    )
    for name, text in scripts.items():
        path = dest / "bin" / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            path.chmod(0o755)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dest", type=Path, help="where to keep it (build/xtensa)")
    print(toolchain(parser.parse_args().dest))


if __name__ == "__main__":
    run_main(main)
