"""Which real values an int8 tensor stands for: `calibrate`."""

import math

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.networks import import_keras

METHODS = ("mse", "percentile", "minmax")
INPUT_SCALE = 1 / 255  # a pixel v enters the float network as v / 255 ...
INPUT_ZERO_POINT = -128  # ... and the integer one as v - 128
_BINS = 2048
_PERCENTILE = 99.99


def scale_and_zero_point(low, high):
    """Return what maps low ... high, widened to hold 0, onto -128 ... 127."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    # The file holds scales as float32: choose among those.
    scale = float(np.float32(scale)) if scale > 1e-20 else INPUT_SCALE
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


def calibrate(model, ops, clips, method):
    """Return [(low, high)] of every op's output, chosen by `method` over `clips` (uint8).

    The last op's range is never clipped: equal logits could not be told apart.
    """
    least, most = np.full(len(ops), math.inf), np.full(len(ops), -math.inf)
    for values in activations(model, ops, clips):
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
    for values in activations(model, ops, clips):
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


def activations(model, ops, clips, batch=16):
    """Yield, batch by batch, the outputs of all ops as a list of arrays."""
    keras = import_keras()
    outputs = keras.Model(model.inputs[0], [op.value for op in ops])
    for i in range(0, len(clips), batch):
        values = outputs(clips[i : i + batch] / np.float32(255))
        yield [np.asarray(v) for v in keras.tree.flatten(values)]  # one alone comes without a list


def check_clips(model, clips):
    expected = model.inputs[0].shape
    if clips.dtype != np.uint8 or clips.ndim != len(expected) or 0 in clips.shape:
        raise MotionletError(
            f"calibration needs uint8 clips of {len(expected)} dimensions, "
            f"not {clips.dtype} {clips.shape}"
        )
    if clips.shape[-3:] != tuple(expected[-3:]):
        raise MotionletError(
            f"frames for calibration are {clips.shape[-3:]}, "
            f"the network takes {tuple(expected[-3:])}"
        )
