#!/usr/bin/env python3
"""Build Motionlet as a native module (.mpy), for MicroPython that was built without it.

    tools/build_natmod.py armv6m            RP2040, and other Cortex-M0+
    tools/build_natmod.py xtensawin         ESP32-S3
    tools/build_natmod.py all               every architecture whose compiler is here
    tools/build_natmod.py armv6m --full     with everything, not only what models need
    tools/build_natmod.py all --objects     what `host_sdk install` links where no compiler is

For xtensawin, Espressif's GCC is used where it is on the path, else the same compiler as
tools/xtensa_toolchain.py gets it.

The result is a package for `mpremote mip install`, in build/dist/ARCH_6.3 (ARCH_6.3_full): the
module _motionlet, the Python package motionlet, and their package.json. `host_sdk install` puts it
onto a device.

What is compiled lies in build/objects/ARCH, one object for each set of feature groups, in which
every function and every constant has a section of its own; host_sdk/board/native_module.py links a
module from one, with what is wanted of it.
"""

import argparse
import concurrent.futures
import itertools
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
from xtensa_toolchain import CORE, VECTOR_UNIT, toolchain

sys.path.append(str(ROOT))

from host_sdk.board import mpy_link, native_module
from host_sdk.format.operators import OPS

MODULE = ROOT / "native_modules/motionlet"
DEVICE = ROOT / "device"
PART_LIST = MODULE / "core/mlet_part.h"
DIST = BUILD / "dist"
OBJECTS = BUILD / "objects"
ABI = (6, 3)  # of .mpy files: MicroPython 1.23 and later

CFLAGS = [
    "-DMLET_NUMBERED_FIELDS",
    *("-std=c99", "-Os", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"),
    *("-fpic", "-fno-common", "-ffunction-sections", "-fdata-sections"),
    "-fno-jump-tables",  # they ask the linker for more than mpy_ld.py can do
    "-fno-tree-loop-distribute-patterns",  # a strlen that calls strlen
    *("-U_FORTIFY_SOURCE", "-fno-stack-protector", "-DNDEBUG"),
]
# Less code by 4%. It is smaller yet, and as quick, without splitting the structs that functions
# take and without moving what loops repeat out of them.
LTO_FLAGS = ["-flto", "-fno-ipa-sra", "-fno-tree-loop-im"]
# And where nothing is in a hurry: 1.6% less again.
UNHURRIED = ["-fno-thread-jumps", "-fno-tree-dominator-opts", "-fno-move-loop-invariants"]
# Parts of kernels that a module may go without: mlet_part.h.
PARTS = "-DMLET_LINKED_IN_PARTS"
BINDING_CFLAGS = [
    "-DMLET_NUMBERED_FIELDS",
    *("-DNO_QSTR", "-DMICROPY_ENABLE_DYNRUNTIME=1", "-DMICROPY_PY_BUILTINS_MEMORYVIEW=1"),
]
# What models made for them may need: the objects to link from where no compiler is.
FOR_MODELS = ("chains", "int4", "int16", "inputs")


@dataclass(frozen=True)
class Arch:
    """An architecture as mpy_ld.py names it.

    float: what `float` is in the firmware there (MICROPY_FLOAT_IMPL).
    library: whether the compiler's own library is linked, for arithmetic the core does not have.
    runtime: whether natmod/runtime.c is, in place of what is large or missing in that library.
    packages: Debian's names of the compiler.
    """

    compiler: str
    flags: list = field(default_factory=list)
    float: str = "FLOAT"
    library: bool = True
    runtime: bool = False
    packages: tuple = ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi")


ARCHITECTURES = {
    "x64": Arch("gcc", float="DOUBLE", library=False, packages=("gcc",)),
    "armv6m": Arch(
        "arm-none-eabi-gcc",
        ["-mthumb", "-mcpu=cortex-m0plus"],
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
        library=False,
        runtime=True,
    ),
    "rv32imc": Arch(
        "riscv64-unknown-elf-gcc",
        ["-march=rv32imc", "-mabi=ilp32", "-mno-relax", "-specs=picolibc.specs"],
        packages=("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"),
    ),
}


def directory(arch, configuration="core"):
    """Where the package for an architecture is built."""
    suffix = "" if configuration == "core" else f"_{configuration}"
    return DIST / f"{arch}_{ABI[0]}.{ABI[1]}{suffix}"


def compiler(name):
    """Return the command of an architecture's compiler; raise ToolError if it is not here."""
    arch = ARCHITECTURES[name]
    if name == "xtensawin" and shutil.which(arch.compiler) is None:
        return str(toolchain() / arch.compiler)
    need_programs([arch.compiler], arch.packages)
    return arch.compiler


def keys():
    """Return the names of the objects that a laptop without a compiler links from."""
    sets = [set(groups) for n in range(5) for groups in itertools.combinations(FOR_MODELS, n)]
    wanted = {native_module.Selection(frozenset(), frozenset(groups)).key for groups in sets}
    return sorted(wanted | {each.key for each in native_module.CONFIGURATIONS.values()})


def build(name, configuration="core", quiet=False):
    """Build the package of one architecture; return its sizes, the content of size.json."""
    if name not in ARCHITECTURES:
        raise ToolError(f"no architecture {name}; there are {', '.join(ARCHITECTURES)}")
    selection = native_module.CONFIGURATIONS[configuration]
    compile_object(name, selection.key)
    linked = native_module.link(name, selection, OBJECTS)
    out = directory(name, configuration)
    _package(out, linked.mpy)
    sizes = {
        "mpy_bytes": len(linked.mpy),
        "text_bytes": linked.text_bytes,
        "rodata_bytes": linked.rodata_bytes,
        "bss_bytes": linked.bss_bytes,
    }
    write_atomically(out / "size.json", json.dumps(sizes, indent=2).encode() + b"\n")
    if not quiet:
        print(
            f"{out}: _motionlet.mpy has {sizes['mpy_bytes']} bytes; loaded it takes "
            f"{linked.text_bytes + linked.rodata_bytes} of code and {linked.bss_bytes} of data",
            file=sys.stderr,
        )
    return sizes


def compile_object(name, key):
    """Compile the object of an architecture that has the groups of `key`; return its path.

    Nothing is done where it is up to date.
    """
    command = compiler(name)
    path = OBJECTS / name / f"{key}.o"
    with locked(path.parent.parent / f".{name}.lock"):
        tree = micropython_dir()
        inputs = _hash_of_inputs(name, tree, command)
        about = path.with_suffix(".json")
        if path.exists() and about.exists() and json.loads(about.read_text())["inputs"] == inputs:
            return path
        with Progress(f"natmod {name}, {key}") as progress:
            names = _compile(name, key, tree, command, path, progress)
            for tool in mpy_link.TOOLS:
                target = OBJECTS / "linker" / Path(tool).name
                write_atomically(target, (tree / tool).read_bytes())
            codes = max(operator.code for operator in OPS.values()) + 1
            record = {"names": names, "codes": codes, "parts": _parts(path), "inputs": inputs}
            write_atomically(about, json.dumps(record, indent=1).encode() + b"\n")
            progress.update(100, "done")
    return path


def _link_ready(name):
    """Put modules beside the objects of an architecture, for where nothing can be linked."""
    for configuration, selection in native_module.CONFIGURATIONS.items():
        linked = native_module.link(name, selection, OBJECTS)
        write_atomically(OBJECTS / name / f"{configuration}.mpy", linked.mpy)


def _hash_of_inputs(name, tree, command):
    version = subprocess.run([command, "--version"], capture_output=True, text=True).stdout
    tools = (Path(__file__), CORE, VECTOR_UNIT, tree / "tools/mpy_ld.py")
    return digest(name, str(tree), command, version, *files_in(MODULE, *tools))


def _sources(target):
    core = sorted(MODULE.glob("core/*.c"))
    if target == "portable":
        return core
    tuned = MODULE / "arch" / target
    return core + sorted([*tuned.glob("*.c"), *tuned.glob("*.S")])


def _is_unhurried(source):
    kernels = {f"mlet_{name}" for name in (*OPS, "frame", "keep_shifted")}
    return MODULE / "arch" not in source.parents and source.stem not in kernels


def _compile(name, key, tree, command, path, progress):
    """Compile an object into `path`; return the names in its qstr table."""
    arch, target = ARCHITECTURES[name], native_module.target_of(name)
    obj = BUILD / "natmod" / name / key
    shutil.rmtree(obj, ignore_errors=True)
    obj.mkdir(parents=True)
    binding, runtime = MODULE / "natmod/natmod.c", MODULE / "natmod/runtime.c"
    groups = native_module.GROUPS if key == "full" else key.split("-")
    flags = [*CFLAGS, PARTS, *arch.flags, *LTO_FLAGS, f"-I{MODULE / 'core'}"]
    for group in native_module.GROUPS:
        flags.append(f"-DMLET_WITH_{group.upper()}={int(group in groups)}")
    if target != "portable":
        define = f"-DMLET_TARGET=MLET_TARGET_{target.upper()}"
        flags += [define, f"-I{MODULE / 'arch' / target}"]
    for_binding = [*BINDING_CFLAGS, f"-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_{arch.float}"]
    for_binding += [f"-I{tree}"]
    config, names = _names(name, tree, obj, [command, *flags, *for_binding, "-E", binding])
    for_binding += [f"-DMP_CONFIGFILE=<{config}>"]

    sources = [binding, *_sources(target)]
    if arch.runtime:
        sources.append(runtime)
    objects = [obj / f"{source.name}.o" for source in sources]
    objcopy = re.sub("gcc$", "objcopy", command)

    def compile(source, target):
        extra = for_binding if source == binding else ["-fno-lto"] if source == runtime else []
        if _is_unhurried(source):
            extra = [*extra, *UNHURRIED]
        _run([command, *flags, *extra, "-c", source, "-o", target])
        if source.suffix == ".S":  # by itself, so that a module can do without
            renamed = [f".text{old}=.text.{source.stem}" for old in ("", ".motionlet")]
            _run([objcopy, *(f"--rename-section={each}" for each in renamed), target])

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, _ in enumerate(pool.map(compile, sources, objects)):
            progress.update(90 * done / len(sources), "compiling")
    # One object, with what of the compiler's library it needs, and without what nobody calls.
    # A section that the linker script does not name stays as it is, and it names none.
    whole, script = obj / "whole.o", obj / "sections.ld"
    script.write_text("SECTIONS {}\n")
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
        *(f"-Wl,-u,{name}" for name in (mpy_link.ENTRY, mpy_link.NO_PART)),
        f"-Wl,-e,{mpy_link.ENTRY}",
        "-Wl,--no-relax",
    ]
    library = ["-lgcc"] if arch.library else []
    _run([command, *link, "-o", whole, *objects, *library])
    _refuse_variables(whole)
    # What is left in .data is where GCC keeps the initial values of local structs.
    rename = ["--rename-section", ".data=.data.rel.ro.initial"]
    _run([objcopy, "--strip-debug", *rename, whole])
    write_atomically(path, whole.read_bytes())
    return names


def _names(name, tree, obj, preprocess):
    """Write the header that numbers the names of Python in the binding; return it and the names.

    They are those in the code that is compiled: what a group leaves out brings none.
    """
    mpy_ld = [sys.executable, tree / "tools/mpy_ld.py", "--arch", name, "--preprocess", "-o"]
    none, used, config = obj / "none.h", obj / "used.c", obj / "config.h"
    used.write_text("")
    _run([*mpy_ld, none, used])
    used.write_text(_run([*preprocess, f"-DMP_CONFIGFILE=<{none}>"]))
    _run([*mpy_ld, config, used])
    return config, re.findall(r"#define MP_QSTR_(\w+) \(mp_native_", config.read_text())


def _parts(path):
    """Return the names of the parts of kernels (mlet_part.h) that an object has."""
    listed = re.search(r"#define MLET_PARTS\(X\)((?:.*\\\n)*.*)", PART_LIST.read_text())[1]
    known, data = re.findall(r"X\((\w+)\)", listed), path.read_bytes()
    return [name for name in known if mpy_link.places(data, name, "STT_FUNC")]


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


def _package(out, module):
    """Lay out what `mpremote mip install` reads: package.json beside its files."""
    files = [mpy_link.MODULE]
    write_atomically(out / mpy_link.MODULE, module)
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
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("--full", action="store_true", help="with everything")
    wanted.add_argument("--objects", action="store_true", help="all objects, and no package")
    wanted.add_argument("--object", metavar="GROUPS", choices=keys(), help=argparse.SUPPRESS)
    args = parser.parse_args()

    def make(name):
        if args.object or args.objects:
            for key in [args.object] if args.object else keys():
                compile_object(name, key)
            if args.objects:
                _link_ready(name)
        else:
            build(name, "full" if args.full else "core")

    if args.arch != "all":
        make(args.arch)
        return
    for name in ARCHITECTURES:
        try:
            make(name)
        except ToolError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)


if __name__ == "__main__":
    run_main(main)
