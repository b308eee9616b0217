"""Which real values an int8 tensor stands for: `calibrate`."""

import math

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.quantize.integers import scale_and_zero_point
from host_sdk.quantize.simulation import Simulation

METHODS = ("mse", "percentile", "minmax")
_BINS = 2048
_PERCENTILE = 99.99


def calibrate(ops, clips, method=METHODS[0]):
    """Return [(low, high)] of every op's output, chosen by `method` over `clips`.

    `clips`, real [N, T, H, W, C], are what the network is given. Every clip starts from a fresh
    state, so frame t meets the past that a stream holds t frames after its reset.
    The last op's range is never clipped: equal logits could not be told apart.
    """
    if method not in METHODS:
        raise MotionletError(f"no calibration method {method!r}; there is: {', '.join(METHODS)}")
    network = Simulation(ops)
    least, most = np.full(len(ops), math.inf), np.full(len(ops), -math.inf)
    for values in network.batches(clips):
        least = np.minimum(least, [v.min() for v in values])
        most = np.maximum(most, [v.max() for v in values])
    for op, low, high in zip(ops, least, most, strict=True):
        if not (np.isfinite(low) and np.isfinite(high)):
            raise MotionletError(f"{op.name} gives values that are not finite; was it trained?")
    least, most = np.minimum(least, 0), np.maximum(most, 0)
    if method == "minmax":
        return list(zip(least, most, strict=True))
    # A bin is centred on the least value: behind a ReLU, half of all are exactly zero.
    counts = np.zeros((len(ops), _BINS), np.int64)
    steps = np.maximum((most - least) / (_BINS - 1), 1e-30)
    for values in network.batches(clips):
        for i, v in enumerate(values):
            bins = np.rint((v.ravel() - least[i]) / steps[i]).astype(np.int64)
            counts[i] += np.bincount(np.clip(bins, 0, _BINS - 1), minlength=_BINS)
    choose = _least_squares if method == "mse" else _percentile
    chosen = [choose(counts[i], least[i] + steps[i] * np.arange(_BINS)) for i in range(len(ops))]
    chosen[-1] = (least[-1], most[-1])
    return chosen


def _percentile(counts, centres):
    share = np.cumsum(counts) / counts.sum()
    tail = (1 - _PERCENTILE / 100) / 2
    low, high = np.searchsorted(share, tail), np.searchsorted(share, 1 - tail)
    return centres[low], centres[min(high, _BINS - 1)]


def _least_squares(counts, centres):
    """Return the range, shrunk from both ends alike, with the least squared error of rounding."""

    def error(shrink):
        scale, zero_point = scale_and_zero_point(centres[0] * shrink, centres[-1] * shrink)
        q = np.clip(np.rint(centres / scale) + zero_point, -128, 127)
        return np.sum(counts * ((q - zero_point) * scale - centres) ** 2)

    best = min(np.linspace(1, 0.3, 71), key=error)
    return centres[0] * best, centres[-1] * best
