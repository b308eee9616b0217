"""The ESP32-S3 board and its flashing, as far as that goes without ESP-IDF and without a board."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from host_sdk import paths
from host_sdk.board import flash, partitions
from host_sdk.cost.boards import board_description
from host_sdk.errors import MotionletError

ROOT = paths.repository()
BOARD = ROOT / "boards/MOTIONLET_ESP32_S3"
CSV = BOARD / "partitions-8MiB-romfs.csv"
FLASH_BYTES = 8 * 1024 * 1024
STOCK_APP_BYTES = 1_700_000  # about what MicroPython 1.25 itself takes on an ESP32-S3


@pytest.fixture(scope="module")
def port():
    """MicroPython's own esp32 port, in the sources that the firmware is built from."""
    tool = ROOT / "tools/get_sources.py"
    done = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()) / "ports/esp32"


def table_binary(table):
    """A partition table as ESP-IDF writes it to flash."""
    entries = [
        struct.pack(
            "<2sBBII16sI", b"\xaa\x50", p.type, p.subtype, p.offset, p.size, p.name.encode(), 0
        )
        for p in table
    ]
    return b"".join(entries).ljust(partitions.TABLE_BYTES, b"\xff")


# The partition table


def test_the_partitions_fit_the_flash_and_the_firmware():
    table = partitions.read_csv(CSV)
    partitions.check(table, FLASH_BYTES)
    assert [part.name for part in table] == ["nvs", "phy_init", "factory", "romfs", "vfs"]
    assert table[-1].end == FLASH_BYTES
    assert partitions.app(table).size > STOCK_APP_BYTES + 100_000
    romfs = partitions.find(table, "romfs")
    assert (romfs.type, romfs.subtype) == (1, partitions.ROMFS_SUBTYPE)
    assert romfs.size >= 1024 * 1024


def test_the_ports_own_tables_are_read_the_same_way(port):
    sizes = {"2": 2, "4": 4, "8": 8, "16": 16, "32": 32}
    found = 0
    for path in port.glob("partitions-*MiB.csv"):
        table = partitions.read_csv(path)
        partitions.check(table, sizes[re.search(r"(\d+)MiB", path.name).group(1)] * 1024 * 1024)
        assert partitions.find(table, "vfs") is not None
        found += 1
    assert found >= 4


def test_a_table_survives_flash():
    table = partitions.read_csv(CSV)
    assert partitions.read_binary(table_binary(table)) == table
    assert partitions.read_binary(b"\xff" * partitions.TABLE_BYTES) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("vfs, data, fat, 0x300000, 0x500001,", r"size 0x500001 none of 0x1000"),
        ("vfs, data, fat, 0x300800, 0x400000,", r"vfs: offset 0x300800 is no multiple of 0x1000"),
        ("vfs, data, fat, 0x2ff000, 0x400000,", r"vfs starts at 0x2ff000, below 0x300000"),
        ("vfs, data, fat, 0x300000, 0x600000,", r"end at 0x900000, the flash at 0x800000"),
        ("app, app, factory, 0x301000, 0x1000,", r"app: offset 0x301000 is no multiple of 0x10000"),
        ("vfs, data, fat, 0x8000,", r"'vfs,data,fat,0x8000,' is no partition"),
        ("vfs, disk, fat, 0x300000, 0x1000,", r"is no partition"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path, line, message):
    path = tmp_path / "p.csv"
    path.write_text("\n".join(CSV.read_text().splitlines()[:-1]) + f"\n{line}\n")
    with pytest.raises(MotionletError, match=message):
        partitions.check(partitions.read_csv(path), FLASH_BYTES)


# The board


def cmake_variables(port, tmp_path, variant=""):
    """What the port's CMakeLists.txt would know of the board, and of Motionlet's sources.

    The board's files and micropython.cmake are the real ones. Of the IDF there is only what
    MicroPython's usermod.cmake gives: the library `usermod`.
    """
    if shutil.which("cmake") is None:
        pytest.skip("no cmake: apt-get install cmake")
    (tmp_path / "CMakeLists.txt").write_text(f"""
cmake_minimum_required(VERSION 3.12)
set(MICROPY_BOARD_DIR {BOARD})
include({BOARD}/mpconfigboard.cmake)
{f"include({BOARD}/mpconfigvariant_{variant}.cmake)" if variant else ""}
foreach(FILE ${{SDKCONFIG_DEFAULTS}})
    get_filename_component(PATH "${{FILE}}" ABSOLUTE BASE_DIR {port})
    message(STATUS "sdkconfig=${{PATH}}")
endforeach()
project(board C ASM)
add_library(usermod INTERFACE)
include({ROOT}/native_modules/motionlet/micropython.cmake)
get_target_property(SOURCES usermod_motionlet INTERFACE_SOURCES)
get_target_property(DEFINITIONS usermod_motionlet INTERFACE_COMPILE_DEFINITIONS)
foreach(NAME IDF_TARGET MICROPY_FROZEN_MANIFEST MICROPY_DEF_BOARD SOURCES DEFINITIONS)
    message(STATUS "${{NAME}}=${{${{NAME}}}}")
endforeach()
""")
    done = subprocess.run(
        ["cmake", "-S", tmp_path, "-B", tmp_path / "build"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = {}
    for name, value in re.findall(r"^-- (\w+)=(.*)$", done.stdout, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("variant", ["", "SPIRAM_OCT"])
def test_the_board_configures(port, tmp_path, variant):
    found = cmake_variables(port, tmp_path, variant)
    assert found["IDF_TARGET"] == ["esp32s3"]
    files = [Path(path) for path in found["sdkconfig"]]
    text = "\n".join(path.read_text() for path in files)  # each is there
    last = dict(re.findall(r"^(CONFIG_\w+)=(.*)$", text, re.MULTILINE))  # the last one counts
    assert last["CONFIG_PARTITION_TABLE_CUSTOM_FILENAME"] == f'"{CSV}"'
    assert last["CONFIG_ESPTOOLPY_FLASHSIZE_8MB"] == "y"
    assert last["CONFIG_ESPTOOLPY_FLASHSIZE_4MB"] == ""
    assert last["CONFIG_SPIRAM_IGNORE_NOTFOUND"] == "y"
    mode = "CONFIG_SPIRAM_MODE_OCT" if variant else "CONFIG_SPIRAM_MODE_QUAD"
    assert last[mode] == "y"
    assert ("octal" in found["MICROPY_DEF_BOARD"][0]) == bool(variant)

    assert Path(found["MICROPY_FROZEN_MANIFEST"][0]) == BOARD / "manifest.py"
    sources = found["SOURCES"][0].split(";")
    assert all(Path(path).exists() for path in sources)
    assert any("/arch/esp32s3/" in path for path in sources)
    assert found["DEFINITIONS"] == ["MLET_TARGET=MLET_TARGET_ESP32S3"]


def test_the_board_has_what_boards_of_the_port_have(port):
    model = port / "boards/ESP32_GENERIC_S3"
    names = {path.name for path in BOARD.iterdir()}
    assert {"board.json", "mpconfigboard.cmake", "mpconfigboard.h", "manifest.py"} <= names
    ours, theirs = (json.loads((p / "board.json").read_text()) for p in (BOARD, model))
    assert theirs.keys() <= ours.keys()
    assert ours["mcu"] == theirs["mcu"] == board_description(BOARD.name)["mcu"]
    assert ours["deploy_options"] == theirs["deploy_options"] == {"flash_offset": "0"}
    for variant in ours["variants"]:
        assert (BOARD / f"mpconfigvariant_{variant}.cmake").exists()
        assert variant in theirs["variants"]
    # A name in the header that the port does not know would do nothing.
    header = (BOARD / "mpconfigboard.h").read_text()
    known = "".join(
        path.read_text() for path in [*port.glob("*.[ch]"), port.parents[1] / "py/mpconfig.h"]
    )
    for name in re.findall(r"#define (\w+)", header):
        assert re.search(rf"\b{name}\b", known), name


def test_the_manifest_freezes_the_package(port):
    tree = port.parents[1]
    sys.path.append(str(tree / "tools"))
    import manifestfile

    paths_there = {"MPY_DIR": str(tree), "PORT_DIR": str(port), "MPY_LIB_DIR": ""}
    manifest = manifestfile.ManifestFile(manifestfile.MODE_FREEZE, paths_there)
    manifest.execute(str(BOARD / "manifest.py"))
    names = {file.target_path for file in manifest.files()}
    assert {"motionlet/__init__.py", "_boot.py", "asyncio/__init__.py"} <= names


def test_without_esp_idf_it_is_said_what_to_get(tmp_path):
    environment = {**os.environ, "PATH": str(tmp_path)}
    environment.pop("IDF_PATH", None)
    command = [sys.executable, ROOT / "tools/build_firmware.py", BOARD.name]

    def error(**more):
        done = subprocess.run(command, env={**environment, **more}, capture_output=True, text=True)
        assert done.returncode == 1
        return done.stderr.splitlines()[-1]

    assert re.match(r"error: no ESP-IDF: set IDF_PATH .* or install docker or podman", error())
    assert error(IDF_PATH=str(tmp_path)).endswith("no ESP-IDF there (no export.sh)")
    command += ["--variant", "NO_SUCH"]
    assert error().endswith("has no variant 'NO_SUCH'; there is: SPIRAM_OCT")


# Flashing


@pytest.fixture
def image(tmp_path):
    """The head of an image: a bootloader's first byte, and the partition table."""
    path = tmp_path / "firmware.bin"
    head = b"\xe9".ljust(partitions.TABLE_OFFSET, b"\xff")
    path.write_bytes(head + table_binary(partitions.read_csv(CSV)))
    return path


def test_an_image_is_known_by_its_partition_table(image, tmp_path):
    assert flash.check_esp32_image(image) == partitions.read_csv(CSV)
    other = tmp_path / "other.bin"
    other.write_bytes(b"\xe9" + bytes(0x9000))
    with pytest.raises(MotionletError, match="is not an ESP32 image that starts with"):
        flash.check_esp32_image(other)
    with pytest.raises(MotionletError, match="No such file"):
        flash.check_esp32_image(tmp_path / "none.bin")


def test_the_size_of_the_flash_is_what_esptool_detects():
    said = "Manufacturer: 20\nDevice: 4017\nDetected flash size: 8MB\nFlash voltage: 3.3V\n"
    assert flash.flash_bytes(said) == FLASH_BYTES
    assert flash.flash_bytes("Detected flash size: 512KB\n") == 512 * 1024
    with pytest.raises(MotionletError, match="does not say how large the flash is"):
        flash.flash_bytes("Detected flash size: Unknown\n")


def test_another_file_system_is_not_lost_unasked(port):
    ours = partitions.read_csv(CSV)
    flash.check_file_system(ours, ours, "PORT")
    flash.check_file_system(ours, [], "PORT")  # a chip that had no MicroPython
    stock = partitions.read_csv(port / "partitions-8MiB.csv")
    with pytest.raises(
        MotionletError, match=r"lies at 0x200000 .* has it at 0x300000 .*--erase-all"
    ):
        flash.check_file_system(ours, stock, "PORT")


@pytest.mark.parametrize("words", [("flash-id",), ("write-flash", "0"), ("read-flash", "0", "16")])
def test_esptool_takes_the_command_line(words, image):
    """The real esptool parses it, and gets as far as the port that is not there."""
    command = flash.esptool_command("esp32s3", "/dev/not-there", *words)
    if words != ("flash-id",):
        command.append(str(image))
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "/dev/not-there" in said
    assert "Usage" not in said


def test_a_port_that_is_not_there_is_one_line(image):
    with pytest.raises(MotionletError, match=r"^esptool: .*/dev/not-there") as caught:
        flash.flash_esp32("esp32s3", "/dev/not-there", image)
    assert "\n" not in str(caught.value)
