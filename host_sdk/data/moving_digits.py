"""Moving digits: real handwritten digits that move in nine ways. What counts is the motion.

The digits are scikit-learn's `load_digits` (1,797 samples, 8x8), scaled up smoothly and drawn on
32x32 GRAY8 frames. They are split by sample: no digit of the test clips was seen in training.
(The set does not say who wrote which digit, so a writer may be in several splits.) Everything
else, the motion and the light, is synthetic: this task shows that a network sees motion. It says
nothing of how well one would do on a camera's pictures. Besides its motion every digit drifts a
little in all ways, so even a "still" one is not quite still.

No single frame gives the answer away. Position, angle and size are coordinates on circles: who
leaves on the left comes back on the right, and who has grown to the largest size begins again at
the smallest. They start uniformly distributed and move at a speed that does not depend on where
they are, so they are uniformly distributed in every frame, whatever the motion. What several
frames tell when their order is forgotten is limited too: a clip played backwards is as likely a
clip of the opposite motion, so such a method cannot tell left from right.
"""

from functools import cache

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.normalization import Normalization

LABELS = [
    "left",
    "right",
    "up",
    "down",
    "clockwise",
    "counter-clockwise",
    "growing",
    "shrinking",
    "still",
]
FRAME_SHAPE = (32, 32, 1)
FRAMES_PER_SECOND = 10.0
PIXEL_FORMAT = "gray8"
NORMALIZATION = Normalization.pixels()
SPLITS = {"train": (0, 1197), "validation": (1197, 1497), "test": (1497, 1797)}

_SIDE = 32  # pixels, of a frame
_FINE = 160  # pixels, of a digit scaled up: so fine that the nearest pixel will do
# One row per motion: the speeds of x, y, angle and log(size), in units of _SPEEDS.
_DIRECTIONS = np.array(
    [
        [-1, 0, 0, 0],
        [1, 0, 0, 0],
        [0, -1, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, -1, 0],
        [0, 0, 0, 1],
        [0, 0, 0, -1],
        [0, 0, 0, 0],
    ]
)
# Lowest and highest speed a frame, and where each coordinate begins and how far it goes before it
# starts again: pixels, pixels, radians, log(pixels).
_SPEEDS = np.array([[0.8, 1.8], [0.8, 1.8], [0.14, 0.28], [0.045, 0.075]])
_BEGIN = np.array([0, 0, 0, np.log(11)])
_LENGTH = np.array([_SIDE, _SIDE, 2 * np.pi, np.log(28 / 11)])
_DRIFT = 0.25  # of the lowest speed: how fast any coordinate may move besides, as a hand does


@cache
def _digits():
    """Return the 1,797 digits in a fixed random order: uint8 [1797, _FINE, _FINE]."""
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits

    images = np.pad(load_digits().images / 16, ((0, 0), (1, 1), (1, 1)))
    # Spline interpolation is linear: what it makes of the unit vectors is its matrix.
    matrix = zoom(np.eye(10), (_FINE // 10, 1), order=3)
    fine = np.clip(matrix @ images @ matrix.T, 0, 1)
    order = np.random.default_rng(0).permutation(len(fine))
    return np.round(fine[order] * 255).astype(np.uint8)


def _draw(digit, x, y, angle, size):
    """Draw digits: all arguments are arrays [N]; return float32 in 0..1, [N, 32, 32].

    (x, y) is the centre, `angle` turns clockwise as seen on the screen.
    """
    half = _SIDE / 2
    pixels = np.arange(_SIDE, dtype=np.float32)
    dx = ((pixels - x[:, None] + half) % _SIDE - half).astype(np.float32)[:, None, :]
    dy = ((pixels - y[:, None] + half) % _SIDE - half).astype(np.float32)[:, :, None]
    scale = (_FINE / size).astype(np.float32)
    cos = (np.cos(angle) * scale).astype(np.float32)[:, None, None]
    sin = (np.sin(angle) * scale).astype(np.float32)[:, None, None]
    # Margins of zeros around the digit answer for every pixel outside it.
    column = np.clip(cos * dx + sin * dy + _FINE / 2, 0, _FINE - 1).astype(np.int32)
    row = np.clip(cos * dy - sin * dx + _FINE / 2, 0, _FINE - 1).astype(np.int32)
    return _digits()[digit[:, None, None], row, column] / np.float32(255)


def _motion(rng, motions):
    """Return speeds [N, 4] for `motions` [N] (indices of LABELS)."""
    speeds = rng.uniform(_SPEEDS[:, 0], _SPEEDS[:, 1], (len(motions), 4))
    drift = rng.uniform(-_DRIFT, _DRIFT, (len(motions), 4)) * _SPEEDS[:, 0]
    return _DIRECTIONS[motions] * speeds + drift


def _film(rng, digit, coordinates):
    """Film digits [N] along `coordinates` [N, T, 4]; return uint8 [N, T, 32, 32, 1]."""
    count, frames = coordinates.shape[:2]
    x, y, angle, log_size = np.moveaxis((coordinates - _BEGIN) % _LENGTH + _BEGIN, -1, 0)
    dark = rng.integers(0, 48, count)
    bright = rng.integers(150, 256, count)
    film = np.empty((count, frames, *FRAME_SHAPE), np.uint8)
    for t in range(frames):
        ink = _draw(digit, x[:, t], y[:, t], angle[:, t], np.exp(log_size[:, t]))
        flicker = rng.uniform(0.94, 1.06, count)
        image = (dark + ink.T * (bright - dark)).T * flicker[:, None, None]
        # Noise on one pixel in fifty: a camera has more, but frames must stay small when packed.
        noisy = rng.random(image.shape, np.float32) < 0.02
        image += noisy * rng.normal(0, 12, image.shape)
        film[:, t, :, :, 0] = np.clip(np.round(image), 0, 255)
    return film


def _start(seed, split, what, count):
    """Return a random generator and the indices of `count` digits of a split."""
    if split not in SPLITS:
        raise MotionletError(f"no split named {split!r}; there is: {', '.join(SPLITS)}")
    rng = np.random.default_rng([seed, list(SPLITS).index(split), what])
    return rng, rng.integers(*SPLITS[split], count)


def make_clips(count, frames=16, split="train", seed=0):
    """Return `count` clips, uint8 [N, T, 32, 32, 1], and their labels, int64 [N].

    The classes are as equally frequent as `count` allows. `seed` decides everything.
    """
    return make_grouped_clips(count, frames, split, seed)[:2]


def make_grouped_clips(count, frames=16, split="train", seed=0):
    """As `make_clips`, and groups, int64 [N]: which digit is in the clip."""
    if count < 1 or frames < 1:
        raise MotionletError(f"clips and frames must be at least 1, not {count} and {frames}")
    rng, digit = _start(seed, split, 0, count)
    labels = rng.permutation(np.arange(count) % len(LABELS))
    start = _BEGIN + _LENGTH * rng.random((count, 4))
    time = np.arange(frames)[:, None]
    coordinates = start[:, None] + _motion(rng, labels)[:, None] * time
    return _film(rng, digit, coordinates), labels, digit


def make_stream(motions, frames_each, split="test", seed=0):
    """Return one long film of one digit that changes its motion.

    `motions` are names or indices of LABELS, each lasting `frames_each` frames. Returns frames,
    uint8 [F, 32, 32, 1], and the motion of every frame, int64 [F]. The label of a frame names the
    step that led to it, so that a change shows from its first frame on.
    """
    if not len(motions) or frames_each < 1:
        raise MotionletError("a stream needs at least one motion of at least one frame")
    motions = [LABELS.index(m) if m in LABELS else m for m in motions]
    if any(m not in range(len(LABELS)) for m in motions):
        raise MotionletError(f"motions must be among {', '.join(LABELS)}")
    rng, digit = _start(seed, split, 1, 1)
    speeds = np.repeat(_motion(rng, motions), frames_each, axis=0)
    coordinates = _BEGIN + _LENGTH * rng.random(4) + np.cumsum(speeds, axis=0)
    return _film(rng, digit, coordinates[None])[0], np.repeat(motions, frames_each)
