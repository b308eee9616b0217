#!/usr/bin/env python3
"""Get a toolchain for the ESP32-S3's core and a machine to run its code on, without Espressif's.

    tools/xtensa_toolchain.py [--dest DIR]

prints the path of a folder of programs, named as Espressif's are:

    xtensa-esp32s3-elf-gcc, -as, -ld, -ar, -nm, -objcopy, -objdump, -readelf, -size, -strip
    qemu-system-xtensa

They are Debian's packages of the release below, unpacked into a root of their own with the C
library they were built for, so that they run on any release and touch nothing outside it. Debian
builds GCC and binutils for the ESP8266; tools/xtensa_core.c tells them of the ESP32-S3.

What differs from Espressif's: no C library but the headers of picolibc, no libgcc, and of the
vector unit's instructions only those of tools/xtensa_pie.h. MOTIONLET_XTENSA_FLOATS=0 in the
environment of a program makes it work for the same core without floating point, as QEMU's de212 is.
"""

import argparse
import functools
import glob
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from common import (
    BUILD,
    Progress,
    ToolError,
    digest,
    last_errors,
    locked,
    need_programs,
    run_main,
)
from get_sources import DEBIAN_SUITE, apt_get, prepare_apt

PACKAGES = ("gcc-xtensa-lx106", "binutils-xtensa-lx106", "qemu-system-misc")
HEADERS = "picolibc-xtensa-lx106-elf"  # the C library's; without the newer GCC that it asks for
SOURCE = "qemu"  # has a table of the instructions

GIVEN, OURS = "xtensa-lx106-elf-", "xtensa-esp32s3-elf-"
BINUTILS = ("ar", "as", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "size", "strip")
COMPILER = ("cc1", "collect2", "lto1", "lto-wrapper")  # what the driver starts
CORE = Path(__file__).with_name("xtensa_core.c")
VECTOR_UNIT = CORE.with_name("xtensa_pie.h")  # which it includes

# What is unpacked, of packages and of the source. No libgcc: the ESP8266's does not fit.
NEEDED = re.compile(
    rf"\./usr/(lib/[^/]+/[^/]+\.so[^/]*|bin/{GIVEN}({'|'.join(BINUTILS)}|ld\.bfd|gcc[-.\d]*)"
    rf"|lib/gcc/[^/]+/[^/]+/({'|'.join(COMPILER)}|liblto_plugin\.so|include/.*"
    r"|plugin/include/xtensa-dynconfig\.h)|lib/xtensa-lx106-elf/include/.*"
    r"|bin/qemu-system-xtensa)"
    r"|[^/]+/(target/xtensa/(core-de233_fpu/.*|xtensa-isa.*\.h)|include/hw/xtensa/xtensa-isa\.h)"
)
STAMP = f"{DEBIAN_SUITE}: {' '.join((*PACKAGES, HEADERS, SOURCE))}\n{NEEDED.pattern}"

WRAPPER = """#!/bin/sh
export GCC_EXEC_PREFIX="{root}/usr/lib/gcc/"
floats=
test "$MOTIONLET_XTENSA_FLOATS" = 0 && floats=-no-floats
export XTENSA_GNU_CONFIG="{core}$floats.so"
exec "{loader}" --library-path "{libraries}" --argv0 "$0" "{program}" {options}"$@"
"""


def toolchain(dest=None):
    """Return the folder of programs as a Path; get them first if they are not there."""
    dest = Path(dest or BUILD / "xtensa").resolve()
    stamp = dest / ".motionlet-toolchain"
    with locked(dest / ".lock"):
        try:
            if not (stamp.exists() and stamp.read_text() == STAMP):
                _get(dest)
                stamp.write_text(STAMP)
            _write_wrappers(dest, _build_core(dest))
        except ToolError as error:
            raise ToolError(f"cannot get the Xtensa toolchain: {error}") from None
    return dest / "bin"


def _get(dest):
    work = Path(tempfile.mkdtemp(prefix=".get-", dir=dest))
    try:
        prepare_apt(work)
        with Progress("Xtensa toolchain") as progress:
            apt = functools.partial(apt_get, work, progress)
            apt(0, 10, "reading the package lists", "update")
            # As if on an empty machine, so that all that they need comes along.
            apt(10, 50, "GCC, binutils, QEMU", "install", "-y", "--download-only", *PACKAGES)
            apt(50, 55, "C headers", "download", HEADERS)
            apt(55, 75, "QEMU's tables", "source", "--download-only", "--tar-only", SOURCE)
            packages = [*work.glob("*.deb"), *work.glob("apt/cache/archives/*.deb")]
            for index, package in enumerate(packages):
                progress.update(75 + 20 * index / len(packages), "unpacking")
                _unpack_package(package, work / "root")
            (source,) = work.glob(f"{SOURCE}_*.orig.tar.*")
            progress.update(95, "unpacking")
            with tarfile.open(source) as tar:
                _extract(tar, work / "root")
            progress.update(100, "unpacked")
        for old in ("root", "bin", "libexec"):
            shutil.rmtree(dest / old, ignore_errors=True)
        (work / "root").rename(dest / "root")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unpack_package(archive, root):
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as deb:
        with tarfile.open(fileobj=deb.stdout, mode="r|") as tar:
            _extract(tar, root)
        deb.stdout.read()
    if deb.returncode:
        raise ToolError(f"{archive.name}: damaged")


def _extract(tar, root):
    """Unpack what is needed of a tar file."""
    if hasattr(tarfile, "tar_filter"):
        tar.extraction_filter = tarfile.tar_filter
    for member in tar:
        if NEEDED.fullmatch(member.name) and not member.isdir():
            tar.extract(member, root)


def _build_core(dest):
    """Build the libraries that describe the core; return their path, up to `.so`."""
    root = dest / "root"
    headers = [_one(root, "usr/lib/gcc/*/*/plugin/include"), _one(root, f"{SOURCE}-*/include")]
    headers.append(headers[1].parent / "target/xtensa")
    core = dest / f"core-{digest(CORE, VECTOR_UNIT, STAMP)[:16]}"
    for suffix, flags in (("", []), ("-no-floats", ["-DNO_FLOATS"])):
        library = Path(f"{core}{suffix}.so")
        if library.exists():
            continue
        need_programs(["gcc"], ["gcc"])
        # Of the C library it was built with, which may be newer than the one of `root`, nothing.
        command = ["gcc", "-std=gnu99", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-nostdlib"]
        command += [*flags, *(f"-I{folder}" for folder in headers), CORE]
        with tempfile.TemporaryDirectory(dir=dest) as work:
            built = Path(work) / library.name
            done = subprocess.run([*command, "-o", built], capture_output=True, text=True)
            if done.returncode:
                raise ToolError(f"gcc {CORE.name} failed:\n  {last_errors(done.stderr)}")
            built.rename(library)
    return core


def _write_wrappers(dest, core):
    """Write a script for each program, which starts it with the C library of its root."""
    root = dest / "root"
    loader = _one(root, "usr/lib/*/ld-linux*.so.*")
    compiler = _one(root, "usr/lib/gcc/*/*/cc1").parent
    parts = dest / "libexec"  # the same for what the driver starts
    options = f'-B"{parts}/" -isystem "{root}/usr/lib/xtensa-lx106-elf/include" '
    programs = {parts / name: compiler / name for name in COMPILER}
    for name in BINUTILS:
        programs[dest / "bin" / f"{OURS}{name}"] = root / f"usr/bin/{GIVEN}{name}"
    for name in ("as", "ld"):
        programs[parts / name] = root / f"usr/bin/{GIVEN}{name}"
    programs[dest / "bin" / f"{OURS}gcc"] = root / f"usr/bin/{GIVEN}gcc"
    programs[dest / "bin/qemu-system-xtensa"] = root / "usr/bin/qemu-system-xtensa"
    for path, program in programs.items():
        text = WRAPPER.format(
            root=root,
            core=core,
            loader=loader,
            libraries=loader.parent,
            program=program,
            options=options if path.name.endswith("-gcc") else "",
        )
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)


def _one(root, pattern):
    found = glob.glob(str(root / pattern))
    if len(found) != 1:
        raise ToolError(f"{root}: want one {pattern}, found {len(found)}")
    return Path(found[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dest", type=Path, help="where to keep it (build/xtensa)")
    print(toolchain(parser.parse_args().dest))


if __name__ == "__main__":
    run_main(main)
