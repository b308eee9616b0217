"""The C core and the kernels for the ESP32-S3 on an emulated Xtensa core, against the golden model.

All of it is skipped, with the reason, where the toolchain cannot be had.
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import strategies
import toolchains
from hypothesis import given, settings
from hypothesis import strategies as st
from test_chains import row_graphs

from host_sdk import golden, paths
from host_sdk.bench import measure as bench
from host_sdk.bench import xtensa as bench_xtensa
from host_sdk.bench import xtensa_sim
from host_sdk.errors import MotionletError
from host_sdk.pack import mlet_file, planner, targets
from host_sdk.pack.packing import pack_for

TARGETS = ("portable", "esp32s3")
EXAMPLES = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 40


@pytest.fixture(scope="session")
def xtensa():
    """xtensa_sim, with its toolchain in place."""
    toolchains.need_xtensa()
    return xtensa_sim


def jobs_of(cases):
    """The jobs of cases [(graph, clip)], for each target."""
    return [(graph, pack_for(graph, target), clip) for graph, clip in cases for target in TARGETS]


def check(xtensa, cases):
    """Run cases for each target; compare every byte of every op and frame with golden."""
    check_jobs(xtensa, jobs_of(cases))


def check_jobs(xtensa, jobs):
    """The same for jobs."""
    for (graph, _, clip), frames in zip(jobs, xtensa.run(jobs), strict=True):
        expected = golden.run_clip(graph, clip)
        for index in range(len(graph.ops)):
            found = np.stack([frame[index].output for frame in frames])
            np.testing.assert_array_equal(found, expected[index], graph.ops[index].kind)
            assert all(frame[index].instructions > 0 for frame in frames)


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
def test_layers_equal_golden(xtensa, kind):
    check(xtensa, strategies.draw_cases(kind, EXAMPLES))


def test_models_equal_golden(xtensa, make_vectors):
    cases = []
    graphs = [strategies.as_raw(build()) for build in make_vectors.MODELS.values()]
    for graph in graphs:
        if len(graph.inputs) > 1:
            continue  # the simulator's jobs have one input; test_two_rates runs the others
        shape = (6, *graph.input_tensor.shape)
        cases.append((graph, np.random.default_rng(0).integers(-128, 128, shape, np.int8)))
    check(xtensa, cases)


def test_whole_graphs_equal_golden(xtensa):
    check(xtensa, strategies.draw_graphs(EXAMPLES))


def test_chains_equal_golden(xtensa):
    jobs = []

    @settings(max_examples=EXAMPLES)
    @given(row_graphs(), st.data())
    def collect(made, data):
        graph, chains = made
        clip = data.draw(strategies.frames_of(graph.tensors[0], 3))
        for target in TARGETS:
            plan = planner.plan(graph, targets.scratch_bytes(target), chains=chains)
            jobs.append((graph, mlet_file.pack(graph, plan, target), clip))

    collect()
    check_jobs(xtensa, jobs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_demos_network_equals_golden(xtensa):
    graph = bench.demo_case().graph
    shape = (3, *graph.input_tensor.shape)
    check(xtensa, [(graph, np.random.default_rng(0).integers(-128, 128, shape, np.int8))])


def test_counts_are_exact(xtensa, make_vectors):
    """The same code takes the same instructions, whatever ran before it; another layer, others."""
    graph = strategies.as_raw(make_vectors.tiny_separable())
    clip = np.zeros((2, *graph.input_tensor.shape), np.int8)
    once, again = jobs_of([(graph, clip)]) * 2, jobs_of([(graph, clip)])
    counts = [
        [[[op.instructions for op in frame] for frame in frames] for frames in xtensa.run(jobs)]
        for jobs in (once, again, once)
    ]
    assert counts[0] == counts[2]
    assert counts[0][:2] == counts[1]
    # Windows that spill at another depth of calls, once a job, are all that may differ.
    np.testing.assert_allclose(counts[0][:2], counts[0][2:], atol=40)
    assert len(set(counts[1][0][1])) > 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_measured_anew(xtensa):
    """Count all instructions of the table; what moved is said at the end (tests/conftest.py)."""
    rows = bench_xtensa.run()
    found = {(r["case"], r["impl"]): r["instructions"] for r in rows}
    small = {case.name for case in bench.small_cases()}  # made faster for the RP2040 only
    for case in {case for case, _ in found} - small:
        assert found[case, "esp32s3"] <= 1.02 * found[case, "portable"], case
    for case in ("pointwise_16x16_32_32", "depthwise3x3_16x16x32", "temporal3_16x16x32"):
        assert found[case, "portable"] > 1.5 * found[case, "esp32s3"]
    folder = paths.build() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "xtensa.json").write_text(bench.json_of(rows))


def test_a_crash_is_reported(xtensa, tiny):
    graph, data = tiny
    clip = np.zeros((1, *graph.input_tensor.shape), np.int8)
    with pytest.raises(MotionletError, match="refuses job 0: -3"):
        xtensa.run([(graph, b"MLET" + bytes(300), clip)])
    assert len(xtensa.run([(graph, data, clip)])) == 1


@pytest.mark.parametrize(("floats", "converts"), [("1", "float.s"), ("0", "__floatsisf")])
def test_the_compiler_knows_the_core(xtensa, tmp_path, floats, converts):
    source, program = tmp_path / "a.c", xtensa.toolchain() / "xtensa-esp32s3-elf-"
    source.write_text(
        "int signed_high(int a, int b) { return (long long)a * b >> 32; }\n"
        "unsigned high(unsigned a, unsigned b) { return (unsigned long long)a * b >> 32; }\n"
        "float real(int a) { return a; }\n"
    )
    env = {**os.environ, "MOTIONLET_XTENSA_FLOATS": floats}
    subprocess.run([f"{program}gcc", "-O2", "-c", source], cwd=tmp_path, env=env, check=True)
    command = [f"{program}objdump", "-dr", tmp_path / "a.o"]
    code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for word in ("entry", "mulsh", "muluh", converts):
        assert re.search(rf"\b{re.escape(word)}\b", code), word


def test_no_toolchain_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, toolchains.XTENSA, "--dest", tmp_path],
        capture_output=True,
        text=True,
        env={"PATH": ""},
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: cannot get the Xtensa toolchain: Debian packages: no apt-get here\n"
    )
