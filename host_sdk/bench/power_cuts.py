"""What is left when power fails at any moment of a deployment: figures for robustness.json.

`deploy` itself runs, against MicroPython's unix port with flash that behaves as NOR does: a program
turns ones into zeros, an erase turns a block into ones. Every program and erase is written down;
then MicroPython's own VfsRom, VfsLfs2 and VfsFat look at what flash holds after each of them, and
at what it holds when one was torn: when it had changed some of its bits, but not all.
"""

import contextlib
import json
import random
import shutil
import struct
import tempfile
from pathlib import Path

import numpy as np

from host_sdk import paths
from host_sdk.board import rom_update
from host_sdk.board.deploy import deploy, remove_model
from host_sdk.board.devices.base import Device
from host_sdk.board.devices.unix import UnixDevice
from host_sdk.board.remote import Remote
from host_sdk.board.romfs import build_romfs
from host_sdk.errors import DeviceError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import mlet_file, planner

ROMFS_BYTES = 20 * rom_update.BLOCK
FILE_BYTES = {"littlefs": 40 * 4096, "fat": 256 * 512}
MODEL = "m.mlet"
OTHERS = {"other.bin": bytes(range(256)) * 9, "lib/deep/code.py": b"value = 41\n"}

# Flash as a block device; `_log` writes down what is done to it. FAT's sectors are written whole,
# as SD cards do it: on a medium that tears them it loses more than any order of writes can save.
FLASH = """
import os, random, struct, sys, vfs as _vfs
from binascii import crc32
_log = None
class _Flash(bytearray):
    mark, block = b'R', 4096
    def readblocks(self, block, data, offset=0):
        at = block * self.block + offset
        data[:] = memoryview(self)[at : at + len(data)]
    def writeblocks(self, block, data, offset=None):
        at = block * self.block
        if offset is None:
            for done in range(0, len(data), self.block):
                self.erase(at + done)
        self.program(at + (offset or 0), data)
    def ioctl(self, request, argument):
        if request == 4:
            return len(self) // self.block
        if request == 5:
            return self.block
        if request == 6:
            self.erase(argument * self.block)
            return 0
    def erase(self, at):
        self.note(b'E', at, b'')
        self[at : at + self.block] = b'\\xff' * self.block
    def program(self, at, data):
        self.note(b'P', at, data)
        for index, byte in enumerate(bytes(data), at):
            self[index] &= byte
    def note(self, kind, at, data):
        if _log:
            _log.write(self.mark + kind + struct.pack('<II', at, len(data)))
            _log.write(data)
            _log.flush()
class _Littlefs(_Flash):
    mark = b'L'
    def format(self):
        _vfs.VfsLfs2.mkfs(self, progsize=256)
    def mount(self):
        return _vfs.VfsLfs2(self, progsize=256)
class _Fat(_Flash):
    mark, block = b'F', 512
    def erase(self, at):
        pass
    def program(self, at, data):
        for done in range(0, len(data), 512):
            self.note(b'W', at + done, memoryview(data)[done : done + 512])
        self[at : at + len(data)] = data
    def format(self):
        _vfs.VfsFat.mkfs(self)
    def mount(self):
        return _vfs.VfsFat(self)
_CLASSES = {'rom': _Flash, 'littlefs': _Littlefs, 'fat': _Fat}
class _Vfs:
    def rom_ioctl(self, request, argument):
        return _rom
for _name in dir(_vfs):
    if _name[0] != '_':
        setattr(_Vfs, _name, staticmethod(getattr(_vfs, _name)))
sys.modules['vfs'] = _Vfs()
_host = _vfs.VfsPosix(DIRECTORY)
def _read(name):
    with _host.open('/' + name, 'rb') as file:
        data = bytearray(_host.stat('/' + name)[6])
        file.readinto(data)
        return data
def _boot(rom, files):
    global _rom
    _rom = rom
    for place in ('/rom', '/'):
        try:
            _vfs.umount(place)
        except OSError:
            pass
    _vfs.mount(files.mount(), '/')
    try:
        _vfs.mount(_vfs.VfsRom(rom), '/rom')
    except OSError:
        pass
"""

# The device: flash in files of the host, which outlast a restart.
START = """
_rom, _files = _Flash(_read('rom')), _CLASSES[KIND](_read('storage'))
if FORMAT:
    _files.format()
_log = _host.open('/log', 'ab')
_boot(_rom, _files)
def _save():
    for name, flash in (('rom', _rom), ('storage', _files)):
        with _host.open('/' + name, 'wb') as file:
            file.write(flash)
"""

# Judges what flash holds after each step of a log, from what it held before. A model may have the
# CRC of one of `wanted` (None: be missing), every other file must have its own.
JUDGE = """
import motionlet, json
def _crc(path):
    with motionlet._open(path) as file:
        return crc32(file.read())
def _look(path, wanted, others):
    try:
        motionlet.load(path)
        found = _crc(path)
    except OSError as error:
        found = None if error.errno == 2 else repr(error)
    except Exception as error:
        found = repr(error)
    if found not in wanted:
        return '{} is {}'.format(path, found)
    for name, crc in others:
        try:
            if _crc(name) != crc:
                return name + ' has changed'
        except Exception as error:
            return '{}: {!r}'.format(name, error)
    return ''
class _Cuts:
    def __init__(self, kind, path, wanted, others, torn, bits):
        self.kind, self.path, self.wanted, self.others = kind, path, wanted, others
        self.torn, self.bits = torn, bits
        self.states, self.lost = 0, []
    def see(self, flashes, deep):
        global _log
        rom, files = _Flash(flashes[0]), _CLASSES[self.kind](flashes[1])
        self.states += 1
        try:
            _boot(rom, files)
            mended = deep and rom[:3] != b'\\xd2\\xcd\\x31'
            _log = _Memory() if mended else None
            said = _look(self.path, self.wanted, self.others)
            log, _log = _log, None
        except Exception as error:
            _log = None
            said = repr(error)
        if said:
            self.lost.append(said)
        elif mended:  # that may be cut too
            self.follow([bytearray(flash) for flash in flashes], log.steps, False)
    def follow(self, flashes, steps, deep=True):
        for mark, kind, at, data in steps:
            flash = flashes[0 if mark == b'R' else 1]
            self.tear(flashes, flash, kind, at, data, deep)
            if kind == b'E':
                flash[at : at + 4096] = b'\\xff' * 4096
            elif kind == b'W':
                flash[at : at + len(data)] = data
            else:
                for index, byte in enumerate(data, at):
                    flash[index] &= byte
            self.see(flashes, deep)
    def tear(self, flashes, flash, kind, at, data, deep):
        if kind == b'W':
            return
        size = len(data) or 4096
        old = bytes(flash[at : at + size])
        torn, bits = (self.torn, self.bits) if deep else (1, min(self.bits, 4))
        if bits and kind == b'P':
            self.bit_by_bit(flashes, flash, at, old, data, bits, deep)
            flash[at : at + size] = old
        for turn in range(torn):
            for index in range(size):
                if turn == 0:  # some of its bits
                    mask = random.getrandbits(8)
                elif turn % 2:  # its first bytes
                    mask = 0 if index * (torn + 1) < size * turn else 255
                else:  # few bits, or most
                    mask = random.getrandbits(8) & random.getrandbits(8) & random.getrandbits(8)
                    mask ^= 255 if turn % 4 else 0
                if kind == b'E':
                    flash[at + index] = old[index] | 255 ^ mask
                else:
                    flash[at + index] = old[index] & (data[index] | mask)
            self.see(flashes, deep)
        flash[at : at + size] = old
    def bit_by_bit(self, flashes, flash, at, old, data, moments, deep):
        bits = [(i, 1 << k) for i in range(len(data)) if old[i] & ~data[i]
                for k in range(8) if old[i] & ~data[i] & 1 << k]
        for i in range(len(bits) - 1, 0, -1):
            j = random.randrange(i + 1)
            bits[i], bits[j] = bits[j], bits[i]
        every = -(-len(bits) // moments)
        for number, (index, bit) in enumerate(bits):
            flash[at + index] &= ~bit
            if number % every == 0:
                self.see(flashes, deep)
class _Memory:
    def __init__(self):
        self.data = b''
    def write(self, data):
        self.data += bytes(data)
    def flush(self):
        pass
    @property
    def steps(self):
        return list(_steps(self.data))
def _steps(log):
    at = 0
    while at < len(log):
        mark, kind = bytes(log[at : at + 1]), bytes(log[at + 1 : at + 2])
        offset, size = struct.unpack('<II', bytes(log[at + 2 : at + 10]))
        yield mark, kind, offset, bytes(log[at + 10 : at + 10 + size])
        at += 10 + size
def _judge(*arguments, seed):
    random.seed(seed)
    cuts = _Cuts(*arguments)
    flashes = [_read('rom'), _read('storage')]
    cuts.see(flashes, True)
    cuts.follow(flashes, _steps(_read('log')))
    print(json.dumps((cuts.states, cuts.lost)))
"""


class FlashDevice(UnixDevice):
    """The unix port with a ROMFS and a file system, "littlefs" or "fat", in simulated flash.

    romfs: what its flash holds first.
    """

    name = "simulated flash"
    _rename = Device._rename

    def __init__(self, kind="littlefs", romfs=b""):
        self.kind = kind
        self.folder = Path(tempfile.mkdtemp(prefix="power-cuts-"))
        self._format = True
        self._write(romfs.ljust(ROMFS_BYTES, b"\xff"), b"\xff" * FILE_BYTES[kind])
        super().__init__(directory=self.folder)
        self._format = False

    def _start(self):
        super()._start()
        names = f"DIRECTORY, KIND, FORMAT = {str(self.folder)!r}, {self.kind!r}, {self._format}\n"
        self.exec(names + FLASH + START)

    def _write(self, rom, files):
        (self.folder / "rom").write_bytes(rom)
        (self.folder / "storage").write_bytes(files)
        (self.folder / "log").write_bytes(b"")

    def reset(self):
        """Restart MicroPython: flash stays."""
        self.exec("_save()")
        super().reset()

    def flashes(self):
        """Return what the flash of the ROMFS and that of the file system hold."""
        self.exec("_save()")
        return [(self.folder / name).read_bytes() for name in ("rom", "storage")]

    def restart_with(self, flashes):
        """Let flash hold this, as it was found when power came back; nothing was done to it."""
        self._kill()
        self._write(*flashes)
        self._start()

    def log(self):
        """Return what was done to flash since, as `_steps` reads it."""
        return (self.folder / "log").read_bytes()

    def close(self):
        """Let go of it; its flash is gone."""
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Judge(UnixDevice):
    """The unix port that looks at what flash held at each moment of a log."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="power-cuts-"))
        super().__init__(directory=self.folder)
        self.exec(f"DIRECTORY = {str(self.folder)!r}\n" + FLASH + JUDGE)

    def look(self, kind, flashes, log, path, wanted, others, effort):
        """Return (how many states were seen, what was lost in some of them: lines).

        kind: of the file system. flashes: what they held before the log. wanted: CRCs that the
        file `path` may have, None for none. others: (path, CRC) of files that must be there.
        """
        for name, data in zip(("rom", "storage", "log"), (*flashes, log), strict=True):
            (self.folder / name).write_bytes(data)
        arguments = (kind, path, wanted, others, effort["torn"], effort["bits"])
        lines = self.exec(f"_judge{(*arguments,)!r}".removesuffix(")") + f", seed={len(log)})")
        states, lost = json.loads(lines.splitlines()[-1])
        return states, lost

    def close(self):
        """Let go of it."""
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Count:
    """States seen and lost, of changes that one judge looked at."""

    def __init__(self, judge, effort):
        self._judge, self._effort = judge, effort
        self.states, self.lost = 0, []
        self._random = random.Random(1)

    def change(self, device, path, change, again=0):
        """Cut `change(device)` everywhere; `path` is the file that it is about.

        again: for so many cuts, run it once more from there, cut everywhere too; it then has to
        end as if nothing had been.
        """
        others = [(name, crc) for name, crc in _files(device).items() if name != path]
        before, old = device.flashes(), _crc(device, path)
        device.restart_with(before)
        change(device)
        new, log = _crc(device, path), device.log()
        after = device.flashes()
        wanted = (old, new)
        self._look(device.kind, before, log, path, wanted, others, self._effort)
        for _ in range(again):
            left = cut(before, log, self._random)
            device.restart_with(left)
            with contextlib.suppress(
                DeviceError
            ):  # as main.py does; it is not there if it never was
                device.exec(f"import motionlet\nmotionlet.load({path!r})")
            if new is None and _crc(device, path) is None:
                continue  # removed
            change(device)
            if _crc(device, path) != new:
                self.lost.append(f"{path} is not the new one after another try")
            brief = {"torn": min(1, self._effort["torn"]), "bits": 0}
            self._look(device.kind, left, device.log(), path, wanted, others, brief)
        device.restart_with(after)

    def _look(self, *arguments):
        states, lost = self._judge.look(*arguments)
        self.states += states
        self.lost += lost

    def result(self):
        """Return the figures."""
        return {"states": self.states, "lost": len(self.lost)}


def _crc(device, path):
    """The CRC-32 of a file, or None."""
    try:
        return device.file_crc(path)
    except DeviceError:
        return None


_WALK = """
import os
def _walk(path):
    for entry in os.ilistdir(path):
        name = path.rstrip('/') + '/' + entry[0]
        if entry[1] == 0x4000:
            _walk(name)
        else:
            print(name)
_walk('/')
"""


def _files(device):
    """Return {path: CRC-32} of all files on a device."""
    return {path: device.file_crc(path) for path in device.exec(_WALK).split("\n") if path}


def cut(flashes, log, chance):
    """Return what flash holds when power fails at some moment of a log, mostly within a step."""
    flashes = [bytearray(flash) for flash in flashes]
    steps, at = [], 0
    while at < len(log):
        offset, size = struct.unpack_from("<II", log, at + 2)
        steps.append((log[at : at + 2], offset, log[at + 10 : at + 10 + size]))
        at += 10 + size
    last = chance.randrange(len(steps))
    for number, (what, offset, data) in enumerate(steps[: last + 1]):
        flash = flashes[what[:1] != b"R"]
        for index in range(4096) if what[1:] == b"E" else range(len(data)):
            torn = chance.getrandbits(8) if number == last and what[1:] != b"W" else 0
            if what[1:] == b"E":
                flash[offset + index] |= 255 ^ torn
            elif what[1:] == b"P":
                flash[offset + index] &= data[index] | torn
            else:
                flash[offset + index] = data[index]
    return flashes


def model(number, size=5000):
    """Return a model's file of about so many bytes, one for each number."""
    graph = Graph(labels=[f"{number} ".ljust(size, "x")], inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors = [Tensor("x", 2, 2, 1, 1.0, 0), Tensor("y", 1, 1, 1, 1.0, 0)]
    mean = {"multiplier": np.array([1 << 30], np.int32), "shift": np.array([32], np.uint8)}
    graph.ops = [Op("average_pool", "", [0], 1, **mean)]
    return mlet_file.pack(graph, planner.plan(graph))


def deploying(number, where, size=5000):
    """Return what puts a model on a device."""
    return lambda device: deploy(device, model(number, size), MODEL, where)


def removing(path):
    """Return what removes one."""
    return lambda device: remove_model(Remote(device), path)


def images(count):
    """Yield ROMFS images of other layouts, with the model and other files in them."""
    chance = random.Random(2)
    files = {MODEL: model(0), **OTHERS}
    for align in (16, 2048, 4096):
        yield build_romfs(files, align)
    for _ in range(count):
        extra = {
            f"{chance.choice(['', 'd/', 'lib/'])}{i}": chance.randbytes(
                chance.choice([9, 900, 3000])
            )
            for i in range(chance.randrange(5))
        }
        yield build_romfs({**files, **extra}, chance.choice([1, 16, 256, 2048, 4096]))


def used_up():
    """Return a ROMFS of this layout whose first block has no free slot, with files in it."""
    device_files = {**OTHERS, MODEL: model(0)}
    flash = bytearray(b"\xff" * ROMFS_BYTES)
    for path, data in device_files.items():
        update = rom_update.plan_update(flash, path, data)
        for offset, content in update.data:
            flash[offset : offset + len(content)] = content
        flash[: rom_update.BLOCK] = rom_update.first_block(ROMFS_BYTES, update.directory)
    for slot in range(rom_update.SLOT, rom_update.BLOCK - 2 * rom_update.SLOT, rom_update.SLOT):
        flash[slot + 8] = 0  # each lost power while it was filled
    return bytes(flash)


# torn: ways to tear each step; bits: moments within each program; turns: models one after another;
# images: random ones beside the three; again: cuts from which the same change is tried again.
SHORT = {"torn": 1, "bits": 4, "turns": 2, "images": 0, "again": 1}
FULL = {"torn": 3, "bits": 16, "turns": 40, "images": 4, "again": 2}


def measure(effort=None):
    """Return {"romfs": {"states", "lost"}, "littlefs": ..., "fat": ...}.

    A state is what flash holds at one moment at which power may fail; it is lost when neither the
    old nor the new file is there, or any other file is not.
    """
    return {kind: count.result() for kind, count in counts(effort or FULL).items()}


def counts(effort):
    """Return {kind: Count} of all that was tried."""
    with contextlib.closing(Judge()) as judge:
        found = {name: Count(judge, effort) for name in ("romfs", "littlefs", "fat")}
        _count_rom(found["romfs"], effort)
        for kind in ("littlefs", "fat"):
            _count_files(found[kind], kind, effort)
    return found


def _count_rom(count, effort):
    path, again = f"/rom/{MODEL}", effort["again"]
    with contextlib.closing(FlashDevice()) as device:
        device.write_file("/kept.txt", b"kept")
        for number in range(1 + effort["turns"]):
            count.change(device, path, deploying(number, "rom"), again if number < 4 else 0)
        count.change(device, path, deploying(99, "rom", size=9000), again)
        count.change(device, path, removing(path), again)
    for kind in ("littlefs", "fat"):
        for image in (used_up(), *images(effort["images"])):
            with contextlib.closing(FlashDevice(kind, image)) as device:
                device.write_file("/kept.txt", b"kept")
                count.change(device, path, deploying(1, "rom"), again)
                if image[:8] == used_up()[:8]:
                    count.change(device, path, deploying(2, "rom"))
    with contextlib.closing(FlashDevice(romfs=used_up())) as device:
        count.change(device, path, removing(path), again)


def _count_files(count, kind, effort):
    path = f"/{MODEL}"
    with contextlib.closing(FlashDevice(kind, used_up())) as device:
        for name, data in {"/lib/kept.py": b"kept = 1\n", "/data.bin": bytes(3000)}.items():
            device.write_file(name, data)
        for number in range(1 + effort["turns"]):
            again = effort["again"] if number < 4 else 0
            count.change(device, path, deploying(number, "files", 5000 - 60 * number), again)
        count.change(device, path, removing(path), effort["again"])


def figures_path():
    """Return where the figures are kept, with others of robustness."""
    return paths.repository() / "figures/robustness.json"
