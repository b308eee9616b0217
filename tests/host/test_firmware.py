"""Sources and firmware: what is built, how large it is, when it is built, and what goes wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk import paths

TOOLS = paths.repository() / "tools"
sys.path.append(str(TOOLS))

import build_firmware  # noqa: E402
import common  # noqa: E402
import get_sources  # noqa: E402

BOARD = paths.repository() / "boards/MOTIONLET_PICO"


def run_tool(name, *arguments, **environment):
    return subprocess.run(
        [sys.executable, TOOLS / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


# Firmware


def test_a_second_build_does_nothing(pico_firmware, unix_firmware):
    for board, result in (("MOTIONLET_PICO", pico_firmware), ("unix", unix_firmware)):
        before = result.stat().st_mtime_ns
        done = run_tool("build_firmware.py", board)
        assert done.returncode == 0
        assert "up to date" in done.stderr
        assert result.stat().st_mtime_ns == before


def test_firmware_romfs_and_storage_share_the_flash(pico_firmware):
    where = common.flash_map(BOARD)
    image = pico_firmware.with_name("obj") / "firmware.bin"
    assert image.stat().st_size <= where.firmware_bytes
    assert where.firmware_bytes == where.romfs_offset
    assert where.romfs_offset + where.romfs_bytes == where.storage_offset
    assert where.storage_offset + where.storage_bytes == 2 * 1024 * 1024
    assert where.romfs_offset % 4096 == 0


def test_the_flash_map_is_the_firmware_s_own(virtual_pico):
    where = common.flash_map(BOARD)
    assert virtual_pico.romfs_bytes() == where.romfs_bytes
    code = "import rp2; f = rp2.Flash(); print(f.ioctl(4, 0) * f.ioctl(5, 0))"
    assert int(virtual_pico.exec(code)) == where.storage_bytes


def test_sizes_are_those_of_the_image(pico_firmware):
    sizes = json.loads(run_tool("build_firmware.py", "MOTIONLET_PICO", "--json").stdout)
    image = pico_firmware.with_name("obj") / "firmware.bin"
    assert sizes["image_bytes"] == image.stat().st_size
    assert sizes["image_bytes"] <= sizes["text"] + sizes["data"]
    assert sizes["image_bytes_free"] > 0

    # Another way to the module's size: the sum over its symbols. It lacks padding between
    # functions, literal strings and static names, so it may only be a little less.
    symbols = subprocess.run(
        ["arm-none-eabi-nm", "-S", "-l", pico_firmware.with_name("firmware.elf")],
        capture_output=True,
        text=True,
    ).stdout
    ours = [line.split() for line in symbols.splitlines() if "mlet_" in line]
    named = sum(int(size, 16) for _, size, kind, *_ in ours if kind in "tTrR")
    assert 0 < named <= sizes["module_bytes"]
    assert 0 < sizes["frozen_bytes"] < 10_000


def test_sizes_come_from_the_linked_sections_alone():
    directory = "CMakeFiles/firmware.dir/src/native_modules/motionlet/core"
    sizes = build_firmware.sizes_in_map(
        f"""
Discarded input sections
 .text.unused   0x00000000      0x100 {directory}/mlet_a.c.o

Linker script and memory map
 .text.mlet_a   0x10000100       0x10 {directory}/mlet_a.c.o
 .text.mlet_a_function_with_a_long_name
                0x10000110       0x20 {directory}/mlet_a.c.o
 .rodata.table  0x10000130        0x8 src/native_modules/motionlet/modmotionlet.c.o
 .data.state    0x20000000        0x4 {directory}/mlet_a.c.o
 .rodata.str1.1 0x10000138     0x2f00 {directory}/mlet_b.c.o
                                  0xb (size before relaxing)
 .rodata.str1.1 0x10003038        0x5 {directory}/mlet_b.c.o
                                  0x9 (size before relaxing)
 .bss.buffer    0x20000010       0x40 {directory}/mlet_a.c.o
 .text.other    0x10000200      0x500 CMakeFiles/firmware.dir/py/motionlet.c.o
 .rodata.fun_data_motionlet_load
                0x10000700        0x9 CMakeFiles/firmware.dir/frozen_content.c.o
 .rodata.fun_data_asyncio_run
                0x10000710        0x9 CMakeFiles/firmware.dir/frozen_content.c.o
 .debug_info    0x00000000      0x999 {directory}/mlet_a.c.o
"""
    )
    assert sizes == {
        "module_bytes": 0x10 + 0x20 + 8 + 4 + 0xB + 5,
        "module_ram": 4 + 0x40,
        "frozen_bytes": 9,
        "files": {
            "core/mlet_a": {"text": 0x30, "data": 4, "bss": 0x40},
            "core/mlet_b": {"rodata": 0xB + 5},
            "modmotionlet": {"rodata": 8},
        },
    }


def test_a_changed_input_asks_for_a_build(tmp_path, monkeypatch, unix_firmware):
    package = tmp_path / "motionlet"
    shutil.copytree(build_firmware.DEVICE_PACKAGE, package)
    monkeypatch.setattr(build_firmware, "DEVICE_PACKAGE", package)
    target = build_firmware.Target("unix", [])
    config = build_firmware._hash_of_configuration(target)
    before = build_firmware._hash_of_inputs(target, config)
    assert build_firmware._hash_of_inputs(target, config) == before
    with open(package / "__init__.py", "a") as file:
        file.write("\n# changed\n")
    assert build_firmware._hash_of_inputs(target, config) != before
    monkeypatch.setenv("CFLAGS_EXTRA", "-DCHANGED")
    assert build_firmware._hash_of_configuration(target) != config


def test_an_unknown_board_is_named():
    done = run_tool("build_firmware.py", "PICO_OF_MINE")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no board 'PICO_OF_MINE': want unix, one of boards/ (MOTI")
    assert done.stderr.count("\n") == 1


def test_missing_compilers_are_named_with_their_packages(tmp_path):
    for board, package in (("MOTIONLET_PICO", "gcc-arm-none-eabi"), ("unix", "make")):
        done = run_tool("build_firmware.py", board, PATH=str(tmp_path))
        assert done.returncode == 1
        assert re.search(f"error: not found: .*apt-get install .*{package}", done.stderr)
        assert done.stderr.count("\n") == 1


def test_a_bad_user_module_is_named(tmp_path):
    done = run_tool("build_firmware.py", "unix", "--user-module", tmp_path / "ulab")
    assert done.returncode == 1
    assert "no micropython.cmake or micropython.mk there" in done.stderr


MODULE_C = """
#include "py/runtime.h"
static mp_obj_t answer(void) { return MP_OBJ_NEW_SMALL_INT(42); }
static MP_DEFINE_CONST_FUN_OBJ_0(answer_obj, answer);
static const mp_rom_map_elem_t table[] = {
    { MP_ROM_QSTR(MP_QSTR_answer), MP_ROM_PTR(&answer_obj) },
};
static MP_DEFINE_CONST_DICT(globals, table);
const mp_obj_module_t other_module = {
    .base = { &mp_type_module }, .globals = (mp_obj_dict_t *)&globals,
};
MP_REGISTER_MODULE(MP_QSTR_other, other_module);
"""


@pytest.mark.slow
def test_other_user_modules_are_built_in_and_failures_are_shown(tmp_path):
    module = tmp_path / "other"
    module.mkdir()
    (module / "micropython.mk").write_text("SRC_USERMOD_C += $(USERMOD_DIR)/other.c\n")
    (module / "other.c").write_text(MODULE_C)
    arguments = ("unix", "--out", tmp_path / "out", "--user-module", module)

    done = run_tool("build_firmware.py", *arguments)
    assert done.returncode == 0, done.stderr
    program = tmp_path / "out/micropython"
    code = "import other, motionlet; print(other.answer())"
    assert subprocess.run([program, "-c", code], capture_output=True).stdout == b"42\n"

    (module / "other.c").write_text(MODULE_C.replace("answer(void) {", "answer(void) { int no;"))
    done = run_tool("build_firmware.py", *arguments)
    assert done.returncode == 1
    assert "other.c" in done.stderr
    assert "unused variable" in done.stderr
    assert "build.log" in done.stderr
    assert subprocess.run([program, "-c", code], capture_output=True).stdout == b"42\n"


@pytest.mark.parametrize("board", ["", "MOTIONLET_PICO", "MOTIONLET_ESP32_S3"])
def test_manifests_name_the_module_where_they_can(unix_firmware, tmp_path, monkeypatch, board):
    """MicroPython 1.29 gives manifests c_module(); USER_C_MODULES must not name it again then."""
    target = build_firmware.Target("unix", [tmp_path])
    assert target.user_c_modules == [build_firmware.MODULE, tmp_path]
    monkeypatch.syspath_prepend(target.tree / "tools")
    import manifestfile

    named = []

    class Newer(manifestfile.ManifestFile):
        def _manifest_globals(self, kwargs):
            add = {"c_module": lambda path: named.append(Path(self._resolve_path(path)))}
            return super()._manifest_globals(kwargs) | add

    port = target.tree / "ports/rp2"
    variables = {"MPY_DIR": str(target.tree), "PORT_DIR": str(port), "MPY_LIB_DIR": None}
    manifest = Newer(manifestfile.MODE_FREEZE, variables)
    manifest.execute(str(build_firmware.BOARDS / board / "manifest.py"))
    assert named == [build_firmware.MODULE]
    assert any(file.target_path == "motionlet/watch.py" for file in manifest.files())

    target.tree = tmp_path
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/manifestfile.py").write_text("    def c_module(self, path):\n")
    assert target.user_c_modules == [tmp_path]


@pytest.mark.parametrize("arch", ["portable", "cortex_m0plus"])
def test_the_module_s_folder_may_have_any_name(unix_firmware, tmp_path, arch):
    """Beside others of the user's, by MicroPython's own make: what it would run."""
    modules = tmp_path / "modules"
    (modules / "other").mkdir(parents=True)
    (modules / "other/micropython.mk").write_text("SRC_USERMOD_C += $(USERMOD_DIR)/other.c\n")
    (modules / "other/other.c").write_text(MODULE_C)
    (modules / "video").symlink_to(build_firmware.MODULE)
    options = {
        **build_firmware.UNIX_OPTIONS,
        "BUILD": tmp_path / "build",
        "USER_C_MODULES": modules,
        "FROZEN_MANIFEST": build_firmware.BOARDS / "manifest.py",
        "MOTIONLET_ARCH": arch,
    }
    definitions = [f"{name}={value}" for name, value in options.items()]
    port = build_firmware.Target("unix", []).tree / "ports/unix"
    done = subprocess.run(
        ["make", "-n", "-C", port, *definitions], capture_output=True, text=True, check=True
    )
    lines = [line.partition(" ||")[0] for line in done.stdout.splitlines()]
    commands = [line.split() for line in lines if " -c " in line]
    compiled = {words[-1]: words for words in commands if words[-1].startswith(str(modules))}
    core = [modules / "video/core" / path.name for path in build_firmware.MODULE.glob("core/*.c")]
    tuned = [] if arch == "portable" else (modules / "video/arch" / arch).iterdir()
    for source in [*core, *(path for path in tuned if path.suffix in (".c", ".S"))]:
        optimised = [word for word in compiled[str(source)] if word.startswith("-O")]
        assert optimised[-1] == "-O2"
    assert {str(modules / "video/modmotionlet.c"), str(modules / "other/other.c")} <= set(compiled)


@pytest.mark.parametrize(
    ("text", "romfs", "storage"),
    [
        ("", 0, 1408 * 1024),
        ("#define MICROPY_HW_ROMFS_BYTES 4096\n", 4096, 1408 * 1024),
        ("#define MICROPY_HW_ROMFS_BYTES (0x40 << 12) // yes\n", 256 * 1024, 1408 * 1024),
        ("/* #define MICROPY_HW_ROMFS_BYTES 1 */", 0, 1408 * 1024),
        ("#define MICROPY_HW_FLASH_STORAGE_BYTES (2 * 1024 * 1024 - 4096)", 0, 2093056),
    ],
)
def test_board_headers_are_read(tmp_path, text, romfs, storage):
    (tmp_path / "mpconfigboard.h").write_text(text)
    where = common.flash_map(tmp_path)
    assert (where.romfs_bytes, where.storage_bytes) == (romfs, storage)


def test_a_board_header_beyond_reading_is_named(tmp_path):
    (tmp_path / "mpconfigboard.h").write_text("#define MICROPY_HW_ROMFS_BYTES (OTHER)\n")
    with pytest.raises(common.ToolError, match="'\\(OTHER\\)' is not made of numbers alone"):
        common.flash_map(tmp_path)


# Sources


# Where a machine gets its packages: names that stand for hosts, and are none.
MIRROR, SECURITY, OTHER = (f"http://{name}.example/d" for name in ("mirror", "security", "other"))

DEB822 = f"""\
Types: deb
# a comment
URIs: {SECURITY}
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: {OTHER}
Suites: bookworm
Components: main

Types: deb
URIs: {MIRROR}
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""

INLINE_KEY = f"""\
Types: deb
URIs: {MIRROR}
Suites: stable
Components: main
Signed-By:
 -----BEGIN KEY-----
 .
 abc
 -----END KEY-----
"""


@pytest.mark.parametrize(
    ("name", "text", "signed_by"),
    [
        ("sources.list.d/debian.sources", DEB822, "/usr/share/keyrings/debian-archive-keyring.gpg"),
        (
            "sources.list.d/debian.sources",
            INLINE_KEY,
            "\n -----BEGIN KEY-----\n .\n abc\n -----END KEY-----",
        ),
        ("sources.list", f"deb {MIRROR} bookworm main # x\n", None),
        (
            "sources.list.d/some.list",
            f"# deb {OTHER} sid main\n"
            f"deb {OTHER} cloud main\n"
            f"deb [arch=amd64 signed-by=/k.gpg] {MIRROR} trixie main contrib\n",
            "/k.gpg",
        ),
    ],
)
def test_the_machine_s_mirror_is_found(tmp_path, name, text, signed_by):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    stanza = get_sources.debian_sources(tmp_path)
    assert stanza.startswith(
        f"Types: deb deb-src\nURIs: {MIRROR}\nSuites: trixie\nComponents: main\n"
    )
    assert stanza.partition("Signed-By: ")[2] == (f"{signed_by}\n" if signed_by else "")


def test_no_debian_mirror_is_said(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://archive.example/ubuntu noble main\n")
    with pytest.raises(common.ToolError, match="no Debian mirror"):
        get_sources.debian_sources(tmp_path)


def test_sources_that_are_there_are_used(unix_firmware):
    if "MICROPYTHON_DIR" in os.environ:
        pytest.skip("MICROPYTHON_DIR is given")
    done = run_tool("get_sources.py", PATH="/nowhere")  # so nothing can be fetched
    assert done.returncode == 0
    tree = Path(done.stdout.strip())
    assert get_sources.version_of(tree)[:2] == (1, 25)


def test_a_tree_of_the_user_s_is_checked(tmp_path):
    done = run_tool("get_sources.py", MICROPYTHON_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "not a MicroPython source tree" in done.stderr
    (tmp_path / "py").mkdir()
    (tmp_path / "py/mpconfig.h").write_text(
        "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 24\n"
        "#define MICROPY_VERSION_MICRO 1\n"
    )
    done = run_tool("get_sources.py", MICROPYTHON_DIR=str(tmp_path))
    assert "is version 1.24.1, need 1.25 or later" in done.stderr
    (tmp_path / "py/mpconfig.h").write_text(
        "#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR 26\n"
        "#define MICROPY_VERSION_MICRO 0\n"
    )
    done = run_tool("get_sources.py", MICROPYTHON_DIR=str(tmp_path))
    assert "lib/tinyusb: missing, rp2 builds from it; in MICROPYTHON_DIR: git sub" in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_any_way_to_get_them_each_reason_is_given(tmp_path):
    environment = {"PATH": str(tmp_path), "MICROPYTHON_DIR": ""}
    done = run_tool("get_sources.py", "--dest", tmp_path / "sources", **environment)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: cannot get the sources (micropython 1.25.0")
    assert "no apt-get here; git: not found" in last
    assert last.endswith("or set MICROPYTHON_DIR")
    assert [path.name for path in (tmp_path / "sources").iterdir()] == [".lock"]
