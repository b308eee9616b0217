"""Cycles of kernels and of the demo's network, read from the device's own timer.

Each kernel is a model of one op. The device times the op alone, requantization included: no
Python, no copying of frames. Weights and input lie in RAM.
"""

import json
from dataclasses import dataclass

import numpy as np

from host_sdk import mlet_file, paths, planner
from host_sdk.deploy import deploy
from host_sdk.devices import list_devices, open_device
from host_sdk.graph import Graph, Op, Tensor
from host_sdk.quantize import quantize
from host_sdk.remote import RemoteStream, require_module
from host_sdk.romfs import build_romfs

MHZ = 125  # of the RP2040 as MicroPython sets it, and of the virtual Pico
FRAMES = 4  # timed, after one that is not
LOUD = 0.02  # a change of cycles that is reported


@dataclass
class Case:
    """A model to time. With `per_layer`, its layers are reported too."""

    name: str
    graph: Graph
    per_layer: bool = False


def _one_op(name, kind, shape, out_shape, weights_shape=None, taps=1, **fields):
    """Return a Case with one op on random weights; outputs spread over the int8 range."""
    rng = np.random.default_rng(0)
    graph = Graph(inputs=[0], outputs=[1], pixel_format="raw")
    graph.tensors = [Tensor("x", *shape, 1.0, 3), Tensor("y", *out_shape, 1.0, 3)]
    op = Op(kind, name, [0], 1, **fields)
    if weights_shape:
        channels = out_shape[2]
        op.weights = rng.integers(-127, 128, weights_shape).astype(np.int8)
        op.bias = rng.integers(-1000, 1000, channels).astype(np.int32)
        op.multiplier = rng.integers(1 << 30, 1 << 31, channels).astype(np.int32)
        spread = 37 + round(np.log2(taps) / 2)  # so that few outputs are clamped
        op.shift = np.full(channels, spread, np.uint8)
    graph.ops = [op]
    return Case(name, graph)


def kernel_cases():
    """Return the kernels of the table, by the names that the figures are known by."""
    map_32 = (16, 16, 32)
    return [
        _one_op("pointwise_16x16_32_32", "pointwise", map_32, map_32, (32, 32), 32),
        _one_op(
            *("depthwise3x3_16x16x32", "depthwise2d", map_32, map_32, (3, 3, 32), 9),
            **{"kernel": (3, 3), "padding": (1, 1)},
        ),
        _one_op(
            *("conv3x3s2_32x32x1_8", "conv2d", (32, 32, 1), (16, 16, 8), (8, 3, 3, 1), 9),
            **{"kernel": (3, 3), "stride": (2, 2), "padding": (0, 0)},
        ),
        _one_op(
            *("temporal3_16x16x32", "temporal_depthwise", map_32, map_32, (3, 32), 3), frames=3
        ),
        _one_op("shift_quarter_16x16x32", "temporal_shift", map_32, map_32, shift_channels=8),
        _one_op("dense_512_16", "dense", (1, 1, 512), (1, 1, 16), (16, 512), 512),
    ]


def demo_case():
    """Return the demo's network with its initial weights: cycles do not depend on training."""
    from host_sdk import demo
    from host_sdk.data import load_task
    from host_sdk.networks import build_network, import_keras

    config = demo.CONFIG
    task = load_task(config.task)
    import_keras().utils.set_random_seed(0)
    model = build_network(config.network, task.FRAME_SHAPE, len(task.LABELS), config.width)
    clips, _ = task.make_clips(16, config.frames, "train", 0)
    graph = quantize(model, clips, task.LABELS, task.FRAMES_PER_SECOND)
    return Case("demo_frame", graph, per_layer=True)


def pack_case(case):
    """Return the case's model as bytes."""
    return mlet_file.pack(case.graph, planner.plan(case.graph))


def random_frame(graph, rng):
    """Return a frame for the graph's first input, int8 [H, W, C]."""
    return rng.integers(-128, 128, graph.tensors[graph.inputs[0]].shape).astype(np.int8)


def measure(device, path, case, device_name):
    """Time a case whose model lies at `path` on the device.

    Returns rows {case, impl, device, cycles, macs, scratch_bytes}, what bench.json holds: the
    model's, and with `per_layer` one for each layer, named "case/layer".
    """
    common = {"impl": require_module(device)["target"], "device": device_name}
    graph, plan = case.graph, planner.plan(case.graph)
    stream = RemoteStream(device, path, graph, in_ram=True)
    frame = random_frame(graph, np.random.default_rng(1))
    cycles = np.array(stream.profile(frame, FRAMES)) * MHZ / FRAMES
    rows = [
        {
            "case": case.name,
            **common,
            "cycles": round(cycles.sum()),
            "macs": graph.macs_per_frame,
            "scratch_bytes": max(plan.scratch_sizes),
        }
    ]
    if case.per_layer:
        rows += [
            {
                "case": f"{case.name}/{op.name}",
                **common,
                "cycles": round(cycles[index]),
                "macs": graph.macs(op),
                "scratch_bytes": plan.scratch_sizes[index],
            }
            for index, op in enumerate(graph.ops)
        ]
    return rows


def changes(old, new, least=LOUD):
    """Return [(row, old cycles)] of the rows of `new` that moved by more than `least`."""
    before = {_key(row): row["cycles"] for row in old}
    moved = []
    for row in new:
        cycles = before.get(_key(row))
        if cycles and abs(row["cycles"] / cycles - 1) > least:
            moved.append((row, cycles))
    return moved


def _key(row):
    return row["case"], row["impl"], row["device"]


HEADING = """# Benchmarks

Written by `make bench`; do not edit.

Cycles of one frame at 125 MHz, from the device's timer around the kernel alone, requantization
included, weights and input in RAM; the mean of {frames} runs. The virtual Pico counts
Cortex-M0+ cycles exactly, so a figure changes only when the code or the compiler does. It has one
core and no flash cache, so it shows none of the cycles that real flash costs when its cache
misses: a Pico will be somewhat slower than this where code or weights lie in flash.
"""


def markdown(rows):
    """Return BENCHMARKS.md for the rows."""
    lines = [HEADING.format(frames=FRAMES)]
    for device in sorted({row["device"] for row in rows}):
        mine = [row for row in rows if row["device"] == device]
        lines += [f"## {device}", "", "### Kernels and networks", ""]
        lines += _table([row for row in mine if "/" not in row["case"]])
        for network in sorted({row["case"].split("/")[0] for row in mine if "/" in row["case"]}):
            lines += ["", f"### {network}, by layer", ""]
            lines += _table([row for row in mine if row["case"].startswith(network + "/")])
    return "\n".join(lines) + "\n"


def _table(rows):
    lines = [
        "| case | impl | cycles | MACs | cycles a MAC | scratch bytes |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        per_mac = f"{row['cycles'] / row['macs']:.2f}" if row["macs"] else "–"
        name = row["case"].split("/", 1)[-1]
        lines.append(
            f"| {name} | {row['impl']} | {row['cycles']:,} | {row['macs']:,} | {per_mac} "
            f"| {row['scratch_bytes']:,} |"
        )
    return lines


def read_rows(path):
    """Return the rows of a bench.json, [] when there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def run(spec, progress=None):
    """Measure all cases on the device `spec` (see devices.open_device); return the rows.

    The virtual Pico starts with all models in its ROMFS; on a board they are deployed in turn.
    """
    cases = [*kernel_cases(), demo_case()]
    names = {case.name: f"{case.name}.mlet" for case in cases}
    total = len(cases)

    def step(done):
        if progress:
            progress(done, total)

    rows = []
    if spec in ("auto", "virtual") and not (spec == "auto" and list_devices()):
        folder = paths.build() / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        image = folder / "models.romfs"
        image.write_bytes(build_romfs({names[c.name]: pack_case(c) for c in cases}))
        flash = folder / "virtual.flash"
        with open_device("virtual", flash=flash, fresh=True, romfs=image) as device:
            for done, case in enumerate(cases):
                step(done)
                rows += measure(device, f"/rom/{names[case.name]}", case, "virtual-pico")
        return rows
    with open_device(spec) as device:
        for done, case in enumerate(cases):
            step(done)
            path = deploy(device, pack_case(case), "bench.mlet", where="files").path
            rows += measure(device, path, case, device.name)
    return rows
