"""Motionlet's files on a device: cut, for another processor, hidden; each said, and mended."""

import pytest
from test_natmod import full_package, littlefs_image, unix_stock  # noqa: F401 (a fixture)

from host_sdk.board import install
from host_sdk.board.deploy import deploy
from host_sdk.board.devices import open_device
from host_sdk.board.models import list_models
from host_sdk.board.modules import IMPORTED, BrokenModule, find_module
from host_sdk.board.remote import Remote
from host_sdk.cli import on_device
from host_sdk.errors import MotionletError
from host_sdk.format.mlet import MACS_LIMIT
from host_sdk.pack import mlet_file, planner

MPY = f"/lib/{install.MODULE}"
INIT = "/lib/motionlet/__init__.py"


@pytest.fixture
def stock(unix_stock):  # noqa: F811
    """The unix port without Motionlet in it, with the package of files, freshly started."""
    install.install(unix_stock)
    unix_stock.reset()
    yield unix_stock
    unix_stock.reset()
    unix_stock.exec(
        "import os\nfor path in ('/motionlet', '/_motionlet'):\n"
        "    try: os.rmdir(path)\n    except OSError: pass"
    )
    install.install(unix_stock)


def damaged(mpy, how):
    """Return a native module's bytes after an accident."""
    if how == "empty":
        return b""
    if how == "another architecture":
        return mpy[:2] + bytes([mpy[2] & 3 | 10 << 2]) + mpy[3:]
    if how == "another version":
        return mpy[:1] + b"\x05" + mpy[2:]
    if how == "no .mpy":
        return b"not a module, but words"
    return mpy[: int(len(mpy) * how)]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("empty", "is not a .mpy file"),
        ("no .mpy", "is not a .mpy file"),
        ("another architecture", "is for xtensawin 6.3, it loads x64 6.3"),
        ("another version", "is for x64 5.3, it loads x64 6.3"),
        (0.001, "is cut or damaged"),
        (0.01, "is cut or damaged"),
        (0.5, "is cut or damaged"),
        (0.97, "is cut or damaged"),
        (0.9999, "is cut or damaged"),
    ],
)
def test_a_damaged_module_is_said_and_mended(stock, tiny, how, words):
    whole = stock.read_file(MPY)
    stock.write_file(MPY, damaged(whole, how))
    stock.reset()
    for command in (find_module, lambda device: deploy(device, tiny[1], "model.mlet")):
        with pytest.raises(BrokenModule) as caught:
            command(stock)
        assert f"{MPY.removeprefix('/')} {words}" in str(caught.value).replace("/lib", "lib")
        assert str(caught.value).endswith(": `host_sdk install` mends it")
        assert "\n" not in str(caught.value)
    assert install.install(stock).bytes == len(whole)
    assert stock.read_file(MPY) == whole
    deploy(stock, tiny[1], "model.mlet")


def test_every_cut_of_the_end_is_seen(stock):
    """Relocations end with a byte that may stand among them, too."""
    whole = stock.read_file(MPY)
    for cut in range(1, 40):
        stock.write_file(MPY, whole[:-cut])
        with pytest.raises(BrokenModule, match="cut or damaged"):
            find_module(stock)


@pytest.mark.parametrize("text", [b"from _motionlet import nothing\n", b"def load(", b"1 / 0\n"])
def test_a_damaged_package_is_said_and_mended(stock, text):
    stock.write_file(INIT, text)
    stock.reset()
    with pytest.raises(BrokenModule, match=r"does not import \(.*\): `host_sdk install` mends it"):
        find_module(stock)
    install.install(stock)
    assert find_module(stock)["version"]


def test_deploy_mends_when_it_may_install(stock, tiny):
    stock.write_file(MPY, stock.read_file(MPY)[:1000])
    stock.reset()
    with pytest.raises(BrokenModule):
        on_device._ensure_module(stock, None, tiny[0])
    on_device._ensure_module(stock, True, tiny[0])
    deploy(stock, tiny[1], "model.mlet")


@pytest.mark.parametrize("folder", ["motionlet", "_motionlet"])
def test_a_folder_that_hides_the_module_is_named(stock, tiny, folder):
    stock.exec(f"import os\nos.mkdir('/{folder}')")
    for command in (find_module, install.install, lambda d: deploy(d, tiny[1], "model.mlet")):
        stock.reset()
        with pytest.raises(MotionletError, match=f"/{folder} is not Motionlet's, and hides it"):
            command(stock)


def test_a_folder_that_hides_what_is_frozen_is_named(device, tiny):
    device.exec("import os\nos.mkdir('/motionlet')")
    try:
        for command in (find_module, install.install, lambda d: deploy(d, tiny[1], "model.mlet")):
            device.reset()
            with pytest.raises(MotionletError, match="/motionlet is not Motionlet's, and hides it"):
                command(device)
    finally:
        device.exec("import os\nos.rmdir('/motionlet')")


@pytest.mark.parametrize("where", ["auto", "files", "rom"])
def test_a_name_that_would_hide_a_module_is_refused(unix_device, tiny, where):
    unix_device.reset()
    before = unix_device.exec("import os; print(os.listdir('/'))")
    for module in sorted(IMPORTED):
        with pytest.raises(MotionletError, match=f"would hide the module {module} from"):
            deploy(unix_device, tiny[1], f"{module}/demo.mlet", where)
    for name in ("main.py", "lib.mpy", "a/b.py"):
        with pytest.raises(MotionletError, match="is the name of a program"):
            deploy(unix_device, tiny[1], name, where)
    assert unix_device.exec("import os; print(os.listdir('/'))") == before


def test_a_model_of_too_many_products_is_refused(unix_device, tiny):
    graph, data = tiny
    unix_device.reset()
    with pytest.raises(MotionletError, match=f"takes {graph.most_macs:,} multiply-accum.*--slow"):
        deploy(unix_device, data, "slow.mlet", macs_limit=graph.most_macs - 1)
    assert "slow.mlet" not in unix_device.exec("import os; print(os.listdir('/'))")
    deploy(unix_device, data, "slow.mlet", macs_limit=graph.most_macs)
    deploy(unix_device, data, "slow.mlet", macs_limit=None)
    assert graph.macs_per_frame <= graph.most_macs < MACS_LIMIT == 2**31


def test_models_are_listed(device, tiny, make_vectors):
    graph, data = tiny
    other = make_vectors.tiny_int4()
    there = [deploy(device, data, "b/tiny.mlet", "files")]
    there += [deploy(device, mlet_file.pack(other, planner.plan(other)), "int4.mlet")]
    device.write_file("/cut.mlet", data[:1000])
    device.write_file("/no_model.bin", data[4:])
    device.reset()
    found = {model.path: model for model in list_models(device)}
    for done, labels in zip(there, (graph.labels, other.labels), strict=True):
        model = found[done.path]
        assert (model.bytes, model.where, model.target) == (done.bytes, done.where, done.target)
        assert model.labels == labels
    assert found["/cut.mlet"].target == ""
    assert "/no_model.bin" not in found
    device.exec("import os\nos.remove('/cut.mlet')\nos.remove('/no_model.bin')")
    assert Remote(device).json("print(json.dumps(1))") == 1


@pytest.mark.slow
def test_a_cut_module_on_a_stock_pico_is_said_and_mended(stock_firmware, tmp_path):
    """MicroPython would not come back from its import."""
    files = {f"/lib/{path}": data for path, data in full_package("armv6m").items()}
    whole = files[MPY]
    littlefs_image({**files, MPY: whole[: len(whole) // 2]}, tmp_path / "lfs")
    options = {"flash": tmp_path / "flash", "littlefs": tmp_path / "lfs"}
    with open_device("virtual", board="RPI_PICO", **options) as pico:
        with pytest.raises(BrokenModule, match="is cut or damaged: `host_sdk install` mends it"):
            find_module(pico)
        done = install.install(pico, wanted="full")
        assert (done.arch, done.bytes) == ("armv6m", len(whole))
        assert find_module(pico)["target"] == "cortex_m0plus"
