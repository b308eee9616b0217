"""A native module that extends `_motionlet`: tests/extension, built as its README part says.

Beside a firmware that has Motionlet, and on top of Motionlet's own native module.
"""

import ast
import shutil
import subprocess
import sys

import pytest
from test_natmod import full_package, littlefs_image, unix_stock  # noqa: F401 (a fixture)

from host_sdk import paths
from host_sdk.board import install
from host_sdk.board.devices import open_device
from host_sdk.board.romfs import build_romfs
from host_sdk.errors import DeviceError
from host_sdk.pack.packing import pack_for

ROOT = paths.repository()
sys.path.append(str(ROOT / "tools"))

from get_sources import micropython_dir  # noqa: E402

MODULE = ROOT / "native_modules/motionlet"
NAME = "_motionlet_count.mpy"
SCRIPT = """
import gc, sys, motionlet
model = motionlet.load(PATH)
stream = model.stream()
from _motionlet_count import above, label, rerun
said = []
for t in range(6):
    # What was freed does not keep what it held.
    gc.collect()
    rubbish = [bytes([0xFF]) * 64 for _ in range(100)]
    out = stream.push(bytes([(i * 37 + t * 11) % 256 for i in range(64)]))
    for threshold in (-129, -20, 0, 127):
        assert above(stream, threshold) == sum(v > threshold for v in out)
    assert above(stream, 0, 0) == above(stream, 0)
    assert label(model, stream) == model.labels[stream.argmax()]
    if t == 2:
        # Only functions and objects hold on to either module now.
        for name in [name for name in sys.modules if "motionlet" in name]:
            del sys.modules[name]
        del motionlet
assert type(rerun(stream)) is int
for wrong, args in (("not a Stream", (model, 0)), ("index is 1, must be 0 to 0", (stream, 0, 1))):
    try:
        above(*args)
    except (TypeError, IndexError) as error:
        said.append(wrong in str(error))
print(said)
"""


@pytest.fixture(scope="session")
def extension(tmp_path_factory):
    """A function that builds the extension, with one change to a header of Motionlet if wanted."""

    def build(arch, header=None, old="", new=""):
        if shutil.which({"armv6m": "arm-none-eabi-gcc"}.get(arch, "gcc")) is None:
            pytest.skip(f"no compiler for {arch}")
        folder, motionlet = tmp_path_factory.mktemp("extension") / "source", MODULE
        shutil.copytree(ROOT / "tests/extension", folder)
        if header:
            motionlet = folder / "motionlet"
            shutil.copytree(MODULE, motionlet)
            text = (motionlet / header).read_text()
            assert old in text
            (motionlet / header).write_text(text.replace(old, new))
        options = {
            "ARCH": arch,
            "MPY_DIR": micropython_dir(),
            "MOTIONLET": motionlet,
            "PYTHON": sys.executable,
            "CFLAGS_EXTRA": "-Wextra -Wno-unused-parameter",
        }
        command = ["make", *(f"{name}={value}" for name, value in options.items())]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / NAME).read_bytes()

    return build


def model_file(make_vectors, target):
    return pack_for(make_vectors.tiny_tsm(), target)


def check(device, path):
    device.reset()
    device.exec(f"PATH = {path!r}")
    assert ast.literal_eval(device.exec(SCRIPT)) == [True, True]


def test_beside_a_firmware(unix_device, extension, make_vectors):
    unix_device.write_romfs(build_romfs({"model.mlet": model_file(make_vectors, "portable")}))
    unix_device.write_file(f"/lib/{NAME}", extension("x64"))
    check(unix_device, "/rom/model.mlet")


def test_on_top_of_the_native_module(unix_stock, extension, make_vectors):  # noqa: F811
    install.install(unix_stock, wanted="full")
    unix_stock.write_file("/model.mlet", model_file(make_vectors, "portable"))
    unix_stock.write_file(f"/lib/{NAME}", extension("x64"))
    check(unix_stock, "/model.mlet")


@pytest.mark.parametrize(
    "change",
    [
        ("binding/extension.h", "API_VERSION 2", "API_VERSION 1"),
        ("core/mlet.h", "} mlet_stream_t;", "void *more; } mlet_stream_t;"),
    ],
)
def test_one_of_another_abi_is_refused(unix_device, extension, change):
    """In one line, and what it would have extended goes on."""
    unix_device.write_file(f"/lib/{NAME}", extension("x64", *change))
    unix_device.reset()
    with pytest.raises(DeviceError) as caught:
        unix_device.exec("import _motionlet_count")
    assert caught.value.traceback.strip().splitlines()[-1] == (
        "ImportError: extension is built for another _motionlet than this one: "
        "take both of one version"
    )
    assert unix_device.eval("__import__('motionlet').VERSION")


def test_a_module_without_room_for_extensions_says_so(unix_stock, extension):  # noqa: F811
    install.install(unix_stock)
    unix_stock.write_file(f"/lib/{NAME}", extension("x64"))
    with pytest.raises(DeviceError, match="takes no extensions: install the full module"):
        unix_stock.exec("import _motionlet_count")


def test_without_motionlet_it_says_so(unix_stock, extension):  # noqa: F811
    unix_stock.write_file(f"/lib/{NAME}", extension("x64"))
    unix_stock.exec(f"import os\ntry: os.remove('/lib/{install.MODULE}')\nexcept OSError: pass")
    unix_stock.reset()
    with pytest.raises(DeviceError, match="no module named '_motionlet'"):
        unix_stock.exec("import _motionlet_count")


@pytest.mark.slow
def test_beside_a_firmware_on_the_virtual_pico(virtual_pico, extension, make_vectors):
    virtual_pico.write_file("/model.mlet", model_file(make_vectors, "cortex_m0plus"))
    virtual_pico.write_file(f"/lib/{NAME}", extension("armv6m"))
    check(virtual_pico, "/model.mlet")


@pytest.mark.slow
def test_on_top_of_the_native_module_on_the_virtual_pico(
    stock_firmware, extension, make_vectors, tmp_path
):
    files = {f"/lib/{path}": data for path, data in full_package("armv6m").items()}
    files[f"/lib/{NAME}"] = extension("armv6m")
    files["/model.mlet"] = model_file(make_vectors, "cortex_m0plus")
    littlefs_image(files, tmp_path / "lfs")
    options = {"flash": tmp_path / "flash", "littlefs": tmp_path / "lfs"}
    with open_device("virtual", board="RPI_PICO", **options) as pico:
        check(pico, "/model.mlet")
