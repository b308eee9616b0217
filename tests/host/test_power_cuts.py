"""Power fails at any moment of a deployment: the old model or the new one, and every other file."""

import contextlib

import pytest

from host_sdk import paths
from host_sdk.bench import power_cuts
from host_sdk.bench.power_cuts import MODEL, SHORT, Count, FlashDevice, Judge, deploying, model
from host_sdk.board.deploy import deploy, remove_model
from host_sdk.board.remote import Remote
from host_sdk.board.rom import Rom
from host_sdk.board.rom_update import COPY
from host_sdk.board.romfs import MAGIC
from host_sdk.errors import DeviceError, MotionletError

ROM_MODEL = f"/rom/{MODEL}"


@pytest.fixture
def flash_device(unix_firmware):
    """A function that makes a device with simulated flash."""
    with contextlib.ExitStack() as stack:
        yield lambda *args: stack.enter_context(contextlib.closing(FlashDevice(*args)))


@pytest.fixture
def count(unix_firmware):
    """Looks at every state of a change."""
    with contextlib.closing(Judge()) as judge:
        yield Count(judge, SHORT)


def test_no_cut_loses_anything(unix_firmware):
    for kind, count in power_cuts.counts(SHORT).items():
        assert not count.lost, kind
        assert count.states > 50, kind


def test_a_first_block_written_at_once_is_found_to_lose(flash_device, count, monkeypatch):
    def at_once(self, block, keep):
        self._remote.device.exec(f"_rom.writeblocks(0, _unpack({self._remote.packed(block)}))")

    monkeypatch.setattr(Rom, "_write_first", at_once)
    count.change(flash_device("littlefs", power_cuts.used_up()), ROM_MODEL, deploying(1, "rom"))
    assert f"{ROM_MODEL} is None" in count.lost


def test_fat_is_found_to_lose_where_load_does_not_look_further(flash_device, count):
    count._judge.exec("import motionlet\nmotionlet._open = lambda path: open(path, 'rb')")
    device = flash_device("fat")
    deploy(device, model(0), MODEL, "files")
    count.change(device, f"/{MODEL}", deploying(1, "files"))
    assert set(count.lost) == {f"/{MODEL} is None"}


def loads(device, path):
    return device.exec(f"import motionlet\nprint(motionlet.load({path!r}).labels[0][:2])").strip()


def test_load_mends_a_rom_that_lost_its_first_block(flash_device):
    device = flash_device("littlefs", power_cuts.used_up())
    flash, files = device.flashes()
    device.exec(
        "def _write(self, *_):\n"
        "    self.erase(0)\n"
        "    raise RuntimeError('power is gone')\n"
        "_program = _Flash.program\n"
        "_Flash.program = lambda self, at, data: (_program if at else _write)(self, at, data)\n"
    )
    with pytest.raises(DeviceError, match="power is gone"):
        deploy(device, model(1), MODEL, "rom")
    device.reset()
    assert "rom" not in device.eval("os.listdir('/')")
    assert loads(device, ROM_MODEL) == "1"
    assert device.eval("os.listdir('/')") == ["rom"]
    assert sorted(device.eval("os.listdir('/rom')")) == ["lib", MODEL, "other.bin"]
    assert device.read_file("/rom/other.bin") == power_cuts.OTHERS["other.bin"]
    device.restart_with((flash, files))
    assert loads(device, ROM_MODEL) == "0"


def test_a_copy_that_is_no_longer_wanted_does_no_harm(flash_device):
    device = flash_device("littlefs")
    device.write_file(COPY, bytes(4096))
    deploy(device, model(1), MODEL, "rom")
    assert device.eval("os.listdir('/')") == ["rom"]
    device.write_file(COPY, bytes(4096))
    with pytest.raises(DeviceError, match="ENOENT"):
        loads(device, "/rom/none.mlet")
    assert loads(device, ROM_MODEL) == "1"


def test_laptop_and_device_mean_the_same():
    names = {}
    source = (paths.data("device") / "motionlet/mend.py").read_text(encoding="utf-8")
    exec(source.split("def ")[0].replace("import vfs", ""), names)
    assert (names["COPY"], names["MAGIC"]) == (COPY, MAGIC)


def test_a_file_that_is_not_there_is_named(flash_device):
    device = flash_device("littlefs")
    for path in ("/none.mlet", "/rom/none.mlet"):
        with pytest.raises(DeviceError, match=rf"OSError: \[Errno 2\] ENOENT: {path}$"):
            loads(device, path)


@pytest.mark.parametrize("where", ["rom", "files"])
def test_a_model_that_does_not_run_takes_no_ones_place(flash_device, where):
    device = flash_device("littlefs")
    done = deploy(device, model(0), MODEL, where)
    before = device.flashes()
    for target in ("esp32s3", "cortex_m0plus"):
        with pytest.raises(
            MotionletError,
            match=rf"simulated flash does not run the new model, .*: model is packed for {target}",
        ):
            deploy(device, model(1), MODEL, where, target=target)
    assert loads(device, done.path) == "0"
    if where == "rom":
        assert device.flashes()[0][:4096] == before[0][:4096]
    else:
        assert device.eval("os.listdir('/')") == [MODEL]
    with pytest.raises(MotionletError, match="does not run the new model"):
        deploy(device, model(1), "another.mlet", where, target="esp32s3")
    with pytest.raises(DeviceError, match="ENOENT"):
        loads(device, done.path.replace(MODEL, "another.mlet"))


@pytest.mark.parametrize(
    "fault", ["if at >= 4096: self[at + 1000] |= 1", "if at < 4096: self[:4096] = old"]
)
def test_worn_flash_is_noticed_before_the_old_model_goes(flash_device, fault):
    device = flash_device("littlefs")
    deploy(device, model(0), MODEL, "rom")
    device.exec(
        "_program = _Flash.program\n"
        "def _worn(self, at, data):\n"
        "    old = self[:4096]\n"
        "    _program(self, at, data)\n"
        f"    {fault}\n"
        "_Flash.program = _worn\n"
    )
    with pytest.raises(MotionletError, match="does not hold what was written"):
        deploy(device, model(1), MODEL, "rom")
    device.reset()
    assert loads(device, ROM_MODEL) == "0"


def test_without_room_for_the_copy_the_old_model_stays(flash_device):
    device = flash_device("littlefs", power_cuts.used_up())
    device.exec(
        "try:\n"
        "    for number in range(99):\n"
        "        with open('/full%d' % number, 'wb') as file:\n"
        "            file.write(bytes(4096))\n"
        "except OSError:\n"
        "    pass\n"
    )
    with pytest.raises(MotionletError, match=r"copy cannot be kept .* no room .* erase the ROMFS"):
        deploy(device, model(1), MODEL, "rom")
    device.reset()
    assert loads(device, ROM_MODEL) == "0"
    deploy(device, model(1), MODEL, "rom", erase=True)
    assert device.eval("os.listdir('/rom')") == [MODEL]


def test_models_are_removed_by_name_and_by_path(flash_device):
    device = flash_device("fat", power_cuts.used_up())
    deploy(device, model(1), MODEL, "files")
    remote = Remote(device)
    assert remove_model(remote, MODEL) == [ROM_MODEL, f"/{MODEL}"]
    assert sorted(device.eval("os.listdir('/rom')")) == ["lib", "other.bin"]
    for number, path in enumerate((ROM_MODEL, f"/{MODEL}", "lib/deep/code.py")):
        if number < 2:
            deploy(device, model(1), MODEL, "files" if number else "rom")
        expected = path if path.startswith("/") else f"/rom/{path}"
        assert remove_model(remote, path) == [expected]
        with pytest.raises(MotionletError, match=f"simulated flash has no file {path}"):
            remove_model(remote, path)
    with pytest.raises(MotionletError, match="is no path"):
        remove_model(remote, "../boot.py")
    assert device.eval("os.listdir('/rom')") == ["other.bin"]
