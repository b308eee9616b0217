"""The benchmark: its table is complete, and a change against the stored one is seen."""

import itertools

import pytest

from host_sdk import paths
from host_sdk.bench import measure as bench
from host_sdk.bench import report as bench_report
from host_sdk.bench import xtensa as bench_xtensa
from host_sdk.bench import xtensa_cycles
from host_sdk.cost.benchmarks import read_rows
from host_sdk.cost.cost_model import stored_figures

KERNELS = {
    "pointwise_16x16_32_32": 262_144,
    "depthwise3x3_16x16x32": 73_728,
    "conv3x3s2_32x32x1_8": 18_432,
    "temporal3_16x16x32": 24_576,
    "shift_quarter_16x16x32": 0,
    "dense_512_16": 8_192,
    "pointwise_int4_16x16_32_32": 262_144,
}
IMPLS = ("portable", "cortex_m0plus")


def row(case, cycles, impl="portable"):
    common = {"impl": impl, "device": "virtual-pico", "macs": 10, "scratch_bytes": 0}
    return {"case": case, "cycles": cycles, **common}


def test_the_cases_are_the_ones_that_figures_are_known_by():
    assert {case.name: case.graph.macs_per_frame for case in bench.kernel_cases()} == KERNELS


def test_changes_over_two_percent_are_seen():
    old = [row("a", 10000), row("b", 10000), row("c", 10000), row("gone", 5)]
    new = [row("a", 10199), row("b", 10201), row("c", 9700), row("new", 5)]
    assert [(r["case"], before) for r, before in bench.changes(old, new)] == [
        ("b", 10000),
        ("c", 10000),
    ]
    step = bench.TIMER_STEP["cycles"]  # of a short kernel it may be more than 2%
    assert bench.changes([row("a", 1000)], [row("a", 1000 + step)]) == []
    assert bench.changes([row("a", 1000)], [row("a", 1001 + step)]) != []
    assert bench.changes([row("a", 1000, "other")], [row("a", 2000)]) == []


def test_changes_are_named_by_what_they_are_of():
    size = {"case": "core", "impl": "flash", "device": "armv6m, firmware"}
    old, new = [row("a", 10000), size | {"bytes": 100}], [row("a", 9000), size | {"bytes": 103}]
    assert bench.describe_changes(old, new) == [
        "faster: a (portable): 10,000 → 9,000 (-10.0%)",
        "LARGER: core (flash): 100 → 103 (+3.0%)",
    ]


def test_the_stored_table_is_the_stored_figures():
    root = paths.repository()
    rows = read_rows(root / "benchmarks.json")
    told = bench_report.markdown(rows, stored_figures())
    assert (root / "BENCHMARKS.md").read_text(encoding="utf-8") == told
    measured = {(r["case"], r["impl"], r["device"]) for r in rows}
    names = [*(case.name for case in bench.kernel_cases() + bench.more_cases()), "demo_frame"]
    assert measured >= {(name, impl, "virtual-pico") for name in names for impl in IMPLS}
    on_xtensa = {(name, impl, "xtensa-sim") for name in names for impl in bench_xtensa.TARGETS}
    assert measured >= on_xtensa
    assert measured >= {(name, impl, "virtual-pico") for name in bench.DESIGNS for impl in IMPLS}
    estimated = [r for r in rows if r["device"] == xtensa_cycles.NAME]
    assert {"demo_frame", "mobilenet_025_96", "dense_512_16"} <= {r["case"] for r in estimated}
    assert all(r["cycles"] > 0 for r in estimated)
    assert all(r["macs"] > 0 for r in estimated)
    units = {r["device"]: bench.unit_of(r) for r in rows}
    assert {units.pop("virtual-pico"), units.pop("xtensa-sim")} == {"cycles", "instructions"}
    assert units.pop(xtensa_cycles.NAME) == "cycles"
    assert {"armv6m, firmware", "armv6m, native module"} <= units.keys()
    assert {*units.values()} == {"bytes"}
    arrays = {(r["case"], r["impl"]): r["array_bytes"] for r in rows if "array_bytes" in r}
    for int4, int8 in bench.INT4.items():
        channels = 8 if "conv" in int4 else int(int8.split("_")[-1])
        for impl in IMPLS:
            saved = arrays[int8, impl] - arrays[int4, impl]
            assert saved == pytest.approx((arrays[int8, impl] - 9 * channels) / 2, rel=0.02)


def test_devices_not_measured_keep_their_figures():
    old = [row("a", 1), {**row("a", 2), "device": "board"}]
    assert bench.merge(old, [row("a", 3), row("b", 4)]) == [old[1], row("a", 3), row("b", 4)]


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_measured_anew(pico_firmware):
    """Measure all and keep it in build/; what moved is said at the end (tests/conftest.py).

    Cycles of the virtual Pico do not depend on this machine, so what is compared is exact.
    """
    rows = bench.run("virtual")
    measured = {(r["case"], r["impl"]): r for r in rows}
    for name, macs in KERNELS.items():
        for impl in IMPLS:
            assert measured[name, impl]["macs"] == macs
            assert measured[name, impl]["cycles"] > 0
    # A layer of a network ("/") may be: row by row, where memory counts for more than time.
    slower = {
        case
        for (case, impl), row in measured.items()
        if impl == "portable"
        and "/" not in case
        and measured[case, "cortex_m0plus"]["cycles"] > row["cycles"] + bench.TIMER_STEP["cycles"]
    }
    assert not slower  # than the portable kernel
    for name, impl in itertools.product(("demo_frame", *bench.DESIGNS), IMPLS):
        whole = measured[name, impl]
        layers = [r for r in rows if r["case"].startswith(name + "/") and r["impl"] == impl]
        assert sum(r["cycles"] for r in layers) == pytest.approx(whole["cycles"], abs=len(layers))
        assert whole["arena_bytes"] <= whole["arena_bytes_whole_maps"]
        assert whole["stream_heap_bytes"] > whole["arena_bytes"]
        assert 0 < whole["model_heap_bytes"] < 1000
    folder = paths.build() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.json").write_text(bench.json_of(rows))
    (folder / "BENCHMARKS.md").write_text(bench_report.markdown(rows, stored_figures()))
