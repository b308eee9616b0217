"""Real factors as integers: the multipliers and shifts of SPEC.md."""

import math

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.mlet_format import LIMITS


def quantize_multiplier(real):
    """Return (m, n) with m / 2^n nearest to `real`, m in [2^30, 2^31) and n in [1, 62].

    `real` is between 2^-32 and 2^30; the relative error is at most 2^-31.
    """
    if not (math.isfinite(real) and real > 0):
        raise MotionletError(f"a multiplier must be above 0, not {real}")
    fraction, exponent = math.frexp(real)  # real = fraction * 2^exponent, fraction in [1/2, 1)
    m, n = round(fraction * 2**31), 31 - exponent
    if m == 2**31:
        m, n = 2**30, n - 1
    if not LIMITS["shift_min"] <= n <= LIMITS["shift_max"]:
        raise MotionletError(f"multiplier {real:g} is not between 2^-32 and 2^30")
    return m, n


def quantize_multipliers(reals):
    """Return int32 multipliers and uint8 shifts for an array of factors."""
    pairs = [quantize_multiplier(float(real)) for real in np.ravel(reals)]
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
