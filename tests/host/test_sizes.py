"""Sizes: what is weighed, and the stack that is read from a disassembly."""

import json
import re
import subprocess
import sys

import pytest

from host_sdk import paths
from host_sdk.bench import measure as bench
from host_sdk.bench import sizes
from host_sdk.pack import mlet_file, planner, targets

ROOT = paths.repository()
sys.path.append(str(ROOT / "tools"))

import stack_usage  # noqa: E402
from common import ToolError  # noqa: E402

GCC = ["arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m0plus", "-std=c99"]
LINK = ["-nostdlib", "-Wl,--unresolved-symbols=ignore-all,-e,0"]


def image_of(tmp_path, source, *flags):
    """Compile C for the Cortex-M0+; return the linked image."""
    (tmp_path / "a.c").write_text(source)
    command = [*GCC, *LINK, "-O1", "-fno-inline", *flags, "a.c", "-o", "a.elf"]
    subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path / "a.elf"


def test_what_functions_push_adds_up_along_the_deepest_way(tmp_path):
    source = """
        int leaf(int a) { return a + 1; }
        int middle(int a) { volatile int room[5] = {a}; return leaf(room[0]) + leaf(a); }
        int large(int a) { volatile int room[300] = {a}; return leaf(room[0]) + leaf(a); }
        int entry(int a) { return middle(a) + leaf(a); }
        int both(int a) { return entry(a) + large(a); }
    """
    image = image_of(tmp_path, source, "-fstack-usage")
    text = next(tmp_path.glob("*.su")).read_text()
    own = {name: int(n) for name, n in re.findall(r":(\w+)\t(\d+)\tstatic", text)}
    assert own["large"] > 1200 > own["middle"] > 20
    found = stack_usage.stack_bytes(image, "armv6m", ("leaf", "middle", "entry", "both"))
    assert found["leaf"] == own["leaf"] == 0
    assert found["middle"] == own["middle"]
    assert found["entry"] == own["entry"] + own["middle"]
    assert found["both"] == own["both"] + own["large"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("int entry(int n) { return n ? entry(n - 1) * n : 1; }", "entry calls itself"),
        (
            "int other(int n); int entry(int n) { return n ? other(n - 1) * n : 1; }"
            "int other(int n) { return n ? entry(n - 1) * n : 2; }",
            "entry is recursive",
        ),
        ("int entry(int (*f)(int)) { return f(1) + f(2); }", "entry calls through a pointer"),
        (
            "int use(char *); int entry(int n) { char a[n]; return use(a) + 1; }"
            "int use(char *a) { return *a; }",
            "the stack of entry is not known: ",
        ),
        ("int other(void) { return 1; }", "no function entry in the image"),
    ],
)
def test_what_has_no_bound_is_named(tmp_path, source, message):
    image = image_of(tmp_path, source)
    with pytest.raises(ToolError, match=message):
        stack_usage.stack_bytes(image, "armv6m", ("entry",))


def test_functions_push_what_gcc_says(tmp_path):
    """The disassembly shows of every C function what GCC tells of it.

    Or a little more, where a function pushes in two places, on different ways.
    """
    module = ROOT / "native_modules/motionlet"
    folders = [module / "core", module / "arch/cortex_m0plus"]
    sources = [path for folder in folders for path in sorted(folder.glob("*.[cS]"))]
    flags = ["-O2", "-fstack-usage", "-DMLET_TARGET=MLET_TARGET_CORTEX_M0PLUS"]
    flags += [f"-I{folder}" for folder in folders]
    subprocess.run([*GCC, *LINK, *flags, *sources, "-o", "a.elf"], cwd=tmp_path, check=True)
    said = {}
    for path in tmp_path.glob("*.su"):
        for name, count in re.findall(r":(\w+)[.\w]*\t(\d+)\tstatic", path.read_text()):
            said.setdefault(name, []).append(int(count))
    graph = stack_usage.read_image(tmp_path / "a.elf", "armv6m")
    shown = {name: sorted(map(graph.own, graph.named(name))) for name in said}
    other = [name for name in said if shown[name] != sorted(said[name])]
    assert len(other) <= 0.03 * len(said)
    assert all(sum(said[name]) < sum(shown[name]) < sum(said[name]) + 40 for name in other)


# The lowest byte of the stack that `run` reaches: what lies below the caller's frame is painted
# first. The firmware's stack is where the symbols __StackBottom and __StackTop are.
DEPTHS = """
import json, machine, micropython, motionlet
words, paint, bottom, top = machine.mem32, 0x2A5A5A5A, 0x20040000, 0x20042000
def depth(run):
    for at in range(bottom, top - micropython.stack_use() - 256, 4):
        words[at] = paint
    run()
    at = bottom
    while words[at] == paint:
        at += 4
    return top - at
stream = motionlet.load("/chain.mlet").stream()
frame = bytes(16 * 16 * 4)
print(json.dumps([depth(lambda: stream.argmax()), depth(lambda: stream.push(frame))]))
"""


def test_a_run_takes_no_more_stack_than_reckoned(virtual_pico, make_vectors):
    net = make_vectors.Builder(7, (16, 16, 4), [], "raw")
    last = 0
    for size, channels in ((16, 16), (16, 16), (8, 8)):
        stride = (16 // size,) * 2
        options = {"kernel": (3, 3), "stride": stride, "padding": (1, 1)}
        last = net.add("conv2d", [last], (size, size, channels), **options)
    pooled = net.add("average_pool", [last], (1, 1, 8), kernel=(8, 8))
    graph = net.finish(net.add("dense", [pooled], (1, 1, 4)))
    plan = planner.plan(graph, targets.scratch_bytes("cortex_m0plus"))
    assert sum(rows > 0 for rows in plan.rows) >= 2
    virtual_pico.write_file("/chain.mlet", mlet_file.pack(graph, plan, "cortex_m0plus"))
    shallow, deep = json.loads(virtual_pico.exec(DEPTHS))
    image = paths.build() / "firmware/MOTIONLET_PICO/firmware.elf"
    reckoned = stack_usage.stack_bytes(image, "armv6m", ["mlet_stream_run", "mlet_stream_frame"])
    # The binding's own frames count in both, but not to the byte.
    assert 1500 < deep - shallow < reckoned["mlet_stream_run"] + 100


def test_the_binding_asks_for_enough_stack(pico_firmware):
    """Before it pushes, and before anything else."""
    binding = (paths.repository() / "native_modules/motionlet/binding/port.h").read_text()
    asked = {name: int(n) for name, n in re.findall(r"#define MLET_STACK_TO_(\w+) (\d+)", binding)}
    entries = [*stack_usage.ENTRIES, "mlet_conv3d_separable", "mlet_run_op", "mlet_frame_to_tensor"]
    needed = stack_usage.stack_bytes(pico_firmware.with_name("firmware.elf"), "armv6m", entries)
    push = needed.pop("mlet_stream_run")
    # The binding has frames of its own, and QEMU's Xtensa needs 250 bytes more.
    assert push + 500 < asked["PUSH"] < push + 1000
    assert max(needed.values()) + 500 < asked["CALL"]


@pytest.mark.slow
def test_measured_anew(pico_firmware, unix_firmware):
    """Weigh what is built, and keep it in build/; what moved is said at the end (conftest.py)."""
    rows = bench.size_rows()
    found = {(row["device"], row["impl"], row["case"]): row["bytes"] for row in rows}

    def total(device, memory, files):
        mine = [(case, n) for (d, m, case), n in found.items() if (d, m) == (device, memory)]
        return sum(n for case, n in mine if case.startswith("files/") == files)

    pico = "armv6m, firmware"
    for device, firmware in ((pico, pico_firmware), ("x64, firmware", unix_firmware)):
        report = json.loads(firmware.with_name("size.json").read_text())
        assert total(device, "flash", files=False) == report["module_bytes"]
        assert total(device, "RAM", files=False) == report["module_ram"]
        assert found[device, "RAM", "variables"] == 0
    for memory in ("flash", "RAM"):
        assert total(pico, memory, files=True) == total(pico, memory, files=False)
    for entry in stack_usage.ENTRIES:
        assert 100 < found[pico, "stack", entry] < 4096  # the firmware's stack has 8 KB
    folder = paths.build() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sizes.json").write_text(bench.json_of(rows))


def test_the_figures_have_every_configuration():
    rows = sizes.stored()
    found = {sizes.key(row): row for row in rows}
    assert len(found) == len(rows)
    for arch, where in {(row["arch"], row["where"]) for row in rows}:
        demo, core, full = (found[arch, where, name] for name in ("for_demo", "core", "full"))
        for each in (demo, core):  # the demo's may have chains, which the core has not
            assert each["flash"] < full["flash"]
            assert each["ram"] <= full["ram"]
    assert {"armv6m", "x64"} <= {row["arch"] for row in rows if row["where"] == "firmware"}
    assert all(found["armv6m", "natmod", name]["ram_imported"] > 0 for name in sizes.MAIN)


def test_what_grew_or_shrank_is_shown():
    row = {"arch": "a", "where": "natmod", "configuration": "core", "ram": 1}
    old = [{**row, "flash": 1000}, {**row, "configuration": "full", "flash": 1000}]
    new = [{**row, "flash": 1021}, {**row, "configuration": "full", "flash": 1019}]
    assert sizes.moved(old, new) == [(1000, new[0])]


def test_a_group_adds_what_its_table_says():
    rows = [
        {"arch": "a", "where": "natmod", "configuration": name, "flash": flash, "ram": flash}
        for name, flash in (("core", 100), ("core+chains", 130), ("core+int4", 110))
    ]
    lines = sizes.tables(rows)
    assert "| chains (`chains`) | 30 |" in lines
    assert "| 4-bit weights (`int4`) | 10 |" in lines
    assert "| tracing (`trace`) | – |" in lines
