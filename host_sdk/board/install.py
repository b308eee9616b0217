"""Put Motionlet onto MicroPython that was built without it: a native module, no flashing.

The package for the device's architecture goes to /lib: a module with what is wanted of it (see
native_module), and the Python package. Every reason why it could not work there is found before the
first byte is written.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from host_sdk import paths
from host_sdk.board import native_module
from host_sdk.board.modules import COMPATIBLE, describe_mpy, find_module, hidden, look
from host_sdk.board.mpy_link import MODULE
from host_sdk.board.remote import Remote
from host_sdk.errors import DeviceError, MotionletError

ABI = (6, 3)  # of the packages; as in tools/build_natmod.py
ARMV6M_MINIMUM = (1, 24)  # before, a module of more than 2 KB did not load there
SPARE_BYTES = 8192  # of heap, for what the module sets up, and the script that imports it

_EXISTING = """
import json, os
def _crc(path):
    from binascii import crc32
    try:
        with open(path, "rb") as file:
            crc = 0
            while piece := file.read(512):
                crc = crc32(piece, crc)
            return crc
    except OSError:
        return -1
# A file where the package's folder is to be: nothing imports it.
try:
    if not os.stat("/lib/motionlet")[0] & 0x4000:
        os.remove("/lib/motionlet")
except OSError:
    pass
print(json.dumps([_crc(path) for path in {paths!r}]))
"""
_IMPORT = """
import gc, json
gc.collect()
_before = gc.mem_alloc()
import motionlet
gc.collect()
print(json.dumps((motionlet.VERSION, gc.mem_alloc() - _before)))
"""


@dataclass
class Installed:
    """What `install` did. `ram_bytes` is what the imported package takes of the heap.

    arch is "" when the firmware has Motionlet built in and nothing was written.
    """

    device: str
    arch: str
    version: str
    bytes: int
    ram_bytes: int


@dataclass
class Package:
    """The files of a package for one architecture: {path under /lib: bytes}, the module first."""

    arch: str
    files: dict
    ram_bytes: int  # in one piece, for the module's code

    @property
    def bytes(self):
        return sum(len(data) for data in self.files.values())


def package_arch(device, facts):
    """Return the architecture of the package that `device` takes.

    facts: device.implementation(). Raises MotionletError if its MicroPython loads none.
    """
    name, version = device.name, facts["version"]
    if facts["name"] != "micropython":
        raise MotionletError(f"{name} runs {facts['name']}, not MicroPython")
    if not facts["mpy"]:
        raise MotionletError(f"{name}: its MicroPython {version} loads no .mpy files")
    arch, abi = describe_mpy(facts["mpy"])
    if arch == "none":
        raise MotionletError(
            f"{name}: its MicroPython {version} loads no native modules; flash Motionlet's firmware"
        )
    if abi != ABI:
        raise MotionletError(
            f"{name}: its MicroPython {version} loads .mpy files of version {_dotted(abi)}, "
            f"the package has {_dotted(ABI)}: update its firmware to 1.23 or later"
        )
    numbers = tuple(int(word) if word.isdigit() else 0 for word in version.split(".")[:2])
    if arch == "armv6m" and numbers < ARMV6M_MINIMUM:
        raise MotionletError(
            f"{name}: MicroPython {version} does not load modules of this size on {arch}: "
            f"update its firmware to {_dotted(ARMV6M_MINIMUM)} or later"
        )
    return COMPATIBLE.get(arch, arch)


def _dotted(numbers):
    return ".".join(map(str, numbers))


def make_package(arch, wanted="core", models=(), said=None):
    """Return the `Package` for an architecture.

    wanted: "core", with what these `models` (graphs) need besides; "full"; or "models", for no more
    than they need. Where nothing can be linked, it has a module that came ready; `said` is called
    with a line that says so.
    """
    try:
        base = native_module.CONFIGURATIONS.get(wanted, native_module.NOTHING)
        selection = native_module.made_for(models, arch, base)
        module = native_module.link(arch, selection).mpy
    except MotionletError as error:
        name = "full" if wanted == "models" or models else wanted
        ready = native_module.folder() / arch / f"{name}.mpy"
        if not ready.exists():
            raise MotionletError(f"no package for {arch}: {error}") from None
        if said:
            said(f"{error}: taking the module `{name}` that came ready")
        module = ready.read_bytes()
    sources = sorted(paths.data("device/motionlet").glob("*.py"))
    files = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sources}
    return Package(arch, {MODULE: module, **files}, len(module))


def read_package(folder, arch):
    """Read a package's folder; raises MotionletError unless it is whole and for `arch`.

    arch: None when any will do.
    """
    folder = Path(folder)
    try:
        listed = json.loads((folder / "package.json").read_text(encoding="utf-8"))["urls"]
        files = {target: (folder / source).read_bytes() for target, source in listed}
        module = files.pop(MODULE)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MotionletError(f"{folder} is no package of Motionlet ({error})") from None
    if len(module) < 4 or module[:1] != b"M":
        raise MotionletError(f"{folder / MODULE} is not a .mpy file")
    built, abi = describe_mpy(module[1] | module[2] << 8)
    if arch not in (None, built):
        raise MotionletError(f"{folder / MODULE} is for {built}, the device takes {arch}")
    if abi != ABI:
        raise MotionletError(
            f"{folder / MODULE} has version {_dotted(abi)}, the device loads {_dotted(ABI)}"
        )
    return Package(built, {MODULE: module, **files}, len(module))


def install(device, folder=None, progress=None, wanted="core", models=(), said=None):
    """Install Motionlet on `device`; return `Installed`.

    folder: of a package; by default one is made for the device, with what is `wanted` for which
    `models`, and `said` is told what there is to say: see make_package(). Nothing is written where
    Motionlet is part of the firmware, and no file that is there already. progress: called with
    (bytes done, bytes in all).

    Raises MotionletError, having written nothing, when the device's MicroPython cannot load the
    package, when the package is not for it, when something else hides it from `import`, or when its
    file system or its heap has no room. A file of ours that is there is not imported: what is wrong
    with it, cut or for another processor, does not matter.
    """
    if folder:
        read_package(folder, None)
    device.reset()
    facts = device.implementation()
    remote = Remote(device)
    built_in, *paths_there = look(device)
    if built_in:
        return Installed(device.name, "", find_module(device)["version"], 0, 0)
    for path in paths_there:
        if path and not path.startswith(("/lib/", "/rom/")):
            raise MotionletError(hidden(device.name, path))
    arch = package_arch(device, facts)
    package = read_package(folder, arch) if folder else make_package(arch, wanted, models, said)
    _check_room(remote, package)
    targets = [f"/lib/{path}" for path in package.files]
    existing = remote.json(_EXISTING.format(paths=targets), (range(-1, 1 << 32),) * len(targets))
    written = done = 0
    for path, data, crc in zip(targets, package.files.values(), existing, strict=True):
        if crc != zlib.crc32(data):

            def on_chunk(count, _, done=done):
                if progress:
                    progress(done + count, package.bytes)

            device.write_file(path, data, progress=on_chunk)
            written += len(data)
        done += len(data)
    device.reset()
    try:
        version, ram_bytes = remote.json(_IMPORT, (str, range(-(1 << 31), 1 << 31)))
    except DeviceError as error:
        raise MotionletError(f"{device.name}: written, but it does not import: {error}") from None
    return Installed(device.name, arch, version, written, ram_bytes)


def _check_room(remote, package):
    name = remote.device.name
    fits, free = remote.can_allocate(package.ram_bytes)
    if not fits or free < package.ram_bytes + SPARE_BYTES:
        raise MotionletError(
            f"the module needs {package.ram_bytes} bytes of memory in one piece and "
            f"{SPARE_BYTES} more; {name} has {free} free"
        )
    room = remote.free_file_bytes()
    # Every old file stays until the new one is whole.
    if room < package.bytes + 2 * 4096:
        raise MotionletError(
            f"the package has {package.bytes} bytes, the filesystem of {name} has {room} free"
        )
