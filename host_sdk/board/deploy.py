"""Put a model on a device, in ROMFS, where it is used in flash, or in the filesystem; remove it.

Whatever happens half-way, a model still loads under that name, the one that was there before or
the new one: into ROMFS, the new one goes to free blocks and becomes visible with the last bit (see
rom_update.py); into the filesystem, it is written under another name and renamed (see
`Device.write_file`). And the device has to run it before it takes an old one's place.
"""

import zlib
from dataclasses import dataclass

from host_sdk.board import native_module, romfs
from host_sdk.board.modules import check_name
from host_sdk.board.remote import Remote, require_module, slow_word
from host_sdk.board.rom import Rom
from host_sdk.board.rom_update import BLOCK
from host_sdk.errors import DeviceError, MotionletError
from host_sdk.format.mlet import ALIGN, MACS_LIMIT, TARGETS
from host_sdk.pack import mlet_file
from host_sdk.pack.packing import plan_and_pack, plan_for

TRIAL_MACS = 10_000_000  # of a frame that is tried: some seconds on a virtual Pico

# Opens a model, and runs a frame of zeros if there is memory for one beside it.
TRIAL = """
import gc, motionlet
gc.collect()
_tried = _zeros = None
try:
    _tried = {model}
    try:
        _zeros = [{frames}]
    except MemoryError:
        pass
    if _zeros:
        _tried.stream().push(*_zeros)
finally:
    _tried = _zeros = None
    gc.collect()
"""
REMOVE_FILE = """
import os
_found = False
for _path in ({path!r} + '.new', {path!r}):
    try:
        os.remove(_path)
        _found = True
    except OSError as error:
        if error.errno != 2:
            raise
print(json.dumps(_found))
"""


@dataclass
class Deployed:
    """What `deploy` did."""

    path: str  # on the device
    bytes: int
    where: str  # "rom" or "files"
    device: str
    target: str  # whose kernels it is packed for


def deploy(
    device,
    data,
    name,
    where="auto",
    erase=False,
    progress=None,
    target=None,
    macs_limit=MACS_LIMIT,
):
    """Write the model `data` (bytes of an .mlet file) to `device` under the file name `name`.

    It is packed anew for the kernels in the device's firmware, or for `target`. `where`: "rom",
    "files", or "auto" for ROMFS where the device has one. `erase` first forgets everything in
    ROMFS (an interruption then leaves no model). `progress(done, total)` counts bytes. Returns
    `Deployed`; raises MotionletError, having changed nothing, when the device has no module, or one
    that lacks what the model needs or reads only an older format, or has no room or no memory, or
    does not run the model; when the name hides a module that boards import; and for a model of more
    multiply-accumulates a frame than `macs_limit`, unless that is None.
    """
    graph = mlet_file.read(data)[0]
    romfs.check_path(name)
    check_name(name)
    _check_macs(graph, macs_limit)
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
    rom = Rom(remote)
    if where == "rom" and not rom.size:
        raise MotionletError(f"{device.name} has no ROMFS that can be written; use --to files")
    to_rom = rom.size > 0 and where != "files"
    chained = plan.stream_bytes
    if not chains and module["target"] in TARGETS:
        chained = plan_for(graph, module["target"])[1].stream_bytes
    _check_ram(remote, plan.stream_bytes, 0 if to_rom else len(data), chained)
    if to_rom:
        path = f"/rom/{name}"
        room = rom.size - BLOCK
        if len(data) > room:
            raise MotionletError(
                f"the model has {len(data)} bytes, the ROMFS of {device.name} {room}"
            )

        def trial(there):
            _try(
                device,
                f"motionlet.Model({there}, {path!r}{', True' if slow_word(graph) else ''})",
                graph,
            )

        rom.update(name, data, erase, progress, trial)
    else:
        path = f"/{name}"
        _write_file(remote, path, data, progress, graph)
    crc = device.file_crc(path)
    if crc != zlib.crc32(data):
        raise MotionletError(
            f"{path} on {device.name} has CRC {crc:08x} after writing, {zlib.crc32(data):08x} "
            "was sent: its flash may be worn"
        )
    device.ask(f"import gc, motionlet\ngc.collect()\nmotionlet.load({path!r}{slow_word(graph)})")
    where = "rom" if to_rom else "files"
    return Deployed(path, len(data), where, device.name, target or module["target"])


def _check_macs(graph, limit):
    """Raise MotionletError for a model of more multiply-accumulates in a frame than the limit."""
    if limit is not None and graph.most_macs > limit:
        raise MotionletError(
            f"the model takes {graph.most_macs:,} multiply-accumulates a frame, more than "
            f"{limit:,}: minutes on a microcontroller, which answers nobody meanwhile; --slow "
            "deploys it anyway"
        )


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


def _write_file(remote, path, data, progress, graph):
    free = remote.free_file_bytes()
    if free < len(data) + ALIGN:
        raise MotionletError(
            f"the model has {len(data)} bytes, the filesystem of {remote.device.name} has "
            f"{free} free (an old model of that name keeps its place until the new one is whole)"
        )

    def trial(there):
        _try(remote.device, f"motionlet.load({there!r}{slow_word(graph)})", graph)

    remote.device.write_file(path, data, progress=progress, trial=trial)


def _try(device, model, graph):
    """Raise MotionletError unless the device opens the model and runs a frame, if that is short.

    model: an expression for it there.
    """
    frames = ""
    if graph.most_macs <= TRIAL_MACS:
        frames = ", ".join(f"bytes({size})" for size in _frame_bytes(graph))
    try:
        device.ask(TRIAL.format(model=model, frames=frames))
    except DeviceError as error:
        if not error.traceback:
            raise  # it is gone
        raise MotionletError(
            f"{device.name} does not run the new model, what was there stays: "
            f"{error.traceback.splitlines()[-1]}"
        ) from None


def _frame_bytes(graph):
    """Return the bytes of a frame for each input."""
    for each in graph.inputs:
        wide = each.pixel_format != "raw" and each.normalization.sample_type == "int16"
        yield graph.tensors[each.tensor].size * (2 if wide else 1)


def remove_model(remote, name):
    """Remove a model from the device of a `Remote`; return the paths that it had, a list.

    name: as `deploy` takes it, wherever it lies, or a whole path: "/rom/wave.mlet", "/wave.mlet".
    Into a ROMFS that writes a new directory, in the way that `deploy` does, so that power may fail.
    Raises MotionletError, having changed nothing, when there is no such file.
    """
    inner = name.removeprefix("/rom/")
    removed = []
    romfs.check_path(inner.removeprefix("/"))
    if inner != name or not name.startswith("/"):
        rom = Rom(remote)
        if rom.size:
            rom.settle()
            if inner in rom.files():
                rom.update(inner, None)
                removed.append(f"/rom/{inner}")
    if inner == name:
        path = "/" + name.removeprefix("/")
        if remote.json(REMOVE_FILE.format(path=path), bool):
            removed.append(path)
    if not removed:
        raise MotionletError(f"{remote.device.name} has no file {name}")
    return removed
