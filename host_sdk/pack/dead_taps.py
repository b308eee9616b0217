"""Taps that meet no pixel: the outer rows of a 3x3 kernel on a map of one row.

They take flash, and kernels that count taps outside the image as its zero point take time for them.
"""

from dataclasses import replace

import numpy as np

from host_sdk.format.check import ROWS, WITH_PADDING


def without_dead_taps(graph):
    """Return a graph of the same outputs whose kernels have no outer rows of taps that are dead.

    A row or column is dead where it lies outside the image for every output. It stays where
    without it the padding would be negative, or a window lie wholly above or left of the image,
    or below or right of it: SPEC.md has no such windows.
    """
    return replace(graph, ops=[_trimmed(graph, op) for op in graph.ops])


def _trimmed(graph, op):
    if op.kind not in WITH_PADDING:
        return op
    source, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    first, end = np.transpose(
        [_kept(op, axis, source.shape[axis], output.shape[axis]) for axis in (0, 1)]
    )
    if not first.any() and tuple(end) == op.kernel:
        return op
    weights = op.weights
    if weights is not None:
        kept = np.s_[first[0] : end[0], first[1] : end[1]]
        weights = weights[(slice(None), *kept)] if op.kind in ROWS else weights[kept]
    return replace(
        op,
        weights=weights,
        kernel=tuple((end - first).tolist()),
        padding=tuple((op.padding - first * op.dilation).tolist()),
    )


def _kept(op, axis, size, places):
    """Return the first tap that is kept along an axis, and the end of those that are."""
    stride, dilation, padding = (f[axis] for f in (op.stride, op.dilation, op.padding))
    first, end = 0, op.kernel[axis]
    at = np.arange(end) * dilation - padding + np.arange(places)[:, None] * stride
    live = ((at >= 0) & (at < size)).any(axis=0)
    while end - first > 1 and not live[end - 1] and padding <= (end - 2) * dilation:
        end -= 1
    last = (places - 1) * stride - padding  # where the last window begins
    while end - first > 1 and not live[first]:
        moved = (first + 1) * dilation
        if padding < moved or last + moved >= size:
            break
        first += 1
    return first, end
