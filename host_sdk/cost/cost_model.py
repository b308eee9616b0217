"""How many cycles each layer of a model will take on a device, from the benchmark table.

A kernel's time is a sum over what it does so many times: products, outputs, channels begun, calls.
`work` counts these for a layer as the memory plan runs it (in a chain, a call makes one row), and
`fit` finds the cycles of each from the rows of benchmarks.json, by least squares of the relative
error with no negative cycles: a linear model for each kernel. The counts follow the loops in
native_modules/motionlet/arch/cortex_m0plus.
"""

from dataclasses import dataclass

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.check import SHIFTING
from host_sdk.pack import chains
from host_sdk.pack.targets.cortex_m0plus import RUN_OF_FOUR, SINGLE, relayout

TARGETS = ("cortex_m0plus",)  # whose kernels `work` knows
GROUP = 32  # M0_GROUP: output channels that share one packing of the input
BLOCK = 4  # M0_BLOCK_INT8: positions packed together
BLOCK_INT4 = 8
STRIP_BYTES = 2048  # of depthwise2d


@dataclass(frozen=True)
class CostModel:
    """Cycles of each kind of work: {kernel: {what: cycles}}."""

    cycles: dict

    def layers(self, graph, plan):
        """Return the cycles that each op will take, a float array."""
        return np.array([self._layer(graph, plan, i) for i in range(len(graph.ops))])

    def _layer(self, graph, plan, index):
        kernel, counts = work(graph, plan, index)
        if kernel not in self.cycles:
            raise MotionletError(
                f"benchmarks.json tells nothing of {kernel}, which {graph.ops[index].name} needs"
            )
        each = self.cycles[kernel]
        return sum(n * each[what] for what, n in counts.items())


def fit(rows, target, device):
    """Return the `CostModel` of a target from the rows of benchmarks.json measured on `device`.

    Raises MotionletError when there are none.
    """
    from scipy.optimize import nnls

    known = [r for r in rows if "work" in r and (r["impl"], r["device"]) == (target, device)]
    if not known:
        raise MotionletError(f"no cycles of {target} on {device} are known: run `host_sdk bench`")
    cycles = {}
    for kernel in {row["kernel"] for row in known}:
        mine = [row for row in known if row["kernel"] == kernel]
        names = list(mine[0]["work"])
        counts = np.array([[row["work"][name] for name in names] for row in mine], float)
        measured = np.array([row["cycles"] for row in mine], float)
        found, _ = nnls(counts / measured[:, None], np.ones(len(mine)))
        cycles[kernel] = dict(zip(names, found.tolist(), strict=True))
    return CostModel(cycles)


def work(graph, plan, index):
    """Return (kernel, {what: how often}) of op `index` as `plan` runs it for one frame."""
    op = graph.ops[index]
    by_row = bool(plan.rows[index] or (index and plan.rows[index - 1]))
    calls = graph.tensors[op.output].height if by_row else 1
    view, one = chains.row_view(graph, op) if by_row else (graph, op)
    source, out = view.tensors[one.inputs[0]], view.tensors[one.output]
    in_place = plan.tensor_offsets[op.inputs[0]] == plan.tensor_offsets[op.output]
    kernel, counts = _COUNTERS[op.kind](one, source, out, in_place)
    counts = {name: n * calls for name, n in {"calls": 1, **counts}.items()}
    if op.kind in SHIFTING:
        whole = graph.tensors[op.inputs[0]]
        counts["shifted"] = whole.height * whole.width * op.shift_channels
    if kernel == "conv2d":
        clipped = _clipped_blocks(graph, op, by_row) * -(-out.channels // GROUP)
        counts["clipped_rows"] = clipped * op.kernel[0]
        counts["clipped_taps"] = clipped * op.kernel[0] * op.kernel[1] * source.channels
    return kernel, counts


def _matmul(op, source, out, positions, taps):
    """Work of the matrix product: blocks of positions times rows of weights."""
    channels = out.channels
    blocks, groups = -(-positions // BLOCK), -(-channels // GROUP)
    shift = relayout(op, source, out)["shift"]
    fours = int(np.count_nonzero(shift & RUN_OF_FOUR))  # channels that add four products at once
    exact = int(np.count_nonzero(~shift & SINGLE))  # and that are requantized in 64 bits
    row = blocks * BLOCK * (-(-taps // 4) * 4)
    return {
        "products_by_four": row * fours,
        "products_by_two": row * (channels - fours),
        "outputs": blocks * BLOCK * channels,
        "exact_outputs": blocks * BLOCK * exact,
        "packed": blocks * BLOCK * taps * groups,
        "blocks": blocks * groups,
        "channels": channels,
    }


def _int4(op):
    return "_int4" if op.weight_bits == 4 else ""


def _pointwise(op, source, out, in_place):
    positions = out.height * out.width
    if positions < BLOCK:
        counts = {"products": out.size * source.channels, "outputs": out.size}
        return f"pointwise_few{_int4(op)}", counts
    return f"pointwise{_int4(op)}", _matmul(op, source, out, positions, source.channels)


def _conv2d(op, source, out, in_place):
    positions, taps = out.height * out.width, op.weights.size // out.channels
    inside, area = taps_inside(op, source, out), source.height * source.width
    if positions == 1 and op.kernel == (source.height, source.width) and inside == area:
        counts = {"products": taps * out.channels, "outputs": out.size, "shifted": 0}
        return f"pointwise_few{_int4(op)}", counts
    if not _is_packed(op, source, out):
        return f"conv2d_direct{_int4(op)}", {
            "products": inside * source.channels * out.channels,
            "outputs": out.size,
            "weights": taps * out.channels,
        }
    return f"conv2d{_int4(op)}", _matmul(op, source, out, positions, taps)


def _is_packed(op, source, out):
    """Return what m0_conv2d_is_packed() does."""
    block, direct = (BLOCK_INT4, 20) if op.weight_bits == 4 else (BLOCK, 12)
    pack = 14 if out.width < 4 * block else 8
    sizes = zip(op.kernel, (source.height, source.width), strict=True)
    rows, columns = (4 * size if size < kernel else 3 * kernel for kernel, size in sizes)
    inside = rows * columns * source.channels // 16
    taps = op.kernel[0] * op.kernel[1] * source.channels
    packed_tap, one = pack + 3 * out.channels, out.channels * (direct * inside + 50)
    positions = out.height * out.width
    if positions >= block:
        return taps * packed_tap < one
    room = op.kernel[1] * source.channels >= min(out.channels, GROUP)
    return room and taps * packed_tap * block < one * positions


def taps_inside(op, source, out):
    """Return how many taps of all windows lie inside the image, for one channel."""
    counts = []
    for axis, (size, places) in enumerate(
        zip((source.height, source.width), (out.height, out.width), strict=True)
    ):
        at = (
            np.arange(places)[:, None] * op.stride[axis]
            - op.padding[axis]
            + np.arange(op.kernel[axis]) * op.dilation[axis]
        )
        counts.append(((at >= 0) & (at < size)).sum())
    return int(counts[0] * counts[1])


def _clipped_blocks(graph, op, by_row):
    """Return how many blocks of outputs have windows that leave the image."""
    source, out = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    reach = [(k - 1) * d + 1 for k, d in zip(op.kernel, op.dilation, strict=True)]
    last_row = source.height - reach[0]
    last_column = source.width - reach[1] - (BLOCK - 1) * op.stride[1]
    clipped = 0
    positions = out.width if by_row else out.height * out.width
    for first in range(out.height if by_row else 1):
        for p in range(0, positions, BLOCK):
            i, j = divmod(max(min(p, positions - BLOCK), 0), out.width)
            row = (first + i) * op.stride[0] - op.padding[0]
            column = j * op.stride[1] - op.padding[1]
            whole = j + BLOCK <= out.width and 0 <= row <= last_row and 0 <= column <= last_column
            clipped += not whole
    return clipped


def _depthwise2d(op, source, out, in_place):
    positions, channels = out.height * out.width, out.channels
    taps = op.kernel[0] * op.kernel[1]
    by_rows = op.kernel == (3, 3) and op.dilation[1] == 1
    area = source.height * source.width
    if positions == 1 or (not by_rows and (positions <= 4 or taps > area)):
        return "depthwise2d_tiny", {
            "products": taps_inside(op, source, out) * channels,
            "outputs": out.size,
            "taps": taps * channels,
        }
    reach = (op.kernel[0] - 1) * op.dilation[0] + 1
    columns = (out.width - 1) * op.stride[1] + (op.kernel[1] - 1) * op.dilation[1] + 1
    fit_rows = STRIP_BYTES // (columns * 4)
    rows = (fit_rows - reach) // op.stride[0] + 1 if fit_rows > reach else 1
    strips = -(-out.height // min(rows, out.height))
    filled = (out.height - strips) * op.stride[0] + strips * reach  # rows of cells
    quads = -(-channels // 4)
    counts = {
        "outputs": out.size,
        "lines": out.height * channels,
        "strips": strips * channels,
        "cells": columns * filled * quads,
        "cell_rows": filled * quads,
    }
    if by_rows:
        joined = op.stride[1] == 1 and out.width > 3
        return "depthwise2d_rows" if joined else "depthwise2d_apart", counts
    return "depthwise2d_taps", {"products": out.size * taps, **counts}


def _temporal_depthwise(op, source, out, in_place):
    counts = {"outputs": out.size, "channels": out.channels}
    if out.height * out.width <= (4 if op.frames > 3 else 1):
        return "temporal_one", {"products": out.size * op.frames, **counts}
    if op.frames in (2, 3):
        return f"temporal_{op.frames}", counts
    return "temporal_many", {"products": out.size * op.frames, **counts}


def _temporal_shift(op, source, out, in_place):
    positions = out.height * out.width
    return "temporal_shift", {
        "swapped": positions * op.shift_channels,
        "positions": positions,
        "copied": 0 if in_place else out.size,
    }


def _add(op, source, out, in_place):
    return "add", {"outputs": out.size}


def _average_pool(op, source, out, in_place):
    positions, taps = out.height * out.width, op.kernel[0] * op.kernel[1]
    return "average_pool", {
        "taps": out.size * taps,
        "outputs": out.size,
        "positions": positions,
        "cells": positions * taps,
    }


def _temporal_average(op, source, out, in_place):
    return "temporal_average", {"taps": out.size * op.frames, "outputs": out.size}


def _dense(op, source, out, in_place):
    fours = -(-out.channels // 4)
    return f"dense{_int4(op)}", {
        "products": fours * 4 * source.size,
        "outputs": out.channels,
        "fours": fours,
    }


_COUNTERS = {
    "conv2d": _conv2d,
    "depthwise2d": _depthwise2d,
    "pointwise": _pointwise,
    "temporal_depthwise": _temporal_depthwise,
    "temporal_shift": _temporal_shift,
    "add": _add,
    "average_pool": _average_pool,
    "temporal_average": _temporal_average,
    "dense": _dense,
}
