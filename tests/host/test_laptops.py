"""Laptops that lack what Linux has: POSIX modules, programs, a compiler, UTF-8 on the terminal."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_flash import drive  # noqa: F401  (a fixture)

from host_sdk import native, paths
from host_sdk.board import devices
from host_sdk.errors import MotionletError
from host_sdk.evaluation.inference import Int8Network
from host_sdk.format.graph import save_graph
from host_sdk.native import core_library

WITHOUT_POSIX = Path(__file__).parent / "without_posix"

EVERY_HELP = """\
import sys
from host_sdk.cli import main

def show(command, words):
    sys.stdout.flush()
    try:
        command.main([*words, "--help"], prog_name="host_sdk")
    except SystemExit as end:
        assert end.code == 0, words
    return getattr(command, "commands", {})

for name, command in show(main, []).items():
    for part in show(command, []).values():
        show(part, [])
"""


@pytest.fixture
def checkout(tmp_path):
    """A fresh checkout in which nothing was built, under a path with a space and an accent."""
    root = tmp_path / "Jérôme's work"
    sources = paths.repository()
    shutil.copytree(sources / "host_sdk", root / "host_sdk", ignore=lambda *_: ["__pycache__"])
    for name in ("boards", "device", "native_modules", "tools"):
        (root / name).symlink_to(sources / name)
    return root


@pytest.fixture
def laptop(checkout, tmp_path):
    """Run Python there without POSIX modules and programs: laptop("-m", …) -> CompletedProcess."""

    def run(*words, **variables):
        environment = {
            "PATH": os.devnull,
            "PYTHONPATH": os.pathsep.join(map(str, (WITHOUT_POSIX, checkout))),
            "HOME": str(tmp_path),
            **variables,
        }
        command = [sys.executable, *map(str, words)]
        return subprocess.run(
            command, capture_output=True, encoding="utf-8", env=environment, cwd=tmp_path
        )

    return run


@pytest.fixture
def cli(laptop):
    """Run a command there: cli("pack", "x") -> what it printed; it must succeed."""

    def run(*words, **variables):
        done = laptop("-m", "host_sdk.cli", *words, **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def model(tiny, tmp_path):
    """A model beside its graph."""
    save_graph(tiny[0], tmp_path / "mödel.graph")
    path = tmp_path / "mödel.mlet"
    path.write_bytes(tiny[1])
    return path


def one_error(done):
    """Return the one line of a command that failed."""
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    return line


def test_every_help(laptop):
    for encoding in ("utf-8", "ascii"):
        done = laptop("-c", EVERY_HELP, PYTHONIOENCODING=encoding)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Usage:") > 20


def test_pack_and_inspect_need_no_compiler(cli, model, tiny, tmp_path):
    cli("pack", "mödel.graph", "-o", "again é.mlet")
    assert (tmp_path / "again é.mlet").read_bytes() == tiny[1]
    shown = json.loads(cli("inspect", "again é.mlet", "--json"))
    assert shown["stream_bytes"] == native.Model(tiny[1]).stream_bytes


def test_without_a_compiler_the_golden_model_answers(tiny, tmp_path, monkeypatch):
    clips = np.random.default_rng(0).integers(0, 256, (3, 4, *native_shape(tiny)), np.uint8)
    in_c = Int8Network(tiny[1]).logits(clips)
    monkeypatch.setattr(paths, "build", lambda: tmp_path)
    monkeypatch.setattr(core_library, "find_compiler", no_compiler)
    native.library.cache_clear()
    try:
        assert np.array_equal(Int8Network(tiny[1]).logits(clips), in_c)
    finally:
        native.library.cache_clear()


def native_shape(tiny):
    return native.Model(tiny[1]).input.shape


def no_compiler():
    raise native.NoCompilerError("none")


def test_what_needs_programs_names_them(laptop, model):
    said = one_error(laptop("-m", "host_sdk.cli", "firmware", "build"))
    assert "arm-none-eabi-gcc" in said
    assert "(on Windows, in WSL)" in said


@pytest.mark.slow
def test_the_compiler_of_pypi(laptop, model):
    """Where there is no other, `python -m ziglang cc` compiles the core."""
    verify = ("-m", "host_sdk.cli", "verify", model, "--device", "cffi", "--frames", 2, "--json")
    hidden = "import sys; sys.modules['ziglang'] = None; from host_sdk.cli import main; main()"
    said = one_error(laptop("-c", hidden, *verify[2:]))
    assert "`pip install ziglang`" in said
    assert "apt-get install gcc libc6-dev" in said
    done = laptop(*verify)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["differing_bytes"] == 0


@pytest.mark.slow
def test_a_device_on_a_tcp_port(cli, model, tiny, checkout, pico_firmware):
    """Without pseudo-terminals the virtual Pico is a TCP port, and keeps its flash all the same."""
    native.library()  # compiled by Zig there, and here in any way
    (checkout / "build").mkdir()
    for name in ("native", "firmware"):
        (checkout / "build" / name).symlink_to(paths.build() / name)
    done = json.loads(cli("deploy", model, "--device", "virtual", "--json"))
    assert done["path"] == "/rom/mödel.mlet"
    assert done["target"] == "cortex_m0plus"
    where = ("--device", "virtual", "--path", done["path"], "--frames", 2, "--json")
    assert json.loads(cli("verify", model, *where))["differing_bytes"] == 0
    assert len(cli("run", model, *where).splitlines()) == 2


def test_firmware_is_copied_to_a_drive(cli, drive, pico_firmware):  # noqa: F811
    cli("firmware", "flash", "--image", pico_firmware, "--drive", drive)
    assert (drive / "firmware.uf2").read_bytes() == pico_firmware.read_bytes()


def test_the_bootloaders_drive_on_windows(drive, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)  # where E:/ is a folder as good as any
    drive.rename("E:")
    monkeypatch.setattr(sys, "platform", "win32")
    assert devices.find_bootsel_drives() == [Path("E:/")]
    with pytest.raises(MotionletError, match="runs on Linux and macOS, not on Windows"):
        devices.open_device("unix")
