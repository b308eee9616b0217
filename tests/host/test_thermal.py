"""Thermal arrays from end to end: what normalization is for, and that the device does the same."""

import numpy as np
import pytest

from host_sdk.data import fingerprint, thermal_walk
from host_sdk.errors import MotionletError


def test_clips_are_what_the_task_says():
    samples, labels = thermal_walk.make_clips(50, 12)
    assert (samples.dtype, samples.shape) == (np.int16, (50, 12, 24, 32, 1))
    assert np.bincount(labels).tolist() == [10] * 5
    assert fingerprint(samples, labels) == fingerprint(*thermal_walk.make_clips(50, 12))
    assert fingerprint(samples, labels) != fingerprint(*thermal_walk.make_clips(50, 12, "test"))
    with pytest.raises(MotionletError, match="at least 1, not None"):
        thermal_walk.make_clips(None)
    with pytest.raises(MotionletError, match="no split named 'all'"):
        thermal_walk.make_clips(5, split="all")
