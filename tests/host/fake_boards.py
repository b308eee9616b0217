"""Boards that speak MicroPython's raw REPL badly, each in its own way; none may stop a command.

BOARDS names them. `figures()` runs a command of the SDK against each, with the limits that users
have, and counts those that did not end and those that ended in a traceback:

    python tests/host/fake_boards.py
"""

import contextlib
import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

try:
    import pty
    import tty
except ImportError:  # Windows
    pty = tty = None

RAW = b"raw REPL; CTRL-B to exit\r\n>"
BANNER = (
    b"MicroPython v1.25.0 on 2025-04-15; Raspberry Pi Pico with RP2040\r\n"
    b'Type "help()" for more information.\r\n'
)
ESP32_BOOT = b"\r\n".join(
    (b"ets Jun  8 2016 00:22:57", b"", b"rst:0x8 (TG1WDT_SYS_RESET),boot:0x13 (SPI_FAST)", b"")
)
FACTS = {
    "name": "micropython",
    "version": "1.25.0",
    "machine": "Raspberry Pi Pico with RP2040",
    "mpy": 6 | 3 << 8 | 4 << 10,
    "platform": "rp2",
    "mem_free": 180000,
}
MOST_SECONDS = 40  # for a command to end


class Board:
    """MicroPython on a pseudo-terminal (or a TCP port); `port` is what opens it.

    answer(self, code): what a program prints, as bytes, or a pair of that and its traceback. None
    when the method has said all by itself.
    """

    tcp = False
    paste = b"R\x00"  # what it says when asked for raw paste: that it has none
    soft_reboot = b"MPY: soft reboot\r\n"
    first_bad = 1  # number of the program that it answers badly, and those after it
    reset_cause = 1

    def __init__(self):
        self.closed = False
        self.programs = 0
        self.data = b""  # of the file that is being written
        self.raw = False
        self._unread = b""
        if self.tcp:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = f"socket://127.0.0.1:{self._listener.getsockname()[1]}"
            self._line = None
        else:
            self._line, self._client = pty.openpty()
            tty.setraw(self._client)
            tty.setraw(self._line)
            self.port = os.ttyname(self._client)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        """Pull the plug."""
        if not self.closed:
            self.closed = True
            for end in self._ends():
                if isinstance(end, int):
                    os.close(end)
                else:
                    end.close()

    def _ends(self):
        if self.tcp:
            return filter(None, (self._line, self._listener))
        return self._line, self._client

    def _serve(self):
        with contextlib.suppress(OSError, ValueError, TypeError):
            if self.tcp:
                self._line = self._listener.accept()[0]
            self.run()

    def write(self, data):
        """Send bytes, as fast as they are taken."""
        while data and not self.closed:
            if select.select([], [self._line], [], 0.05)[1]:
                sent = self._line.send(data) if self.tcp else os.write(self._line, data[:4096])
                data = data[sent:]

    def read(self, seconds=None):
        """Return what has come, b"" if nothing does in time."""
        if not select.select([self._line], [], [], seconds)[0]:
            return b""
        return self._line.recv(4096) if self.tcp else os.read(self._line, 4096)

    def read_for_ever(self):
        """Take bytes and say nothing."""
        while not self.closed:
            self.read(1)

    def run(self):
        """Speak the protocol."""
        code = b""
        while not self.closed:
            for byte in self.read(1):
                c = bytes([byte])
                if c == b"\x03":
                    code = b""
                elif c == b"\x02":
                    self.raw = False
                    self.write(b"\r\n>>> ")
                elif c == b"\x01" and code == b"\x05A":
                    code = b""
                    self.write(self.paste)
                elif c == b"\x01":
                    self.raw, code = True, b""
                    self.write(RAW)
                elif not self.raw:
                    pass
                elif c == b"\x04":
                    text, code = code.decode(), b""
                    if text.strip():
                        self.program(text)
                    else:
                        self.write(b"OK\r\n" + self.soft_reboot + RAW)
                else:
                    code += c

    def program(self, code):
        """Run one."""
        self.programs += 1
        answer = self.good if self.programs < self.first_bad else self.answer
        said = answer(code)
        if said is not None:
            out, error = said if isinstance(said, tuple) else (said, b"")
            self.write(b"OK" + out + b"\x04" + error + b"\x04>")

    def answer(self, code):
        return self.good(code)

    def good(self, code):
        """Return what MicroPython with Motionlet and no ROMFS would print."""
        if chunk := re.search(r"_mlet_file\.write\(a2b_base64\('([^']*)'\)\)", code):
            self.data += b64decode(chunk[1])
            return b""
        if "open(" in code and '"wb"' in code:
            self.data = b""
            return b"nothing left\r\n"
        answers = {
            "machine.reset_cause": f"{self.reset_cause} 3",
            "_mlet_built_in": "true",
            "_m.VERSION": '{"version": "0.1.0", "format_version": 4, "target": 1, '
            '"operators": -1, "groups": -1, "machine": "Pico"}',
            "sys.implementation.name": repr(FACTS),
            "_deflate": "false",
            "rom_ioctl": "0",
            "_fits": "[true, 100000]",
            "statvfs": "1000000",
            "_mlet_crc": str(zlib.crc32(self.data)),
            "_push": "[[0, 0, 0], 100]",
        }
        said = next((text for mark, text in answers.items() if mark in code), "")
        return said.encode() + b"\r\n"


@dataclass
class Case:
    """A kind of Board, and the command that meets it."""

    kind: type
    words: tuple = ("deploy",)


BOARDS = {}


def board(name, *words):
    """Register a kind of Board under a name."""

    def register(kind):
        BOARDS[name] = Case(kind, words or ("deploy",))
        return kind

    return register


def answers(name, mark, said, *words):
    """Register a board that answers the programs that have `mark` in them with `said`."""

    class Answers(Board):
        def answer(self, code):
            return said if mark in code else self.good(code)

    board(name, *words)(Answers)


# What is no raw REPL


@board("silent")
class Silent(Board):
    def run(self):
        self.read_for_ever()


@board("deaf, on TCP")
class Deaf(Board):
    tcp = True

    def run(self):
        while not self.closed:
            time.sleep(0.1)


@board("echo")
class Echo(Board):
    def run(self):
        while not self.closed:
            self.write(self.read(1).upper())


@board("boots again and again")
class BootLoop(Board):
    def run(self):
        while not self.closed:
            self.write(ESP32_BOOT)
            self.read(0.2)


@board("prints without end")
class Spews(Board):
    def run(self):
        while not self.closed:
            self.write(b"t=123 x=0.12,y=-9.81,z=0.03\r\n" * 100)
            self.read(0)


@board("prints without end, slowly")
class SpewsSlowly(Board):
    def run(self):
        while not self.closed:
            self.write(b"raw REPL\r\n")
            self.read(0.05)


@board("another prompt")
class Friendly(Board):
    def run(self):
        while not self.closed:
            self.write(self.read(1).replace(b"\x03", b"\r\n>>> ").replace(b"\x01", b""))


@board("no soft reboot")
class NoReboot(Board):
    soft_reboot = b""


# What ends in the middle of the protocol


@board("says nothing to a program")
class NoOk(Board):
    def answer(self, code):
        pass


@board("says KO for OK")
class Ko(Board):
    def answer(self, code):
        self.write(b"KO\x04\x04>")


@board("half an answer to raw paste")
class HalfPaste(Board):
    paste = b"R"


@board("raw paste with no window")
class NoWindow(Board):
    paste = b"R\x01\x00\x00" + b"\x01" * 2000


@board("raw paste with windows without end")
class EndlessWindows(Board):
    def run(self):
        self.paste = b""
        super().run()

    def write(self, data):
        super().write(data)
        while not data and not self.closed:
            super().write(b"R\x01\x00\x00" + b"\x01" * 4096)


@board("OK, then silence")
class OnlyOk(Board):
    def answer(self, code):
        self.write(b"OK")
        self.read_for_ever()


@board("OK, then output without end")
class Flood(Board):
    def answer(self, code):
        self.write(b"OK")
        while not self.closed:
            self.write(b"A" * 65536)


@board("OK, then a byte now and then")
class Drip(Board):
    def answer(self, code):
        self.write(b"OK")
        while not self.closed:
            self.write(b".")
            time.sleep(0.2)


@board("an error without end")
class EndlessError(Board):
    def answer(self, code):
        self.write(b"OK\x04")
        while not self.closed:
            self.write(b"  File x, line 1\r\n" * 500)


@board("stops before the error")
class HalfAnswer(Board):
    def answer(self, code):
        self.write(b"OKtrue\r\n\x04")


@board("freezes at a file's second piece")
class Freezes(Board):
    def answer(self, code):
        if not self.data:
            return self.good(code)
        self.read_for_ever()


@board("freezes and takes no bytes")
class FreezesDeaf(Board):
    tcp = True
    first_bad = 3

    def answer(self, code):
        while not self.closed:
            time.sleep(0.1)


@board("unplugged")
class Unplugged(Board):
    first_bad = 4

    def answer(self, code):
        self.close()


@board("unplugged, on TCP")
class UnpluggedTcp(Unplugged):
    tcp = True


@board("restarts while a program runs")
class Restarts(Board):
    first_bad = 3

    def answer(self, code):
        if "reset_cause" in code:
            return self.good(code)
        self.write(b"OKhalf an ans\r\n" + BANNER + b">>> ")
        self.raw = False


@board("an ESP32 restarted by its watchdog")
class WatchdogRestarts(Board):
    first_bad = 3
    reset_cause = 3

    def answer(self, code):
        if "reset_cause" in code:
            return self.good(code)
        self.write(b"OK" + ESP32_BOOT + BANNER + b">>> ")
        self.raw = False


@board("has left the raw REPL")
class LeavesRawRepl(Board):
    first_bad = 3
    reset_cause = 3

    def answer(self, code):
        if "reset_cause" in code:
            return self.good(code)
        self.write(b"OK" + self.good(code) + b"\x04\x04" + BANNER + b">>> ")
        self.raw = False


# Wrong answers

answers("garbage", "_m.VERSION", b"\xff\xfe{{{\r\n")
answers("no JSON", "_m.VERSION", b"{'version': 1}\r\n")
answers("a number for a module", "_m.VERSION", b"42\r\n")
answers("too many brackets", "_m.VERSION", b"[" * 100_000 + b"\r\n")
answers("a number of 10,000 digits", "_m.VERSION", b"9" * 10_000 + b"\r\n")
answers(
    "fields of odd types",
    "_m.VERSION",
    b'{"version": [], "format_version": "x", "target": {}, "operators": 1.5, "groups": null}\r\n',
)
answers("nothing at all", "_mlet_built_in", b"")
answers("a huge answer", "_m.VERSION", b'"' + b"A" * (5 << 20) + b'"\r\n')
answers("a list for a flag", "_deflate", b"[]\r\n")
answers("a number for memory", "_fits", b"7\r\n")
answers("memory below zero", "_fits", b"[false, -5]\r\n")
answers("a list for free bytes", "statvfs", b"[]\r\n")
answers("words for a CRC", "_mlet_crc", b"zzz\r\n")
answers("another CRC", "_mlet_crc", b"1\r\n")
answers("a ROMFS of 10^12 bytes", "rom_ioctl", b"1000000000000\r\n")
answers("a ROMFS of -5 bytes", "rom_ioctl", b"-5\r\n")
answers("a text for a ROMFS", "rom_ioctl", b'"x"\r\n')


@board("a ROMFS without end")
class EndlessRomfs(Board):
    """Of records that are padding, of 2 bytes each."""

    def answer(self, code):
        if "rom_ioctl" in code:
            return b"100000000\r\n"
        if "b2a_base64(memoryview(_rom)" in code:
            first = b"[0:" in code.encode()
            start = b"\xd2\xcd\x31\xaf\xd7\xc1\x00" if first else b""
            return b'"' + b64encode((start + b"\x01\x00" * 512)[:1024]) + b'"\r\n'
        if "_whole" in code:
            return b"[true, false]\r\n"
        return self.good(code)


answers("code for facts", "sys.implementation.name", b"__import__('os').abort()\r\n", "install")
answers("many brackets for facts", "sys.implementation.name", b"(" * 5000 + b"\r\n", "install")
answers("a number for a flag", "_mlet_built_in", b"1\r\n", "install")
answers("logits beyond int8", "_push(b", b"[[1000], 5]\r\n", "run", "--path", "/m.mlet")
answers(
    "terminal codes in an error",
    "_m.VERSION",
    (b"", b"Traceback\r\n\x1b]0;owned\x07\x1b[2JOSError: 5\r\n"),
)
answers("a full file system", "_mlet_file", (b"", b"OSError: [Errno 28] ENOSPC\r\n"))
answers("a file system to be read only", "_mlet_file", (b"", b"OSError: 30\r\n"))
answers("a name that is too long", "_mlet_file", (b"", b"OSError: 36\r\n"))


class Without(Board):
    """One that has no Motionlet."""

    def good(self, code):
        if "_mlet_built_in" in code:
            return b"false\r\n"
        return b"[null, null]\r\n" if "_mlet_path" in code else super().good(code)


@board("paths that are none", "install")
class OddPaths(Without):
    def answer(self, code):
        return b"[1, {}]\r\n" if "_mlet_path" in code else self.good(code)


@board("CircuitPython", "install")
class CircuitPython(Without):
    soft_reboot = b"soft reboot\r\n"

    def answer(self, code):
        return self.good(code).replace(b"'micropython'", b"'circuitpython'")


@board("MicroPython 1.19", "install")
class Old(Without):
    def answer(self, code):
        return self.good(code).replace(b"1.25.0", b"1.19.1").replace(b"4870", b"4102")


def command(case, port, model):
    """Return the words of the command line, without the program, that meet a board."""
    name, *words = case.words
    models = [] if name == "install" else [str(model)]
    return [name, *models, "--device", port, *words, "--json"]


def outcome(case, model, *options):
    """Run a command against a new board; return (seconds, exit status, stdout, stderr).

    The status is None when it did not end within MOST_SECONDS.
    """
    fake = case.kind()
    words = [sys.executable, "-m", "host_sdk.cli", *command(case, fake.port, model), *options]
    begin = time.monotonic()
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, error = process.communicate(timeout=MOST_SECONDS)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        out, error = process.communicate()
        status = None
    fake.close()
    return time.monotonic() - begin, status, out, error


def figures(model):
    """Return {tried, hangs, tracebacks, slowest_s}: what became of a command on every board.

    model: path of an .mlet file.
    """
    with ThreadPoolExecutor(8) as pool:  # they wait, most of the time
        ends = list(pool.map(lambda case: outcome(case, model), BOARDS.values()))
    return {
        "tried": len(ends),
        "hangs": sum(status is None for _, status, _, _ in ends),
        "tracebacks": sum("Traceback (most recent call last)" in end[3] for end in ends),
        "slowest_s": round(max(seconds for seconds, *_ in ends), 1),
    }


if __name__ == "__main__":
    vectors = Path(__file__).resolve().parents[1] / "vectors"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.mlet"
        path.write_bytes((vectors / "tiny_separable.mlet").read_bytes())
        print(json.dumps(figures(path)))
