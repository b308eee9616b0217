"""The benchmark: its table is complete, and a change against the stored one is seen."""

import json

import pytest

from host_sdk import bench, paths

KERNELS = {
    "pointwise_16x16_32_32": 262_144,
    "depthwise3x3_16x16x32": 73_728,
    "conv3x3s2_32x32x1_8": 18_432,
    "temporal3_16x16x32": 24_576,
    "shift_quarter_16x16x32": 0,
    "dense_512_16": 8_192,
}


def row(case, cycles, impl="portable"):
    common = {"impl": impl, "device": "virtual-pico", "macs": 10, "scratch_bytes": 0}
    return {"case": case, "cycles": cycles, **common}


def test_the_cases_are_the_ones_that_figures_are_known_by():
    assert {case.name: case.graph.macs_per_frame for case in bench.kernel_cases()} == KERNELS


def test_changes_over_two_percent_are_seen():
    old = [row("a", 1000), row("b", 1000), row("c", 1000), row("gone", 5)]
    new = [row("a", 1019), row("b", 1021), row("c", 970), row("new", 5)]
    assert [(r["case"], before) for r, before in bench.changes(old, new)] == [
        ("b", 1000),
        ("c", 1000),
    ]
    assert bench.changes([row("a", 1000, "other")], [row("a", 2000)]) == []


def test_the_stored_table_is_the_stored_figures():
    root = paths.repository()
    rows = bench.read_rows(root / "benchmarks.json")
    assert (root / "BENCHMARKS.md").read_text(encoding="utf-8") == bench.markdown(rows)
    assert {r["case"] for r in rows} >= {*KERNELS, "demo_frame"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_measured_anew(pico_firmware, capsys):
    """Measure all; say what moved against the stored table, and keep the new one in build/."""
    rows = bench.run("virtual")
    measured = {r["case"]: r for r in rows}
    assert set(measured) >= {*KERNELS, "demo_frame"}
    for name, macs in KERNELS.items():
        assert measured[name]["macs"] == macs
        assert measured[name]["cycles"] > 0
    layers = [r["cycles"] for r in rows if r["case"].startswith("demo_frame/")]
    assert sum(layers) == pytest.approx(measured["demo_frame"]["cycles"], abs=len(layers))
    folder = paths.build() / "bench"
    (folder / "bench.json").write_text(json.dumps(rows, indent=1) + "\n")
    (folder / "BENCHMARKS.md").write_text(bench.markdown(rows))
    stored = bench.read_rows(paths.repository() / "benchmarks.json")
    with capsys.disabled():
        for r, before in bench.changes(stored, rows):
            word = "SLOWER" if r["cycles"] > before else "faster"
            print(f"\n{word} than stored: {r['case']} ({r['impl']}): {before:,} → {r['cycles']:,}")
