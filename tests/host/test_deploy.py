"""Deploying to real MicroPython: what is written, what stays, and what is refused."""

import base64
import copy
import zlib

import numpy as np
import pytest

from host_sdk.board import rom_update
from host_sdk.board.deploy import deploy, remove_model
from host_sdk.board.devices import open_device
from host_sdk.board.remote import Remote, RemoteStream, require_module
from host_sdk.board.rom_update import COPY
from host_sdk.board.romfs import build_romfs
from host_sdk.board.verify import NativeTarget, verify
from host_sdk.errors import DeviceError, MotionletError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.packing import pack_for


@pytest.fixture(scope="session")
def other(make_vectors):
    """Another (graph, bytes), of the shift network."""
    graph = make_vectors.tiny_tsm()
    data = mlet_file.pack(graph, planner.plan(graph))
    return mlet_file.read(data)[0], data


def clip_for(graph, frames=5):
    rng = np.random.default_rng(3)
    shape = graph.input_tensor.shape
    return rng.integers(0, 256, (frames, *shape)).astype(np.uint8)


def is_whole(device, path, model):
    """Verify the model at `path` against its graph, layer by layer."""
    graph, _ = model
    report = verify(RemoteStream(device, path, graph), graph, clip_for(graph))
    assert report.difference is None
    return report.frames == 5


def crc(device, path):
    code = f"import binascii\nprint(binascii.crc32(open({path!r}, 'rb').read()))"
    return int(device.exec(code))


def test_a_model_is_deployed_replaced_and_verified(device, tiny, other):
    seen = []
    first = deploy(device, tiny[1], "one.mlet", progress=lambda *count: seen.append(count))
    assert is_whole(device, first.path, tiny)
    assert seen[-1][0] == seen[-1][1] >= len(tiny[1])
    second = deploy(device, other[1], "two.mlet")
    replaced = deploy(device, other[1], "one.mlet")
    assert replaced.path == first.path
    assert is_whole(device, replaced.path, other)
    assert is_whole(device, second.path, other)
    assert first.where == ("rom" if device.name == "virtual Pico" else "files")


def test_a_name_that_no_file_can_have(device, tiny):
    with pytest.raises(MotionletError, match=r"'\.\./one\.mlet' is no path"):
        deploy(device, tiny[1], "../one.mlet")


def test_to_files_where_there_is_a_rom(virtual_pico, tiny):
    virtual_pico.reset()
    done = deploy(virtual_pico, tiny[1], "plain.mlet", where="files")
    assert done.path == "/plain.mlet"
    assert is_whole(virtual_pico, done.path, tiny)


@pytest.mark.parametrize("where", ["auto", "files"])
def test_an_interrupted_deployment_leaves_the_old_model(device, tiny, other, where):
    old = deploy(device, tiny[1], "model.mlet", where)

    class PulledOut(Exception):
        pass

    def progress(done, total):
        if done < total:
            raise PulledOut

    big = padded(other[0], 9000)
    with pytest.raises(PulledOut):
        deploy(device, big, "model.mlet", where, progress=progress)
    device.reset()
    assert is_whole(device, old.path, tiny)
    deploy(device, big, "model.mlet", where)
    packed = pack_for(mlet_file.read(big)[0], require_module(device)["target"])
    assert crc(device, old.path) == zlib.crc32(packed)


def test_a_board_that_dies_while_deploying_still_has_the_old_model(
    pico_firmware, tmp_path, tiny, other
):
    flash = tmp_path / "flash"
    with open_device("virtual", flash=flash) as pico:
        old = deploy(pico, tiny[1], "model.mlet")
        pico.exec("import time\ntime.sleep(1)")
        with pytest.raises(DeviceError, match="virtual Pico"):
            deploy(
                pico,
                padded(other[0], 9000),
                "model.mlet",
                progress=lambda done, total: pico._process.kill(),
            )
    with open_device("virtual", flash=flash) as pico:
        assert is_whole(pico, old.path, tiny)


def test_a_model_that_does_not_run_takes_no_ones_place(device, tiny, other):
    for where in ("auto", "files"):
        done = deploy(device, tiny[1], "model.mlet", where)
        with pytest.raises(
            MotionletError,
            match=rf"{device.name} does not run the new model, .*: model is packed for esp32s3",
        ):
            deploy(device, other[1], "model.mlet", where, target="esp32s3")
        device.reset()
        assert is_whole(device, done.path, tiny)


@pytest.mark.parametrize(
    "network", ["tiny_tsm", "tiny_shifting", "tiny_int4", "tiny_thermal", "tiny_two_rates"]
)
def test_a_frame_is_tried_unless_it_is_long(unix_device, make_vectors, network, monkeypatch):
    unix_device.reset()
    graph = getattr(make_vectors, network)()
    data = mlet_file.pack(graph, planner.plan(graph))
    # The device counts the frames of streams of all models that are opened from now on.
    unix_device.exec(
        "import motionlet\n"
        "_count = 0\n"
        "class _Counted:\n"
        "    def __init__(self, *arguments):\n"
        "        self._model = _original(*arguments)\n"
        "    def stream(self):\n"
        "        self._stream = self._model.stream()\n"
        "        return self\n"
        "    def push(self, *frames):\n"
        "        global _count\n"
        "        self._stream.push(*frames)\n"
        "        _count += 1\n"
        "_original, motionlet.Model = motionlet.Model, _Counted\n"
    )
    deploy(unix_device, data, "model.mlet")
    assert unix_device.eval("_count") == 1
    monkeypatch.setattr("host_sdk.board.deploy.TRIAL_MACS", 0)
    deploy(unix_device, data, "model.mlet")
    assert unix_device.eval("_count") == 1
    unix_device.reset()


def test_models_are_removed(device, tiny, other):
    first = deploy(device, tiny[1], "first.mlet")
    second = deploy(device, other[1], "second.mlet")
    assert remove_model(Remote(device), "first.mlet") == [first.path]
    with pytest.raises(DeviceError, match="ENOENT"):
        device.exec(f"open({first.path!r})")
    assert is_whole(device, second.path, other)
    with pytest.raises(MotionletError, match=f"{device.name} has no file {first.path}"):
        remove_model(Remote(device), first.path)
    assert remove_model(Remote(device), second.path) == [second.path]


def test_the_first_block_of_a_rom_is_written_anew_and_mended(virtual_pico, tiny, other):
    """When another layout is taken over; and by load, when power failed meanwhile."""
    device = virtual_pico
    files = {"model.mlet": b"old", "lib/kept.py": b"kept = 1\n", "kept": bytes(5000)}
    device.write_file(COPY, b"of an earlier one")
    device.write_romfs(build_romfs(files, 4096))
    assert COPY[1:] not in device.eval("__import__('os').listdir('/')")
    path = deploy(device, tiny[1], "model.mlet").path
    assert is_whole(device, path, tiny)
    size = device.romfs_bytes()
    first = rom_update.first_block(size, None)
    flash = base64_of(device, "memoryview(_mlet_rom)[:4096]")
    assert flash[: rom_update.SLOT] == first[: rom_update.SLOT]
    device.write_file(COPY, flash)
    device.exec("_mlet_rom.ioctl(6, 0)")
    device.reset()
    assert "rom" not in device.eval("__import__('os').listdir('/')")
    assert is_whole(device, path, tiny)
    assert COPY[1:] not in device.eval("__import__('os').listdir('/')")
    for name, data in files.items():
        if name != "model.mlet":
            assert device.read_file(f"/rom/{name}") == data


def base64_of(device, expression):
    """Return the bytes of an expression there."""
    code = f"import binascii\nprint(binascii.b2a_base64({expression}).decode())"
    return base64.b64decode(device.exec(code))


def padded(graph, size):
    """Return a model file of at least `size` bytes: `graph` with a long label."""
    graph = copy.deepcopy(graph)
    graph.labels[0] = "x" * size
    return mlet_file.pack(graph, planner.plan(graph))


def test_a_model_larger_than_the_romfs_is_refused(virtual_pico, tiny, other):
    virtual_pico.reset()
    old = deploy(virtual_pico, tiny[1], "model.mlet")
    big = rom_sized(virtual_pico.romfs_bytes())
    with pytest.raises(MotionletError, match=r"the model has \d+ bytes, the ROMFS .* 258048"):
        deploy(virtual_pico, big, "model.mlet")
    assert is_whole(virtual_pico, old.path, tiny)


def rom_sized(size):
    """Return a model file a little over `size` bytes: many weights, hardly any memory."""
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    channels = 4000
    graph.tensors = [Tensor("x", 1, 1, size // channels, 1.0, 0)]
    graph.tensors.append(Tensor("y", 1, 1, channels, 1.0, 0))
    graph.ops = [
        Op(
            *("dense", "big", [0], 1),
            weights=np.ones((channels, size // channels), np.int8),
            bias=np.zeros(channels, np.int32),
            multiplier=np.full(channels, 1 << 30, np.int32),
            shift=np.full(channels, 37, np.uint8),
        )
    ]
    return mlet_file.pack(graph, planner.plan(graph))


def test_a_model_that_does_not_fit_in_memory_is_refused(virtual_pico):
    device = virtual_pico
    device.reset()
    before = device.exec("import os\nprint(os.listdir('/'))")
    with pytest.raises(
        MotionletError, match=r"needs \d{7} bytes of memory in one piece.* has \d+ free"
    ):
        deploy(device, long_memory(), "model.mlet")
    assert device.exec("import os\nprint(os.listdir('/'))") == before


def test_an_esp32_without_psram_is_told_so(unix_device):
    """The module esp32 is a stand-in: it answers as MicroPython's own does without PSRAM."""
    unix_device.reset()
    stand_in = b"def idf_heap_info(capabilities):\n    return []\n"
    unix_device.write_file("/lib/esp32.py", stand_in)
    # A good deal of the port's 16 MB is taken.
    unix_device.exec("_taken = [bytearray(1 << 20) for _ in range(13)]")
    with pytest.raises(MotionletError, match=r"has \d+ free and no PSRAM for a model of this size"):
        deploy(unix_device, long_memory(), "model.mlet")
    unix_device.exec("import os\nos.remove('/lib/esp32.py')")


def long_memory():
    """Return a small model file that needs megabytes: the average of many large frames."""
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors = [Tensor(name, 64, 64, 4, 1.0, 0) for name in "xy"]
    op = Op("temporal_average", "mean", [0], 1, frames=256)
    op.multiplier, op.shift = np.array([1 << 30], np.int32), np.array([38], np.uint8)
    graph.ops = [op]
    return mlet_file.pack(graph, planner.plan(graph))


def test_firmware_that_reads_only_an_older_format(device, tiny):
    device.exec("import motionlet\nmotionlet.FORMAT_VERSION = 0")
    with pytest.raises(MotionletError, match=r"the model has format 1, .* reads 0: update"):
        deploy(device, tiny[1], "model.mlet")


def test_firmware_of_format_1_gets_a_file_of_format_1(device, tiny):
    """Without chains and tuned forms, which it would refuse; four-bit weights it cannot have."""
    device.exec("import motionlet\nmotionlet.FORMAT_VERSION = 1")
    done = deploy(device, tiny[1], "old.mlet")
    assert device.read_file(done.path)[4:6] == b"\x01\x00"
    assert is_whole(device, done.path, tiny)
    graph = copy.deepcopy(tiny[0])
    op = next(op for op in graph.ops if op.kind == "pointwise")
    op.weights, op.weight_bits = np.clip(op.weights, -7, 7), 4
    device.exec("motionlet.FORMAT_VERSION = 1")
    with pytest.raises(MotionletError, match=r"the model has format 2, .* reads 1: update"):
        deploy(device, mlet_file.pack(graph, planner.plan(graph)), "four.mlet")


def test_it_is_packed_for_the_kernels_of_the_device(device, tiny):
    done = deploy(device, tiny[1], "packed.mlet")
    expected = "cortex_m0plus" if device.name == "virtual Pico" else "portable"
    assert done.target == expected
    assert is_whole(device, done.path, tiny)
    portable = deploy(device, tiny[1], "packed.mlet", target="portable")
    assert is_whole(device, portable.path, tiny)


def test_a_truncated_file_is_refused_before_anything_is_sent(device, tiny):
    device.exec("import os\n_before = os.listdir('/')")
    with pytest.raises(MotionletError, match="total_bytes: truncated"):
        deploy(device, tiny[1][:-7], "model.mlet")
    assert device.eval("_before == os.listdir('/')")


@pytest.mark.slow
def test_a_board_without_the_module(stock_firmware, tmp_path, tiny):
    with (
        open_device("virtual", board="RPI_PICO", flash=tmp_path / "flash") as pico,
        pytest.raises(MotionletError, match=r"has no module motionlet: `host_sdk install` adds it"),
    ):
        deploy(pico, tiny[1], "model.mlet")


def test_a_changed_weight_is_found_where_it_is(device, tiny):
    graph, _ = tiny
    changed = copy.deepcopy(graph)
    op = changed.ops[3]
    op.weights[0, 0] = -127 if op.weights[0, 0] > 0 else 127
    data = mlet_file.pack(changed, planner.plan(changed))
    done = deploy(device, data, "changed.mlet")
    for target in (RemoteStream(device, done.path, graph), NativeTarget(data)):
        difference = verify(target, graph, clip_for(graph)).difference
        assert (difference.frame, difference.name) == (0, op.name)
        assert difference.target.shape == difference.golden.shape
        wrong = np.argwhere(difference.golden != difference.target)
        assert len(wrong) == difference.differing_bytes > 0
        assert set(wrong[:, 2]) == {0}  # only the channel whose weight was changed
