"""ulab's arrays on a firmware that has them: ulab of ULAB_DIR, or a stand-in that behaves alike."""

import os
from pathlib import Path

import pytest
from test_on_device import run, vectors  # noqa: F401 (a fixture)

from host_sdk import paths
from host_sdk.board.devices import open_device
from host_sdk.board.romfs import build_romfs

TESTS = paths.repository() / "tests"


@pytest.mark.parametrize("script", ["test_ulab", "test_buffers", "test_thermal"])
def test_with_ulab(build_firmware, vectors, tmp_path, script):  # noqa: F811
    ulab = os.environ.get("ULAB_DIR")
    module = Path(ulab) / "code" if ulab else TESTS / "ulab_stand_in"
    folder = paths.build() / f"firmware/unix_{'ulab' if ulab else 'stand_in'}"
    build_firmware("unix", "--user-module", module, "--out", folder)
    with open_device("unix", directory=tmp_path, program=folder / "micropython") as device:
        device.write_romfs(build_romfs(vectors))
        run(device, TESTS / f"device/{script}.py", {"VECTORS": "/rom"})
