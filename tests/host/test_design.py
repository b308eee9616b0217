"""Networks for a budget: what they cost is what packing and the virtual Pico say."""

import dataclasses
import json
import random

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from keras_models import shaken, smooth_clips

from host_sdk import quantize
from host_sdk.bench import measure as bench
from host_sdk.cli import main
from host_sdk.cost import design
from host_sdk.cost.boards import load_board
from host_sdk.errors import MotionletError
from host_sdk.format.normalization import PIXELS, Normalization
from host_sdk.native import Model
from host_sdk.networks import NETWORKS, build_network, options_of
from host_sdk.pack.packing import pack_for
from host_sdk.pack.pipeline import quantize_run
from host_sdk.train.run_folder import open_run

# Keras itself trips over numpy's new __array__ protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PICO = load_board("MOTIONLET_PICO")
PLENTY = design.Budget(10**9, 10**9, 1e12)


def problem(*shape, classes=4):
    return design.Problem(shape, tuple(f"class {i}" for i in range(classes)), PICO)


@pytest.mark.parametrize("network", NETWORKS)
def test_ram_and_flash_do_not_depend_on_the_weights(network):
    found = problem(16, 20, 1).design(network, {})
    model = shaken(build_network(network, (16, 20, 1), 4), seed=9)
    labels = problem(16, 20, 1).labels
    graph = quantize.quantize(model, smooth_clips(4, 6, 16, 20, 1), labels)
    data = pack_for(graph, PICO.target)
    assert found.ram_bytes == Model(data).stream_bytes
    assert found.flash_bytes == len(data)
    assert found.parameters == graph.parameters


def test_ram_holds_the_background():
    """A normalization that keeps a mean of every pixel takes four bytes for each."""
    sizes = [
        dataclasses.replace(problem(8, 8, 1), normalization=n).design("tsm", {}).ram_bytes
        for n in (PIXELS, Normalization.background(2.0, sample_type="int16"))
    ]
    assert sizes[1] - sizes[0] == 4 * 8 * 8


def test_the_widest_that_fits():
    ask = problem(8, 8, 1)
    limit = ask.design("tsm", {"width": 0.8})
    for name, budget in (
        ("flash_bytes", dataclasses.replace(PLENTY, flash_bytes=limit.flash_bytes)),
        ("ram_bytes", dataclasses.replace(PLENTY, ram_bytes=limit.ram_bytes)),
        ("cycles", dataclasses.replace(PLENTY, cycles=limit.cycles)),
    ):
        found = design.find(ask, budget, "tsm")
        assert not budget.excess(found)
        assert found.capacity >= limit.capacity, name
        wider = ask.design("tsm", {"width": found.options["width"] * design.STEP})
        assert budget.excess(wider) or wider.capacity == found.capacity, name


def test_other_options_are_tried_and_fixed_ones_stay():
    ask = problem(8, 8, 1)
    budget = design.Budget(3000, 12_000, 1e12)
    free = design.find(ask, budget, "xinet")
    fixed = design.find(ask, budget, "xinet", {"gamma": 4, "shift": 0.125})
    assert (fixed.options["gamma"], fixed.options["shift"]) == (4, 0.125)
    assert free.capacity >= fixed.capacity
    narrow = design.find(ask, budget, "xinet", {"width": 0.5})
    assert narrow.options["width"] == 0.5


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 50), st.floats(-100, 100))
def test_the_search_finds_the_first(low, count, first, guess):
    asked = []

    def is_true(i):
        asked.append(i)
        return i >= first

    high = low + count
    assert design._first(is_true, low, high, guess) == min(max(first, low), high)
    assert len(asked) == len(set(asked)) <= 2 * count.bit_length() + 1
    assert all(low <= i < high for i in asked)


def test_few_networks_are_packed(monkeypatch):
    """Those that cannot fit, or cannot be better, are told before they are planned and packed."""
    packed, tried = [], []
    cost_of = design.Problem.cost_of
    monkeypatch.setattr(
        design.Problem, "cost_of", lambda *words: packed.append(words) or cost_of(*words)
    )
    budget = design.Budget(10**6, 15_000, 1e12)
    found = design.find(problem(8, 8, 1), budget, "phinet", on_step=lambda: tried.append(1))
    assert found.flash_bytes > 14_000
    assert len(packed) < len(tried) < 60
    assert len(packed) < len(tried) / 2


def test_costs_are_those_of_a_trained_network(tiny_run):
    run = open_run(tiny_run)
    ask = design.Problem(tuple(run.task.FRAME_SHAPE), tuple(run.labels), PICO)
    trained = ask.cost_of("", {}, quantize_run(run)[0])
    drawn = ask.design(run.config["network"], run.config["options"])
    assert (drawn.ram_bytes, drawn.flash_bytes) == (trained.ram_bytes, trained.flash_bytes)
    assert drawn.cycles == pytest.approx(trained.cycles, rel=0.05)


def test_nothing_fits():
    ask = problem(8, 8, 1)
    tiny = design.Budget(10**9, 500, 1000)
    with pytest.raises(MotionletError) as error:
        design.find(ask, tiny, "separable3d")
    smallest = ask.design("separable3d", {"width": options_of("separable3d")["width"].low})
    assert f"flash {smallest.flash_bytes:,} of 500 bytes" in str(error.value)
    assert f"time {smallest.cycles:,.0f} of 1,000 cycles a frame" in str(error.value)
    assert "RAM" not in str(error.value)
    with pytest.raises(MotionletError, match=r"no tsm fits: .*; no separable3d fits: "):
        design.find_all(ask, tiny, ["tsm", "separable3d"])


def run(*words):
    return CliRunner().invoke(main, ["design", *words])


def test_command():
    words = ("--frame-shape", "8x8x1", "--classes", "3", "--ram", "4k", "--flash", "20k")
    said = run(*words, "--network", "separable3d", "--fps", "20", "--json")
    (found,) = json.loads(said.stdout)
    assert found["network"] == "separable3d"
    assert found["ram_bytes"] <= 4096
    assert found["flash_bytes"] <= 20480
    assert found["fps"] >= 20
    assert found["fps"] == pytest.approx(PICO.mhz * 1e6 / found["cycles"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--board", "TOASTER"], "no board named TOASTER; there is: "),
        (["--ram", "much"], "'much' is not a number of bytes"),
        (["--fps", "0"], "--fps must be above 0, not 0"),
        (["--frame-shape", "8x8"], "--frame-shape 8x8: want HEIGHTxWIDTHxCHANNELS"),
        (["--classes", "3"], "want --task or --data, or --frame-shape and --classes, no mix"),
        (["--network", "resnet"], "no network named 'resnet'"),
        (["--network", "tsm", "--set", "alpha=2"], "tsm has no option 'alpha'"),
        (["--network", "tsm", "--flash", "100"], "no tsm fits: the smallest takes flash "),
        (["--network", "tsm", "--ram", "0"], "no tsm fits: the smallest takes RAM "),
    ],
)
def test_bad_arguments(words, message):
    said = run(*words)
    assert said.exit_code != 0
    assert message in said.stderr.replace("\n", " ")


@pytest.mark.slow
def test_on_the_virtual_pico(pico_firmware):
    """Five random designs: RAM and flash to the byte, cycles within 5 %."""
    rng = random.Random(4)
    cases, designs = [], []
    for number, network in enumerate(rng.sample(NETWORKS, 5)):
        shape = (rng.randrange(8, 49), rng.randrange(8, 49), rng.choice([1, 3]))
        options = {
            name: rng.randint(o.low, min(o.high, 8))
            if isinstance(o.default, int)
            else round(rng.uniform(0.6, 1.4) * o.default, 2)
            for name, o in options_of(network).items()
        }
        options = {n: min(v, options_of(network)[n].high) for n, v in options.items()}
        graph = bench.random_network(network, shape, 5, options, seed=number)
        cases.append(bench.Case(network, graph))
        designs.append(design.Problem(shape, (), PICO).cost_of(network, options, graph))
    runs = [(case, PICO.target) for case in cases]
    with bench.virtual_pico(runs) as pico:
        rows = bench.measure_all(pico, bench.VIRTUAL_PICO, runs, in_rom=True)
        for (case, target), found, row in zip(runs, designs, rows, strict=True):
            path = f"/rom/{case.name}.{target}"
            code = "import motionlet, os, json; m = motionlet.load({0!r}); print(json.dumps("
            code += "(m.stream_bytes, os.stat({0!r})[6])))"
            ram, flash = json.loads(pico.exec(code.format(path)))
            assert (found.ram_bytes, found.flash_bytes) == (ram, flash)
            assert found.cycles == pytest.approx(row["cycles"], rel=0.05), (case.name, found)
