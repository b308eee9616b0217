"""Training with the rounding in place, and weights of 4 bits under a budget."""

import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from keras_models import shaken, smooth_clips

from host_sdk import golden, quantize
from host_sdk.cli import main
from host_sdk.data import load_task
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph
from host_sdk.format.normalization import PIXELS, Normalization
from host_sdk.networks import import_keras
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.pipeline import file_bytes, quantize_run
from host_sdk.quantize import aware
from host_sdk.quantize.bit_widths import cheapest, choose_int4, weight_bytes
from host_sdk.quantize.recipe import Recipe
from host_sdk.train.run_folder import Run

keras = import_keras()
layers = keras.layers

from host_sdk.networks.layers import EachFrame, TemporalDepthwise, TemporalShift  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def start():
    """(a network quantized with 4-bit weights, int8 clips, the real values of some)."""
    clip = keras.Input((None, 12, 12, 1))
    x = EachFrame(layers.Conv2D(8, 3, strides=2, activation="relu"))(clip)
    x = TemporalDepthwise(3)(x)
    x = EachFrame(layers.Conv2D(16, 1, activation="relu"))(x)
    x = TemporalShift(4)(x)
    x = EachFrame(layers.Conv2D(8, 1))(x)
    x = EachFrame(layers.GlobalAveragePooling2D())(x)
    model = shaken(keras.Model(clip, layers.Dense(4)(x)), seed=1)
    clips = PIXELS.run(smooth_clips(64, 6, 12, 12, 1))
    x = PIXELS.real(clips[:16])
    ops, frames = quantize.trace(model), quantize.input_tensor(model)
    return quantize.post_training(ops, frames, x, "mse", "all", False, False), clips, x


@pytest.fixture(scope="module")
def trained(start):
    quantized, clips, _ = start
    return quantize.train_rounded(quantized, clips, PIXELS.real, epochs=15, seed=3)


def test_training_brings_the_answers_nearer(start, trained):
    quantized, _, x = start
    wanted = quantize.Simulation(quantized.float_ops).all_logits(x)
    errors = [
        np.mean((quantize.Simulation(q.ops, q.graph).all_logits(x) - wanted) ** 2)
        for q in (quantized, trained)
    ]
    assert trained.trained
    assert errors[1] < 0.8 * errors[0]
    assert {op.weight_bits for op in trained.graph.ops if op.kind == "pointwise"} == {4}
    for before, after in zip(quantized.graph.tensors, trained.graph.tensors, strict=True):
        assert before == after  # ranges stay


def test_what_was_trained_is_what_runs(start, trained):
    """The fake-quantized network gives, to the bit, what the integers of its graph give."""
    _, clips, _ = start
    wanted = [golden.run_clip(trained.graph, clip) for clip in clips[:4]]
    network = quantize.Simulation(trained.ops, trained.graph, "float64")
    (values,) = network.batches(PIXELS.real(clips[:4]))
    for index, (op, got) in enumerate(zip(trained.graph.ops, values, strict=True)):
        zero = trained.graph.tensors[op.output].zero_point
        assert np.array_equal(got + zero, np.stack([clip[index] for clip in wanted])), op.name


def test_training_that_does_not_help_changes_nothing(start, monkeypatch):
    quantized, clips, _ = start
    monkeypatch.setattr(aware, "LEARNING_RATE", 1.0)  # far too much
    assert not quantized.trained
    assert quantize.train_rounded(quantized, clips, PIXELS.real, epochs=1) is quantized


def test_the_seed_decides(start, trained):
    quantized, clips, _ = start
    again, other = (
        quantize.train_rounded(quantized, clips, PIXELS.real, epochs=15, seed=seed)
        for seed in (3, 4)
    )
    packed = [
        mlet_file.pack(q.graph, planner.plan(q.graph, chains=False))
        for q in (trained, again, other)
    ]
    assert packed[0] == packed[1] != packed[2]


def test_epochs_must_be_a_number(start):
    quantized, clips, _ = start
    with pytest.raises(MotionletError, match="epochs must be an integer of at least 1, not 0"):
        quantize.train_rounded(quantized, clips, PIXELS.real, epochs=0)


# Weights of 4 bits under a budget

numbers = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=6)


@given(numbers, st.integers(1, 200))
def test_cheapest_is_the_best_of_all_choices(pairs, needed):
    costs, savings = zip(*pairs, strict=True)
    enough = [
        chosen
        for size in range(len(pairs) + 1)
        for chosen in itertools.combinations(range(len(pairs)), size)
        if sum(savings[i] for i in chosen) >= needed
    ]
    got = cheapest(costs, savings, needed)
    if not enough:
        assert got == list(range(len(pairs)))
        return
    assert sum(savings[i] for i in got) >= needed
    least = min(sum(costs[i] for i in chosen) for chosen in enough)
    assert sum(costs[i] for i in got) == least


@pytest.mark.parametrize("measure", [weight_bytes, file_bytes])
def test_budget_is_kept(start, measure):
    narrow, _, x = start
    ops, frames = narrow.float_ops, narrow.graph.tensors[0]
    wide = quantize.post_training(ops, frames, x, "mse", (), False, True)
    most, least = measure(wide.graph), measure(narrow.graph)
    assert least < 0.9 * most
    assert choose_int4(wide, x, measure, most) == []
    budget = (most + least) // 2
    names = choose_int4(wide, x, measure, budget)
    mixed = quantize.post_training(ops, frames, x, "mse", names, False, True)
    assert least < measure(mixed.graph) <= budget
    assert wide.error < mixed.error < narrow.error
    with pytest.raises(MotionletError, match=f"{least - 1:,} bytes are too few: {most:,} with"):
        choose_int4(wide, x, measure, least - 1)


def test_weight_bytes_are_those_of_the_file(start):
    narrow, _, _ = start
    rows = [op for op in narrow.graph.ops if op.weight_bits == 4 and op.weights is not None]
    from host_sdk.format.weights import pack_int4

    others = [op for op in narrow.graph.ops if op.weight_bits == 8 and op.weights is not None]
    packed = sum(len(pack_int4(op.weights).ravel()) for op in rows)
    assert weight_bytes(narrow.graph) == packed + sum(op.weights.size for op in others)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"bytes": 100, "weights_share": 0.5}, "one of the file's bytes or one of the weights'"),
        ({"int4": ("stem",), "bytes": 100}, "do not name them as well"),
        ({"weights_share": 0.0}, "above 0% and at most 100%"),
        ({"bytes": 0}, "1 byte at least"),
        ({"clips": 0}, "clips must be at least 1, not 0"),
        ({"qat_epochs": -1}, "qat_epochs must be at least 0, not -1"),
    ],
)
def test_impossible_recipes(wrong, says):
    with pytest.raises(MotionletError, match=says):
        Recipe(**wrong)


# The commands


@pytest.fixture
def run_folder(tiny_run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("model.keras", "train.json"):
        shutil.copy(tiny_run / name, folder / name)
    return folder


def host_sdk(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_quantize_says_how(run_folder):
    done = host_sdk(
        "quantize", run_folder, "--budget", "75%", "--qat", 1, "--clips", 4, "--no-equalize"
    )
    assert done.exit_code == 0, done.stderr
    graph = load_graph(run_folder / "model.graph")
    record = json.loads((run_folder / "quantize.json").read_text())
    assert record["recipe"]["qat_epochs"] == 1
    assert record["int4"] == [op.name for op in graph.ops if op.weight_bits == 4] != []
    assert record["weight_bytes"] == weight_bytes(graph)
    assert weight_bytes(graph) <= 0.75 * sum(
        op.weights.size for op in graph.ops if op.weights is not None
    )
    assert record["file_bytes"] == len(mlet_file.pack(graph, planner.plan(graph)))
    assert len(graph.labels) == 9
    done = host_sdk("quantize", run_folder, "--bytes", "1k", "--clips", 2, "--no-equalize")
    assert done.exit_code == 1
    assert "1,024 bytes are too few" in done.stderr
    assert json.loads((run_folder / "quantize.json").read_text()) == record  # as it was
    for option, value in (("--bytes", "8x"), ("--budget", "half")):
        assert f"'{value}' is not a" in host_sdk("quantize", run_folder, option, value).stderr


def test_the_graph_knows_how_its_samples_are_normalized(tmp_path):
    """Temperatures: int16 samples through the normalization of the run."""
    task = load_task("thermal_walk")
    normalization = Normalization.background(3, 5, sample_type="int16")
    clip = keras.Input((None, *task.FRAME_SHAPE))
    x = EachFrame(layers.Conv2D(4, 3, strides=4, activation="relu"))(clip)
    x = EachFrame(layers.GlobalAveragePooling2D())(x)
    keras.Model(clip, layers.Dense(len(task.LABELS))(x)).save(tmp_path / "model.keras")
    config = {"task": "thermal_walk", "frames": 4, "clips": 6, "seed": 0}
    record = {
        "config": config,
        "labels": list(task.LABELS),
        "normalization": normalization.to_dict(),
    }
    recipe = Recipe(clips=6, equalize=False, correct_bias=False)
    for chosen in (recipe, replace(recipe, weights_share=0.9, qat_epochs=1)):
        graph, _ = quantize_run(Run(tmp_path, record), chosen)
        assert graph.input.normalization == normalization
        frames = graph.tensors[0]
        assert (frames.scale, frames.zero_point) == (normalization.scale, 0)
        assert graph.labels == list(task.LABELS)


def test_prune_makes_a_run(run_folder, tmp_path):
    out = tmp_path / "small"
    done = host_sdk("prune", run_folder, "--keep", "0.5", "--epochs", 1, "--out", out)
    assert done.exit_code == 0, done.stderr
    before, after = (
        json.loads((folder / "train.json").read_text()) for folder in (run_folder, out)
    )
    assert after["parameters"] < before["parameters"]
    assert after["pruned"]["macs"][1] < after["pruned"]["macs"][0]
    assert host_sdk("quantize", out, "--clips", 2).exit_code == 0
    assert len(load_graph(out / "model.graph").labels) == 9
    done = host_sdk("prune", run_folder, "--keep", "0.5", "--out", run_folder)
    assert "holds the network to prune; name another folder" in done.stderr
