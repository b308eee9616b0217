"""Put a model on a device: into ROMFS, where it is used in flash, or into the filesystem.

Whatever happens half-way, the model that was there before still loads: into ROMFS, the new one
goes to free blocks and becomes visible with the last write; into the filesystem, it is written
under another name and renamed.
"""

import base64
import zlib
from dataclasses import dataclass

from host_sdk.board import native_module, rom_update, romfs
from host_sdk.board.devices.base import MOST_ROMFS_BYTES
from host_sdk.board.remote import Remote, require_module
from host_sdk.errors import MotionletError
from host_sdk.format.mlet import ALIGN, TARGETS
from host_sdk.pack import mlet_file
from host_sdk.pack.packing import plan_and_pack, plan_for

OPEN_ROM = """
try:
    import vfs
    _rom = vfs.rom_ioctl(2, 0) if hasattr(vfs, 'rom_ioctl') else None
    _size = 0 if _rom is None or isinstance(_rom, int) else len(memoryview(_rom))
    if _size and not hasattr(_rom, 'writeblocks'):
        _size = 0
except ImportError:
    _size = 0
print(json.dumps(_size))
"""


@dataclass
class Deployed:
    """What `deploy` did."""

    path: str  # on the device
    bytes: int
    where: str  # "rom" or "files"
    device: str
    target: str  # whose kernels it is packed for


def deploy(device, data, name, where="auto", erase=False, progress=None, target=None):
    """Write the model `data` (bytes of an .mlet file) to `device` under the file name `name`.

    It is packed anew for the kernels in the device's firmware, or for `target`. `where`: "rom",
    "files", or "auto" for ROMFS where the device has one. `erase` first forgets everything in
    ROMFS (an interruption then leaves no model). `progress(done, total)` counts bytes. Returns
    `Deployed`; raises MotionletError, having changed nothing, when the device has no module, or one
    that lacks what the model needs or reads only an older format, or has no room or no memory.
    """
    graph = mlet_file.read(data)[0]
    romfs.check_path(name)
    module = require_module(device)
    reads = module["format_version"]
    chains = "chains" in module["groups"]
    plan, data = plan_and_pack(graph, target or module["target"], reads, chains)
    native_module.check(device.name, module, native_module.needs(graph, plan))
    version = mlet_file.version_of(data)
    if version > reads:
        raise MotionletError(
            f"the model has format {version}, {device.name} reads {reads}: update its firmware"
        )
    remote = Remote(device)
    rom_bytes = remote.json(OPEN_ROM, range(MOST_ROMFS_BYTES))
    if where == "rom" and not rom_bytes:
        raise MotionletError(f"{device.name} has no ROMFS that can be written; use --to files")
    to_rom = rom_bytes > 0 and where != "files"
    chained = plan.stream_bytes
    if not chains and module["target"] in TARGETS:
        chained = plan_for(graph, module["target"])[1].stream_bytes
    _check_ram(remote, plan.stream_bytes, 0 if to_rom else len(data), chained)
    if to_rom:
        path = f"/rom/{name}"
        _write_rom(remote, rom_bytes, name, data, erase, progress)
    else:
        path = f"/{name}"
        _write_file(remote, path, data, progress)
    crc = device.file_crc(path)
    if crc != zlib.crc32(data):
        raise MotionletError(
            f"{path} on {device.name} has CRC {crc:08x} after writing, {zlib.crc32(data):08x} "
            "was sent: its flash may be worn"
        )
    device.exec(f"import gc, motionlet\ngc.collect()\nmotionlet.load({path!r})")
    where = "rom" if to_rom else "files"
    return Deployed(path, len(data), where, device.name, target or module["target"])


def _check_ram(remote, stream_bytes, model_bytes, chained_bytes):
    """Raise MotionletError unless the device has memory for a stream and a model's copy (or 0).

    chained_bytes: of the stream, on a module that runs chains of rows.
    """
    total = stream_bytes + model_bytes
    fits, free = remote.can_allocate(total)
    if not fits:
        detail = f" ({model_bytes} for the model, which ROMFS would spare)" if model_bytes else ""
        psram = " and no PSRAM for a model of this size" if remote.lacks_psram() else ""
        saved = stream_bytes - chained_bytes
        chains = f"; `host_sdk install --for` it, which saves {saved}" if saved > 0 else ""
        raise MotionletError(
            f"the model needs {total} bytes of memory in one piece{detail}; "
            f"{remote.device.name} has {free} free{psram}{chains}"
        )


def _write_rom(remote, rom_bytes, name, data, erase, progress):
    device = remote.device
    room = rom_bytes - rom_update.BLOCK
    if len(data) > room:
        raise MotionletError(f"the model has {len(data)} bytes, the ROMFS of {device.name} {room}")
    partition = b"\xff" * rom_bytes if erase else _Partition(remote, rom_bytes)
    update = rom_update.plan_update(partition, name, data)
    total = sum(len(content) for _, content in update.data) + len(update.directory)
    done = 0
    for offset, content in update.data:
        for at in range(0, len(content), rom_update.BLOCK):
            _write_block(remote, offset + at, content[at : at + rom_update.BLOCK])
            done += rom_update.BLOCK
            if progress:
                progress(done, total)
    # Up to here the old directory was in force. This is one call on the device, so that only a
    # loss of power in these few hundredths of a second can leave neither.
    _write_block(remote, 0, update.directory)
    if progress:
        progress(total, total)
    remote.restart()


def _write_block(remote, offset, block):
    crc = remote.json(
        f"_rom.writeblocks({offset // rom_update.BLOCK}, _unpack({remote.packed(block)}))\n"
        f"gc.collect()\n"
        f"print(json.dumps(binascii.crc32(memoryview(_rom)[{offset}:{offset + len(block)}])"
        f" & 0xffffffff))"
    )
    if crc != zlib.crc32(block):
        raise MotionletError(
            f"block {offset // rom_update.BLOCK} of the ROMFS of {remote.device.name} does not "
            "hold what was written: its flash may be worn"
        )


class _Partition:
    """The ROMFS partition of a device, sliced like bytes; each piece is fetched once."""

    PIECE = 512

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


def _write_file(remote, path, data, progress):
    free = remote.free_file_bytes()
    if free < len(data) + ALIGN:
        raise MotionletError(
            f"the model has {len(data)} bytes, the filesystem of {remote.device.name} has "
            f"{free} free (an old model of that name keeps its place until the new one is whole)"
        )
    remote.device.write_file(path, data, progress=progress)
