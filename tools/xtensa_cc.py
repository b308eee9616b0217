#!/usr/bin/env python3
"""Compile one file for the ESP32-S3's core, as a C compiler would be called.

    xtensa-cc [-O2 -Wall -I… -D… -std=…] [-mattr=LIST] -c SOURCE -o OBJECT

`xtensa-cc` is written by tools/xtensa_toolchain.py. LLVM's clang makes bitcode of C, llc makes
assembly of that, and llvm-mc an object: straight to an object fails on alignment in LLVM 22.
-mattr, such as -mattr=-fp, goes to llc.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

CPU = "esp32"  # LLVM has no esp32s3 yet; all of the ESP32's LX6 core that is used here is in LX7
TARGET = ("--target=xtensa", "-ffreestanding", "-fno-pic", "-nostdinc")


def main():
    root, *arguments = sys.argv[1:]
    binaries = Path(root).parent.parent / "bin"
    (headers,) = Path(root).glob("lib/llvm-*/lib/clang/*/include")
    include = ["-isystem", headers, "-isystem", Path(root) / "lib/xtensa-lx106-elf/include"]
    attributes = [a for a in arguments if a.startswith("-mattr=")]
    arguments = [a for a in arguments if not a.startswith("-mattr=")]
    try:
        at = arguments.index("-o")
        target = arguments[at + 1]
        del arguments[at : at + 2]
        source = arguments[arguments.index("-c") + 1]
    except (ValueError, IndexError):
        sys.exit("error: xtensa-cc needs -c SOURCE and -o OBJECT")
    clang = [binaries / "clang", *TARGET, *include, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        assembly = Path(folder) / "out.s"
        if source.endswith(".S"):
            clang[clang.index("-c")] = "-E"
            run(*clang, "-o", assembly)
        else:
            bitcode = Path(folder) / "out.bc"
            optimize = [a for a in arguments if a in ("-O0", "-O1", "-O2", "-O3")]
            run(*clang, "-emit-llvm", "-o", bitcode)
            llc = [binaries / "llc", "-march=xtensa", f"-mcpu={CPU}", "-relocation-model=static"]
            run(*llc, *attributes, *optimize[-1:], bitcode, "-o", assembly)
        assemble = [binaries / "llvm-mc", "--arch=xtensa", f"--mcpu={CPU}", "-filetype=obj"]
        run(*assemble, assembly, "-o", target)


def run(*command):
    done = subprocess.run(command)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
