"""The cost model: counts what the kernels' loops do, and learns from the benchmark table."""

import numpy as np
import pytest
import strategies
from hypothesis import given

from host_sdk.bench import measure as bench
from host_sdk.cost import cost_model
from host_sdk.cost.benchmarks import stored_rows
from host_sdk.errors import MotionletError

TARGET, DEVICE = "cortex_m0plus", "virtual-pico"


@pytest.fixture(scope="module")
def rows():
    return stored_rows()


@given(strategies.one_op_graphs("depthwise2d"))
def test_taps_inside_the_image(graph):
    op, source, out = graph.ops[0], graph.tensors[0], graph.tensors[1]
    inside = 0
    for i, j in np.ndindex(out.height, out.width):
        for a, b in np.ndindex(*op.kernel):
            row = i * op.stride[0] - op.padding[0] + a * op.dilation[0]
            column = j * op.stride[1] - op.padding[1] + b * op.dilation[1]
            inside += 0 <= row < source.height and 0 <= column < source.width
    assert cost_model.taps_inside(op, source, out) == inside


def test_fit_finds_the_cycles():
    rng = np.random.default_rng(0)
    known = {"add": {"calls": 300.0, "outputs": 11.5}, "dense": {"calls": 90.0, "products": 4.25}}
    rows = []
    for kernel, cycles in known.items():
        for _ in range(4):
            counts = {name: int(n) for name, n in zip(cycles, rng.integers(1, 999, 2), strict=True)}
            total = sum(counts[name] * cycles[name] for name in cycles)
            rows.append(
                {"kernel": kernel, "work": counts, "cycles": total, "impl": "a", "device": "b"}
            )
    rows.append({"case": "a row of another table", "impl": "a", "device": "b"})
    found = cost_model.fit(rows, "a", "b").cycles
    for kernel, cycles in known.items():
        assert found[kernel] == pytest.approx(cycles)
    with pytest.raises(MotionletError, match="no cycles of a on c are known: run `host_sdk bench`"):
        cost_model.fit(rows, "a", "c")


def test_it_reproduces_the_table(rows):
    """Whole networks, as the sum of their layers, within 10 % of what was measured."""
    found = cost_model.fit(rows, TARGET, DEVICE).cycles
    reckoned, measured = {}, {}
    for row in rows:
        name, _, layer = row["case"].partition("/")
        if layer and "work" in row:
            cycles = sum(n * found[row["kernel"]][what] for what, n in row["work"].items())
            reckoned[name] = reckoned.get(name, 0) + cycles
            measured[name] = measured.get(name, 0) + row["cycles"]
    assert len(measured) > 10
    for name, cycles in measured.items():
        assert reckoned[name] == pytest.approx(cycles, rel=0.1), name


def test_unknown_kernel_is_named():
    case = bench.kernel_cases()[0]
    plan = bench.plan_case(case, TARGET)
    with pytest.raises(MotionletError, match=r"tells nothing of pointwise, which .* needs"):
        cost_model.CostModel({}).layers(case.graph, plan)
