"""Real factors as integers: the multipliers and shifts of SPEC.md."""

import math

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.mlet import LIMITS

SHORT_ERROR = 2.0**-11  # relative; times 255, the widest an output moves, an eighth of a step
SHORT_SHIFT_MAX = 30


def quantize_multiplier(real, sum_max=None):
    """Return (m, n) with m / 2^n nearest to `real`, m in [2^30, 2^31) and n in [1, 62].

    `real` is between 2^-32 and 2^30; the relative error is at most 2^-31. When `sum_max` is given
    and a short multiplier will do for sums up to it, m is one (see `short_multiplier`).
    """
    if not (math.isfinite(real) and real > 0):
        raise MotionletError(f"a multiplier must be above 0, not {real}")
    fraction, exponent = math.frexp(real)  # real = fraction * 2^exponent, fraction in [1/2, 1)
    short = short_multiplier(real, sum_max) if sum_max is not None else None
    if short is not None:
        m, s = short
        spare = 31 - m.bit_length()
        if s + spare <= LIMITS["shift_max"]:
            return m << spare, s + spare
    m, n = round(fraction * 2**31), 31 - exponent
    if m == 2**31:
        m, n = 2**30, n - 1
    if not LIMITS["shift_min"] <= n <= LIMITS["shift_max"]:
        raise MotionletError(f"multiplier {real:g} is not between 2^-32 and 2^30")
    return m, n


def short_multiplier(real, sum_max):
    """Return (M, s), M / 2^s next to `real`, with which 32 bits are enough, or None.

    M itself, its product with a sum of up to `sum_max`, the zero point and the rounding all fit:

        max(sum_max, 1) * M + 128 * 2^s + 2^(s-1) < 2^31

    s is the largest that does, at most 30; the longer M is, the less it is off. None when even
    that is off by more than 2^-11 of `real`. SPEC.md, "Targets", says who profits.
    """
    for s in range(SHORT_SHIFT_MAX, 0, -1):
        m = round(math.ldexp(real, s))
        if max(sum_max, 1) * m + (257 << (s - 1)) < 2**31:
            close = abs(math.ldexp(m, -s) - real) <= real * SHORT_ERROR
            return (m, s) if m > 0 and close else None
    return None


def quantize_multipliers(reals, sum_maxima=None):
    """Return int32 multipliers and uint8 shifts for an array of factors.

    `sum_maxima`: how large the sums can get that each will scale, for `short_multiplier`.
    """
    reals = np.ravel(reals).tolist()
    sums = [None] * len(reals) if sum_maxima is None else np.ravel(sum_maxima).tolist()
    pairs = [quantize_multiplier(*both) for both in zip(reals, sums, strict=True)]
    return np.array([m for m, _ in pairs], np.int32), np.array([n for _, n in pairs], np.uint8)


def quantize_add(real_a, real_b):
    """Return (m_a, m_b, n) for the two factors of an addition, which share one shift.

    Multipliers are in [0, 2^22), n is in [1, 23] and the largest for which both fit.
    """
    largest = max(real_a, real_b)
    if not (math.isfinite(largest) and min(real_a, real_b) >= 0):
        raise MotionletError(f"factors of an addition must be 0 or more: {real_a}, {real_b}")
    for n in range(LIMITS["add_shift_max"], LIMITS["shift_min"] - 1, -1):
        if round(largest * 2**n) <= LIMITS["add_multiplier_max"]:
            return round(real_a * 2**n), round(real_b * 2**n), n
    raise MotionletError(f"factor {largest:g} of an addition is not below 2^21")
