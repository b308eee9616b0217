"""MicroPython's unix port as a device: a process that runs code sent to it over a pipe.

It has a file system of its own: a directory of this machine, mounted at / so that its paths are
those of a board, and a ROMFS in memory at /rom.
"""

import codecs
import contextlib
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from host_sdk import paths
from host_sdk.board.devices.base import Device, said_by_device
from host_sdk.board.images import find_image
from host_sdk.errors import DeviceError, MotionletError
from host_sdk.files import make_folder

HEAP = "16m"
ROMFS_BYTES = 4 * 1024 * 1024  # what fits the heap well; there is no partition to ask
INTERRUPT_SECONDS = 5

# Reads "TOKEN LENGTH\n" and so many bytes of code; answers with what the code prints, then
# "\x04TOKEN LENGTH\n" and so many bytes of traceback. The token changes each time, so no output
# is taken for the end. / is the directory of files: a board's code does not see the host's paths.
_SERVER = """\
import io, os, sys, vfs
_host = vfs.VfsPosix(%(directory)r)
vfs.umount("/")
vfs.mount(vfs.VfsPosix(%(directory)r + "/files"), "/")
os.chdir("/")
sys.path[:] = ["", ".frozen", "/lib"]
def _mlet_mount():
    try:
        vfs.umount("/rom")
    except OSError:
        pass
    image = bytearray(_host.stat("/romfs.img")[6])
    with _host.open("/romfs.img", "rb") as file:
        file.readinto(image)
    vfs.mount(vfs.VfsRom(image), "/rom")
def _mlet_serve():
    names = {"__name__": "__main__", "_mlet_mount": _mlet_mount}
    while True:
        try:
            line = sys.stdin.buffer.readline()
            if not line:
                return
            token, length = line.split()
            code = sys.stdin.buffer.read(int(length))
        except KeyboardInterrupt:
            continue
        error = io.StringIO()
        try:
            exec(code, names)
        except BaseException as exception:
            sys.print_exception(exception, error)
        error = error.getvalue().encode()
        sys.stdout.buffer.write(b"\\x04%%s %%d\\n" %% (token, len(error)) + error)
_mlet_serve()
"""


class _Endless(Exception):
    """More output than an answer may have."""


class UnixDevice(Device):
    """The unix port of MicroPython, with Motionlet, as a process.

    directory: its file system; by default build/unix. With `fresh` it is emptied first.
    program: the program to run; by default build/firmware/unix/micropython.
    """

    name = "unix MicroPython"

    def __init__(self, directory=None, fresh=False, program=None):
        super().__init__()
        self._directory = Path(directory or paths.build() / "unix").resolve()
        self._process = None
        if sys.platform == "win32":
            raise MotionletError(f"{self.name} runs on Linux and macOS, not on Windows: use WSL")
        self._program = find_image("unix", name="micropython", given=program)
        if fresh:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._romfs = self._directory / "romfs.img"
        make_folder(self._directory / "files")
        self._start()

    def _start(self):
        server = _SERVER % {"directory": str(self._directory)}
        self._process = subprocess.Popen(
            [self._program, "-X", f"heapsize={HEAP}", "-c", server],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us; we interrupt what runs there
        )
        if self._romfs.exists():
            self.exec("_mlet_mount()")

    def exec(self, code, *, timeout=None, silence=None, on_output=None):
        if self._process is None:
            raise DeviceError(f"{self.name}: closed")
        code = code.encode()
        token = secrets.token_hex(8).encode()
        limits = self.limits.changed(timeout, silence)
        text = []
        room = limits.answer_bytes

        def keep(piece):
            nonlocal room
            room -= len(piece)
            if room < 0:
                raise _Endless
            text.append(piece)

        try:
            self._process.stdin.write(b"%s %d\n%s" % (token, len(code), code))
            self._process.stdin.flush()
            error = self._follow(token, on_output or keep, limits)
        except (BrokenPipeError, EOFError):
            raise DeviceError(f"{self.name}: {self._death()}") from None
        except _Endless:
            raise DeviceError(f"{self.name}: its answer does not end; interrupted") from None
        if error:
            raise said_by_device(self.name, error)
        return "".join(text)

    def _follow(self, token, consume, limits):
        """Pass on the output of what runs; return the traceback that it ends with, or ""."""
        last = time.monotonic()
        deadline = last + limits.whole
        late = ""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        marker = b"\x04" + token + b" "
        data = b""
        try:
            while True:
                output, found, data = data.partition(marker)
                if not found:
                    # The end may be the start of the marker: keep it until that is known.
                    keep = output.rfind(b"\x04", -len(marker))
                    keep = len(output) if keep < 0 else keep
                    output, data = output[:keep], output[keep:]
                if text := decoder.decode(output):
                    consume(text)
                if found:
                    break
                now = time.monotonic()
                if now > min(deadline, last + limits.silence):
                    if late:
                        self._kill()
                        raise DeviceError(f"{self.name}: does not stop; killed")
                    late = f"no end after {limits.whole:g} s"
                    if now <= deadline:
                        late = f"silent for {limits.silence:g} s"
                    last = now + INTERRUPT_SECONDS
                    deadline = now + INTERRUPT_SECONDS
                    self._process.send_signal(signal.SIGINT)
                if came := self._read(0.1):
                    data += came
                    last = max(last, now)
        except (EOFError, DeviceError):
            raise
        except BaseException:  # Ctrl-C here, or trouble of `consume`: stop what runs there, too
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(DeviceError):
                self._follow(token, lambda text: None, self.limits.changed(INTERRUPT_SECONDS, None))
            raise
        while b"\n" not in data:
            data += self._read()
        length, _, data = data.partition(b"\n")
        while len(data) < int(length):
            data += self._read()
        if late:
            raise DeviceError(f"{self.name}: {late}; interrupted")
        return data.decode(errors="replace").strip()

    def _read(self, seconds=None):
        """What the process has written; b"" if nothing comes in so many seconds."""
        output = self._process.stdout
        if not select.select([output], [], [], seconds)[0]:
            return b""
        data = os.read(output.fileno(), 65536)
        if not data:
            raise EOFError
        return data

    def _death(self):
        status = self._process.wait()
        self._kill()
        if status < 0:
            return f"died of {signal.Signals(-status).name}"
        return f"ended with status {status}"

    def _kill(self):
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process = None

    def reset(self):
        self._kill()
        self._start()

    def close(self):
        self._kill()

    def _rename(self, old, new):
        # The port's own rename loses a path when its root is not the machine's (1.25: both
        # paths are built in one buffer).
        files = self._directory / "files"
        try:
            (files / old.lstrip("/")).replace(files / new.lstrip("/"))
        except OSError as error:
            raise DeviceError(f"{self.name}: {new}: {error.strerror}") from None

    def romfs_bytes(self):
        return ROMFS_BYTES

    def _write_romfs(self, image, progress):
        temporary = self._romfs.with_suffix(".tmp")
        temporary.write_bytes(image)
        temporary.replace(self._romfs)
        self.exec("_mlet_mount()")
        if progress:
            progress(len(image), len(image))
