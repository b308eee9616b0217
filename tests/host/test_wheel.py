"""The wheel in a fresh environment, with no checkout near and no compiler: the user's journey."""

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import venv
import zipfile
from functools import partial
from pathlib import Path

import pytest

import host_sdk
from host_sdk import golden, paths
from host_sdk.data import clips
from host_sdk.format.graph import save_graph
from host_sdk.native.core_library import PLATFORMS, this_platform

pytestmark = pytest.mark.slow

ROOT = paths.repository()
# What Python runs first in that environment: PyPI's compiler is not there, nor is the checkout,
# but for where other packages may be.
GUARD = """\
import sys
sys.modules["ziglang"] = None
def guard(event, args, root={root!r}, allowed={allowed!r}):
    if event == "open" and str(args[0]).startswith(root) and not str(args[0]).startswith(allowed):
        raise RuntimeError(f"the wheel opens {{args[0]}}")
sys.addaudithook(guard)
"""
# The demo, hardly trained, and with few frames.
DEMO = """\
from dataclasses import replace
from host_sdk.bench import demo
from host_sdk.cli import main
for name in ("CONFIG", "BASELINE"):
    few = dict(clips=90, validation_clips=18, test_clips=18, epochs=1)
    setattr(demo, name, replace(getattr(demo, name), **few))
demo.DEVICE_CLIPS, demo.SHOWN_FRAMES = 1, 1
main(["demo"])
"""


@pytest.fixture(scope="module")
def published(pico_firmware, tmp_path_factory):
    """What `make dist` makes, for this machine and the Pico alone."""
    if this_platform() not in PLATFORMS:
        pytest.skip(f"no wheel brings a library for {this_platform()}")
    out = tmp_path_factory.mktemp("dist")
    options = ["--arch", "armv6m", "--platform", this_platform(), "--out", out]
    for name in ("plain", "chains", "full"):
        options += ["--object", name]
    command = [sys.executable, ROOT / "tools/make_dist.py", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


class Environment:
    """A fresh environment with the wheel in it; packages it depends on are those of the tests."""

    def __init__(self, home, wheel):
        self.home = home
        venv.create(home / "env", symlinks=True)
        self.python = home / "env/bin/python"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python]
        subprocess.run([*pip, "install", "-q", "--no-index", "--no-deps", wheel], check=True)
        (self.site,) = (home / "env").glob("lib/python*/site-packages")
        others = [path for path in sys.path if Path(path).name.endswith("-packages")]
        guard = GUARD.format(root=f"{ROOT}/", allowed=tuple(others))
        (self.site / "guard_of_test.py").write_text(guard)
        (self.site / "guard_of_test.pth").write_text("\n".join(["import guard_of_test", *others]))
        (home / "empty").mkdir()
        self._files = self._list()

    def _list(self):
        return {path for path in self.site.rglob("*") if "__pycache__" not in path.parts}

    def start(self, *words, **options):
        """Start Python there."""
        return subprocess.Popen([self.python, *map(str, words)], **self._options(options))

    def _options(self, options):
        # No program but Python's own is to be found.
        environment = {"HOME": str(self.home), "PATH": str(self.home / "empty")}
        environment |= options.pop("variables", {})
        return {"cwd": self.home, "env": environment, "text": True, **options}

    def run(self, *words, **variables):
        """Run Python there; nothing may be left in the package itself."""
        command = [self.python, *map(str, words)]
        options = self._options({"variables": variables, "capture_output": True})
        done = subprocess.run(command, **options, timeout=400)
        assert self._list() == self._files
        return done

    def cli(self, *words):
        """Run `host_sdk` there, which must succeed; return what it printed."""
        done = self.run(self.python.with_name("host_sdk"), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words):
        """Run `host_sdk` there, which must fail with one line; return that."""
        done = self.run(self.python.with_name("host_sdk"), *words)
        assert done.returncode == 1
        (line,) = done.stderr.strip().splitlines()
        return line.removeprefix("error: ")


@pytest.fixture(scope="module")
def wheel(published, tmp_path_factory):
    """The Environment."""
    (path,) = published.glob("*.whl")
    return Environment(tmp_path_factory.mktemp("home"), path)


@pytest.fixture(scope="module")
def model(wheel, tiny):
    """A model that was packed there."""
    save_graph(tiny[0], wheel.home / "tiny.graph")
    wheel.cli("pack", "tiny.graph", "-o", "tiny.mlet")
    assert (wheel.home / "tiny.mlet").read_bytes() == tiny[1]
    return "tiny.mlet"


def test_what_is_published(published):
    version = host_sdk.__version__
    names = {path.name for path in published.iterdir()}
    wheel, source = f"motionlet-{version}-py3-none-any.whl", f"motionlet-{version}.tar.gz"
    assert names == {wheel, source, f"MOTIONLET_PICO-{version}.uf2", "mip", "SHA256SUMS"}
    sums = (line.split("  ") for line in (published / "SHA256SUMS").read_text().splitlines())
    listed = {name: digest for digest, name in sums}
    files = [path for path in published.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    assert listed == {
        path.relative_to(published).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    data = "host_sdk/_data"
    with zipfile.ZipFile(published / wheel) as file:
        inside = set(file.namelist())
    for part in (
        "native_modules/motionlet/core/mlet.h",
        "native_modules/motionlet/arch/cortex_m0plus/m0_dot.S",
        "boards/MOTIONLET_ESP32_S3/board.json",
        "device/motionlet/watch.py",
        "built/objects/armv6m/chains.o",
        "built/firmware/MOTIONLET_PICO/firmware.uf2",
    ):
        assert f"{data}/{part}" in inside
    assert not [name for name in inside if name.startswith(("tests", "tools")) or ".pyc" in name]
    with tarfile.open(published / source) as file:
        inside = file.getnames()
    assert f"motionlet-{version}/tests/host/test_wheel.py" in inside
    assert not [name for name in inside if name.split("/")[1:2] == ["build"] or "/_data/" in name]


def test_nothing_is_of_a_checkout(wheel):
    code = (
        "import importlib.util, json; from host_sdk import native, paths; native.library()\n"
        "zig = importlib.util.find_spec('ziglang')\n"
        "print(json.dumps([str(paths.checkout()), str(paths.build()), str(zig), paths.__file__]))"
    )
    checkout, build, zig, file = json.loads(wheel.run("-c", code).stdout)
    assert (checkout, zig) == ("None", "None")
    assert Path(build) == wheel.home / ".cache/motionlet"
    assert Path(file).is_relative_to(wheel.site)
    assert not Path(build, "native").exists()  # it was not compiled
    asked = wheel.run("-c", code, MOTIONLET_CACHE=str(wheel.home / "mine")).stdout
    assert Path(json.loads(asked)[1]) == wheel.home / "mine"
    assert "RuntimeError" in wheel.run("-c", f"open({str(ROOT / 'README.md')!r})").stderr


def test_the_laptop_alone(wheel, model, tiny):
    shown = json.loads(wheel.cli("inspect", model, "--json"))
    assert shown["stream_bytes"] > 0
    budget = ("--board", "MOTIONLET_PICO", "--fps", 10, "--ram", "16k", "--flash", "16k")
    assert "tsm" in wheel.cli("design", *budget, "--network", "tsm")
    verified = json.loads(wheel.cli("verify", model, "--device", "cffi", "--json"))
    assert verified["differing_bytes"] == 0


def test_the_virtual_pico(wheel, model):
    assert "virtual  ready" in wheel.cli("devices")
    done = json.loads(wheel.cli("deploy", model, "--device", "virtual", "--json"))
    assert (done["path"], done["target"]) == ("/rom/tiny.mlet", "cortex_m0plus")
    where = ("--device", "virtual", "--path", done["path"], "--frames", 2, "--json")
    assert json.loads(wheel.cli("verify", model, *where))["differing_bytes"] == 0
    assert len(wheel.cli("run", model, *where).splitlines()) == 2
    assert (wheel.home / ".cache/motionlet/virtual/MOTIONLET_PICO.flash").exists()


def test_the_demo(wheel):
    done = wheel.run("-W", "ignore", "-c", DEMO)
    assert done.returncode == 0, done.stderr
    assert "unix port: left out" in done.stdout
    report = json.loads((wheel.home / ".cache/motionlet/demo/report.json").read_text())
    assert report["differing_bytes"] == 0
    assert len(report["verified"]) == 2  # the C core here, and the virtual Pico
    assert report["firmware_module_bytes"] > 0


@pytest.fixture
def stock_port(wheel, stock_firmware):
    """The serial port of a virtual Pico that runs MicroPython's own firmware."""
    shutil.copy(stock_firmware, wheel.home / "stock.uf2")
    words = ("--board", "RPI_PICO", "--uf2", "stock.uf2", "--flash", "stock.flash", "--with-parent")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = wheel.start("-m", "host_sdk.board.virtual_pico", *words, **pipes)
    with process:
        yield process.stdout.readline().strip()


@pytest.fixture
def web_server(published):
    """dist/mip behind a web server; its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = partial(Quiet, directory=published / "mip")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_native_modules(wheel, model, tiny, stock_port, web_server, published):
    """`mpremote mip` gets one from a web server; `host_sdk` links a smaller one for a model."""
    packages = sorted(path.name for path in (published / "mip").iterdir())
    assert packages == ["armv6m_6.3", "armv6m_6.3_full"]
    mpremote = ("-m", "mpremote", "connect", stock_port)
    address = f"{web_server}/armv6m_6.3/package.json"
    got = wheel.run(*mpremote, "mip", "install", address)
    assert got.returncode == 0, got.stdout + got.stderr
    code = "import motionlet, os; print(motionlet.VERSION, os.stat('/lib/_motionlet.mpy')[6])"
    whole = (published / "mip/armv6m_6.3/_motionlet.mpy").stat().st_size
    assert wheel.run(*mpremote, "exec", code).stdout.split() == [host_sdk.__version__, str(whole)]

    done = json.loads(wheel.cli("install", "--device", stock_port, "--for", model, "--json"))
    assert done["arch"] == "armv6m"
    assert 0 < done["bytes"] < whole
    deployed = json.loads(wheel.cli("deploy", model, "--device", stock_port, "--json"))
    assert (deployed["where"], deployed["target"]) == ("files", "cortex_m0plus")
    where = ("--device", stock_port, "--path", deployed["path"], "--frames", 2, "--json")
    answers = map(json.loads, wheel.cli("run", model, *where).splitlines())
    stream, clip = golden.Stream(tiny[0]), clips.noise_clip(tiny[0], 2)
    for answer, frame in zip(answers, clips.to_input(tiny[0], clip), strict=True):
        assert answer["logits"] == stream.push(frame).ravel().tolist()


def test_what_only_a_checkout_has_is_said(wheel, model):
    assert "building firmware needs a checkout" in wheel.refused("firmware", "build")
    assert "needs a checkout" in wheel.refused("bench")
    unix = wheel.refused("verify", model, "--device", "unix")
    assert "this package has no firmware for unix: a checkout" in unix
    port = ("--board", "MOTIONLET_ESP32_S3", "--port", "/dev/ttyNONE")
    assert "no firmware for MOTIONLET_ESP32_S3" in wheel.refused("firmware", "flash", *port)
    code = "from host_sdk.board import install; install.make_package('armv7m')"
    (line,) = wheel.run("-c", code).stderr.strip().splitlines()[-1:]
    assert "no package for armv7m: this package has no object for it (but for armv6m)" in line


def test_without_a_library_it_is_compiled_from_the_sources(wheel, model, tmp_path):
    """As on a machine that no library was made for: with a compiler, and without."""
    native = wheel.site / "host_sdk/_data/built/native"
    brought = {native, *native.iterdir()}
    assert len(brought) > 1
    away = native.rename(tmp_path / "native")
    verify = ("-m", "host_sdk.cli", "verify", model, "--device", "cffi", "--frames", 1, "--json")
    wheel._files -= brought
    try:
        said = wheel.refused(*verify[2:])
        done = wheel.run(*verify, PATH=os.environ["PATH"])
    finally:
        away.rename(native)
        wheel._files |= brought
    assert "no C compiler: `pip install ziglang` brings one" in said
    assert json.loads(done.stdout)["differing_bytes"] == 0
    assert list((wheel.home / ".cache/motionlet/native").iterdir())
