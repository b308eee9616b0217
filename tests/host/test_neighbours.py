"""Names: what SDKs and Motionlet's sources call things does not meet.

A firmware compiles Motionlet behind the headers of an SDK, and those own short names: ESP-IDF has
BIT, others MIN, ALIGN, KERNEL. So every source compiles behind a header that has them all.
"""

import re
import subprocess
import sys

import pytest

from host_sdk import paths

ROOT = paths.repository()
MODULE = ROOT / "native_modules/motionlet"
sys.path.append(str(ROOT / "tools"))

import get_sources  # noqa: E402

C = sorted(MODULE.glob("core/*.c")) + sorted(MODULE.glob("arch/*/*.c"))
ASSEMBLY = sorted(MODULE.glob("arch/cortex_m0plus/*.S"))

# Macros of ESP-IDF, FreeRTOS, pico-sdk, CMSIS, Zephyr, Arduino, Linux and Windows, or such as
# theirs. What any of them means does not matter: whoever uses it by chance does not compile.
WITH_ARGUMENTS = re.findall(
    r"\w+",
    """
ALIGN ALIGN_DOWN ALIGN_UP ARRAY_SIZE ASSERT BIT BIT64 BITS CEIL CLAMP CONCAT CONTAINER_OF COUNT
COUNT_OF DIV_ROUND_UP ERROR FIELD FIELD_OFFSET HAS IS_ALIGNED LIKELY LOG MAX MIN NARGS OFFSET PIN
RAISE REQUIRE ROUND ROUND_DOWN ROUND_UP SIGN STR STRINGIFY SWAP UNLIKELY UNUSED VALUE abs bit clamp
constrain crc32 highByte isr likely lowByte max min round sq swap unlikely
""",
)
OBJECTS = re.findall(
    r"\w+",
    """
ARGUMENT ARGUMENTS BIAS BLOCK BOOL BYTE CALLS CELL CHANNELS CODE CROP DILATION DMA ERR EXCEPTION
FAIL FALSE FORMAT FRAME FRAMES GROUP HEIGHT HIGH IN INLINE INPUT INPUTS INT16 INT8 INTEGER KERNEL
LAYER LOW MAGIC METHOD NAME NAMED NONE OBJECT OK OPERATOR OPERATORS OUT OUTPUT PAD PAST PI PORTABLE
RAISES RESIZE RUN_BYTES SAR SCALED SELDOM SHAPE SHIFT SPATIAL STATIC STREAM STRIDE TARGET TEMPORAL
TRUE TWO UINT16 UINT8 UNIT WEIGHTS WIDTH WINDOW X X1
""",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    lines = [f"#undef {name}\n" for name in (*WITH_ARGUMENTS, *OBJECTS)]
    lines += [f"#define {name}(...) @ {name} is taken @\n" for name in WITH_ARGUMENTS]
    # Nothing of an SDK is included in assembly, which names its registers.
    lines += ["#ifndef __ASSEMBLER__\n"]
    lines += [f"#define {name} @ {name} is taken @\n" for name in OBJECTS]
    path = tmp_path_factory.mktemp("hostile") / "sdk.h"
    path.write_text("".join([*lines, "#endif\n"]))
    return path


def compile_behind(header, source, *flags, compiler="gcc"):
    """Compile a source behind a header; return what the compiler said, "" for nothing."""
    includes = [f"-I{MODULE / 'core'}", *(f"-I{each}" for each in (MODULE / "arch").iterdir())]
    command = [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *includes]
    if source.suffix == ".S":
        command[command.index("-fsyntax-only")] = "-E"
    command += [*flags, "-include", header, "-c", source]
    done = subprocess.run(command, capture_output=True, text=True)
    taken = re.findall(r"@ (\w+) is taken @", done.stdout) if source.suffix == ".S" else []
    return done.stderr + " ".join(taken)


@pytest.mark.parametrize("source", [*C, *ASSEMBLY], ids=lambda path: path.stem)
def test_a_source_compiles_behind_an_sdk(hostile, source):
    flags = ("-D__ARM_ARCH_6M__",) if source.suffix == ".S" else ("-DMLET_ALL_TARGETS",)
    assert compile_behind(hostile, source, *flags) == ""


def test_a_name_that_is_taken_is_found(hostile, tmp_path):
    for text in ("int a = BIT(3);", "enum { FRAME };", "int f(int x) { return min(x, 1); }"):
        (tmp_path / "a.c").write_text(text + "\n")
        assert "is taken" in compile_behind(hostile, tmp_path / "a.c")


def test_the_binding_compiles_behind_an_sdk(hostile, unix_firmware, tmp_path):
    """Its SDK's names come with MicroPython's mphal.h, thus behind MicroPython's own headers."""
    tree = get_sources.micropython_dir()
    generated = unix_firmware.with_name("obj")
    header = tmp_path / "headers.h"
    own = re.findall(r'#include "(py/\w+\.h)"', (MODULE / "binding/port.h").read_text())
    header.write_text("".join(f'#include "{name}"\n' for name in own) + hostile.read_text())
    places = (tree, tree / "ports/unix", tree / "ports/unix/variants/standard", generated)
    flags = [f"-I{place}" for place in places] + ["-std=gnu99", "-Wno-unused-parameter"]
    flags += ["-DMICROPY_USE_READLINE=1", '-DMICROPY_PY_SYS_PLATFORM="linux"']
    for name in ("SSL", "FFI", "BTREE", "BLUETOOTH"):
        flags.append(f"-DMICROPY_PY_{name}=0")
    assert compile_behind(header, MODULE / "modmotionlet.c", *flags) == ""


PREFIX = re.compile(r"(MLET|M0|S3|NATMOD|MOTIONLET)_")
OF_MICROPYTHON = re.compile(r"mp_|m_|MICROPY_")  # which native modules have in their own way


def test_every_macro_has_a_prefix():
    found = {}
    for path in sorted(MODULE.rglob("*.[ch]")):
        for name in re.findall(r"^\s*#\s*define\s+(\w+)", path.read_text(), re.MULTILINE):
            found.setdefault(name, path.name)
    assert len(found) > 200
    api = ("natmod.h",)
    bare = [
        f"{path}: {name}"
        for name, path in found.items()
        if not PREFIX.match(name) and not (path in api and OF_MICROPYTHON.match(name))
    ]
    assert bare == []
