"""What every device can do: run code, hold files, hold a ROMFS.

A subclass only has to run code. Files and ROMFS images travel as base64 inside code, in chunks
small enough for a microcontroller's heap, and the device proves with a CRC-32 that it holds what
was sent.
"""

import abc
import ast
import base64
import binascii
import contextlib
import posixpath

from host_sdk.board.rom_update import COPY
from host_sdk.board.romfs import MAGIC
from host_sdk.errors import DeviceError, MotionletError

CHUNK = 1024  # bytes at a time; divides a flash block

# One file on the device, written under a temporary name, checked, and only then given its own.
_OPEN = """\
import os
from binascii import a2b_base64, crc32
def _mlet_mkdir(path):
    at = 1
    while (at := path.find("/", at) + 1) > 0:
        try:
            os.mkdir(path[:at - 1])
        except OSError as error:
            if error.errno != 17:
                raise
_mlet_mkdir({path!r})
def _mlet_is(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True
if not _mlet_is({new!r}):
    print("nothing left")
elif _mlet_is({path!r}):
    os.remove({new!r})
    print("not begun")
else:
    print("half-way")
_mlet_file = open({temporary!r}, "wb")
"""
_CLOSE = """\
_mlet_file.close()
del _mlet_file
"""
_CRC = """\
from binascii import crc32
_mlet_crc = 0
_mlet_chunk = bytearray(512)
with open({path!r}, "rb") as _mlet_file:
    while _mlet_n := _mlet_file.readinto(_mlet_chunk):
        _mlet_crc = crc32(memoryview(_mlet_chunk)[:_mlet_n], _mlet_crc)
print(_mlet_crc)
"""
# littlefs and FAT replace an existing file; FAT by removing that first, and power may fail then.
_RENAME = "os.rename({old!r}, {new!r})"
_DISCARD = """\
import os
try:
    _mlet_file.close()
except NameError:
    pass
try:
    os.remove({temporary!r})
except OSError:
    pass
"""

_READ = """\
from binascii import b2a_base64, crc32
_mlet_crc = 0
_mlet_chunk = bytearray({chunk})
with open({path!r}, "rb") as _mlet_file:
    while _mlet_n := _mlet_file.readinto(_mlet_chunk):
        _mlet_crc = crc32(memoryview(_mlet_chunk)[:_mlet_n], _mlet_crc)
        print(b2a_base64(memoryview(_mlet_chunk)[:_mlet_n]).decode(), end="")
print("crc", _mlet_crc)
"""

# The ROMFS partition as a block device: rp2.Flash, esp32.Partition.
_ROMFS_SIZE = """\
import vfs
_mlet_rom = vfs.rom_ioctl(2, 0) if hasattr(vfs, "rom_ioctl") else None
if hasattr(_mlet_rom, "writeblocks"):
    print(_mlet_rom.ioctl(4, 0) * _mlet_rom.ioctl(5, 0), _mlet_rom.ioctl(5, 0))
else:
    print(0, 0)
"""
_ROMFS_OPEN = f"""\
import os
from binascii import a2b_base64, crc32
for _mlet_call, _mlet_path in ((vfs.umount, "/rom"), (os.remove, {COPY!r})):
    try:
        _mlet_call(_mlet_path)
    except OSError:
        pass
"""
_ROMFS_CHECK = """\
_mlet_crc = 0
_mlet_chunk = bytearray(512)
for _mlet_at in range(0, {length}, 512):
    _mlet_rom.readblocks(_mlet_at // {block}, _mlet_chunk, _mlet_at % {block})
    _mlet_n = min(512, {length} - _mlet_at)
    _mlet_crc = crc32(memoryview(_mlet_chunk)[:_mlet_n], _mlet_crc)
print(_mlet_crc)
"""
_IMPLEMENTATION = """\
import gc, sys
gc.collect()
print(repr({
    "name": sys.implementation.name,
    "version": ".".join(str(n) for n in sys.implementation.version[:3]),
    "machine": getattr(sys.implementation, "_machine", ""),
    "mpy": getattr(sys.implementation, "_mpy", 0),
    "platform": sys.platform,
    "mem_free": gc.mem_free(),
}))
"""


class Device(abc.ABC):
    """A MicroPython that runs code for us. A context manager; leaving it closes the device.

    name: what to call it in messages, such as "/dev/ttyACM0" or "virtual Pico".
    """

    name = "device"

    @abc.abstractmethod
    def exec(self, code, *, timeout=None, on_output=None):
        """Run `code` in the device's `__main__`; return what it printed, as text.

        timeout: seconds until the code is interrupted, None for no limit.
        on_output: called with each piece of text as it comes; the result is then "".

        Raises DeviceError if the code raises (its `traceback` is the device's), when the time is
        over, and when the device is gone.
        """

    @abc.abstractmethod
    def reset(self):
        """Restart MicroPython: empty heap, nothing imported. Files stay."""

    @abc.abstractmethod
    def close(self):
        """Let go of the device. May be called twice."""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def eval(self, expression, *, timeout=None):
        """The value of an expression, for values whose repr is a Python literal."""
        text = self.exec(f"print(repr({expression}))", timeout=timeout)
        try:
            return ast.literal_eval(text.strip())
        except (SyntaxError, ValueError):
            raise DeviceError(f"{self.name}: {expression} is {text.strip()!r}") from None

    def implementation(self):
        """Facts about the device: a dict of name, version, machine, mpy, platform and mem_free."""
        return ast.literal_eval(self.exec(_IMPLEMENTATION))

    def write_file(self, path, data, progress=None, trial=None):
        """Put bytes into the file `path`, making its directories.

        The old file stays until the new one is whole, its CRC-32 is right, and `trial(path of it)`
        raises nothing. When power fails, one of them is there: on littlefs as `path`; on FAT, whose
        rename removes the old file first, the new one may be found as `path`.new, where
        `motionlet.load` and the next `write_file` look for it. (A FAT whose medium can lose a
        sector that is being written, such as bare flash, can lose anything; SD cards are better.)
        progress: called with (bytes done, bytes in all).
        """
        data = bytes(data)
        temporary = posixpath.join(posixpath.dirname(path), "_mlet.tmp")
        names = {"path": path, "temporary": temporary, "new": path + ".new"}
        try:
            if self.exec(_OPEN.format(**names)).strip() == "half-way":
                self._rename(names["new"], path)
            for start in range(0, len(data), CHUNK):
                chunk = data[start : start + CHUNK]
                self.exec(f"_ = _mlet_file.write(a2b_base64({_base64(chunk)}))")
                if progress:
                    progress(start + len(chunk), len(data))
            self.exec(_CLOSE)
            self._check_crc(self.file_crc(temporary), data, path)
            if trial:
                trial(temporary)
            self._rename(temporary, names["new"])
            self._rename(names["new"], path)
        except MotionletError as error:
            with contextlib.suppress(DeviceError):
                self.exec(_DISCARD.format(**names), timeout=10)
            if "ENOSPC" in str(error) or "OSError: 28" in str(error):
                raise DeviceError(
                    f"{self.name}: no room for {path} ({len(data)} bytes)",
                    getattr(error, "traceback", ""),
                ) from None
            raise

    def _rename(self, old, new):
        """Give a file its final name, in place of one that may have it."""
        self.exec(_RENAME.format(old=old, new=new))

    def file_crc(self, path):
        """The CRC-32 of the file `path`, computed on the device."""
        return int(self.exec(_CRC.format(path=path)))

    def read_file(self, path):
        """The bytes of the file `path`."""
        lines = self.exec(_READ.format(path=path, chunk=CHUNK)).split("\n")
        data = b"".join(base64.b64decode(line) for line in lines[:-2])
        self._check_crc(lines[-2].removeprefix("crc "), data, path)
        return data

    def romfs_bytes(self):
        """The size of the ROMFS partition, 0 when there is none."""
        size, self._romfs_block = map(int, self.exec(_ROMFS_SIZE).split())
        return size

    def write_romfs(self, image, progress=None):
        """Put a ROMFS image (host_sdk.board.romfs.build_romfs) into flash, and mount it at /rom.

        MicroPython restarts first: nothing may still use what is in flash now. Until the image is
        whole and checked there is no valid file system in its place.
        progress: called with (bytes done, bytes in all).
        """
        image = bytes(image)
        if image[:3] != MAGIC:
            raise MotionletError("not a ROMFS image: it does not start with d2 cd 31")
        self.reset()
        size = self.romfs_bytes()
        if size == 0:
            raise DeviceError(
                f"{self.name}: this firmware has no ROMFS; flash one of Motionlet's boards "
                f"(`make firmware`), or deploy to a file instead"
            )
        if len(image) > size:
            raise DeviceError(
                f"{self.name}: the ROMFS image has {len(image)} bytes, the partition {size}"
            )
        self._write_romfs(image, progress)

    def _write_romfs(self, image, progress):
        block = self._romfs_block
        padded = image.ljust(-(-len(image) // 256) * 256, b"\xff")  # flash is written by pages
        self.exec(_ROMFS_OPEN)
        # The start, with the magic, is erased first and written last: if this is cut short, the
        # partition is invalid, and not half new and half old.
        for start in range(0, len(padded), block):
            self.exec(f"_mlet_rom.ioctl(6, {start // block})")
        starts = [*range(CHUNK, len(padded), CHUNK), 0]
        for done, start in enumerate(starts):
            chunk = _base64(padded[start : start + CHUNK])
            self.exec(
                f"_mlet_rom.writeblocks({start // block}, a2b_base64({chunk}), {start % block})"
            )
            if progress:
                progress(len(image) * (done + 1) // len(starts), len(image))
        crc = self.exec(_ROMFS_CHECK.format(length=len(image), block=block))
        try:
            self._check_crc(crc, image, "/rom")
        except DeviceError:
            self.exec("_mlet_rom.ioctl(6, 0)")
            raise
        self.exec('vfs.mount(vfs.VfsRom(_mlet_rom), "/rom")')

    def _check_crc(self, text, data, what):
        if int(text) != binascii.crc32(data):
            raise DeviceError(f"{self.name}: {what} differs from what was sent; try again")


def _base64(data):
    """Bytes as a base64 literal for the device to read."""
    return repr(base64.b64encode(data).decode())
