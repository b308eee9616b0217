#!/usr/bin/env python3
"""Make what is published, in dist/: `make dist`.

    motionlet-VERSION-py3-none-any.whl    the laptop SDK, with all it needs of the project
    motionlet-VERSION.tar.gz              the project's sources
    MOTIONLET_PICO-VERSION.uf2            firmware for a Raspberry Pi Pico
    mip/ARCH_6.3/                         native modules, for any web server and `mip install`
    SHA256SUMS                            of all of them

The wheel holds the firmware and the native modules, too, and the C core compiled for
host_sdk.native's PLATFORMS, so that it asks for no compiler there. What is given with --arch or
--platform is all that is built of those.
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

import host_sdk
from host_sdk.native.core_library import PLATFORMS, compiled, library_path

BOARD = "MOTIONLET_PICO"
STAGED = BUILD / "prebuilt"  # what setup.py puts into the wheel


def stage(archs, platforms):
    """Build what the wheel has that is compiled, and lay it out in a fresh STAGED."""
    shutil.rmtree(STAGED, ignore_errors=True)
    build_firmware.build(BOARD)
    for name in ("firmware.uf2", "size.json"):
        _copy(build_firmware.FIRMWARE / BOARD / name, STAGED / "firmware" / BOARD / name)
    for arch in archs:
        build_natmod.build(arch)
        folder = build_natmod.directory(arch)
        for path in files_in(folder):
            _copy(path, STAGED / "dist" / folder.name / path.relative_to(folder))
    with Progress("C core") as progress:
        for done, name in enumerate(platforms):
            progress.update(100 * done / len(platforms), name)
            _copy(compiled(name), library_path(STAGED / "native", name))


def make(out, archs, platforms):
    """Fill the empty folder `out`."""
    stage(archs, platforms)
    # First the sources, then from them the wheel: so they are known to be whole.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT]
    environment = {**os.environ, "MOTIONLET_BUILT": str(STAGED)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise ToolError(f"the wheel cannot be built:\n  {last_errors(done.stdout + done.stderr)}")
    version = host_sdk.__version__
    _copy(STAGED / "firmware" / BOARD / "firmware.uf2", out / f"{BOARD}-{version}.uf2")
    for path in files_in(STAGED / "dist"):
        if path.name != "size.json":
            _copy(path, out / "mip" / path.relative_to(STAGED / "dist"))
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(out).as_posix()}\n"
        for path in files_in(out)
    ]
    (out / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def _copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", default=ROOT / "dist", type=lambda text: ROOT / text)
    parser.add_argument("--arch", action="append", choices=build_natmod.ARCHITECTURES)
    parser.add_argument("--platform", action="append", choices=PLATFORMS)
    args = parser.parse_args()
    out = args.out.resolve()
    if out.exists():
        if any(out.iterdir()) and not (out / "SHA256SUMS").exists():
            raise ToolError(f"{out} is not empty, and nothing that was made here")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    make(out, args.arch or build_natmod.ARCHITECTURES, args.platform or PLATFORMS)
    for path in sorted(out.glob("*.*")):
        print(f"{path.relative_to(out)}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    run_main(main)
