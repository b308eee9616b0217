"""The tuned kernels where they run, in the firmware on the virtual Pico, against the golden model.

Hypothesis draws layers; all of them go to the board in one ROMFS, packed for its kernels.
"""

import json
import os
import zlib

import numpy as np
import pytest
import strategies

from host_sdk import golden
from host_sdk.board.devices import open_device
from host_sdk.board.romfs import build_romfs
from host_sdk.format.graph import Graph, Input, Op
from host_sdk.pack import planner
from host_sdk.pack.packing import pack_for

EXAMPLES = 120 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 24
IMAGE_BYTES = 200_000  # of models and clips at once; the partition has 256 KB

# Runs model after model; for each, prints the CRC-32 of the outputs of all ops on all frames.
SCRIPT = """
import array, gc, json, motionlet, os
found = {}
for name in os.listdir("/rom"):
    if name.endswith(".clip"):
        continue
    gc.collect()
    model = motionlet.load("/rom/" + name)
    stream = model.stream()
    crcs = array.array("I", [0] * (len(model.ops) + 1))
    clip = memoryview(open("/rom/" + name + ".clip", "rb"))
    size = len(stream.tap(clip[:INPUT[name]], -1))
    stream.reset()
    crc = 0
    for at in range(0, len(clip), size):
        stream.trace(clip[at:at + size], crcs)
        crc = motionlet.crc32(crcs, crc)
    found[name] = crc
print(json.dumps(found))
"""


def lane_edges():
    """Layers whose 16-bit lanes are filled to the last value that fits, and one beyond it."""
    cases = []
    for weights in ([127, 128 - 127 - 1, 127, 1], [64, 64, 64, 63], [64, 64, 64, 64], [127] * 4):
        for sign in (1, -1):
            for bits, most in ((8, 127), (4, 7)):
                graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
                graph.tensors.append(strategies.tensor("x", (3, 5, 36), zero_point=-128))
                graph.tensors.append(strategies.tensor("y", (3, 5, 3), zero_point=7))
                rows = np.clip(np.array([weights * 9] * 3) * sign, -most, most)
                op = Op("pointwise", "edge", [0], 1, weights=rows.astype(np.int8), weight_bits=bits)
                op.bias = np.zeros(3, np.int32)
                op.multiplier = np.full(3, 1 << 30, np.int32)
                op.shift = np.array([30 + 10, 30 + 12, 30 + 13], np.uint8)
                graph.ops.append(op)
                extremes = [np.full((3, 5, 36), value, np.int8) for value in (-128, 127)]
                mixed = np.where(np.arange(36) % 3, -128, 127).astype(np.int8)
                extremes.append(np.broadcast_to(mixed, (3, 5, 36)).copy())
                cases.append((graph, np.stack(extremes)))
    return cases


def chained(make_vectors):
    """Whole models, in chains of rows and on whole maps."""
    cases = []
    tiny = (make_vectors.tiny_tsm, make_vectors.tiny_separable, make_vectors.tiny_shifting)
    for build in tiny:
        graph = strategies.as_raw(build())
        clip = np.random.default_rng(0).integers(-128, 128, (6, *graph.tensors[0].shape), np.int8)
        assert any(planner.plan(graph).rows) or build is make_vectors.tiny_tsm
        cases.append((graph, clip))
    return cases


def expected_crc(graph, clip):
    outputs = golden.run_clip(graph, clip)
    crc = 0
    for t, frame in enumerate(clip):
        tensors = [frame, *(output[t] for output in outputs)]
        crcs = [zlib.crc32(np.ascontiguousarray(tensor).tobytes()) for tensor in tensors]
        crc = zlib.crc32(np.array(crcs, "<u4").tobytes(), crc)
    return crc


def run_on_pico(cases, directory):
    """Return {name: CRC} of all cases, a list of (name, graph, clip)."""
    found, files, sizes = {}, {}, {}

    def flush():
        image = directory / "romfs"
        image.write_bytes(build_romfs(files))
        # Strict: what a real board answers with a HardFault ends the test.
        options = {"flash": directory / "f", "fresh": True, "romfs": image, "strict": True}
        with open_device("virtual", **options) as pico:
            said = pico.exec(f"INPUT = {sizes!r}\n{SCRIPT}", timeout=600)
            found.update(json.loads(said.splitlines()[-1]))
        files.clear()
        sizes.clear()

    for name, graph, clip in cases:
        files[name] = pack_for(graph, "cortex_m0plus")
        files[f"{name}.clip"] = clip.tobytes()
        sizes[name] = graph.tensors[0].size
        if sum(map(len, files.values())) > IMAGE_BYTES:
            flush()
    flush()
    return found


@pytest.mark.slow
def test_tuned_equals_golden_on_the_virtual_pico(pico_firmware, make_vectors, tmp_path):
    named = [("edge", lane_edges()), ("model", chained(make_vectors))]
    named += [("mean", strategies.mean_edges()), ("graph", strategies.draw_graphs(EXAMPLES // 2))]
    named += [(kind, strategies.draw_cases(kind, EXAMPLES)) for kind in strategies.ALL_KINDS]
    cases = [
        (f"{name}{number}", *case) for name, drawn in named for number, case in enumerate(drawn)
    ]
    found = run_on_pico(cases, tmp_path)
    assert len(found) == len(cases)
    wrong = [name for name, graph, clip in cases if found[name] != expected_crc(graph, clip)]
    assert not wrong
