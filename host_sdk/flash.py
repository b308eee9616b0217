"""Put firmware onto a board: a UF2 by copying or picotool, an ESP32 image by esptool."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from host_sdk import paths
from host_sdk.devices import find_bootsel_drives, is_bootsel_drive
from host_sdk.errors import MotionletError

UF2_MAGIC = b"UF2\n\x57\x51\x5d\x9e"
UF2_FAMILY_RP2040 = 0xE48BFF56
DRIVE_SECONDS = 15


def board_description(board):
    """Return board.json of one of Motionlet's boards; raises MotionletError for another name."""
    boards = paths.repository() / "boards"
    path = boards / board / "board.json"
    if not path.exists():
        known = ", ".join(sorted(p.parent.name for p in boards.glob("*/board.json")))
        raise MotionletError(f"no board named {board}; there is: {known}")
    return json.loads(path.read_text(encoding="utf-8"))


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
        shutil.copyfile(uf2, drives[0] / "firmware.uf2")
        return f"copied to {drives[0]}"
    if shutil.which("picotool"):
        _run(["picotool", "load", "-v", "-x", str(uf2)])
        return "loaded with picotool"
    raise MotionletError(
        "no RP2040 in its bootloader: hold BOOTSEL while you plug the board in "
        "(and mount its drive RPI-RP2), or install picotool"
    )


def esptool_command(chip, port, image, offset):
    """Return the command line that writes `image` to an ESP32 and checks it."""
    return [
        *(sys.executable, "-m", "esptool", "--chip", chip, "--port", port, "--baud", "460800"),
        *("write-flash", hex(offset), str(image)),
    ]


def flash_esp32(chip, port, image, offset):
    """Write an ESP32 image with esptool; nothing but what the image covers is erased."""
    if not Path(image).is_file():
        raise MotionletError(f"{image}: no such file")
    _run(esptool_command(chip, port, image, offset))
    return f"written with esptool through {port}"


def _run(command):
    done = subprocess.run(command)
    if done.returncode:
        raise MotionletError(f"{command[0]} failed; its messages are above: {' '.join(command)}")
