#!/usr/bin/env python3
"""Build firmware with Motionlet in it.

    tools/build_firmware.py MOTIONLET_PICO     boards/MOTIONLET_PICO: firmware.uf2
    tools/build_firmware.py MOTIONLET_ESP32_S3 boards/MOTIONLET_ESP32_S3: firmware.bin; by ESP-IDF
    tools/build_firmware.py unix               the unix port: a program for this machine
    tools/build_firmware.py RPI_PICO           MicroPython's own board, without Motionlet
    tools/build_firmware.py unix_stock         the unix port without Motionlet
    tools/build_firmware.py MPS2_AN385         a board of MicroPython's qemu port, without Motionlet
    tools/build_firmware.py XTENSA_SIM         a board of tests/boards, for the same port

The results are in build/firmware/BOARD, with size.json beside them. Nothing is done when no
input has changed since the last build.
"""

import argparse
import collections
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import esp_idf
from common import (
    BUILD,
    ROOT,
    XIP_BASE,
    Progress,
    ToolError,
    digest,
    files_in,
    flash_map,
    last_errors,
    locked,
    need_programs,
    run_main,
    write_atomically,
)
from get_sources import has_micropython_lib, micropython_dir, sdk_for, version_of
from xtensa_toolchain import toolchain

BOARDS = ROOT / "boards"
TEST_BOARDS = ROOT / "tests/boards"  # of MicroPython's qemu port
# What XTENSA_SIM builds in, of `bench --device xtensa`.
XTENSA_START = [ROOT / "tools/xtensa_sim/start.S", ROOT / "tools/xtensa_sim/pie"]
MODULE = ROOT / "native_modules/motionlet"
DEVICE_PACKAGE = ROOT / "device/motionlet"
FIRMWARE = BUILD / "firmware"

ARM_PACKAGES = [
    "gcc-arm-none-eabi",
    "libnewlib-arm-none-eabi",
    "libstdc++-arm-none-eabi-newlib",
    "cmake",
    "make",
    "gcc",
    "g++",
]
UNIX_PACKAGES = ["gcc", "make"]
RISCV_PACKAGES = ["gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf", *UNIX_PACKAGES]

RP2040_UF2_FAMILY = 0xE48BFF56

# Variables of the caller's environment that change a build.
ENVIRONMENT = ("CFLAGS_EXTRA", "MOTIONLET_ARCH", "MOTIONLET_CONFIG")

# The unix port, with what needs libraries beyond libc left out.
UNIX_OPTIONS = {
    "MICROPY_PY_SSL": 0,
    "MICROPY_PY_FFI": 0,
    "MICROPY_PY_BTREE": 0,
    "MICROPY_PY_BLUETOOTH": 0,
}
COMPILATIONS = {"unix": 290, "qemu": 240}  # about, for the progress bar

QEMU_HEAP_BYTES = 1024 * 1024  # the port's own 140 KB would not hold what the tests load

# What ports freeze by themselves comes from micropython-lib, too; without it, this is left of it.
STOCK_MANIFEST = """\
freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
"""


def _cross_compiler(board):
    if board == "XTENSA_SIM":
        return str(toolchain() / "xtensa-esp32s3-elf-gcc")
    return "riscv64-unknown-elf-gcc" if board == "VIRT_RV32" else "arm-none-eabi-gcc"


RESULTS = {
    "unix": "micropython",
    "rp2": "firmware.uf2",
    "qemu": "firmware.elf",
    "esp32": "firmware.bin",
}


class Target:
    """One thing to build, and the directories of its build."""

    def __init__(self, name, user_modules, out=None, variant=None):
        self.name = name
        self.variant = variant
        self.out = (
            Path(out).resolve() if out else FIRMWARE / "-".join(filter(None, [name, variant]))
        )
        self.obj = self.out / "obj"
        self.log = self.out / "build.log"
        self.board_dir = None
        self.user_modules = [*user_modules] if name == "unix_stock" else [MODULE, *user_modules]
        if name in ("unix", "unix_stock"):
            self.port = "unix"
        elif (BOARDS / name / "mpconfigboard.cmake").exists():
            self.board_dir = BOARDS / name
            config = (self.board_dir / "mpconfigboard.cmake").read_text()
            self.port = "esp32" if "IDF_TARGET" in config else "rp2"
        else:
            self.port, self.board_dir = self._board_of_micropython()
            self.user_modules = list(user_modules)
        self.result = self.out / RESULTS[self.port]
        if variant and not self._variant_file.exists():
            found = self.board_dir.glob("mpconfigvariant_*.cmake") if self.board_dir else ()
            known = sorted(path.stem.partition("_")[2] for path in found)
            raise ToolError(
                f"{name} has no variant {variant!r}; there is: {', '.join(known) or '-'}"
            )

    @functools.cached_property
    def tree(self):
        """MicroPython's sources; got when they are asked for, which needs programs of its own."""
        return micropython_dir()

    @functools.cached_property
    def sdk(self):
        """pico-sdk, or None; ToolError where sources are missing that the port builds from."""
        return sdk_for(self.port, self.tree)

    @property
    def _variant_file(self):
        return (self.board_dir or self.tree) / f"mpconfigvariant_{self.variant}.cmake"

    def _board_of_micropython(self):
        for port, config, boards in (
            ("rp2", "mpconfigboard.cmake", self.tree / "ports/rp2/boards"),
            ("qemu", "mpconfigboard.mk", self.tree / "ports/qemu/boards"),
            ("qemu", "mpconfigboard.mk", TEST_BOARDS),
        ):
            board_dir = boards / self.name
            if (board_dir / config).exists():
                return port, board_dir
        ours = sorted(path.parent.name for path in BOARDS.glob("*/mpconfigboard.cmake"))
        raise ToolError(
            f"no board {self.name!r}: want unix, one of boards/ ({', '.join(ours)}), "
            f"or one of MicroPython's rp2 boards"
        )

    @property
    def board_files(self):
        """The directories and files that describe the board."""
        if self.board_dir is None:
            return []
        return [self.board_dir, *(XTENSA_START if self.board_dir.parent == TEST_BOARDS else [])]

    @property
    def user_c_modules(self):
        """What USER_C_MODULES names: without Motionlet, where the manifest names it already."""
        named = "def c_module" in (self.tree / "tools/manifestfile.py").read_text()
        return [path for path in self.user_modules if not (named and path == MODULE)]

    @property
    def compiler(self):
        return "gcc" if self.port in ("unix", "esp32") else _cross_compiler(self.name)

    @property
    def packages(self):
        """Debian's names of the compiler and what goes with it, as far as Debian has them."""
        return PACKAGES.get(self.compiler, UNIX_PACKAGES)

    @property
    def has_motionlet(self):
        return MODULE in self.user_modules


def build(name, user_modules=(), clean=False, quiet=False, out=None, variant=None):
    """Build one target; return its sizes, the content of size.json.

    user_modules: directories or files of further MicroPython user C modules.
    out: the directory for the results, by default build/firmware/NAME or NAME-VARIANT.
    variant: of the board, such as SPIRAM_OCT.
    """
    target = Target(name, [_module_path(path) for path in user_modules], out, variant)
    _check_programs(target)
    _ = target.sdk
    with locked(target.out / ".lock"):
        return _build(target, clean, quiet)


def _build(target, clean, quiet):
    say = (lambda *words: None) if quiet else (lambda *words: print(*words, file=sys.stderr))
    config = _hash_of_configuration(target)
    inputs = _hash_of_inputs(target, config)
    stamp = target.out / "inputs"
    sizes = target.out / "size.json"
    built = stamp.read_text() if stamp.exists() else ""
    if not clean and built == f"{config} {inputs}" and target.result.exists() and sizes.exists():
        say(f"{_short(target.result)}: up to date")
        return json.loads(sizes.read_text())

    # A change of configuration reaches files that make does not know to depend on it.
    if clean or not built.startswith(config):
        shutil.rmtree(target.obj, ignore_errors=True)
    target.obj.mkdir(parents=True, exist_ok=True)
    write_atomically(stamp, f"{config} unfinished".encode())
    target.log.unlink(missing_ok=True)
    with Progress(f"firmware {target.name}") as progress:
        _build_mpy_cross(target, progress)
        report = _BUILDERS[target.port](target, progress)
        _check_motionlet(target, report)
        progress.update(100, "done")
    write_atomically(sizes, json.dumps(report, indent=2).encode() + b"\n")
    others = [str(path) for path in target.user_modules if path != MODULE]
    write_atomically(target.out / "user_modules.json", json.dumps(others).encode())
    write_atomically(stamp, f"{config} {inputs}".encode())
    say(_table(target, report))
    if target.has_motionlet and target.board_dir and not has_micropython_lib(target.tree):
        say(
            f"  without what MicroPython's own boards freeze of micropython-lib, which "
            f"{_short(target.tree)} lacks"
        )
    return report


def _short(path):
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _module_path(path):
    """The directory of a user C module; `path` is it, or the micropython.cmake or .mk in it."""
    path = Path(path).expanduser().resolve()
    if path.is_file():
        path = path.parent
    if not any((path / f"micropython.{suffix}").exists() for suffix in ("cmake", "mk")):
        raise ToolError(f"--user-module {path}: no micropython.cmake or micropython.mk there")
    return path


PACKAGES = {
    "gcc": UNIX_PACKAGES,
    "arm-none-eabi-gcc": ARM_PACKAGES,
    "riscv64-unknown-elf-gcc": RISCV_PACKAGES,
}


def _check_programs(target):
    if target.port == "esp32":
        esp_idf.command(target.tree, "")
    programs = [target.compiler, "gcc", "make"]
    if target.port == "rp2":
        programs += ["arm-none-eabi-g++", "cmake"]
    need_programs(
        dict.fromkeys(programs),
        target.packages,
        "; or run again with --install",
    )
    if target.port == "esp32":
        esp_idf.check(target.tree)
    if target.port != "rp2":
        return
    for library, package in (
        ("libc_nano.a", "libnewlib-arm-none-eabi"),
        ("libstdc++.a", "libstdc++-arm-none-eabi-newlib"),
    ):
        where = _output("arm-none-eabi-gcc", f"-print-file-name={library}")
        if where == library:  # gcc echoes the bare name of what it does not find
            raise ToolError(f"arm-none-eabi-gcc has no {library}; apt-get install {package}")


def install_packages(name):
    """Install what a target needs with apt-get, as root."""
    need_programs(["apt-get"], ["apt"])
    if os.geteuid() != 0:
        raise ToolError("--install needs root: run it with sudo, or install the packages yourself")
    packages = Target(name, []).packages
    done = subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages])
    if done.returncode:
        raise ToolError(f"apt-get install {' '.join(packages)} failed; see above")


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


# When to build


def _hash_of_configuration(target):
    """A hash over what, if it changes, asks for a build from clean."""
    environment = [f"{name}={os.environ.get(name, '')}" for name in ENVIRONMENT]
    if target.port == "esp32":
        environment.append(esp_idf.description())
    return digest(
        target.name,
        str(target.variant),
        f"{target.tree} {target.sdk} {version_of(target.tree)}",
        _output(target.compiler, "--version"),
        *environment,
        *map(str, target.user_modules),
        *files_in(*target.board_files),
        *files_in(BOARDS / "manifest.py", BOARDS / "stock.py"),
        str(has_micropython_lib(target.tree)),
        *MODULE.glob("micropython.*"),
        Path(__file__),
    )


def _hash_of_inputs(target, config):
    """A hash over everything that goes into the firmware."""
    package = files_in(DEVICE_PACKAGE) if target.has_motionlet else ()
    return digest(config, *files_in(*target.user_modules), *package)


# How to build


def _jobs():
    return str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())


def _run(target, command, on_line=lambda line: None, variables=None, **kwargs):
    """Run a build command with its output in the log; on failure raise ToolError with its end.

    variables: more of its environment.
    """
    environment = {**os.environ, "LC_ALL": "C", **{k: str(v) for k, v in (variables or {}).items()}}
    environment.pop("MAKEFLAGS", None)  # of a make that may have started us
    if not (target.tree / ".git").exists():
        # Or else MicroPython would take the version of the repository around it.
        tag = "v{}.{}.{}".format(*version_of(target.tree))
        environment.update(MICROPY_GIT_TAG=tag, MICROPY_GIT_HASH=tag)
    with open(target.log, "a") as log:
        print("$", *command, file=log, flush=True)
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            **kwargs,
        )
        tail = collections.deque(maxlen=200)
        for line in process.stdout:
            log.write(line)
            tail.append(line.rstrip())
            on_line(line)
    if process.wait() != 0:
        end = last_errors("\n".join(tail))
        raise ToolError(f"{command[0]} failed; all of it is in {_short(target.log)}:\n  {end}")


def _build_mpy_cross(target, progress):
    # It is built inside MicroPython's tree, which all targets share.
    with locked(target.tree / "mpy-cross/.lock"):
        progress.update(0, "mpy-cross")
        _run(target, ["make", "-C", target.tree / "mpy-cross", "-j", _jobs()])


def _build_rp2(target, progress):
    options = {
        "MICROPY_BOARD": target.name,
        "MICROPY_BOARD_DIR": target.board_dir,
        "PICO_SDK_PATH_OVERRIDE": target.sdk,
        "PICO_NO_PICOTOOL": 1,
        "CMAKE_EXPORT_COMPILE_COMMANDS": 1,
        "PICO_BUILD_DOCS": 0,
    }
    options.update(_module_options(target))
    if not target.has_motionlet:
        options["MICROPY_FROZEN_MANIFEST"] = _stock_manifest(target)
    definitions = [f"-D{name}={value}" for name, value in options.items()]

    progress.update(2, "configuring")
    rp2 = target.tree / "ports/rp2"
    _run(target, ["cmake", "-S", rp2, "-B", target.obj, "-G", "Unix Makefiles", *definitions])

    def on_line(line):
        percent = re.match(r"\[ *(\d+)%\]", line)
        if percent:
            progress.update(5 + 0.94 * int(percent.group(1)), "compiling")

    _run(target, ["make", "-C", target.obj, "-j", _jobs()], on_line)

    image = target.obj / "firmware.bin"
    where = flash_map(target.board_dir)
    if image.stat().st_size > where.firmware_bytes:
        raise ToolError(
            f"the firmware has {image.stat().st_size} bytes, but only {where.firmware_bytes} lie "
            f"below the ROMFS; give {_short(target.board_dir)}/mpconfigboard.h a smaller "
            f"MICROPY_HW_ROMFS_BYTES or MICROPY_HW_FLASH_STORAGE_BYTES, or fewer user modules"
        )
    uf2 = target.obj / "firmware.uf2"
    uf2conv = [sys.executable, target.tree / "tools/uf2conv.py", "-c", "-o", uf2, image]
    _run(target, [*uf2conv, "-b", hex(XIP_BASE), "-f", hex(RP2040_UF2_FAMILY)])
    elf = target.obj / "firmware.elf"
    report = {
        **_sizes("arm-none-eabi-size", elf, target.obj / "firmware.elf.map"),
        "image_bytes": image.stat().st_size,
        "image_bytes_free": where.firmware_bytes - image.stat().st_size,
        "romfs_bytes": where.romfs_bytes,
        "storage_bytes": where.storage_bytes,
    }
    write_atomically(target.out / "firmware.elf", elf.read_bytes())
    write_atomically(target.result, uf2.read_bytes())
    return report


def _module_options(target):
    """CMake's options for the user modules."""
    options = {}
    if target.user_c_modules:
        files = [path / "micropython.cmake" for path in target.user_c_modules]
        options["USER_C_MODULES"] = ";".join(map(str, files))
    for name in ("MOTIONLET_ARCH", "MOTIONLET_CONFIG"):
        if name in os.environ:
            options[name] = ";".join(os.environ[name].split())
    return options


def _build_esp32(target, progress):
    options = {
        "MICROPY_BOARD": target.name,
        "MICROPY_BOARD_DIR": target.board_dir,
        **_module_options(target),
    }
    if target.variant:
        options["MICROPY_BOARD_VARIANT"] = target.variant
    idf = ["idf.py", "-C", target.tree / "ports/esp32", "-B", target.obj]
    idf += [f"-D{name}={value}" for name, value in options.items()]
    parts = ["bootloader/bootloader.bin", "partition_table/partition-table.bin", "micropython.bin"]
    inputs = [target.obj / name for name in ("sdkconfig", *parts)]
    outputs = [target.obj / "firmware.bin", target.obj / "firmware.uf2"]
    make_image = ["python", target.tree / "ports/esp32/makeimg.py", *inputs, *outputs]
    script = " && ".join(shlex.join(map(str, words)) for words in ([*idf, "build"], make_image))

    progress.update(2, "configuring")
    ninja = esp_idf.Ninja()

    def on_line(line):
        part = ninja.part(line)
        if part is not None:
            progress.update(5 + 93 * part, "compiling")

    _run(target, esp_idf.command(target.tree, script), on_line)

    sys.path.append(str(ROOT))
    from host_sdk.board import partitions

    table = partitions.read_binary((target.obj / parts[1]).read_bytes())
    image_bytes = (target.obj / parts[2]).stat().st_size
    report = {
        **sizes_in_map((target.obj / "micropython.map").read_text()),
        "image_bytes": image_bytes,
        "image_bytes_free": partitions.app(table).size - image_bytes,
        "romfs_bytes": partitions.find(table, "romfs").size,
        "storage_bytes": partitions.find(table, "vfs").size,
    }
    write_atomically(target.result, outputs[0].read_bytes())
    return report


def _stock_manifest(target):
    manifest = target.obj / "manifest.py"
    manifest.write_text(STOCK_MANIFEST if target.port == "rp2" else "")
    return manifest


def _make(target, progress, options):
    """Build a port that builds with make."""
    compiled = 0

    def on_line(line):
        nonlocal compiled
        if line.startswith("CC "):
            compiled += 1
            percent = min(99, 2 + 97 * compiled / COMPILATIONS[target.port])
            progress.update(percent, "compiling")

    # From MicroPython 1.29 on manifests add to USER_C_MODULES, which on make's command line would
    # be the last word.
    variables = {"USER_C_MODULES": options.pop("USER_C_MODULES")}
    definitions = [f"{name}={value}" for name, value in options.items()]
    port = target.tree / "ports" / target.port
    _run(target, ["make", "-C", port, "-j", _jobs(), *definitions], on_line, variables)


def _make_options(target):
    """The options that every port that builds with make takes."""
    # User modules are looked for in the subdirectories of one directory: make one of links.
    modules = target.obj / "modules"
    shutil.rmtree(modules, ignore_errors=True)
    modules.mkdir()
    for path in target.user_c_modules:
        (modules / path.name).symlink_to(path)
    manifest = BOARDS / "manifest.py" if target.has_motionlet else _stock_manifest(target)
    options = {"BUILD": target.obj, "USER_C_MODULES": modules, "FROZEN_MANIFEST": manifest}
    return options | {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def _build_unix(target, progress):
    _make(target, progress, {**UNIX_OPTIONS, **_make_options(target)})
    program = target.obj / "micropython"
    report = _sizes("size", program, target.obj / "micropython.map")
    write_atomically(target.result, program.read_bytes())
    target.result.chmod(0o755)
    return report


def _build_qemu(target, progress):
    options = {
        **_make_options(target),
        "BOARD": target.name,
        "BOARD_DIR": target.board_dir,
        "CROSS_COMPILE": target.compiler.removesuffix("gcc"),
        "MICROPY_HEAP_SIZE": QEMU_HEAP_BYTES,
        # With the newer ISA specification, GCC 12 finds no library for what the port asks.
        "RV32_ARCH": "rv32imac -misa-spec=2.2",
    }
    _make(target, progress, options)
    elf = target.obj / "firmware.elf"
    report = _sizes(target.compiler.removesuffix("gcc") + "size", elf, target.obj / "firmware.map")
    write_atomically(target.result, elf.read_bytes())
    return report


_BUILDERS = {
    "unix": _build_unix,
    "rp2": _build_rp2,
    "qemu": _build_qemu,
    "esp32": _build_esp32,
}


# How large it is

# An object of ours by its path, or one that came out of a library (libmain.a, for the esp32 port).
_OURS = re.compile(r"/motionlet/((?:core/|arch/\w+/)?\w+)\.|\.a\((\w+)\.")
_FROZEN = re.compile(r"frozen_content")
_INPUT_SECTION = re.compile(
    r"^ (\.(text|literal|rodata|data\.rel\.ro|data|bss|time_critical)[\w.$]*|COMMON)"
    r"\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$"
    # Strings that are merged: some linkers give all of them to the first file that has any.
    r"(?:\n\s+0x([0-9a-f]+) \(size before relaxing\)$)?",
    re.MULTILINE,
)
_IN_LIBRARY = {
    path.stem: path.relative_to(MODULE).with_suffix("").as_posix()
    for path in sorted([*MODULE.rglob("*.c"), *MODULE.rglob("*.S")])
    if path.name.startswith(("mlet_", "m0_", "s3_", "modmotionlet."))
}
CONSTANT = ("text", "literal", "rodata", "data.rel.ro")  # kinds of sections; in flash alone
IN_BOTH = ("data", "time_critical")  # in flash, and copied to RAM


def _sizes(size_program, image, map_file):
    """The sizes of a linked image, and what of it is Motionlet's, in bytes."""
    numbers = _output(size_program, str(image)).splitlines()[1].split()
    text, data, bss = (int(number) for number in numbers[:3])
    return {"text": text, "data": data, "bss": bss, **sizes_in_map(map_file.read_text())}


def sizes_in_map(text):
    """What Motionlet adds to an image, in bytes, from the text of GNU ld's map file.

    Only sections that are in the image count, not those that --gc-sections dropped:

    module_bytes    flash taken by the C code: text, rodata, and the initial values of data
    module_ram      RAM that the C code takes for good: data and bss
    frozen_bytes    flash taken by the frozen Python package
    files           {file of the C code, such as "core/mlet_ring": {kind of section: bytes}}
    """
    _, _, linked = text.partition("Linker script and memory map")
    # A long section name stands alone on its line; the rest follows on the next.
    linked = re.sub(r"^ (\.\S+)\n +0x", r" \1 0x", linked, flags=re.MULTILINE)
    files = collections.defaultdict(collections.Counter)
    frozen = 0
    for name, kind, address, size, source, before in _INPUT_SECTION.findall(linked):
        if int(address, 16) == 0:
            continue
        count = min(int(size, 16), int(before or size, 16))
        ours = _OURS.search(source)
        if name_there := ours and (ours.group(1) or _IN_LIBRARY.get(ours.group(2))):
            files[name_there][kind or "bss"] += count
        elif _FROZEN.search(source) and "motionlet" in name:
            frozen += count
    total = sum(files.values(), collections.Counter())
    return {
        "module_bytes": sum(total[kind] for kind in CONSTANT + IN_BOTH),
        "module_ram": sum(total[kind] for kind in ("bss", *IN_BOTH)),
        "frozen_bytes": frozen,
        "files": {name: dict(kinds) for name, kinds in sorted(files.items())},
    }


def _check_motionlet(target, report):
    """Raise ToolError if an image lacks what it is built for."""
    if target.has_motionlet and not (report["module_bytes"] and report["frozen_bytes"]):
        missing = "C code" if not report["module_bytes"] else "Python package"
        raise ToolError(
            f"{target.name} was built without Motionlet's {missing}; {_short(target.log)} may tell "
            f"why MicroPython left it out"
        )


def _table(target, report):
    rows = [f"{_short(target.result)}"]
    names = {
        "text": "code and constants",
        "data": "initialised data",
        "bss": "zeroed data",
        "module_bytes": "Motionlet in C: flash",
        "module_ram": "Motionlet in C: RAM",
        "frozen_bytes": "Motionlet in Python: flash",
        "image_bytes": "image in flash",
        "image_bytes_free": "still free for firmware",
        "romfs_bytes": "ROMFS",
        "storage_bytes": "file system",
    }
    for key, name in names.items():
        if key in report and (target.has_motionlet or not key.startswith(("module", "frozen"))):
            rows.append(f"  {name:28}{report[key]:>10,} bytes")
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "board", help="MOTIONLET_PICO, RPI_PICO, another rp2 board, unix or unix_stock"
    )
    parser.add_argument(
        "--user-module",
        action="append",
        default=[],
        metavar="PATH",
        help="a further user C module, such as ulab/code; may be given more than once",
    )
    parser.add_argument(
        "--out", metavar="DIR", help="where to put the results (build/firmware/BOARD)"
    )
    parser.add_argument("--variant", help="of the board, such as SPIRAM_OCT")
    parser.add_argument("--clean", action="store_true", help="build everything again")
    parser.add_argument("--json", action="store_true", help="print the sizes as JSON")
    parser.add_argument(
        "--install", action="store_true", help="install missing compilers with apt-get (root)"
    )
    args = parser.parse_args()
    if args.install:
        install_packages(args.board)
    report = build(
        *(args.board, args.user_module, args.clean),
        quiet=args.json,
        out=args.out,
        variant=args.variant,
    )
    if args.json:
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    run_main(main)
