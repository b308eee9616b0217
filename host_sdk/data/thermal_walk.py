"""People before a thermal array: a warm blob over a background that drifts. All of it synthetic.

24 x 32 samples of hundredths of a degree C, 8 frames a second, as an MLX90640 gives them. Someone
0.5 to 1.5 degrees warmer than what is behind walks to the left or to the right, lies down where
they stood ("fall"), stands, or nobody is there. A room drifts by up to 6 degrees a minute, its
walls are not of one temperature, and every sample has noise of 0.1 degree. The rooms of the test
are warmer than those of training, 22 to 30 degrees against 15 to 22: a device that was trained in
winter hangs there in summer, too. So an absolute temperature tells little; the difference from what
was there before tells nearly all. What a real array adds (bad pixels, lens, furniture that a person
warms) is not here.

Each clip begins with some frames of the empty room, as a device that hangs there has seen it.
"""

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.normalization import HUNDREDTHS, Normalization, to_samples

LABELS = ["left", "right", "fall", "stand", "empty"]
FRAME_SHAPE = (24, 32, 1)
FRAMES_PER_SECOND = 8.0
PIXEL_FORMAT = "int16"
NORMALIZATION = Normalization.background(2, rate=6, sample_type="int16")
SPLITS = {"train": (15, 22), "validation": (15, 22), "test": (22, 30)}  # degrees C of the rooms

_DRIFT = 6 / 60 / FRAMES_PER_SECOND  # degrees a frame, at most
_CONTRAST = (0.5, 1.5)  # degrees
_NOISE = 0.1  # degrees
_EMPTY = 3  # frames at the begin of a clip
_WALK = (0.7, 1.4)  # pixels a frame


def make_clips(count, frames=16, split="train", seed=0):
    """Return `count` clips, int16 [N, T, 24, 32, 1], and their labels, int64 [N].

    The classes are as equally frequent as `count` allows. `seed` decides everything.
    """
    if split not in SPLITS:
        raise MotionletError(f"no split named {split!r}; there is: {', '.join(SPLITS)}")
    if not (count and count > 0 and frames > 0):
        raise MotionletError(f"clips and frames must be at least 1, not {count} and {frames}")
    rng = np.random.default_rng([seed, list(SPLITS).index(split)])
    labels = rng.permutation(np.arange(count) % len(LABELS))
    celsius = _rooms(rng, SPLITS[split], count, frames) + _people(rng, labels, frames)
    celsius += rng.normal(0, _NOISE, celsius.shape)
    return to_samples(celsius, HUNDREDTHS)[..., None], labels


def _rooms(rng, degrees, count, frames):
    """Return empty rooms that drift, degrees C [N, T, 24, 32]."""
    height, width, _ = FRAME_SHAPE
    level = rng.uniform(*degrees, (count, 1, 1, 1))
    drift = rng.uniform(-_DRIFT, _DRIFT, (count, 1, 1, 1)) * np.arange(frames)[:, None, None]
    walls = rng.normal(0, 1, (count, 1, 4, 4)).repeat(height // 4, 2).repeat(width // 4, 3)
    return level + drift + walls


def _people(rng, labels, frames):
    """Return by how much people are warmer than what is behind, degrees [N, T, 24, 32]."""
    height, width, _ = FRAME_SHAPE
    count = len(labels)
    time = np.arange(frames) - _EMPTY
    walks = np.select([labels == 0, labels == 1], [-1, 1])[:, None]
    middle = rng.uniform(10, width - 10, (count, 1))
    x = middle + walks * rng.uniform(*_WALK, (count, 1)) * (time - (frames - _EMPTY) / 2)
    fallen = (labels == 2)[:, None] * np.clip((time - rng.uniform(2, 5, (count, 1))) / 3, 0, 1)
    y = rng.uniform(10, 13, (count, 1)) + 5 * fallen
    # Upright 3 wide and 7 high (standard deviations 1.7 and 3.6); lying, the other way round.
    wide, high = 1.7 + 1.9 * fallen, 3.6 - 1.9 * fallen
    dx = (np.arange(width) - x[..., None]) / wide[..., None]
    dy = (np.arange(height) - y[..., None]) / high[..., None]
    blob = np.exp(-(dy[..., :, None] ** 2 + dx[..., None, :] ** 2) / 2)
    there = (time >= 0) * (labels != 4)[:, None]
    return rng.uniform(*_CONTRAST, (count, 1, 1, 1)) * blob * there[..., None, None]
