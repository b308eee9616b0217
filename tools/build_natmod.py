#!/usr/bin/env python3
"""Build Motionlet as a native module (.mpy), for MicroPython that was built without it.

    tools/build_natmod.py armv6m       RP2040, and other Cortex-M0+
    tools/build_natmod.py xtensawin    ESP32-S3
    tools/build_natmod.py all          every architecture whose compiler is here

For xtensawin, Espressif's GCC is used where it is on the path, else the same compiler as
tools/xtensa_toolchain.py gets it.

It holds what deployed models need: no kernels one by one, and where there are tuned kernels, no
others (MLET_LEAN).

The result is a package for `mpremote mip install`, in build/dist/ARCH_6.3: the module _motionlet,
the Python package motionlet, and their package.json. `host_sdk install` puts it onto a device.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from common import (
    BUILD,
    ROOT,
    Progress,
    ToolError,
    digest,
    files_in,
    last_errors,
    locked,
    need_programs,
    run_main,
    write_atomically,
)
from get_sources import micropython_dir
from xtensa_toolchain import CORE, toolchain

MODULE = ROOT / "native_modules/motionlet"
DEVICE = ROOT / "device"
DIST = BUILD / "dist"
ABI = (6, 3)  # of .mpy files: MicroPython 1.23 and later

CFLAGS = [
    "-DMLET_LEAN",  # it takes RAM, so only what deployed models need
    *("-std=c99", "-Os", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"),
    *("-fpic", "-fno-common", "-ffunction-sections", "-fdata-sections"),
    "-fno-jump-tables",  # they ask the linker for more than mpy_ld.py can do
    "-fno-tree-loop-distribute-patterns",  # a strlen that calls strlen
    *("-U_FORTIFY_SOURCE", "-fno-stack-protector", "-DNDEBUG"),
]
# Less code by 4%. It is smaller yet, and as quick, without splitting the structs that functions
# take and without moving what loops repeat out of them.
LTO_FLAGS = ["-flto", "-fno-ipa-sra", "-fno-tree-loop-im"]
R_XTENSA_SLOT0_OP, CALL8 = 20, 0x25
NOT_LEAN = ("kernels", "ring")  # parts of the binding that MLET_LEAN leaves out
BINDING_CFLAGS = [
    *("-DNO_QSTR", "-DMICROPY_ENABLE_DYNRUNTIME=1", "-DMICROPY_PY_BUILTINS_MEMORYVIEW=1"),
]


@dataclass(frozen=True)
class Arch:
    """An architecture as mpy_ld.py names it.

    target: the directory of arch/ whose kernels are built in, or "portable".
    float: what `float` is in the firmware there (MICROPY_FLOAT_IMPL).
    library: whether the compiler's own library is linked, for arithmetic the core does not have.
    runtime: whether natmod/runtime.c is, in place of what is large or missing in that library.
    sections: which sections the linker joins, in its own language.
    packages: Debian's names of the compiler.
    """

    compiler: str
    flags: list = field(default_factory=list)
    target: str = "portable"
    float: str = "FLOAT"
    library: bool = True
    runtime: bool = False
    sections: str = ""
    packages: tuple = ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi")


ARCHITECTURES = {
    "x64": Arch("gcc", float="DOUBLE", library=False, packages=("gcc",)),
    "armv6m": Arch(
        "arm-none-eabi-gcc",
        ["-mthumb", "-mcpu=cortex-m0plus"],
        target="cortex_m0plus",
        runtime=True,
    ),
    "armv7m": Arch("arm-none-eabi-gcc", ["-mthumb", "-mcpu=cortex-m3"]),
    "armv7emsp": Arch(
        "arm-none-eabi-gcc",
        ["-mthumb", "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    ),
    "xtensawin": Arch(
        "xtensa-esp32s3-elf-gcc",
        [
            "-fno-pic",  # addresses are in literals anyhow, which mpy_ld.py relocates
            *("-mno-target-align", "-fno-move-loop-invariants", "-fno-cse-follow-jumps"),  # -4%
        ],
        target="esp32s3",
        library=False,
        runtime=True,
        sections=".literal 0 : {*(.literal .literal.*)} .text 0 : {*(.text .text.*)}"
        " .data.rel.ro 0 : {*(.rodata .rodata.*)}",
    ),
    "rv32imc": Arch(
        "riscv64-unknown-elf-gcc",
        ["-march=rv32imc", "-mabi=ilp32", "-mno-relax", "-specs=picolibc.specs"],
        packages=("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"),
    ),
}


def directory(arch):
    """Where the package for an architecture is built."""
    return DIST / f"{arch}_{ABI[0]}.{ABI[1]}"


def compiler(name):
    """Return the command of an architecture's compiler; raise ToolError if it is not here."""
    arch = ARCHITECTURES[name]
    if name == "xtensawin" and shutil.which(arch.compiler) is None:
        return str(toolchain() / arch.compiler)
    need_programs([arch.compiler], arch.packages)
    return arch.compiler


def build(name, quiet=False):
    """Build the package of one architecture; return its sizes, the content of size.json."""
    command = compiler(name)
    out = directory(name)
    with locked(out.parent / f".{name}.lock"):
        tree, _ = micropython_dir()
        inputs = _hash_of_inputs(name, tree, command)
        stamp = out / "size.json"
        if stamp.exists():
            sizes = json.loads(stamp.read_text())
            if sizes.get("inputs") == inputs:
                return sizes
        with Progress(f"natmod {name}") as progress:
            sizes = _build(name, tree, command, progress)
    sizes["inputs"] = inputs
    write_atomically(stamp, json.dumps(sizes, indent=2).encode() + b"\n")
    if not quiet:
        print(
            f"{out}: _motionlet.mpy has {sizes['mpy_bytes']} bytes; "
            f"loaded it takes {sizes['text_bytes']} of code and {sizes['bss_bytes']} of data",
            file=sys.stderr,
        )
    return sizes


def _hash_of_inputs(name, tree, command):
    version = subprocess.run([command, "--version"], capture_output=True, text=True).stdout
    tools = (Path(__file__), CORE, tree / "tools/mpy_ld.py")
    sources = files_in(MODULE, DEVICE / "motionlet", *tools)
    return digest(name, str(tree), command, version, *sources)


def _sources(arch):
    core = sorted(MODULE.glob("core/*.c"))
    if arch.target == "portable":
        return core
    tuned = MODULE / "arch" / arch.target
    return core + sorted([*tuned.glob("*.c"), *tuned.glob("*.S")])


def _build(name, tree, command, progress):
    arch = ARCHITECTURES[name]
    obj = BUILD / "natmod" / name
    shutil.rmtree(obj, ignore_errors=True)
    obj.mkdir(parents=True)
    config = obj / "config.h"
    binding = MODULE / "natmod/natmod.c"
    parts = [path for path in sorted(MODULE.glob("binding/*.h")) if path.stem not in NOT_LEAN]
    with_names = [binding, binding.with_suffix(".h"), MODULE / "modmotionlet.c", *parts]
    mpy_ld = [sys.executable, tree / "tools/mpy_ld.py", "--arch", name]
    _run([*mpy_ld, "--preprocess", "-o", config, *with_names])

    flags = [*CFLAGS, *arch.flags, *LTO_FLAGS, f"-I{MODULE / 'core'}"]
    if arch.target != "portable":
        define = f"-DMLET_TARGET=MLET_TARGET_{arch.target.upper()}"
        flags += [define, f"-I{MODULE / 'arch' / arch.target}"]
    for_binding = [*BINDING_CFLAGS, f"-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_{arch.float}"]
    for_binding += [f"-I{tree}", f"-DMP_CONFIGFILE=<{config}>"]

    sources = [binding, *_sources(arch)]
    runtime = MODULE / "natmod/runtime.c"
    if arch.runtime:
        sources.append(runtime)
    objects = [obj / f"{source.name}.o" for source in sources]

    def compile(source, target):
        extra = for_binding if source == binding else ["-fno-lto"] if source == runtime else []
        _run([command, *flags, *extra, "-c", source, "-o", target])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(compile, sources, objects)):
            progress.update(90 * done / len(sources), "compiling")
    # One object, with what of the compiler's library it needs, and without what nobody calls.
    # A section that the linker script does not name stays as it is.
    whole, script = obj / "whole.o", obj / "sections.ld"
    script.write_text(f"SECTIONS {{{arch.sections}}}\n")
    link = [
        *CFLAGS,
        *LTO_FLAGS,
        *arch.flags,
        "-fwhole-program",  # tells only where -fno-pic is given, too
        "-flinker-output=nolto-rel",
        "-T",
        script,
        "-r",
        "-nostdlib",
        "-Wl,--gc-sections",
        "-Wl,-u,mpy_init",
        "-Wl,-e,mpy_init",
        "-Wl,--no-relax",
    ]
    library = ["-lgcc"] if arch.library else []
    _run([command, *link, "-o", whole, *objects, *library])
    _refuse_variables(whole)
    if name == "xtensawin":
        _resolve_calls(whole)
    # What is left in .data is where GCC keeps the initial values of local structs.
    objcopy = re.sub("gcc$", "objcopy", command)
    _run([objcopy, "--rename-section", ".data=.data.rel.ro.initial", whole])
    progress.update(95, "linking")
    module = obj / "_motionlet.mpy"
    said = _run([*mpy_ld, "--qstrs", config, "-o", module.name, whole], cwd=obj)
    sizes = {"mpy_bytes": module.stat().st_size}
    for line in said.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] == "size:":
            sizes[f"{words[0]}_bytes"] = int(words[2])
    _package(name, module)
    progress.update(100, "done")
    return sizes


def _refuse_variables(path):
    """Raise ToolError if an object has a variable with an initial value: .mpy files have none."""
    from elftools.elf.elffile import ELFFile

    with open(path, "rb") as file:
        elf = ELFFile(file)
        data = {i for i, section in enumerate(elf.iter_sections()) if section.name == ".data"}
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            if symbol["st_shndx"] in data and symbol["st_info"]["type"] == "STT_OBJECT":
                raise ToolError(
                    f"the variable {symbol.name} has an initial value; in a native module make it "
                    f"constant, or set it in mpy_init"
                )


def _resolve_calls(path):
    """Write into each CALL8 of an object where it goes: mpy_ld.py takes it that this is done."""
    from elftools.elf.elffile import ELFFile

    with open(path, "r+b") as file:
        elf = ELFFile(file)
        symbols, text = elf.get_section_by_name(".symtab"), elf.get_section_by_name(".text")
        number, data = elf.get_section_index(".text"), bytearray(text.data())
        for relocation in elf.get_section_by_name(".rela.text").iter_relocations():
            at = relocation["r_offset"]
            symbol = symbols.get_symbol(relocation["r_info_sym"])
            if (
                relocation["r_info_type"] == R_XTENSA_SLOT0_OP
                and symbol["st_shndx"] == number
                and data[at] & 0x3F == CALL8
            ):
                # In words, from the one behind the word that the instruction begins in.
                distance = (symbol["st_value"] + relocation["r_addend"] - (at & ~3) - 4) >> 2
                data[at : at + 3] = ((distance & 0x3FFFF) << 6 | CALL8).to_bytes(3, "little")
        file.seek(text["sh_offset"])
        file.write(data)


def _package(name, module):
    """Lay out what `mpremote mip install` reads: package.json beside its files."""
    out = directory(name)
    files = ["_motionlet.mpy"]
    write_atomically(out / "_motionlet.mpy", module.read_bytes())
    for source in sorted((DEVICE / "motionlet").glob("*.py")):
        files.append(f"motionlet/{source.name}")
        write_atomically(out / files[-1], source.read_bytes())
    package = json.loads((DEVICE / "package.json").read_text())
    package["urls"] = [[path, path] for path in files]
    write_atomically(out / "package.json", json.dumps(package, indent=2).encode() + b"\n")


def _run(command, **options):
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        **options,
    )
    if done.returncode:
        raise ToolError(f"{Path(command[0]).name} failed:\n  {last_errors(done.stdout)}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arch", choices=[*ARCHITECTURES, "all"])
    args = parser.parse_args()
    if args.arch != "all":
        build(args.arch)
        return
    for name in ARCHITECTURES:
        try:
            build(name)
        except ToolError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)


if __name__ == "__main__":
    run_main(main)
