"""Devices for the tests: the unix port and the virtual Pico, or the real board you name.

pytest                          on both
pytest --device=unix            on one of them
pytest --device=/dev/ttyACM0    on a board
"""

import subprocess
import sys
import time

import pytest

from host_sdk import paths
from host_sdk.bench import measure as bench
from host_sdk.board.devices import open_device
from host_sdk.cost.benchmarks import read_rows, stored_rows


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        metavar="DEVICE",
        help="run device tests on this one only: unix, virtual, or a serial port",
    )


BEGIN = pytest.StashKey[float]()


def pytest_configure(config):
    config.stash[BEGIN] = time.time()


def pytest_terminal_summary(terminalreporter, config):
    """Say what moved against the stored table, of what this run, in any process, measured anew."""
    for path in sorted((paths.build() / "bench").glob("*.json")):
        if path.stat().st_mtime >= config.stash[BEGIN]:
            for line in bench.describe_changes(stored_rows(), read_rows(path)):
                terminalreporter.write_line(line)


def pytest_generate_tests(metafunc):
    if "device_name" in metafunc.fixturenames:
        one = metafunc.config.getoption("--device")
        names = [one] if one else ["unix", "virtual"]
        metafunc.parametrize("device_name", names, scope="session")


@pytest.fixture(scope="session")
def build_firmware():
    """A function that builds a board's firmware, unless it is up to date; options may follow.

    It fails with the builder's own words.
    """

    def build(board, *options):
        tool = paths.repository() / "tools/build_firmware.py"
        command = [sys.executable, tool, board, *options]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            pytest.fail(f"build_firmware.py {board}: {done.stderr}", pytrace=False)

    return build


@pytest.fixture(scope="session")
def unix_firmware(build_firmware):
    """The unix port's program."""
    build_firmware("unix")
    return paths.build() / "firmware/unix/micropython"


@pytest.fixture(scope="session")
def pico_firmware(build_firmware):
    """The firmware of boards/MOTIONLET_PICO."""
    build_firmware("MOTIONLET_PICO")
    return paths.build() / "firmware/MOTIONLET_PICO/firmware.uf2"


@pytest.fixture(scope="session")
def stock_firmware(build_firmware):
    """MicroPython's own firmware for the Pico, without Motionlet."""
    build_firmware("RPI_PICO")
    return paths.build() / "firmware/RPI_PICO/firmware.uf2"


@pytest.fixture(scope="session")
def unix_device(unix_firmware, tmp_path_factory):
    """The unix port, one for all tests."""
    with open_device("unix", directory=tmp_path_factory.mktemp("unix")) as device:
        yield device


@pytest.fixture(scope="session")
def virtual_pico(pico_firmware, tmp_path_factory):
    """The virtual Pico, one for all tests."""
    flash = tmp_path_factory.mktemp("virtual") / "flash"
    with open_device("virtual", flash=flash) as device:
        yield device


@pytest.fixture(scope="session")
def named_device(device_name, request):
    """The device that --device names, or each of the two in turn; not restarted in between."""
    fixtures = {"unix": "unix_device", "virtual": "virtual_pico"}
    if device_name in fixtures:
        yield request.getfixturevalue(fixtures[device_name])
        return
    with open_device(device_name) as device:
        yield device


@pytest.fixture
def device(named_device):
    """The same, with MicroPython freshly started."""
    named_device.reset()
    return named_device
