"""Arrays for the Cortex-M0+, which multiplies 32 bits by 32 and keeps the low 32.

Its kernels add up raw products, S = sum of w * x, and requantize in 32 bits where that provably
gives what SPEC.md defines: the *single* kind, y = clamp((S * M + B) >> s). The proof is done here,
by channel, over every S that its weights can reach.
"""

import numpy as np

from host_sdk.format.check import WITH_ROWS, WITH_WEIGHTS
from host_sdk.format.weights import pack_int4, reachable_sums, weight_rows
from host_sdk.pack.targets.portable import relayout as as_they_are

SINGLE = 0x80  # bits of a shift byte
RUN_OF_FOUR = 0x40
LANE = 255  # four products with weights of this sum fit in 16 bits: 255 * 128 < 2^15
INT32_MAX = 2**31 - 1
SINGLE_SHIFTS = range(30, 0, -1)


def relayout(op, source, output):
    """Return the arrays of an op in this target's form."""
    if op.kind not in WITH_WEIGHTS:
        return as_they_are(op, source, output)
    rows = weight_rows(op)
    bias = op.bias.astype(np.int64) - source.zero_point * rows.sum(axis=1)
    multiplier, shift = op.multiplier.astype(np.int64), op.shift.astype(np.int64)
    found, m, b, s = single_step(
        *reachable_sums(rows),
        bias,
        multiplier,
        shift,
        (output.zero_point, op.act_min, op.act_max),
    )
    shift = np.where(found, SINGLE | s, shift)
    if op.kind in ("conv2d", "pointwise") and op.weight_bits == 8:
        shift |= np.where(runs_of_four(rows), RUN_OF_FOUR, 0)
    return {
        "weights": relayout_weights(op),
        "bias": np.where(found, b, bias).astype(np.int32),
        "multiplier": np.where(found, m, multiplier).astype(np.int32),
        "shift": shift.astype(np.uint8),
    }


def relayout_weights(op):
    """Return an op's weights as int8, in the order and with the padding that the kernels want."""
    if op.kind not in WITH_ROWS:
        return op.weights
    if op.weight_bits == 4:
        return pack_int4(op.weights, multiple=8)
    rows = op.weights.reshape(len(op.weights), -1)
    if op.kind == "dense":  # four outputs side by side: [C_out / 4][K][4]
        rows = np.pad(rows, [(0, -len(rows) % 4), (0, 0)])
        return rows.reshape(-1, 4, rows.shape[1]).swapaxes(1, 2)
    return np.pad(rows, [(0, 0), (0, -rows.shape[1] % 4)])


def runs_of_four(rows):
    """Return, by row, whether |w| adds up to at most 255 in every aligned group of 4 taps."""
    size = np.abs(np.pad(rows, [(0, 0), (0, -rows.shape[1] % 4)]))
    return (size.reshape(len(rows), -1, 4).sum(axis=2) <= LANE).all(axis=1)


def single_step(low, high, bias, multiplier, shift, output):
    """Find (M, B, s) with clamp((S * M + B) >> s) = requantize(S + bias) for S in low ... high.

    All arguments but the last are int64 arrays, an element to a channel; `output` is (zero point,
    act_min, act_max). Returns arrays (found, M, B, s); where nothing is found the channel needs
    the exact kind. |S * M|, |B| and |S * M + B| stay below 2^31, M is above 0, s is 1 to 30.

    Both sides are staircases that only rise, so they are equal when every value v is reached at
    the same S. With T(v) the first S at which SPEC.md's formula gives v or more, that says

        M * (T(v) - 1) + B  <  v * 2^s  <=  M * T(v) + B

    (the left half if T(v) > low, the right half if T(v) <= high), which for given M and s is an
    interval for B. M is tried next to the multiplier that SPEC.md's formula has.
    """
    values = np.arange(output[1] + 1, output[2] + 1)
    steps = thresholds(values, low, high, bias, multiplier, shift, output[0])
    found = np.zeros(len(low), bool)
    best = np.zeros((3, len(low)), np.int64)
    for s in SINGLE_SHIFTS:
        for off in (0, -1, 1):
            todo = np.flatnonzero(~found & (shift >= s))
            if not len(todo):
                continue
            nearest = _rounded_shift(multiplier[todo], shift[todo] - s)
            m = np.maximum(nearest + off, 1)
            first, last = _bias_interval(values, steps[todo], m, s, low[todo], high[todo])
            usual = bias[todo] * m + (1 << (s - 1)) + (output[0] << s)
            ok = first <= last
            chosen = np.clip(usual[ok], first[ok], last[ok])
            best[:, todo[ok]] = m[ok], chosen, np.full(ok.sum(), s)
            found[todo[ok]] = True
    return found, *best


def thresholds(values, low, high, bias, multiplier, shift, zero):
    """Return int64 [channels, values]: the first S in low ... high at which an output is reached.

    It is high + 1 where none does.
    """
    # floor((acc * m + 2^(n-1)) / 2^n) >= v - zero, solved for acc; beyond 64 bits if n is large.
    halves = 2 * (values - zero) - 1  # |halves| < 2^10
    kind = np.int64 if shift.max(initial=0) <= 53 else object
    scaled = halves.astype(kind) * (1 << (shift - 1).astype(kind))[:, None]
    steps = -(-scaled // multiplier.astype(kind)[:, None]) - bias.astype(kind)[:, None]
    return np.clip(steps, low[:, None], high[:, None] + 1).astype(np.int64)


def _rounded_shift(values, by):
    """Return values / 2^by, rounded half up; `by` is 0 or more."""
    return (values + ((np.int64(1) << by) >> 1)) >> by


def _bias_interval(values, steps, m, s, low, high):
    """Return the first and the last B that make every step right and fit in int32."""
    column = m[:, None]
    reached, unreached = steps <= high[:, None], steps > low[:, None]
    goals = values << s
    first = np.max(goals - column * steps, axis=1, initial=-INT32_MAX, where=reached)
    last = np.min(goals - 1 - column * (steps - 1), axis=1, initial=INT32_MAX, where=unreached)
    first = np.maximum(first, -INT32_MAX - m * low)
    last = np.minimum(last, INT32_MAX - m * high)
    fits = np.maximum(-m * low, m * high) <= INT32_MAX
    return first, np.where(fits, last, first - 1)
