"""The cost model: what the kernels say they do, and the cycles learnt from the benchmark table."""

import copy

import numpy as np
import pytest
import strategies
from hypothesis import given

from host_sdk import native
from host_sdk.bench import measure as bench
from host_sdk.cost import cost_model
from host_sdk.cost.benchmarks import stored_rows
from host_sdk.errors import MotionletError
from host_sdk.pack import mlet_file
from host_sdk.pack.packing import pack_for, plan_for

TARGET, DEVICE = "cortex_m0plus", "virtual-pico"


@pytest.fixture(scope="module")
def rows():
    return stored_rows()


@pytest.fixture(scope="module")
def cases():
    every = bench.kernel_cases() + bench.more_cases() + bench.small_cases() + bench.rare_cases()
    return {case.name: case.graph for case in every}


def work(graph):
    """Return what the only op of a graph does, {counter: how often}; 0 of what it does not."""
    (counts,) = cost_model.work_of(pack_for(graph, TARGET))
    return dict.fromkeys(native.counter_names(), 0) | counts


def taps_inside(op, source, out):
    """Return how many taps of all windows lie inside the image, for one channel, one by one."""
    inside = 0
    for i, j in np.ndindex(out.height, out.width):
        for a, b in np.ndindex(*op.kernel):
            row = i * op.stride[0] - op.padding[0] + a * op.dilation[0]
            column = j * op.stride[1] - op.padding[1] + b * op.dilation[1]
            inside += 0 <= row < source.height and 0 <= column < source.width
    return inside


@given(strategies.one_op_graphs("depthwise2d"))
def test_depthwise_makes_each_output_once(graph):
    lean, _ = plan_for(graph, TARGET)  # of which dead taps are left out
    op, source, out = lean.ops[0], lean.tensors[0], lean.tensors[1]
    done = work(graph)
    ways = ("plain_outputs", "rows3_outputs", "apart_outputs", "tap_outputs")
    assert sum(done[way] for way in ways) == out.size
    assert done["exact_outputs"] <= done["plain_outputs"]
    if done["plain_outputs"] == out.size:  # all of it straight from the image
        assert done["sparse_products"] == taps_inside(op, source, out) * out.channels
    if done["tap_outputs"]:
        taps = op.kernel[0] * op.kernel[1]
        assert done["tap_products"] == done["tap_outputs"] * (taps + taps % 2)


@given(strategies.one_op_graphs("conv2d"))
def test_conv2d_multiplies_each_tap(graph):
    lean, _ = plan_for(graph, TARGET)
    op, source, out = lean.ops[0], lean.tensors[0], lean.tensors[1]
    done = work(graph)
    taps, positions = op.kernel[0] * op.kernel[1] * source.channels, out.height * out.width
    if done["windows"]:
        products = taps_inside(op, source, out) * source.channels * out.channels
        assert done["window_products"] + done["window_products_int4"] == products
        assert done["windows"] == positions * -(-out.channels // 32)
    elif done["dot_rows"]:
        assert done["dot_taps"] + done["dot_taps_int4"] == taps * out.channels
    elif op.weight_bits == 4:  # blocks of eight
        assert done["block_rows_int4"] == -(-positions // 8) * out.channels
        assert done["taps_int4"] == done["block_rows_int4"] * -(-taps // 4) * 4
        assert 2 * done["blocks_int4"] <= done["pack_rows"]
    else:
        assert done["block_rows"] == -(-positions // 4) * out.channels
        fours = 4 * (done["groups_of_two"] + done["groups_of_four"]) / done["block_rows"]
        assert taps - fours in ((1, 2) if done["tails"] else (-1, 0))  # three are padded to four
        assert done["inside_blocks"] + done["clipped_blocks"] == done["blocks"]


def test_counts_are_what_the_layers_are(cases):
    """Products are MACs, outputs are outputs, wherever shapes divide evenly."""
    graph = cases["pointwise_16x16_32_32"]
    done = work(graph)
    products = 4 * 4 * (done["groups_of_two"] + done["groups_of_four"])  # of taps and positions
    assert products == graph.macs_per_frame == 16 * 16 * 32 * 32
    assert 4 * done["block_rows"] == graph.tensors[1].size
    assert 4 * done["pack_taps"] == graph.tensors[0].size
    assert work(cases["pointwise_exact_16x16_32_32"])["exact_outputs"] == 16 * 16 * 32
    done = work(cases["pointwise_int4_16x16_32_32"])
    assert 8 * done["taps_int4"] == 16 * 16 * 32 * 32
    assert (done["blocks"], done["blocks_int4"]) == (0, 32)
    done = work(cases["dense_512_16"])
    assert 16 * done["dot4_words"] == cases["dense_512_16"].macs_per_frame
    assert done["plain_outputs"] == 16
    done = work(cases["temporal5_8x8x64"])
    assert done["tap_outputs"] == done["temporal_stored"] == 8 * 8 * 64
    assert work(cases["temporal3_16x16x32"])["temporal3_outputs"] == 16 * 16 * 32
    assert work(cases["add_16x16x32"])["added"] == 16 * 16 * 32
    assert 4 * work(cases["average_all_8x8x64"])["mean_taps"] == 8 * 8 * 64
    assert 8 * work(cases["shift_quarter_16x16x32"])["swapped_eights"] == bench.SHIFTED
    assert 4 * work(cases["shift_pointwise_16x16_32_32"])["kept_words"] == bench.SHIFTED


def test_a_chain_counts_the_rows_that_it_makes():
    graph = next(c for c in bench.design_cases(("tsm_32x32x1",))).graph
    lean, plan = plan_for(graph, TARGET)
    counts = cost_model.work_of(mlet_file.pack(lean, plan, TARGET))
    by_row = [bool(plan.rows[i] or (i and plan.rows[i - 1])) for i in range(len(lean.ops))]
    assert True in by_row
    assert False in by_row
    for op, chained, done in zip(lean.ops, by_row, counts, strict=True):
        out = lean.tensors[op.output]
        assert done["kernel_calls"] == (out.height if chained else 1), op.name
        assert done.get("chain_rows", 0) == (out.height if chained else 0), op.name
        ways = ("rows3_outputs", "apart_outputs", "plain_outputs")
        if op.kind == "depthwise2d":
            assert sum(done.get(way, 0) for way in ways) == out.size


def test_only_the_counting_library_counts():
    _, plain = native.library()
    with pytest.raises(AttributeError):
        plain.mlet_counter_name  # noqa: B018
    assert len(set(native.counter_names())) == len(native.counter_names()) > 40


def test_the_stored_counts_are_the_kernels_own(rows, cases):
    """If this fails, what kernels do has changed: `make figures NAME=cost_model` counts anew."""
    stored = {row["case"]: row for row in rows if row["impl"] == TARGET and "cycles" in row}
    names = set(native.counter_names())
    assert all(set(row["work"]) <= names for row in stored.values() if "work" in row)
    for name, graph in cases.items():
        assert [stored[name]["work"]] == cost_model.work_of(pack_for(graph, TARGET)), name


def test_every_counter_is_learnt(rows):
    """No network needs what the table tells nothing of."""
    assert set(cost_model.fit(rows, TARGET, DEVICE).cycles) == set(native.counter_names())


def test_fit_finds_the_cycles():
    """One counter may be of several kernels."""
    rng = np.random.default_rng(0)
    known = {"calls": 300.0, "added": 11.5, "words": 4.25}
    rows = []
    for kernel in (("calls", "added"), ("calls", "words")):
        for _ in range(4):
            work = {name: int(rng.integers(1, 999)) for name in kernel}
            cycles = sum(n * known[name] for name, n in work.items())
            rows.append({"case": "x", "work": work, "cycles": cycles, "impl": "a", "device": "b"})
    rows.append({"case": "a row of another table", "impl": "a", "device": "b"})
    assert cost_model.fit(rows, "a", "b").cycles == pytest.approx(known)
    with pytest.raises(MotionletError, match="no cycles of a on c are known: run `host_sdk bench`"):
        cost_model.fit(rows, "a", "c")


def test_unseen_networks_are_foretold(rows):
    """A frame within 5 %, nine of ten layers within 20 %; and the figures are of this table."""
    found, stored = cost_model.hold_out(rows, TARGET, DEVICE), cost_model.stored_figures()
    assert found["held_out_frame_error_max"] < 0.05
    assert found["held_out_layer_error_p90"] < 0.2
    assert [entry["network"] for entry in found["networks"]] == ["demo_frame", *bench.DESIGNS]
    for entry in found["networks"]:
        assert abs(entry["frame_error"]) < 0.05, entry
        assert entry["layer_error_p90"] < 0.2, entry
    for mine, kept in zip((found, *found["networks"]), (stored, *stored["networks"]), strict=True):
        for name, value in kept.items():
            if name not in ("network", "networks"):
                assert mine[name] == pytest.approx(value, abs=2e-4, rel=1e-3), (name, kept)


def test_unknown_work_is_named():
    graph = bench.kernel_cases()[0].graph
    data = pack_for(graph, TARGET)
    with pytest.raises(MotionletError, match=r"tells nothing of kernel_calls, which op 0 needs"):
        cost_model.CostModel({}).layers(data, graph)


def test_an_op_that_runs_seldom_costs_less(make_vectors, rows):
    """Its cycles are spread over the frames, as its multiply-accumulates are."""
    model = cost_model.fit(rows, TARGET, DEVICE)
    graph = make_vectors.tiny_two_rates()
    once = model.layers(pack_for(graph, TARGET), graph)
    assert max(op.period for op in graph.ops) > 1
    every = copy.deepcopy(graph)
    for op in every.ops:
        op.period = 1
    always = model.layers(pack_for(graph, TARGET), every)
    assert np.allclose(once * [op.period for op in graph.ops], always)


def test_what_is_counted_anew_is_the_model_that_was_measured(monkeypatch):
    case = bench.small_cases()[0]
    monkeypatch.setattr(bench, "all_cases", lambda: [case])
    monkeypatch.setattr(bench, "design_cases", list)
    monkeypatch.setattr(bench, "rare_cases", list)
    (row,) = bench.rows_of(case, TARGET, "a board", "cycles", [1234])
    stale = row | {"work": {"gone": 1}}
    assert bench.recount([stale]) == [row]
    with pytest.raises(MotionletError, match=f"{case.name} is another now: run `host_sdk bench`"):
        bench.recount([row | {"array_bytes": 1}])
