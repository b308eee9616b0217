"""The form of the arrays for the Cortex-M0+: its formulas in numpy give what SPEC.md defines."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden
from host_sdk.errors import MotionletError
from host_sdk.format.check import WITH_ROWS, WITH_WEIGHTS
from host_sdk.format.graph import Graph, Input, Op
from host_sdk.format.weights import unpack_int4
from host_sdk.golden.ops import delayed
from host_sdk.pack import mlet_file, planner, targets
from host_sdk.pack.targets import cortex_m0plus

INT32_MAX = 2**31 - 1


def laid_out(graph, op):
    source, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    return targets.relayout(op, source, output, "cortex_m0plus")


def rows_of(op, arrays, channels, taps):
    """Read the weights of a packed layer, [C_out, K], as SPEC.md describes them."""
    weights = arrays["weights"].reshape(-1)
    if op.weight_bits == 4:
        rows = unpack_int4(weights.reshape(channels, -1))
        assert rows.shape[1] == -(-taps // 8) * 8
    elif op.kind == "dense":
        blocks = weights.reshape(-1, taps, 4)
        assert len(blocks) == -(-channels // 4)
        rows = np.concatenate([block.T for block in blocks])
        assert not rows[channels:].any()
        rows = rows[:channels]
    elif op.kind in WITH_ROWS:
        rows = weights.reshape(channels, -1)
        assert rows.shape[1] == -(-taps // 4) * 4
    else:
        rows = weights.reshape(taps, channels).T
    assert not rows[:, taps:].any()
    return rows[:, :taps].astype(np.int64)


def columns_of(graph, op, x):
    """The taps of every output, [T, H', W', C_out or 1, K]; outside the image x is z_x."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    shifted = np.arange(source.channels) < op.shift_channels
    x = np.where(shifted, delayed(x, 1, source.zero_point), x).astype(np.int64)
    if op.kind == "dense":
        return x.reshape(len(x), 1, 1, 1, -1)
    if op.kind == "pointwise":
        return x[..., None, :]
    if op.kind == "temporal_depthwise":
        ages = [(op.frames - 1 - a) * op.frame_dilation for a in range(op.frames)]
        return np.stack([delayed(x, age, source.zero_point) for age in ages], axis=-1)
    taps = []
    for a in range(op.kernel[0]):
        for b in range(op.kernel[1]):
            i = np.arange(target.height) * op.stride[0] - op.padding[0] + a * op.dilation[0]
            j = np.arange(target.width) * op.stride[1] - op.padding[1] + b * op.dilation[1]
            inside = ((i >= 0) & (i < source.height))[:, None] & (j >= 0) & (j < source.width)
            window = x[:, np.clip(i, 0, source.height - 1)][:, :, np.clip(j, 0, source.width - 1)]
            taps.append(np.where(inside[..., None], window, source.zero_point))
    taps = np.stack(taps, axis=-1)  # [T, H', W', C, taps]
    if op.kind == "depthwise2d":
        return taps
    return np.moveaxis(taps, -1, -2).reshape(*taps.shape[:3], 1, -1)


def run(graph, op, x):
    """What this target's kernels compute, with nothing but its arrays."""
    target = graph.tensors[op.output]
    arrays = laid_out(graph, op)
    columns = columns_of(graph, op, x)
    rows = rows_of(op, arrays, target.channels, columns.shape[-1])
    sums = (columns * rows).sum(axis=-1)
    bias, m = arrays["bias"].astype(np.int64), arrays["multiplier"].astype(np.int64)
    kind = arrays["shift"]
    single, s = (kind & 0x80) != 0, kind & 31
    wide = sums * m + bias
    assert (m > 0).all()
    assert ((s[single] >= 1) & (s[single] <= 30) & (kind[single] & 32 == 0)).all()
    assert (np.abs(wide[..., single]) <= INT32_MAX).all()
    once = np.clip(wide >> s, op.act_min, op.act_max)
    acc = sums + bias
    n = np.where(single, 1, kind & 63)
    twice = golden.requantize(acc, m, n, target.zero_point, op.act_min, op.act_max)
    assert (np.abs(acc[..., ~single]) <= INT32_MAX).all()
    return np.where(single, once, twice).astype(np.int8)


@pytest.mark.parametrize("kind", WITH_WEIGHTS)
@given(data=st.data())
def test_formulas_equal_golden(kind, data):
    graph = data.draw(strategies.one_op_graphs(kind))
    op = graph.ops[0]
    x = data.draw(strategies.frames_of(graph.tensors[0], 3))
    np.testing.assert_array_equal(run(graph, op, x), golden.run_op(graph, op, [x]))


def one_row(weights, bias, m, n, zero=0, act=(-128, 127), kind="pointwise"):
    """A pointwise op with one output channel."""
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors = [strategies.tensor("x", (1, 1, len(weights)), 1.0, -5)]
    graph.tensors.append(strategies.tensor("y", (1, 1, 1), 1.0, zero))
    op = Op(kind, kind, [0], 1, act_min=act[0], act_max=act[1])
    op.weights = np.array([weights], np.int8)
    op.bias, op.multiplier = np.array([bias], np.int32), np.array([m], np.int32)
    op.shift = np.array([n], np.uint8)
    graph.ops = [op]
    return graph


def every_sum(graph):
    """(S, y) for every S that x can reach, by SPEC.md."""
    op, (x, y) = graph.ops[0], graph.tensors
    w = op.weights[0].astype(int)
    low, high = int(np.minimum(-128 * w, 127 * w).sum()), int(np.maximum(-128 * w, 127 * w).sum())
    acc = np.arange(low, high + 1) + int(op.bias[0]) - x.zero_point * int(w.sum())
    wanted = golden.requantize(
        acc, op.multiplier[0], op.shift[0], y.zero_point, op.act_min, op.act_max
    )
    return np.arange(low, high + 1), wanted


@given(data=st.data())
def test_single_step_is_right_for_every_sum(data):
    """The proof, checked by trying them all; and it is found where it surely exists."""
    rng = np.random.default_rng(data.draw(strategies.seeds))
    weights = rng.integers(-127, 128, data.draw(st.integers(1, 12)))
    bits = data.draw(st.integers(1, 31))  # significant bits of the multiplier
    m = (int(rng.integers(2 ** (bits - 1), 2**bits)) | 1) << (31 - bits)
    n = data.draw(st.integers(31 - bits + 1, 62))
    bias = int(rng.integers(-20000, 20001))
    act = data.draw(strategies.act_ranges())
    graph = one_row(weights, bias, m, n, data.draw(strategies.zero_points), act)
    arrays = laid_out(graph, graph.ops[0])
    sums, wanted = every_sum(graph)
    kind, big, b = (int(arrays[name][0]) for name in ("shift", "multiplier", "bias"))
    if kind & 0x80:
        wide = sums * big + b
        assert np.abs(wide).max() <= INT32_MAX
        got = np.clip(wide >> (kind & 31), graph.ops[0].act_min, graph.ops[0].act_max)
        np.testing.assert_array_equal(got, wanted)
    else:
        short, s = m >> (31 - bits), n - (31 - bits)
        offset = b * short + (1 << (s - 1)) + (graph.tensors[1].zero_point << s)
        sure = s <= 30 and abs(offset) <= INT32_MAX and short < 2**31
        for end in (int(sums[0]), int(sums[-1])):
            sure = sure and max(abs(end * short), abs(end * short + offset)) <= INT32_MAX
        assert not sure


def test_the_edges_of_32_bits():
    """S * M, B and their sum reach 2^31 - 1, not more."""

    def interval(m, low, high):
        nothing = np.empty(0, np.int64), np.empty((1, 0), np.int64)
        ends = cortex_m0plus._bias_interval(*nothing, *np.array([[m], [1], [low], [high]]))
        return tuple(int(end[0]) for end in ends)

    assert interval(1, 0, 0) == (-INT32_MAX, INT32_MAX)
    assert interval(3, -5, 7) == (15 - INT32_MAX, INT32_MAX - 21)
    assert interval(INT32_MAX, 0, 1) == (-INT32_MAX, 0)
    assert interval(INT32_MAX, -1, 0) == (0, INT32_MAX)
    assert interval(132104, -16256, 16129)[1] == INT32_MAX - 132104 * 16129
    for m, low, high in ((132105, -16256, 16129), (INT32_MAX, 0, 2)):
        first, last = interval(m, low, high)
        assert last < first


@pytest.mark.parametrize("kind", ["conv2d", "pointwise"])
def test_runs_of_four(kind):
    """Up to 255 four products fit in a lane: 255 * 128 < 2^15; groups begin at multiples of 4."""
    cases = {
        (127, 127, 1, 0): True,
        (127, 127, 1, 1): False,
        (64, 64, 64, 63): True,
        (-64, 64, -64, 64): False,
        (100, 100, 100): False,
        (0, 0, 127, 127, 127, 127, 0, 0): True,
        (0, 127, 127, 127, 0): False,
    }
    for weights, runs in cases.items():
        graph = one_row(weights, 0, 2**30, 40, kind=kind)
        if kind == "conv2d":
            graph.ops[0].weights = graph.ops[0].weights.reshape(1, 1, 1, -1)
        assert bool(laid_out(graph, graph.ops[0])["shift"][0] & 0x40) == runs, weights


def test_runs_of_four_only_where_they_are_read():
    dense = one_row((1, 1, 1, 1), 0, 2**30, 40, kind="dense")
    int4 = one_row((1, 1, 1, 1), 0, 2**30, 40)
    int4.ops[0].weight_bits = 4
    for graph in (dense, int4):
        assert not laid_out(graph, graph.ops[0])["shift"][0] & 0x40


def test_a_dead_channel_takes_one_step():
    for act in ((-128, 127), (5, 5)):
        graph = one_row([0, 0], 1000, 2**31 - 1, 38, zero=3, act=act)
        assert laid_out(graph, graph.ops[0])["shift"][0] & 0x80
        x = np.full((1, 1, 1, 2), 77, np.int8)
        np.testing.assert_array_equal(
            run(graph, graph.ops[0], x), golden.run_op(graph, graph.ops[0], [x])
        )


def test_pack_for_the_target():
    graph = one_row([1, 2, 3], 7, 2**30, 33)
    content = mlet_file.pack(graph, planner.plan(graph), "cortex_m0plus")
    assert content[4:8] == b"\2\0\1\0"  # version 2, target 1
    with pytest.raises(MotionletError, match="target: packed for cortex_m0plus"):
        mlet_file.read(content)
    with pytest.raises(MotionletError, match="target 'z80' is not known; there are portable, cort"):
        targets.scratch_bytes("z80")


def test_ops_without_weights_are_as_they_were(make_vectors):
    for graph in (make_vectors.tiny_tsm(), make_vectors.tiny_separable()):
        for op in graph.ops:
            if op.kind not in WITH_WEIGHTS:
                arrays = laid_out(graph, op)
                for name in arrays:
                    assert arrays[name] is getattr(op, name)
