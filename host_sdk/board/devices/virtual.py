"""The virtual Pico as a device: board/virtual_pico.py as a process, and mpremote's transport."""

import contextlib
import os
import queue
import subprocess
import sys
import threading

from host_sdk import paths
from host_sdk.board.devices.mpremote_port import SerialDevice
from host_sdk.board.images import find_image
from host_sdk.errors import DeviceError, MotionletError
from host_sdk.files import make_folder

START_SECONDS = 90
STOP_SECONDS = 10


class VirtualPico(SerialDevice):
    """The RP2040 firmware of a board in the emulator.

    board: its own firmware runs, unless `uf2` is given.
    flash: the file that keeps its flash; by default build/virtual/BOARD.flash.
    fresh: start with erased flash.
    romfs, littlefs: files with images to put into flash first.
    strict: check every memory access as the chip does; slower.
    """

    def __init__(
        self,
        board="MOTIONLET_PICO",
        flash=None,
        fresh=False,
        uf2=None,
        romfs=None,
        littlefs=None,
        strict=False,
    ):
        self.board = board
        self.name = "virtual Pico"
        self._process = None
        self._transport = None
        flash = flash or paths.build() / "virtual" / f"{board}.flash"
        uf2 = find_image(board, given=uf2)
        make_folder(os.path.dirname(os.path.abspath(flash)))
        if fresh:
            with contextlib.suppress(FileNotFoundError):
                os.remove(flash)
        command = [sys.executable, "-m", "host_sdk.board.virtual_pico", "--board", board]
        files = {"--uf2": uf2, "--flash": flash, "--romfs": romfs, "--littlefs": littlefs}
        for option, path in files.items():
            if path:
                command += [option, os.path.abspath(path)]
        if strict:
            command.append("--strict")
        self._log = open(f"{flash}.log", "w+", encoding="utf-8")  # noqa: SIM115 (it lives as long as the process)
        self._process = subprocess.Popen(
            [*command, "--with-parent"],
            cwd=paths.PACKAGE.parent,  # where -m finds this very package
            stdin=subprocess.PIPE,  # it ends, its flash saved, when we close this
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # a terminal's signals are for us
        )
        try:
            super().__init__(self._read_port(), name=self.name)
        except BaseException:
            self.close()
            raise

    def _read_port(self):
        lines = queue.Queue()
        output = self._process.stdout
        threading.Thread(target=lambda: lines.put(output.readline()), daemon=True).start()
        try:
            port = lines.get(timeout=START_SECONDS).decode().strip()
        except queue.Empty:
            raise DeviceError(f"{self.name}: did not start within {START_SECONDS} s") from None
        if not port:
            self._process.wait(STOP_SECONDS)
            words = self._last_words() or f"ended with {self._process.returncode}"
            raise MotionletError(words.removeprefix("error: "))
        return port

    def _last_words(self):
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return lines[-1] if lines else ""

    def _why(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        words = self._last_words()
        return f"; {words}" if words else ""

    def close(self):
        super().close()
        if self._process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
        self._process = None
