"""The ROMFS of a device that we can write, block by block; docs/power.md says why in this order.

It is used through MicroPython's protocol for block devices: `writeblocks(block, data)` erases
first, `writeblocks(block, data, offset)` only programs, which turns ones of flash into zeros.
"""

import base64
import zlib

from host_sdk import paths
from host_sdk.board import rom_update, romfs
from host_sdk.board.rom_update import BLOCK, COPY
from host_sdk.errors import DeviceError, MotionletError

PAGE = 256  # bytes programmed at once

OPEN = """
try:
    import vfs
    _rom = vfs.rom_ioctl(2, 0) if hasattr(vfs, 'rom_ioctl') else None
    _size = 0 if _rom is None or isinstance(_rom, int) else len(memoryview(_rom))
    # Bits are cleared in what was programmed before: not where that is encrypted.
    if not hasattr(_rom, 'writeblocks') or _rom.ioctl(5, 0) != 4096:
        _size = 0
    elif hasattr(_rom, 'info') and _rom.info()[5]:
        _size = 0
except ImportError:
    _size = 0
print(json.dumps(_size))
"""
LEFT = f"""
import os
_whole = memoryview(_rom)[:3] == b'\\xd2\\xcd\\x31'
try:
    os.stat({COPY!r})
    _copy = True
except OSError:
    _copy = False
print(json.dumps((_whole, _copy)))
"""


class Rom:
    """The ROMFS of the device of a `Remote`. `size` is that of its partition, 0 without one."""

    def __init__(self, remote):
        self._remote = remote
        self._device = remote.device
        self.size = remote.json(OPEN)

    def contents(self):
        """Return the partition, sliced like bytes; each piece is fetched once."""
        return _Partition(self._remote, self.size)

    def files(self):
        """Return {path: (offset, size)} of what it holds, as `romfs.file_offsets` does."""
        contents = self.contents()
        return romfs.file_offsets(contents) if contents[:3] == romfs.MAGIC else {}

    def settle(self, forget=False):
        """Finish what an update has left that lost power; with `forget` no file counts."""
        whole, copy = self._remote.json(LEFT)
        if copy and not whole and not forget:
            self._run_there("mend")
        elif copy:
            self._device.exec(f"os.remove({COPY!r})")

    def update(self, path, data, erase=False, progress=None, trial=None):
        """Store `data` as `path`, or with None remove it; then MicroPython restarts.

        `trial(expression)` is called when the file is in flash and before anything points to it,
        with an expression whose value there are its bytes; what it raises ends the update.
        Raises MotionletError, everything being as it was, as `plan_update` does.
        """
        self.settle(forget=erase)
        old = b"\xff" * self.size if erase else self.contents()
        keep = old[:3] == romfs.MAGIC
        update = rom_update.plan_update(old, path, data)
        total = sum(len(content) for _, content in update.data) + BLOCK
        done = 0
        if erase:
            self._program(0, bytes(3))  # it points to what is written over now
        for offset, content in update.data:
            for at in range(0, len(content), BLOCK):
                self._write_block(offset + at, content[at : at + BLOCK])
                done += BLOCK
                if progress:
                    progress(done, total)
        if trial:
            start, size = update.files[path]
            trial(f"memoryview(_rom)[{start}:{start + size}]")
        if update.slot is None:
            self._write_first(rom_update.first_block(self.size, update.directory), keep)
        else:
            self._switch(update)
        if progress:
            progress(total, total)
        self._remote.restart()

    def _switch(self, update):
        """Fill the slot, look at it, and clear the bit that makes VfsRom come upon it."""
        self._program(update.slot, update.jump)
        self._check(update.slot, update.jump)
        taken = rom_update.TAKEN + update.jump[len(rom_update.TAKEN) :]
        self._program(update.slot, rom_update.TAKEN)
        self._check(update.slot, taken)

    def _write_first(self, block, keep):
        """Write the first block; what it held is in force until then if its copy is kept."""
        if keep:
            try:
                self._device.write_file(COPY, block)
            except DeviceError as error:
                if not error.traceback:
                    raise
                raise MotionletError(
                    f"the first block of the ROMFS must be written anew, and its copy cannot be "
                    f"kept in the file system meanwhile ({error}); make room there, or erase the "
                    "ROMFS first"
                ) from None
        self._run_there("write_first", f"_rom, bytearray(_unpack({self._remote.packed(block)}))")
        self._check(0, block)
        if keep:
            self._device.exec(f"os.remove({COPY!r})")

    def _run_there(self, function, arguments=""):
        """Run what motionlet.mend does by itself, which the device's Motionlet may lack."""
        source = (paths.data("device") / "motionlet/mend.py").read_text(encoding="utf-8")
        self._device.exec(
            f"_mend = {{}}\nexec({source!r}, _mend)\n_mend[{function!r}]({arguments})"
        )

    def _program(self, offset, data):
        """Clear those bits that are 0 in `data`, within a page."""
        page, at = divmod(offset, PAGE)
        content = (b"\xff" * at + data).ljust(PAGE, b"\xff")
        block, inside = divmod(page * PAGE, BLOCK)
        self._device.exec(
            f"_rom.writeblocks({block}, _unpack({self._remote.packed(content)}), {inside})"
        )

    def _write_block(self, offset, block):
        self._device.exec(
            f"_rom.writeblocks({offset // BLOCK}, _unpack({self._remote.packed(block)}))\n"
            f"gc.collect()"
        )
        self._check(offset, block)

    def _check(self, offset, data):
        crc = self._remote.json(
            f"print(json.dumps(binascii.crc32(memoryview(_rom)[{offset}:{offset + len(data)}])"
            f" & 0xffffffff))"
        )
        if crc != zlib.crc32(data):
            raise MotionletError(
                f"block {offset // BLOCK} of the ROMFS of {self._device.name} does not hold what "
                "was written: its flash may be worn"
            )


class _Partition:
    """A ROMFS partition, sliced like bytes."""

    PIECE = 1024

    def __init__(self, remote, size):
        self._remote = remote
        self._size = size
        self._pieces = {}

    def __len__(self):
        return self._size

    def __getitem__(self, key):
        if isinstance(key, int):
            return self._piece(key // self.PIECE)[key % self.PIECE]
        start, stop, _ = key.indices(self._size)
        first = start // self.PIECE
        pieces = [self._piece(i) for i in range(first, -(-stop // self.PIECE))]
        start, stop = start - first * self.PIECE, stop - first * self.PIECE
        return b"".join(pieces)[start:stop]

    def _piece(self, index):
        if index not in self._pieces:
            part = f"memoryview(_rom)[{index * self.PIECE}:{(index + 1) * self.PIECE}]"
            text = self._remote.json(f"print(json.dumps(binascii.b2a_base64({part}).decode()))")
            self._pieces[index] = base64.b64decode(text)
        return self._pieces[index]
