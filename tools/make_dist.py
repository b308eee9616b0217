#!/usr/bin/env python3
"""Make what is published, in dist/: `make dist`.

    motionlet-VERSION-py3-none-any.whl    the laptop SDK, with all it needs of the project
    motionlet-VERSION.tar.gz              the project's sources
    MOTIONLET_PICO-VERSION.uf2            firmware for a Raspberry Pi Pico
    mip/ARCH_6.3/, mip/ARCH_6.3_full/     native modules, for any web server and `mip install`
    SHA256SUMS                            of all of them

The wheel holds that firmware, the objects that native modules are linked from, and the C core
compiled for all PLATFORMS of host_sdk.native, so that nothing there asks for a compiler.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys

import build_firmware
import build_natmod
from common import BUILD, ROOT, Progress, ToolError, files_in, last_errors, run_main
from get_sources import micropython_dir, sdk_for

import host_sdk
from host_sdk.board import native_module
from host_sdk.board.install import MODULE
from host_sdk.native.core_library import BROUGHT, PLATFORMS, compiled, library_path

BOARD = "MOTIONLET_PICO"
STAGED = BUILD / "prebuilt"  # what setup.py puts into the wheel


def stage(archs, objects, platforms):
    """Build what the wheel has that is compiled, and lay it out in a fresh STAGED."""
    shutil.rmtree(STAGED, ignore_errors=True)
    build_firmware.build(BOARD)
    for name in ("firmware.uf2", "size.json"):
        _copy(build_firmware.FIRMWARE / BOARD / name, STAGED / "firmware" / BOARD / name)
    for arch in archs:
        for key in objects:
            path = build_natmod.compile_object(arch, key)
            for part in (path, path.with_suffix(".json")):
                _copy(part, STAGED / "objects" / arch / part.name)
        # For laptops on which nothing can be linked.
        for name, folder in _packages(arch):
            _copy(folder / MODULE, STAGED / "objects" / arch / f"{name}.mpy")
    _copy(build_natmod.OBJECTS / "linker", STAGED / "objects/linker")
    with Progress("C core") as progress:
        for done, name in enumerate(platforms):
            progress.update(100 * done / len(platforms), name)
            for flags in BROUGHT:
                made = library_path(STAGED / "native", name, flags)
                _copy(compiled(flags, name), made)
    tree = micropython_dir()
    sdk = sdk_for("rp2", tree)
    for name, path in {
        "MicroPython": tree / "LICENSE",
        "pico-sdk": sdk / "LICENSE.TXT",
        "tinyusb": tree / "lib/tinyusb/LICENSE",
    }.items():
        if path.exists():  # Debian's sources come without
            _copy(path, STAGED / "licenses" / f"{name}.txt")


def _packages(arch):
    """Yield (configuration, folder) of the packages of an architecture, built first."""
    for name in native_module.CONFIGURATIONS:
        build_natmod.build(arch, name, quiet=True)
        yield name, build_natmod.directory(arch, name)


def make(out, archs, objects, platforms):
    """Fill the empty folder `out`."""
    stage(archs, objects, platforms)
    # First the sources, then from them the wheel: so they are known to be whole.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT]
    environment = {**os.environ, "MOTIONLET_BUILT": str(STAGED)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise ToolError(f"the wheel cannot be built:\n  {last_errors(done.stdout + done.stderr)}")
    version = host_sdk.__version__
    _copy(STAGED / "firmware" / BOARD / "firmware.uf2", out / f"{BOARD}-{version}.uf2")
    for arch in archs:
        for _, folder in _packages(arch):
            _copy(folder, out / "mip" / folder.name)
            (out / "mip" / folder.name / "size.json").unlink()
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}\n"
        for path in files_in(out)
    ]
    (out / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default=ROOT / "dist", type=lambda text: ROOT / text)
    # What is given with these is all that is built of its kind.
    parser.add_argument("--arch", action="append", choices=build_natmod.ARCHITECTURES)
    parser.add_argument("--object", action="append", choices=build_natmod.keys())
    parser.add_argument("--platform", action="append", choices=PLATFORMS)
    args = parser.parse_args()
    out = args.out.resolve()
    if out.exists():
        if any(out.iterdir()) and not (out / "SHA256SUMS").exists():
            raise ToolError(f"{out} is not empty, and nothing that was made here")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    archs, objects = args.arch or build_natmod.ARCHITECTURES, args.object or build_natmod.keys()
    make(out, archs, objects, args.platform or PLATFORMS)
    for path in sorted(out.glob("*.*")):
        print(f"{path.relative_to(out)}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    run_main(main)
