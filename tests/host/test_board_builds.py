"""Builds by CMake and by ESP-IDF: the flags of what is linked, the words that are read, what is
asked for. Without ESP-IDF; a CMake project stands for it whose component lies in a sub-directory.
"""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import toolchains

from host_sdk import paths

ROOT = paths.repository()
MODULE = ROOT / "native_modules/motionlet"
sys.path.append(str(ROOT / "tools"))

import build_firmware  # noqa: E402
import common  # noqa: E402
import esp_idf  # noqa: E402
import get_sources  # noqa: E402

SMALL = {"mlet_chain", "mlet_check_file", "mlet_model", "mlet_run_op", "mlet_stream"}
QUICK = {"mlet_conv2d", "mlet_dense", "mlet_pointwise", "s3_conv2d", "s3_matmul", "m0_matmul"}


def flags_of_linked(commands, inside):
    """{name of a source of Motionlet: [words of its command]}, of objects in a folder `inside`."""
    found = {}
    for entry in json.loads(commands.read_text()):
        source = Path(entry["file"])
        if source.is_relative_to(MODULE) and inside in entry["command"]:
            found[source.stem] = entry["command"].split()
    return found


def check_flags(found, arch):
    """See that every source is there, and optimised as it should be."""
    sources = [*MODULE.glob("core/*.c"), *MODULE.glob(f"arch/{arch}/*.[cS]")]
    assert found.keys() == {path.stem for path in sources} | {"modmotionlet"}
    for name, words in found.items():
        level = [word for word in words if word.startswith("-O")][-1]
        assert level in ("-O2", "-Os"), name
        assert level == "-Os" or name not in SMALL | {"modmotionlet"}, name
        assert level == "-O2" or name not in QUICK, name
        assert {"-ffunction-sections", "-fdata-sections", "-Werror"} <= set(words), name
    assert len(SMALL & found.keys()) == len(SMALL)
    assert len(QUICK & found.keys()) >= 4


@pytest.mark.parametrize("given", ["", "-O2", "-Og"])
def test_what_an_executable_above_links_is_optimised(tmp_path, given):
    """As the esp32 port: sources reach the executable through what a component links.

    given: what the port says of user modules: nothing up to MicroPython 1.27, or ESP-IDF's own.
    """
    if shutil.which("cmake") is None:
        pytest.skip("no cmake: apt-get install cmake")
    (tmp_path / "component").mkdir()
    for path in (tmp_path / "main.c", tmp_path / "component/part.c"):
        path.write_text(f"int {'main' if path.stem == 'main' else 'part'}(void) {{ return 0; }}\n")
    (tmp_path / "CMakeLists.txt").write_text("""
        cmake_minimum_required(VERSION 3.16)
        project(above C ASM)
        add_subdirectory(component)
        add_executable(above.elf main.c)
        target_link_libraries(above.elf component)
    """)
    (tmp_path / "component/CMakeLists.txt").write_text(f"""
        set(MOTIONLET_ARCH esp32s3)
        add_library(usermod INTERFACE)
        include({MODULE}/micropython.cmake)
        get_target_property(SOURCES usermod_motionlet INTERFACE_SOURCES)
        target_compile_options(usermod INTERFACE {given})
        add_library(component STATIC part.c ${{SOURCES}})
        target_link_libraries(component usermod)
    """)
    command = ["cmake", "-S", tmp_path, "-B", tmp_path / "build"]
    subprocess.run([*command, "-DCMAKE_EXPORT_COMPILE_COMMANDS=1"], check=True, capture_output=True)
    commands = tmp_path / "build/compile_commands.json"
    for where in ("above.elf.dir", "component.dir"):
        check_flags(flags_of_linked(commands, where), "esp32s3")


def test_what_the_rp2_firmware_links_is_optimised(pico_firmware):
    commands = pico_firmware.with_name("obj") / "compile_commands.json"
    check_flags(flags_of_linked(commands, "firmware.dir"), "cortex_m0plus")


# The flags of ESP-IDF 5.2 to 5.5 for components (project.cmake, build.cmake and toolchain files),
# as the esp32 port asks for them, where Debian's GCC has them.
ESP_IDF = shlex.split("""
    -O2 -ffunction-sections -fdata-sections -Wall -Werror=all -Wno-error=unused-function
    -Wno-error=unused-variable -Wno-error=unused-but-set-variable -Wno-error=deprecated-declarations
    -Wextra -Wno-error=extra -Wno-unused-parameter -Wno-sign-compare -Wno-enum-conversion
    -Wno-error=extra -gdwarf-4 -ggdb -mlongcalls -fno-jump-tables -fno-tree-switch-conversion
    -fstrict-volatile-bitfields -std=gnu17 -Wno-old-style-declaration -fno-builtin-memcpy
    -fno-builtin-memset -fno-builtin-bzero -Wno-clobbered -Wno-missing-field-initializers -Werror
""")


@pytest.fixture(scope="module")
def xtensa_gcc():
    return toolchains.need_xtensa() / "xtensa-esp32s3-elf-gcc"


def test_the_c_core_compiles_as_esp_idf_compiles(xtensa_gcc, tmp_path):
    includes = [f"-I{MODULE / 'core'}", f"-I{MODULE / 'arch/esp32s3'}"]
    target = "-DMLET_TARGET=MLET_TARGET_ESP32S3"
    for source in [*MODULE.glob("core/*.c"), *MODULE.glob("arch/esp32s3/*.[cS]")]:
        command = [xtensa_gcc, *ESP_IDF, *includes, target, "-c", source, "-o", tmp_path / "a.o"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""


# What ESP-IDF's headers define that MicroPython's mphal.h brings along there, of names like ours.
OF_ESP_IDF = """
#define BIT(nr) (1UL << (nr))
#define BIT64(nr) (1ULL << (nr))
#define MIN(a, b) (((a) < (b)) ? (a) : (b))
#define MAX(a, b) (((a) > (b)) ? (a) : (b))
#define ALIGN(size, align) (((size) + (align) - 1) & ~((align) - 1))
#define SWAP(a, b) do { typeof(a) c = a; a = b; b = c; } while (0)
#define PAD 0x10
"""


def test_the_binding_compiles_as_esp_idf_compiles(xtensa_gcc, unix_firmware, tmp_path):
    """For MicroPython on an Xtensa core; names and root pointers are those of the unix port."""
    tree = get_sources.micropython_dir()
    board = ROOT / "tests/boards/XTENSA_SIM"
    (tmp_path / "idf.h").write_text(f'#include "py/mphal.h"\n#undef MIN\n#undef MAX\n{OF_ESP_IDF}')
    places = (tree, tree / "ports/qemu", unix_firmware.with_name("obj"), MODULE / "core")
    command = [xtensa_gcc, *ESP_IDF, "-Wno-unused-parameter", *(f"-I{place}" for place in places)]
    command += [f"-DMP_CONFIGFILE=<{board}/mpconfigboard.h>", "-DMLET_TARGET=MLET_TARGET_ESP32S3"]
    command += ["-include", tmp_path / "idf.h", MODULE / "modmotionlet.c", "-c"]
    done = subprocess.run([*command, "-o", tmp_path / "a.o"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


# ESP-IDF

IDF_PY = """\
Executing action: all (aliases: build)
Running cmake in directory /build
Processing 3 dependencies:
[1/3] espressif/mdns (1.0.3)
[2/3] espressif/tinyusb (0.15.0~10)
[3/3] idf (5.2.2)
-- Configuring done
Running ninja in directory /build
[0/1] Re-running CMake...
[1/2] espressif/mdns (1.0.3)
[2/2] idf (5.2.2)
[1/1500] Generating ../../partition_table/partition-table.bin
[5/1500] Performing configure step for 'bootloader'
[100/113] Building C object bootloader.obj
[750/1500] Building C object esp-idf/main/mlet_add.c.obj
[1500/1500] Generating binary image from built executable
"""


def test_progress_is_that_of_the_files_that_are_compiled():
    ninja = esp_idf.Ninja()
    parts = [ninja.part(line) for line in IDF_PY.splitlines()]
    seen = [part for part in parts if part is not None]
    assert seen == [0, 1 / 1500, 5 / 1500, 0.5, 1]
    assert parts.index(0) == IDF_PY.splitlines().index("[0/1] Re-running CMake...")


@pytest.fixture
def idf(tmp_path, monkeypatch):
    """A folder that looks like ESP-IDF, named by IDF_PATH; a function that sets its version."""
    folder = tmp_path / "esp-idf"
    (folder / "tools/cmake").mkdir(parents=True)
    (folder / "export.sh").touch()
    monkeypatch.setenv("IDF_PATH", str(folder))

    def be(*version):
        parts = zip(("MAJOR", "MINOR", "PATCH"), version, strict=True)
        lines = [f"set(IDF_VERSION_{name} {number})\n" for name, number in parts]
        (folder / "tools/cmake/version.cmake").write_text("".join(lines))
        return folder

    be(5, 2, 2)
    return be


def test_another_esp_idf_asks_for_a_build(idf, tmp_path, monkeypatch):
    target = build_firmware.Target("MOTIONLET_ESP32_S3", [])
    target.__dict__["sdk"] = None  # as if all sources were there
    first = build_firmware._hash_of_configuration(target)
    assert build_firmware._hash_of_configuration(target) == first
    folder = idf(5, 4, 1)
    second = build_firmware._hash_of_configuration(target)
    monkeypatch.setenv("IDF_PATH", str(folder.rename(tmp_path / "elsewhere")))
    third = build_firmware._hash_of_configuration(target)
    monkeypatch.delenv("IDF_PATH")
    assert len({first, second, third, build_firmware._hash_of_configuration(target)}) == 4


def test_an_esp_idf_that_is_too_old_is_named(idf):
    tree = get_sources.micropython_dir()
    idf(5, 2, 0)
    esp_idf.check(tree)
    folder = idf(5, 1, 4)
    with pytest.raises(common.ToolError, match=r"is ESP-IDF 5.1.4, and MicroPython .* 5.[23] to"):
        esp_idf.check(tree)
    (folder / "tools/cmake/version.cmake").unlink()
    with pytest.raises(common.ToolError, match=r"version.cmake there tells no version"):
        esp_idf.check(tree)


# What is asked for


def tree_like(folder, version, *parts):
    """A tree that has no more of MicroPython than what is looked at, and these parts."""
    (folder / "py").mkdir(parents=True)
    names = ("MAJOR", "MINOR", "MICRO")
    lines = [f"#define MICROPY_VERSION_{n} {v}\n" for n, v in zip(names, version, strict=True)]
    (folder / "py/mpconfig.h").write_text("".join(lines))
    for part in parts:
        path = folder / part / get_sources.PARTS.get(part, "pico_sdk_init.cmake")
        path.parent.mkdir(parents=True)
        path.touch()
    return folder


RP2 = ("lib/tinyusb", "lib/mbedtls", "lib/pico-sdk")


@pytest.mark.parametrize(
    ("port", "parts", "missing"),
    [
        ("unix", (), None),
        ("qemu", (), None),
        ("rp2", RP2, None),
        ("rp2", RP2[1:], "lib/tinyusb"),
        ("rp2", RP2[:2], "lib/pico-sdk"),
        ("esp32", (get_sources.BERKELEY_DB,), None),
        ("esp32", RP2, get_sources.BERKELEY_DB),
    ],
)
def test_a_tree_of_the_user_s_is_asked_for_what_the_port_wants(tmp_path, port, parts, missing):
    tree = tree_like(tmp_path, (1, 27, 0), *parts)
    if missing is None:
        assert (get_sources.sdk_for(port, tree) is None) == (port != "rp2")
        return
    with pytest.raises(common.ToolError, match=f"submodule update --init {missing}"):
        get_sources.sdk_for(port, tree)


@pytest.mark.parametrize(
    ("board", "has", "lacks"),
    [
        ("MOTIONLET_ESP32_S3", "gcc", "gcc-arm-none-eabi"),
        ("MOTIONLET_PICO", "gcc-arm-none-eabi", "gcc-riscv64-unknown-elf"),
        ("VIRT_RV32", "gcc-riscv64-unknown-elf", "gcc-arm-none-eabi"),
        ("unix", "make", "gcc-arm-none-eabi"),
    ],
)
def test_packages_are_those_of_the_board(board, has, lacks):
    packages = build_firmware.Target(board, []).packages
    assert has in packages
    assert lacks not in packages


def git(*words):
    subprocess.run(["git", *map(str, words)], check=True, capture_output=True)


def test_what_debian_leaves_out_is_got_once_by_git(tmp_path, monkeypatch):
    """From repositories on this machine, with the commits that the release names."""
    if shutil.which("git") is None:
        pytest.skip("no git: apt-get install git")
    tree = tree_like(tmp_path / "sources/micropython", (1, 25, 0))
    (tree / ".motionlet-sources").touch()
    commits, urls = {}, {}
    for part, field in (
        (get_sources.BERKELEY_DB, "berkeley_db"),
        (get_sources.MICROPYTHON_LIB, "micropython_lib"),
    ):
        (tree / part).mkdir(parents=True)  # empty, as in Debian's sources
        work = tmp_path / field
        path = work / get_sources.PARTS[part]
        path.parent.mkdir(parents=True)
        path.write_text("")
        (path / "manifest.py" if path.is_dir() else work / "README.md").write_text(part)
        git("init", "-q", work)
        git("-C", work, "add", "-A")
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        git("-C", work, *who, "commit", "-qm", "All.")
        git("-C", work, "config", "uploadpack.allowAnySHA1InWant", "true")
        head = ["git", "-C", work, "rev-parse", "HEAD"]
        commits[field] = subprocess.run(head, capture_output=True, text=True).stdout.strip()
        urls[part] = f"file://{work}"
    release = get_sources.Release("1.25.0", "trixie", "2.1.1", **commits)
    monkeypatch.setitem(get_sources.RELEASES, "1.25.0", release)
    monkeypatch.setattr(get_sources, "GIT_EXTRAS", urls)
    assert not get_sources.has_micropython_lib(tree)
    assert get_sources.sdk_for("esp32", tree) is None
    assert get_sources.has_micropython_lib(tree)
    assert (tree / get_sources.BERKELEY_DB / "README.md").read_text() == get_sources.BERKELEY_DB

    monkeypatch.setattr(get_sources, "GIT_EXTRAS", dict.fromkeys(urls, "file:///nowhere"))
    get_sources.sdk_for("esp32", tree)  # all is there
    shutil.rmtree(tree / get_sources.MICROPYTHON_LIB)  # which a build can do without
    get_sources.sdk_for("esp32", tree)
    shutil.rmtree(tree / get_sources.BERKELEY_DB)
    with pytest.raises(common.ToolError, match=r"cannot get lib/berkeley-db.*set MICROPYTHON_DIR"):
        get_sources.sdk_for("esp32", tree)


# Sizes


def test_code_out_of_a_library_counts():
    """As ESP-IDF links it; a name like ours in another library does not."""
    sizes = build_firmware.sizes_in_map(
        """
Linker script and memory map
 .literal.mlet_add
                0x42000100        0x8 esp-idf/main/libmain.a(mlet_add.c.obj)
 .text.mlet_add 0x42000108       0x10 esp-idf/main/libmain.a(mlet_add.c.obj)
 .rodata.tables 0x3c000000        0x4 esp-idf/main/libmain.a(s3_kernels.c.obj)
 .bss.x         0x3fc00000        0x2 esp-idf/main/libmain.a(modmotionlet.c.obj)
 .text.other    0x42000200      0x500 esp-idf/main/libmain.a(modmachine.c.obj)
 .rodata.fun_data_motionlet_load
                0x3c000700        0x9 esp-idf/main/libmain.a(frozen_content.c.obj)
"""
    )
    assert sizes["module_bytes"] == 8 + 0x10 + 4
    assert (sizes["module_ram"], sizes["frozen_bytes"]) == (2, 9)
    assert set(sizes["files"]) == {"core/mlet_add", "arch/esp32s3/s3_kernels", "modmotionlet"}


@pytest.mark.parametrize(("c", "python", "lacks"), [(0, 9, "C code"), (9, 0, "Python package")])
def test_an_image_without_motionlet_is_no_success(c, python, lacks):
    target = build_firmware.Target("unix", [])
    build_firmware._check_motionlet(target, {"module_bytes": 9, "frozen_bytes": 9})
    with pytest.raises(common.ToolError, match=f"unix was built without Motionlet's {lacks}"):
        build_firmware._check_motionlet(target, {"module_bytes": c, "frozen_bytes": python})
    stock = build_firmware.Target("unix_stock", [])
    build_firmware._check_motionlet(stock, {"module_bytes": 0, "frozen_bytes": 0})
