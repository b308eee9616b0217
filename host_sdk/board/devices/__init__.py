"""Devices: MicroPython on a board, in the emulator, or as a program of this machine.

with open_device("auto") as device:
    print(device.exec("print(1 + 1)"))
"""

import os
import string
import sys
from dataclasses import dataclass
from pathlib import Path

from host_sdk.board.devices.base import Device
from host_sdk.errors import MotionletError

__all__ = ["Device", "DeviceRecord", "find_bootsel_drives", "list_devices", "open_device"]

# USB vendor and product of boards that run MicroPython, as far as known; others work as well.
_MICROPYTHON_BOARDS = {
    (0x2E8A, 0x0005): "RP2040 or RP2350 with MicroPython",
    (0x303A, 0x4001): "ESP32-S2 or -S3 with MicroPython",
    (0x303A, 0x1001): "ESP32-S3 or -C3 (USB serial)",
    (0xF055, 0x9800): "pyboard",
}


@dataclass(frozen=True)
class DeviceRecord:
    """A serial port with something on USB behind it.

    path: what open_device takes. vid_pid: such as "2e8a:0005".
    description: what the port says about itself. kind: what it probably is, "" if unknown.
    """

    path: str
    vid_pid: str
    description: str
    kind: str


def list_devices():
    """The DeviceRecords of the boards on USB, sorted by path. Nothing is opened."""
    from serial.tools.list_ports import comports

    return [
        DeviceRecord(
            path=port.device,
            vid_pid=f"{port.vid:04x}:{port.pid:04x}",
            description=port.description or "",
            kind=_MICROPYTHON_BOARDS.get((port.vid, port.pid), ""),
        )
        for port in sorted(comports(), key=lambda port: port.device)
        if port.vid is not None and port.pid is not None
    ]


def find_bootsel_drives():
    """The drives of RP2040 boards that wait for firmware (BOOTSEL held while plugged in)."""
    if sys.platform == "win32":
        places = [Path(f"{letter}:/") for letter in string.ascii_uppercase[2:]]
    else:
        patterns = ("media/*/*", "run/media/*/*", "Volumes/*", "mnt/*")
        places = [place for pattern in patterns for place in Path("/").glob(pattern)]
    return [place for place in places if is_bootsel_drive(place)]


def is_bootsel_drive(place):
    """Whether the directory is the drive of an RP2040 in its bootloader."""
    try:
        return "Board-ID: RPI-RP2" in (place / "INFO_UF2.TXT").read_text("ascii", "replace")
    except OSError:
        return False


def open_device(spec="auto", **options):
    """Open a device; close it, or use it as a context manager.

    spec:
        "auto"      the one board on USB, else the virtual Pico
        "virtual"   the virtual Pico; options: see devices.virtual.VirtualPico
        "unix"      the unix port; options: see devices.unix.UnixDevice
        other       a serial port or a URL of pyserial's; option: baudrate

    Raises MotionletError with what to do when there is no such device.
    """
    if spec == "auto":
        boards = list_devices()
        if len(boards) > 1:
            listed = ", ".join(f"{board.path} ({board.description})" for board in boards)
            raise MotionletError(f"several boards are connected: {listed}; say which one")
        spec = boards[0].path if boards else "virtual"
    if spec == "virtual":
        from host_sdk.board.devices.virtual import VirtualPico

        return VirtualPico(**options)
    if spec == "unix":
        from host_sdk.board.devices.unix import UnixDevice

        return UnixDevice(**options)
    known_drive = any(spec == os.fspath(drive) for drive in find_bootsel_drives())
    if known_drive:
        raise MotionletError(f"{spec} is a board that waits for firmware; flash it first")
    from host_sdk.board.devices.mpremote_port import SerialDevice

    return SerialDevice(spec, **options)
