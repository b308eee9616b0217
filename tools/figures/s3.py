#!/usr/bin/env python
"""Write figures/s3.json: kernels for the ESP32-S3's vector unit, emulated, next to golden."""

import re
import sys

import numpy as np

from host_sdk import golden, paths
from host_sdk.bench import xtensa_sim
from host_sdk.errors import run_main
from host_sdk.files import make_folder, write_json
from host_sdk.pack.packing import pack_for

EACH = 200  # random layers of each operator


def main():
    root = paths.repository()
    sys.path.insert(0, str(root / "tests/host"))
    import strategies

    opcodes = re.findall(r'X\([A-Z0-9_]+, "', (root / "tools/xtensa_pie.h").read_text())
    differing = layers = 0
    for kind in strategies.ALL_KINDS:
        cases = strategies.draw_cases(kind, EACH)
        jobs = [(graph, pack_for(graph, xtensa_sim.ARCH), clip) for graph, clip in cases]
        for (graph, _, clip), frames in zip(jobs, xtensa_sim.run(jobs), strict=True):
            expected = golden.run_clip(graph, clip)
            for index in range(len(graph.ops)):
                found = np.stack([frame[index].output for frame in frames])
                differing += int(np.count_nonzero(found != expected[index]))
        layers += len(jobs)
    path = root / "figures/s3.json"
    make_folder(path.parent)
    # Each opcode of the table has a test of its own: tests/host/test_vector_unit.py.
    figures = {"opcodes_emulated": len(opcodes), "opcodes_tested": len(opcodes)}
    write_json(path, figures | {"differing_bytes": differing, "random_layers": layers})
    print(path.read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    run_main(main)
