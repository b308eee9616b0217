"""The files of tests/device on the unix port, the virtual Pico and an Xtensa core in QEMU.

With --device on a board.

Each file is a script for MicroPython that prints OK or raises; Skip when a build lacks what it is
for.
"""

import re
import shutil
import subprocess
import sys

import pytest
import support
from qemu import BOARDS, QemuDevice, need_program

from host_sdk import paths
from host_sdk.board.devices import open_device
from host_sdk.board.romfs import build_romfs
from host_sdk.errors import DeviceError

ROOT = paths.repository()
SCRIPTS = sorted((ROOT / "tests/device").glob("test_*.py"))
ON_BOARD = "/motionlet_tests"  # where the vectors lie on a board, until the tests are done
XTENSA = "XTENSA_SIM"
TIMEOUT = 300  # seconds a script may take, on a busy machine


def pytest_generate_tests(metafunc):
    if "target" in metafunc.fixturenames:
        one = metafunc.config.getoption("--device")
        metafunc.parametrize(
            "target", [one] if one else ["unix", "virtual", XTENSA], indirect=True, scope="module"
        )


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """{name: bytes} of all that the scripts read: golden vectors, what they share, the examples."""
    dest = tmp_path_factory.mktemp("vectors")
    subprocess.run([sys.executable, ROOT / "tools/make_vectors.py", "--dest", dest], check=True)
    for name in ("testlib", "examplelib"):
        shutil.copy(ROOT / f"tests/device/{name}.py", dest)
    for source in (ROOT / "device/examples").glob("*/*.py"):
        name = f"{source.parent.name}_main.py" if source.stem == "main" else source.name
        shutil.copy(source, dest / name)
    for number, readme in enumerate(("README.md", "device/README.md")):
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / readme).read_text(), re.DOTALL)
        (dest / f"readme_loop_{number}.py").write_text(blocks[0])
    return {path.name: path.read_bytes() for path in sorted(dest.iterdir())}


@pytest.fixture(scope="module")
def target(request, vectors, tmp_path_factory):
    """A device, and the directory on it that holds the vectors."""
    spec = request.param
    image = build_romfs(vectors)
    directory = tmp_path_factory.mktemp("device")
    if spec == "unix":
        request.getfixturevalue("unix_firmware")
        with open_device(spec, directory=directory) as device:
            device.write_romfs(image)
            yield device, "/rom"
    elif spec == "virtual":
        request.getfixturevalue("pico_firmware")
        (directory / "romfs").write_bytes(image)
        flash, romfs = directory / "flash", directory / "romfs"
        with open_device(spec, flash=flash, romfs=romfs) as device:
            yield device, "/rom"
    elif spec == XTENSA:
        need_program(BOARDS[spec])
        firmware = paths.build() / f"firmware/{spec}_motionlet"
        module = ROOT / "native_modules/motionlet"
        request.getfixturevalue("build_firmware")(spec, "--user-module", module, "--out", firmware)
        with QemuDevice(spec, firmware / "firmware.elf", vectors, directory) as device:
            yield device, "/rom"
    else:
        # A board's ROMFS is its owner's.
        with open_device(spec) as device:
            for name, data in vectors.items():
                device.write_file(f"{ON_BOARD}/{name}", data)
            yield device, ON_BOARD
            names = [f"{ON_BOARD}/{name}" for name in vectors]
            device.exec(f"import os\nfor name in {names}: os.remove(name)\nos.rmdir({ON_BOARD!r})")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_on_device(target, script):
    device, directory = target
    run(device, script, {"VECTORS": directory})


def run(device, script, names=None):
    """Run a script on a freshly started device; fail or skip as it says; note what passed."""
    device.reset()
    for name, value in (names or {}).items():
        device.exec(f"{name} = {value!r}")
    try:
        said = device.exec(script.read_text(), timeout=TIMEOUT).strip().splitlines()
    except DeviceError as error:
        why = (error.traceback or str(error)).strip()
        if why.splitlines()[-1].startswith("Skip: "):
            pytest.skip(why.splitlines()[-1])
        pytest.fail(why, pytrace=False)
    assert said[-1:] == ["OK"]
    support.record(device, script.stem)
