"""MicroPython's qemu port as a device: other processors, most with firmware without Motionlet."""

import re
import shutil
import subprocess
from dataclasses import dataclass

import pytest
import toolchains

from host_sdk.bench import xtensa_sim
from host_sdk.board.devices.mpremote_port import SerialDevice
from host_sdk.board.romfs import build_romfs

_MOUNT = """
import sys, uctypes, vfs
try:
    vfs.umount("/rom")  # the port's own, from MicroPython 1.29 on
except OSError:
    pass
vfs.mount(vfs.VfsRom(uctypes.bytearray_at({address}, {size})), "/rom")
sys.path.append("/rom/lib")
"""


@dataclass(frozen=True)
class Board:
    """A board of the port: its processor, what emulates it, and RAM that its firmware ignores."""

    arch: str  # as .mpy files name it
    program: str
    options: tuple
    package: str  # Debian's, of the program; "" where the toolchain for Xtensa has it
    free_ram: int  # address


BOARDS = {
    "MPS2_AN385": Board(
        "armv7m", "qemu-system-arm", ("-machine", "mps2-an385"), "qemu-system-arm", 0x21000000
    ),
    "MPS2_AN386": Board(
        *("armv7emsp", "qemu-system-arm"),
        *(("-machine", "mps2-an386"), "qemu-system-arm", 0x21000000),
    ),
    "VIRT_RV32": Board(
        *("rv32imc", "qemu-system-riscv32", ("-machine", "virt", "-bios", "none")),
        *("qemu-system-misc", 0x82000000),
    ),
    "XTENSA_SIM": Board(
        *("xtensawin", "qemu-system-xtensa"),
        ("-machine", "sim", "-cpu", "de233_fpu", "-audio", "none"),
        *("", 0x02000000),
    ),
}


def need_program(board):
    """Return the program that emulates a board; skip, with the reason, where it is missing."""
    if not board.package:
        toolchains.need_xtensa()
        return xtensa_sim.toolchain() / board.program
    if shutil.which(board.program) is None:
        pytest.skip(f"no {board.program}: apt-get install {board.package}")
    return board.program


class QemuDevice(SerialDevice):
    """A board of the port, with `files` in a ROMFS in its RAM, mounted at /rom.

    folder: for the image, which the emulator loads.
    """

    def __init__(self, name, elf, files, folder):
        board = BOARDS[name]
        image = folder / f"{name}.romfs"
        image.write_bytes(build_romfs(files))
        self._mount = _MOUNT.format(address=board.free_ram, size=image.stat().st_size)
        load = f"loader,file={image},addr={board.free_ram:#x},force-raw=on"
        self._process = subprocess.Popen(
            [
                *(need_program(board), *board.options, "-display", "none", "-monitor", "none"),
                *("-semihosting", "-serial", "pty", "-kernel", elf, "-device", load),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = self._process.stdout.readline()
        port = re.search(r"/dev/\S+", said)
        if port is None:
            self._process.kill()
            raise AssertionError(f"{board.program}: {said}")
        super().__init__(port.group(), name=f"qemu {name}")

    def reset(self):
        super().reset()
        self.exec(self._mount)

    def close(self):
        super().close()
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
