"""Native modules of one version of MicroPython in the firmware of another.

    MOTIONLET_MODULES=DIR:DIR… pytest tests/host/test_versions.py

The folders are those that tools/build_natmod.py fills, build/dist, from other versions' sources;
firmware is built from MICROPYTHON_DIR, or else from the pinned version. tools/try_versions.py does
that for all pairs.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from qemu import BOARDS, QemuDevice, need_program
from test_natmod import (
    build_natmod,
    frames_for,
    littlefs_image,
    unix_stock,  # noqa: F401 (a fixture)
)

from host_sdk import paths
from host_sdk.board import install, native_module
from host_sdk.board.devices import open_device
from host_sdk.errors import MotionletError
from host_sdk.golden import Stream
from host_sdk.pack.packing import pack_for

sys.path.append(str(paths.repository() / "tools"))

import get_sources

GIVEN = [Path(path) for path in os.environ.get("MOTIONLET_MODULES", "").split(":") if path]
if not GIVEN:
    pytest.skip("MOTIONLET_MODULES names no folders of modules", allow_module_level=True)


@pytest.fixture(scope="module", params=GIVEN, ids=lambda path: path.parent.name)
def modules(request):
    """A folder of packages that were built from another version's sources."""
    return request.param


def package(arch, modules):
    """{path: bytes} of what lies in /lib."""
    folder = modules / build_natmod.directory(arch, "full").name
    if not folder.exists():
        pytest.skip(f"no {folder}: its compiler was missing")
    return install.read_package(folder, arch).files


@pytest.fixture(scope="module")
def model(make_vectors):
    """(graph, frames as bytes, what the golden model answers to each)."""
    graph = make_vectors.tiny_tsm()
    golden, frames = Stream(graph), frames_for(graph)
    answers = []
    for frame in frames:
        golden.push(frame)
        answers.append(golden.output().ravel().tolist())
    return graph, [np.asarray(frame).tobytes() for frame in frames], answers


def check(device, path, model):
    """Run a model that lies on a device; compare its answers with the golden model's."""
    _, frames, answers = model
    device.reset()
    device.exec(f"import motionlet\nstream = motionlet.load({path!r}).stream()")
    for frame, answer in zip(frames, answers, strict=True):
        assert device.eval(f"list(stream.push({frame!r}))") == answer


def test_on_the_unix_port(unix_stock, modules, model):  # noqa: F811
    for path, data in package("x64", modules).items():
        unix_stock.write_file(f"/lib/{path}", data)
    unix_stock.write_file("/tiny.mlet", pack_for(model[0], "portable"))
    check(unix_stock, "/tiny.mlet", model)


@pytest.mark.parametrize("name", BOARDS)
def test_on_qemu(name, build_firmware, modules, model, tmp_path):
    board = BOARDS[name]
    need_program(board)
    files = package(board.arch, modules)
    build_firmware(name)
    elf = paths.build() / "firmware" / name / "firmware.elf"
    content = {f"lib/{path}": data for path, data in files.items()}
    content["tiny.mlet"] = pack_for(model[0], native_module.target_of(board.arch))
    with QemuDevice(name, elf, content, tmp_path) as device:
        check(device, "/rom/tiny.mlet", model)


def test_on_the_virtual_pico(request, modules, model, tmp_path):
    try:
        get_sources.sdk_for("rp2", get_sources.micropython_dir())
    except MotionletError as error:
        pytest.skip(str(error))
    request.getfixturevalue("stock_firmware")
    files = {f"/lib/{path}": data for path, data in package("armv6m", modules).items()}
    files["/tiny.mlet"] = pack_for(model[0], "cortex_m0plus")
    littlefs_image(files, tmp_path / "lfs")
    options = {"flash": tmp_path / "flash", "littlefs": tmp_path / "lfs"}
    with open_device("virtual", board="RPI_PICO", **options) as pico:
        check(pico, "/tiny.mlet", model)
