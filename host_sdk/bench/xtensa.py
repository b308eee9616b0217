"""The benchmark on the emulated Xtensa core: instructions, as it knows no cycles."""

import numpy as np

from host_sdk import golden
from host_sdk.bench import measure as bench
from host_sdk.bench import xtensa_sim

TARGETS = ("portable", xtensa_sim.ARCH)


def run(cases=None):
    """Count the instructions of all cases (of `cases`, if given); return rows as bench.run() does.

    Raises MotionletError when the Xtensa toolchain cannot be had.
    """
    cases = cases or [*bench.all_cases(), *bench.design_cases(bench.FAMILIES)]
    runs = [(case, target) for case in cases for target in TARGETS]
    jobs = []
    for case, target in runs:
        frame = bench.random_frame(case.graph, np.random.default_rng(1))
        stream = golden.Stream(case.graph)
        clip = np.stack([stream.normalize(frame) for _ in range(bench.FRAMES)])
        jobs.append((case.graph, bench.pack_case(case, target), clip))
    rows = []
    for (case, target), frames in zip(runs, xtensa_sim.run(jobs, outputs=False), strict=True):
        counts = [[op.instructions for op in frame] for frame in frames]
        rows += bench.rows_of(
            case, target, xtensa_sim.NAME, "instructions", np.mean(counts, axis=0)
        )
    return rows
