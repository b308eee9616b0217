"""Motionlet as a native module, on MicroPython that was built without it.

The scripts of tests/device run on the unix port (x64), on the virtual Pico with MicroPython's own
firmware (armv6m), and on boards of the qemu port (armv7m, armv7emsp, rv32imc, xtensawin).
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import toolchains
from hypothesis import example, given
from hypothesis import strategies as st
from littlefs import LittleFS
from qemu import BOARDS, QemuDevice, need_program
from test_on_device import SCRIPTS, run, vectors  # noqa: F401 (a fixture)

from host_sdk import paths
from host_sdk.board import install, native_module
from host_sdk.board.deploy import deploy
from host_sdk.board.devices import open_device
from host_sdk.board.devices.mpremote_port import SerialDevice
from host_sdk.board.remote import Remote, RemoteStream, require_module
from host_sdk.board.verify import verify
from host_sdk.cli import on_device
from host_sdk.errors import DeviceError, MotionletError
from host_sdk.golden import Stream, frame_by_frame
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.packing import pack_for

ROOT = paths.repository()
TOOLS = ROOT / "tools"
sys.path.append(str(TOOLS))

import build_natmod  # noqa: E402

STORAGE_BYTES = 1408 * 1024  # of a stock Pico
THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
# On the virtual Pico a script takes many seconds: these touch most of the binding.
PICO_SCRIPTS = [
    script
    for script in SCRIPTS
    if THOROUGH or script.stem in ("test_load", "test_model", "test_no_alloc", "test_thermal")
]


def need_compiler(arch):
    """Skip where the compiler of an architecture is missing."""
    wanted = build_natmod.ARCHITECTURES[arch]
    if arch == "xtensawin":
        toolchains.need_xtensa()
    elif shutil.which(wanted.compiler) is None:
        pytest.skip(f"no {wanted.compiler}: apt-get install {' '.join(wanted.packages)}")


def package_folder(arch, configuration="core"):
    """Build the package of an architecture; skip where its compiler is missing."""
    need_compiler(arch)
    build_natmod.build(arch, configuration, quiet=True)
    return build_natmod.directory(arch, configuration)


def full_package(arch):
    """{path: bytes} of the package with everything, as it lies in /lib."""
    need_compiler(arch)
    return install.make_package(arch, "full").files


@pytest.fixture(scope="session")
def unix_stock(build_firmware, tmp_path_factory):
    """The unix port without Motionlet, with an empty file system."""
    build_firmware("unix_stock")
    program = paths.build() / "firmware/unix_stock/micropython"
    with open_device("unix", directory=tmp_path_factory.mktemp("stock"), program=program) as device:
        yield device


def littlefs_image(files, path):
    """Write an image of a stock Pico's file system."""
    image = LittleFS(block_size=4096, block_count=STORAGE_BYTES // 4096, prog_size=256)
    for name, data in files.items():
        folder = name.rpartition("/")[0]
        if folder:
            image.makedirs(folder, exist_ok=True)
        with image.open(name, "wb") as file:
            file.write(data)
    path.write_bytes(bytes(image.context.buffer))


# Packages


@pytest.mark.parametrize("arch", build_natmod.ARCHITECTURES)
def test_a_package_is_what_mip_reads(arch):
    folder = package_folder(arch)
    listed = json.loads((folder / "package.json").read_text())
    assert listed["version"]
    for entry in listed["urls"]:
        target, source = entry  # mpremote reads no more than two
        assert target == source
        assert (folder / source).stat().st_size > 0
    package = install.read_package(folder, arch)
    sizes = json.loads((folder / "size.json").read_text())
    assert len(package.files[install.MODULE]) == sizes["mpy_bytes"]
    assert sizes["bss_bytes"] < 512
    assert package.files == install.make_package(arch).files


def test_a_variable_with_an_initial_value_is_named(tmp_path):
    source, target = tmp_path / "a.c", tmp_path / "a.o"
    source.write_text("int counter = 5; int zero; const int constant = 3;\n")
    subprocess.run(["gcc", "-c", source, "-o", target], check=True)
    with pytest.raises(build_natmod.ToolError, match="the variable counter has an initial value"):
        build_natmod._refuse_variables(target)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """natmod/runtime.c, the arithmetic of cores without floats, on this machine."""
    source = ROOT / "native_modules/motionlet/natmod/runtime.c"
    types = {
        "__mulsf3": (ctypes.c_float, ctypes.c_float, ctypes.c_float),
        "__floatsisf": (ctypes.c_float, ctypes.c_int32),
        "natmod_times": (ctypes.c_float, ctypes.c_float, ctypes.c_int32),
        "__extendsfdf2": (ctypes.c_double, ctypes.c_float),
        "__udivmodsi4": (ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32),
        "__ashldi3": (ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int),
        "__ashrdi3": (ctypes.c_int64, ctypes.c_int64, ctypes.c_int),
    }
    return toolchains.arithmetic(source, tmp_path_factory.mktemp("runtime"), types)


FLOATS = st.floats(
    width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False
) | st.integers(-(2**24), 2**24).map(float)


@given(a=FLOATS, b=FLOATS, integer=st.integers(-(2**31), 2**31 - 1))
@example(a=2.0**100, b=2.0**100, integer=0)  # more than any float
def test_arithmetic_of_floats_is_exact(runtime, a, b, integer):
    with np.errstate(over="ignore", under="ignore"):
        product = np.float32(a) * np.float32(b)
    if abs(a * b) < float(np.finfo(np.float32).smallest_normal):
        product = np.float32(0)
    assert runtime["__mulsf3"](a, b) == product
    assert runtime["__floatsisf"](integer) == np.float32(integer)
    assert runtime["__extendsfdf2"](a) == a


WORDS = st.integers(0, 2**32 - 1)


@given(value=WORDS, divisor=WORDS.filter(bool) | st.integers(1, 999))
@example(value=2**32 - 1, divisor=1)
@example(value=2**32 - 1, divisor=2**32 - 1)
def test_divisions_are_exact(runtime, value, divisor):
    quotient, rest = divmod(value, divisor)
    assert runtime["__udivmodsi4"](value, divisor) == rest << 32 | quotient


@given(scale=FLOATS.filter(lambda x: x > 0), steps=st.integers(-255, 255))
@example(scale=float(np.finfo(np.float32).max), steps=255)
def test_a_score_is_rounded_as_a_float_is(runtime, scale, steps):
    with np.errstate(over="ignore"):
        expected = np.float32(scale) * np.float32(steps)
    assert runtime["natmod_times"](scale, steps) == expected


@given(value=st.integers(-(2**63), 2**63 - 1), count=st.integers(0, 63))
def test_shifts_of_64_bits_are_exact(runtime, value, count):
    left = (value << count) % 2**64
    assert runtime["__ashldi3"](value % 2**64, count) == left
    assert runtime["__ashrdi3"](value, count) == value >> count


def test_a_compiler_that_is_missing_is_named_with_its_package(tmp_path):
    done = subprocess.run(
        [sys.executable, TOOLS / "build_natmod.py", "rv32imc"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: not found: riscv64-unknown-elf-gcc; ")
    assert "gcc-riscv64-unknown-elf" in done.stderr


# The device tests


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_on_the_unix_port(unix_stock, vectors, script):  # noqa: F811
    install.install(unix_stock, wanted="full")
    if not unix_stock.eval("'vectors' in __import__('os').listdir('/')"):
        for name, data in vectors.items():
            unix_stock.write_file(f"/vectors/{name}", data)
    run(unix_stock, script, {"VECTORS": "/vectors"})


@pytest.fixture(scope="module", params=BOARDS)
def qemu_board(request, build_firmware, vectors, tiny, tmp_path_factory):  # noqa: F811
    board = BOARDS[request.param]
    need_program(board)
    files = full_package(board.arch)
    build_firmware(request.param)
    elf = paths.build() / "firmware" / request.param / "firmware.elf"
    content = {**vectors, **{f"lib/{path}": data for path, data in files.items()}}
    content["tiny.mlet"] = pack_for(tiny[0], native_module.target_of(board.arch))
    with QemuDevice(request.param, elf, content, tmp_path_factory.mktemp("qemu")) as device:
        yield device


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_on_qemu(qemu_board, script):
    run(qemu_board, script, {"VECTORS": "/rom"})


def test_a_model_on_qemu_gives_what_the_golden_model_gives(qemu_board, tiny):
    qemu_board.reset()
    try:
        qemu_board.exec("import time")
    except DeviceError:
        pytest.skip("no clock")
    assert differing_bytes(qemu_board, "/rom/tiny.mlet", tiny[0]) == 0


@pytest.fixture(scope="module")
def stock_pico(stock_firmware, vectors, tmp_path_factory):  # noqa: F811
    """A Pico with MicroPython's own firmware, the package in /lib and the vectors in /vectors."""
    folder = tmp_path_factory.mktemp("pico")
    files = {f"/lib/{path}": data for path, data in full_package("armv6m").items()}
    files.update({f"/vectors/{name}": data for name, data in vectors.items()})
    littlefs_image(files, folder / "lfs")
    options = {"flash": folder / "flash", "littlefs": folder / "lfs"}
    with open_device("virtual", board="RPI_PICO", **options) as device:
        yield device


@pytest.mark.slow
@pytest.mark.parametrize("script", PICO_SCRIPTS, ids=lambda script: script.stem)
def test_on_the_virtual_pico(stock_pico, script):
    run(stock_pico, script, {"VECTORS": "/vectors"})


@pytest.mark.slow
def test_a_model_on_a_stock_pico_gives_what_the_golden_model_gives(stock_pico, tiny):
    done = install.install(stock_pico, wanted="full")  # all is there: it is only tried
    assert (done.arch, done.bytes) == ("armv6m", 0)
    deployed = deploy(stock_pico, tiny[1], "model.mlet")
    assert (deployed.where, deployed.target) == ("files", "cortex_m0plus")
    assert differing_bytes(stock_pico, deployed.path, tiny[0]) == 0


def differing_bytes(device, path, graph):
    from test_deploy import clip_for

    return verify(RemoteStream(device, path, graph), graph, clip_for(graph)).differing_bytes


@pytest.mark.slow
def test_mpremote_mip_installs_the_package_where_there_is_room(stock_firmware, tmp_path):
    package = package_folder("armv6m")
    littlefs_image({"/filler": bytes(STORAGE_BYTES - 50_000)}, tmp_path / "lfs")
    options = {"flash": tmp_path / "flash", "littlefs": tmp_path / "lfs"}
    with open_device("virtual", board="RPI_PICO", **options) as pico:
        with pytest.raises(MotionletError, match=r"the filesystem of virtual Pico has \d+ free"):
            install.install(pico)
        assert pico.eval("__import__('os').listdir('/')") == ["filler"]
        pico.exec("import os\nos.remove('/filler')")
        port = pico.port
        SerialDevice.close(pico)  # one client at a time; the board runs on
        done = subprocess.run(
            [
                *(sys.executable, "-m", "mpremote", "connect", port),
                *("mip", "install", "--no-mpy", package / "package.json"),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with SerialDevice(port) as again:
            assert install.install(again).bytes == 0


# Made for models

MADE_FOR = {
    "tiny_tsm": {"conv2d", "temporal_shift", "add"},
    "tiny_separable": {"temporal_depthwise", "temporal_average"},
    "tiny_shifting": {"depthwise2d", "pointwise"},
    "tiny_int4": {"conv2d"},
    "tiny_thermal": {"conv2d"},
    "tiny_two_rates": {"conv2d", "temporal_average"},
}


def frames_for(graph, count=4):
    """What a stream is to be given, frame by frame."""
    rng, clips = np.random.default_rng(5), []
    for x in graph.inputs:
        shape = (-(-count // x.period), *graph.tensors[x.tensor].shape)
        low, high, kind = (0, 256, np.uint8)
        if x.pixel_format == "int16":
            low, high, kind = (1800, 2600, np.int16)
        clips.append(rng.integers(low, high, shape).astype(kind))
    return frame_by_frame(graph.input_names, graph.input_periods, clips)


def answers_as_golden(device, graph, name="model.mlet"):
    """Deploy a model, push frames, and compare its answers with the golden model's."""
    data = mlet_file.pack(graph, planner.plan(graph))
    path = deploy(device, data, name, where="files").path
    remote, golden = RemoteStream(device, path, graph), Stream(graph)
    for frame in frames_for(graph):
        golden.push(frame)
        assert remote.push(frame)[0] == golden.output().ravel().tolist()


@pytest.fixture
def made_for(unix_stock, make_vectors):
    """`make(name)`: put the module made for a model of make_vectors.py onto the unix port."""

    def make(name):
        graph = getattr(make_vectors, name)()
        done = install.install(unix_stock, wanted="models", models=[graph])
        return graph, done

    return make


@pytest.mark.parametrize("name", MADE_FOR)
def test_a_module_made_for_a_model_runs_it(unix_stock, made_for, name):
    graph, _ = made_for(name)
    module = require_module(unix_stock)
    assert module["operators"] == {op.kind for op in graph.ops}
    assert MADE_FOR[name] <= module["operators"]
    assert ("int4" in module["groups"]) == (name == "tiny_int4")
    assert ("int16" in module["groups"]) == (name in ("tiny_thermal", "tiny_two_rates"))
    answers_as_golden(unix_stock, graph)


def test_a_module_made_for_several_models_runs_all(unix_stock, make_vectors):
    graphs = [make_vectors.tiny_tsm(), make_vectors.tiny_int4()]
    install.install(unix_stock, wanted="models", models=graphs)
    for graph in graphs:
        answers_as_golden(unix_stock, graph)


def test_the_default_module_runs_what_networks_have(unix_stock, make_vectors):
    install.install(unix_stock)
    for make in (make_vectors.tiny_tsm, make_vectors.tiny_separable, make_vectors.tiny_shifting):
        answers_as_golden(unix_stock, make())


def test_a_model_that_needs_more_than_the_module_has_is_refused(unix_stock, made_for, make_vectors):
    made_for("tiny_separable")
    before = unix_stock.exec("import os; print(os.listdir('/'))")
    for make, what in (
        (make_vectors.tiny_tsm, "temporal_shift and add"),
        (make_vectors.tiny_int4, "4-bit weights"),
        (make_vectors.tiny_thermal, "16-bit inputs and backgrounds"),
    ):
        data = mlet_file.pack(make(), planner.plan(make()))
        with pytest.raises(MotionletError) as caught:
            deploy(unix_stock, data, "refused.mlet", where="files")
        assert str(caught.value) == (
            f"the model needs {what}, which the module on {unix_stock.name} lacks: install one "
            "that is made for it (`host_sdk install --for MODEL`), or the full one (`--full`)"
        )
    assert unix_stock.exec("import os; print(os.listdir('/'))") == before


def test_a_module_refuses_by_name_what_it_has_not(unix_stock, made_for, make_vectors):
    made_for("tiny_separable")
    for make, words in (
        (make_vectors.tiny_tsm, r"op \d+: temporal_shift"),
        (make_vectors.tiny_int4, r"op \d+: int4 weights"),
    ):
        graph = make()
        data = mlet_file.pack(graph, planner.plan(graph, chains=False))
        unix_stock.write_file("/refused.mlet", data)
        message = rf"ValueError: /refused.mlet: {words} is not in this build \(install the full"
        with pytest.raises(DeviceError, match=message):
            unix_stock.exec("import motionlet\nmotionlet.load('/refused.mlet')")


def test_a_module_that_cannot_look_into_layers_is_told(unix_stock, made_for):
    graph, _ = made_for("tiny_separable")
    data = mlet_file.pack(graph, planner.plan(graph))
    path = deploy(unix_stock, data, "model.mlet", where="files").path
    with pytest.raises(MotionletError, match="does not show what each layer gives: `host_sdk inst"):
        differing_bytes(unix_stock, path, graph)


@pytest.mark.slow
def test_a_module_made_for_a_model_runs_it_on_a_stock_pico(stock_firmware, make_vectors, tmp_path):
    graph = make_vectors.tiny_separable()
    package = install.make_package("armv6m", "models", [graph])
    littlefs_image({f"/lib/{path}": data for path, data in package.files.items()}, tmp_path / "lfs")
    options = {"flash": tmp_path / "flash", "littlefs": tmp_path / "lfs"}
    with open_device("virtual", board="RPI_PICO", **options) as pico:
        done = install.install(pico, wanted="models", models=[graph])
        assert done.bytes == 0
        assert len(package.files[install.MODULE]) <= done.ram_bytes < package.ram_bytes + 3000
        answers_as_golden(pico, graph)


EXACT = frozenset({"m0_exact", "m0_matmul_exact", "m0_requantize"})


@pytest.mark.slow
@pytest.mark.parametrize(("parts", "op"), [(frozenset(), 0), (EXACT, 1)])
def test_what_takes_a_part_that_is_left_out_is_refused(
    parts, op, stock_firmware, make_vectors, tmp_path
):
    """The arrays tell of some parts, so loading does; a stream tells of the others."""
    net = make_vectors.Builder(7, (2, 2, 4), [], "raw")
    options = {"kernel": (3, 3), "padding": (1, 1)}
    last = net.add("conv2d", [0], (2, 2, 16), **options)
    last = net.add("conv2d", [last], (1, 1, 8), stride=(2, 2), kernel=(2, 2))
    graph = net.finish(net.add("dense", [last], (1, 1, 4)))
    model = pack_for(graph, "cortex_m0plus", chains=False)
    wanted = native_module.Selection(frozenset({"conv2d", "dense"}), frozenset(), parts)
    module = native_module.link("armv6m", wanted).mpy
    files = {f"/lib/{install.MODULE}": module, "/model.mlet": model}
    littlefs_image(files, tmp_path / "lfs")
    options = {"flash": tmp_path / "flash", "littlefs": tmp_path / "lfs"}
    with open_device("virtual", board="RPI_PICO", **options) as pico:
        pico.exec(
            "import _motionlet\nload = lambda: _motionlet.Model(open('/model.mlet', 'rb').read())"
        )
        message = rf"ValueError: op {op}: a layer of this form is not in this build"
        if parts:
            pico.exec("model = load()")
        with pytest.raises(DeviceError, match=message):
            pico.exec("model.stream()" if parts else "load()")


# Installing


def test_what_is_there_is_not_written_again_and_works(unix_stock, tiny):
    first = install.install(unix_stock, wanted="full")
    seen = []
    again = install.install(unix_stock, progress=lambda *count: seen.append(count), wanted="full")
    assert (again.arch, again.bytes, seen) == ("x64", 0, [])
    assert again.version == first.version
    deployed = deploy(unix_stock, tiny[1], "model.mlet", where="files")
    assert differing_bytes(unix_stock, deployed.path, tiny[0]) == 0


def test_deploy_installs_only_when_told(unix_stock, tiny):
    install.install(unix_stock)
    unix_stock.exec(f"import os\nos.remove('/lib/{install.MODULE}')")
    unix_stock.reset()
    for answer in (None, False):  # nobody is there to be asked
        on_device._ensure_module(unix_stock, answer, tiny[0])
        with pytest.raises(MotionletError, match="`host_sdk install` adds it"):
            deploy(unix_stock, tiny[1], "model.mlet")
    on_device._ensure_module(unix_stock, True, tiny[0])
    deploy(unix_stock, tiny[1], "model.mlet")


def test_what_deploy_installs_runs_the_model(unix_stock, make_vectors):
    graph = make_vectors.tiny_int4()
    unix_stock.exec(f"import os\nos.remove('/lib/{install.MODULE}')")
    unix_stock.reset()
    on_device._ensure_module(unix_stock, True, graph)
    assert require_module(unix_stock)["groups"] == native_module.CORE.groups | {"int4"}
    answers_as_golden(unix_stock, graph)


def test_a_firmware_with_motionlet_needs_nothing(unix_device):
    done = install.install(unix_device)
    assert (done.arch, done.bytes) == ("", 0)


def test_an_old_module_stays_until_the_new_one_is_whole(unix_stock):
    install.install(unix_stock)
    old = unix_stock.read_file("/lib/motionlet/__init__.py")
    unix_stock.write_file("/lib/motionlet/__init__.py", old + b"\n# older\n")

    class PulledOut(Exception):
        pass

    def progress(done, total):
        raise PulledOut

    with pytest.raises(PulledOut):
        install.install(unix_stock, progress=progress)
    assert unix_stock.read_file("/lib/motionlet/__init__.py").endswith(b"# older\n")
    assert install.install(unix_stock).bytes == len(old)
    assert unix_stock.read_file("/lib/motionlet/__init__.py") == old


FACTS = {"name": "micropython", "version": "1.25.0", "mpy": 6 | 3 << 8 | 4 << 10}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "circuitpython"}, "a board runs circuitpython, not MicroPython"),
        ({"mpy": 0}, "a board: its MicroPython 1.25.0 loads no .mpy files"),
        ({"mpy": 6 | 3 << 8}, "a board: its MicroPython 1.25.0 loads no native modules"),
        (
            {"mpy": 6 | 2 << 8 | 4 << 10, "version": "1.22.2"},
            r"loads .mpy files of version 6.2, the package has 6.3: update its firmware to 1.23",
        ),
        ({"version": "1.23.0"}, "1.23.0 does not load modules of this size on armv6m: update"),
    ],
)
def test_a_firmware_that_cannot_load_it_is_refused(changes, message):
    class Board:
        name = "a board"

    with pytest.raises(MotionletError, match=message):
        install.package_arch(Board, {**FACTS, **changes})


@pytest.mark.parametrize(
    ("number", "arch"), [(4, "armv6m"), (6, "armv7m"), (8, "armv7emsp"), (10, "xtensawin")]
)
def test_every_processor_gets_a_module_it_can_run(number, arch):
    class Board:
        name = "a board"

    assert install.package_arch(Board, {**FACTS, "mpy": 6 | 3 << 8 | number << 10}) == arch


def test_an_architecture_without_a_package_is_named():
    with pytest.raises(MotionletError, match=r"no package for x86: .*choose from"):
        install.make_package("x86")


def test_a_package_for_another_processor_is_refused(unix_stock):
    before = unix_stock.exec("import os; print(os.listdir('/'))")
    with pytest.raises(MotionletError, match=r"_motionlet.mpy is for armv6m, the device takes x64"):
        install.install(unix_stock, package_folder("armv6m"))
    assert unix_stock.exec("import os; print(os.listdir('/'))") == before


def test_what_is_no_package_is_refused(tmp_path):
    with pytest.raises(MotionletError, match="is no package of Motionlet"):
        install.read_package(tmp_path, "x64")
    (tmp_path / "package.json").write_text('{"urls": [["_motionlet.mpy", "_motionlet.mpy"]]}')
    (tmp_path / "_motionlet.mpy").write_bytes(b"\x7fELF")
    with pytest.raises(MotionletError, match=r"_motionlet.mpy is not a .mpy file"):
        install.read_package(tmp_path, "x64")
    (tmp_path / "_motionlet.mpy").write_bytes(bytes([77, 6, 2 | 2 << 2, 31]))
    with pytest.raises(MotionletError, match=r"has version 6.2, the device loads 6.3"):
        install.read_package(tmp_path, "x64")


def test_a_heap_without_room_is_refused(unix_stock):
    package = install.read_package(package_folder("x64"), "x64")
    unix_stock.reset()
    remote = Remote(unix_stock)
    install._check_room(remote, package)
    large = install.Package("x64", {}, 1 << 25)
    with pytest.raises(MotionletError, match=r"needs 33554432 bytes of memory in one piece"):
        install._check_room(remote, large)
