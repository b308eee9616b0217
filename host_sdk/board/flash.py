"""Put firmware onto a board: a UF2 by copying or picotool, an ESP32 image by esptool."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from host_sdk.board import partitions
from host_sdk.board.devices import find_bootsel_drives, is_bootsel_drive
from host_sdk.errors import MotionletError

UF2_MAGIC = b"UF2\n\x57\x51\x5d\x9e"
UF2_FAMILY_RP2040 = 0xE48BFF56
DRIVE_SECONDS = 15
ESP32_MAGIC = b"\xe9"  # of a bootloader or an application


def check_uf2(path):
    """Raise MotionletError unless `path` is a UF2 for the RP2040."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MotionletError(f"{path}: {error.strerror}") from None
    if not data.startswith(UF2_MAGIC) or len(data) % 512:
        raise MotionletError(f"{path} is not a UF2 file")
    family = int.from_bytes(data[28:32], "little")
    if family != UF2_FAMILY_RP2040:
        raise MotionletError(
            f"{path} is for the UF2 family {family:08x}, an RP2040 takes {UF2_FAMILY_RP2040:08x}"
        )


def flash_uf2(uf2, drive=None, wait=DRIVE_SECONDS):
    """Copy a UF2 to a board in its bootloader; return how it was done.

    `drive`: where the board's drive is mounted; looked for, up to `wait` seconds, when None.
    Without a mounted drive, picotool does it where it is installed.
    """
    check_uf2(uf2)
    drives = [Path(drive)] if drive else find_bootsel_drives()
    end = time.monotonic() + wait
    while not drives and not shutil.which("picotool") and time.monotonic() < end:
        time.sleep(0.5)
        drives = find_bootsel_drives()
    if len(drives) > 1:
        names = ", ".join(map(str, drives))
        raise MotionletError(f"{len(drives)} boards wait in their bootloader ({names}); choose one")
    if drives:
        if not is_bootsel_drive(drives[0]):
            raise MotionletError(f"{drives[0]} is not the drive of an RP2040 (no INFO_UF2.TXT)")
        try:
            shutil.copyfile(uf2, drives[0] / "firmware.uf2")
        except OSError as error:
            # With the last block the board restarts and its drive is gone, perhaps too early.
            if is_bootsel_drive(drives[0]):
                raise MotionletError(f"{drives[0]}: {error.strerror}") from None
        return f"copied to {drives[0]}"
    if shutil.which("picotool"):
        _run(["picotool", "load", "-v", "-x", str(uf2)])
        return "loaded with picotool"
    raise MotionletError(
        "no RP2040 in its bootloader: hold BOOTSEL while you plug the board in "
        "(and mount its drive RPI-RP2), or install picotool"
    )


def esptool_command(chip, port, *words):
    """Return a command line of esptool; it refuses a chip that is not `chip`."""
    start = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port, "--baud", "460800"]
    return [*start, *map(str, words)]


def flash_esp32(chip, port, image, erase_all=False):
    """Write an ESP32 image (bootloader, partition table and firmware; from offset 0) with esptool.

    esptool checks that the chip is `chip`, and what it wrote. The board's file system stays, unless
    `erase_all`. Raises MotionletError, having written nothing, when the image is for a larger flash
    than the chip has, or when its file system would lie elsewhere than the board's.
    """
    table = check_esp32_image(image)
    needed = max(part.end for part in table)
    has = flash_bytes(_ask(esptool_command(chip, port, "flash-id")))
    if has < needed:
        raise MotionletError(
            f"{port}: its flash has {has:,} bytes, {image} is for {needed:,}: flash a board of "
            f"that size, or build for yours"
        )
    if not erase_all:
        check_file_system(table, _read_table(chip, port), port)
    if erase_all:
        _run(esptool_command(chip, port, "erase-flash"))
    _run(esptool_command(chip, port, "write-flash", "0", image))
    return f"written with esptool through {port}"


def check_esp32_image(image):
    """Return the Partitions of an ESP32 image; raises MotionletError if it is none."""
    try:
        data = Path(image).read_bytes()
    except OSError as error:
        raise MotionletError(f"{image}: {error.strerror}") from None
    start = partitions.TABLE_OFFSET
    table = partitions.read_binary(data[start : start + partitions.TABLE_BYTES])
    if data[:1] != ESP32_MAGIC or not table:
        raise MotionletError(
            f"{image} is not an ESP32 image that starts with its bootloader and partition table"
        )
    return table


def check_file_system(new, old, port):
    """Raise MotionletError if a flash with the partitions `old` lost its file system to `new`."""
    before, after = partitions.find(old, "vfs"), partitions.find(new, "vfs")
    if before is not None and before != after:
        raise MotionletError(
            f"{port}: its file system lies at {before.offset:#x} ({before.size:,} bytes), this "
            f"firmware has it at {after.offset:#x} ({after.size:,}), so its files would be lost: "
            f"save them, then flash with --erase-all"
        )


def flash_bytes(said):
    """Return the size of the flash from what `esptool flash-id` said."""
    found = re.search(r"Detected flash size: *(\d+)([KM])B", said)
    if found is None:
        raise MotionletError(
            f"esptool does not say how large the flash is: {said.strip()[-200:]!r}"
        )
    return int(found.group(1)) * {"K": 1024, "M": 1024 * 1024}[found.group(2)]


def _read_table(chip, port):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table"
        place = (hex(partitions.TABLE_OFFSET), hex(partitions.TABLE_BYTES), path)
        _ask(esptool_command(chip, port, "read-flash", *place))
        return partitions.read_binary(path.read_bytes())


def _ask(command):
    """Run esptool and return what it printed; its last line is the error."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        fatal = [line for line in lines if "error" in line.lower()] or lines[-1:]
        raise MotionletError(f"esptool: {fatal[0] if fatal else 'failed'}")
    return done.stdout


def _run(command):
    done = subprocess.run(command)
    if done.returncode:
        raise MotionletError(f"{command[0]} failed; its messages are above: {' '.join(command)}")
