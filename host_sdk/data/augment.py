"""Augmentation: training clips a little changed, as if filmed again.

A change is the same for all frames of a clip, so that it does not look like motion.
"""

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from host_sdk.errors import MotionletError

# What counts as the whole range of samples: grey levels; 10 degrees C in hundredths.
_SPANS = {"uint8": 255, "int16": 1000}


def _setting(default, low, high, text):
    return field(default=default, metadata={"range": (low, high), "help": text})


@dataclass(frozen=True)
class Augmentation:
    """How far clips are changed, at most; each change is drawn uniformly. 0 is no change.

    Turned or mirrored motion is another motion: `flip` is off unless asked for, and there is no
    rotation.
    """

    shift: float = _setting(0.06, 0, 0.5, "moved, as a share of the side")
    zoom: float = _setting(0.06, 0, 0.5, "made larger or smaller, as a share of the size")
    brightness: float = _setting(0.1, 0, 1, "lighter or darker (of 255; of 10 degrees C)")
    contrast: float = _setting(0.1, 0, 1, "stronger or weaker, as a share of the contrast")
    jitter: int = _setting(2, 0, 1000, "frames by which a clip begins earlier or later")
    flip: int = _setting(0, 0, 1, "1: half of the clips are mirrored, left to right")

    def __post_init__(self):
        for f in dataclasses.fields(self):
            value, (low, high) = getattr(self, f.name), f.metadata["range"]
            whole = isinstance(f.default, int)
            if not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
                kind = "an integer" if whole else "a number"
                raise MotionletError(
                    f"augmentation: {f.name} must be {kind} from {low} to {high}, not {value!r}"
                )

    @classmethod
    def parse(cls, text):
        """Read `default`, `none`, or `name=value,...` (the other names keep their defaults).

        Returns None for `none`.
        """
        if text == "none":
            return None
        values = {}
        kinds = {f.name: type(f.default) for f in dataclasses.fields(cls)}
        for part in [] if text == "default" else text.split(","):
            name, _, value = part.partition("=")
            name = name.strip()
            if name not in kinds:
                raise MotionletError(
                    f"augmentation {part.strip()!r}: want `default`, `none` or NAME=VALUE,... of "
                    f"{', '.join(kinds)}"
                )
            try:
                values[name] = kinds[name](value)
            except ValueError:
                raise MotionletError(
                    f"augmentation: {name} must be a number, not {value!r}"
                ) from None
        return cls(**values)

    def move(self, rng, start, last):
        """Return the frame to begin with instead of `start`, from 0 to `last`."""
        return int(np.clip(start + rng.integers(-self.jitter, self.jitter + 1), 0, last))

    def change(self, rng, clip):
        """Return a changed copy of a clip [T, H, W, C], uint8 or int16."""
        zoom = 1 + rng.uniform(-self.zoom, self.zoom)
        rows, columns = (
            _matrix(side, zoom, rng.uniform(-self.shift, self.shift) * side)
            for side in clip.shape[1:3]
        )
        mirrored = self.flip and rng.random() < 0.5
        gain = 1 + rng.uniform(-self.contrast, self.contrast)
        offset = rng.uniform(-self.brightness, self.brightness) * _SPANS[clip.dtype.name]
        if mirrored:
            columns = columns[:, ::-1]
        film = np.moveaxis(clip.astype(np.float32), -1, 1)  # [T, C, H, W]
        film = rows @ film @ columns.T
        mean = film.mean()
        film = (film - mean) * gain + mean + offset
        limits = np.iinfo(clip.dtype)
        film = np.clip(np.round(film), limits.min, limits.max).astype(clip.dtype)
        return np.ascontiguousarray(np.moveaxis(film, 1, -1))


def _matrix(side, zoom, shift):
    """Return float32 [side, side] that resamples a line: linear in between, its ends go on."""
    middle = (side - 1) / 2
    place = np.clip((np.arange(side) - middle - shift) / zoom + middle, 0, side - 1)
    below = np.minimum(place.astype(int), max(side - 2, 0))
    part = place - below
    matrix = np.zeros((side, side), np.float32)
    matrix[np.arange(side), below] = 1 - part
    matrix[np.arange(side), np.minimum(below + 1, side - 1)] += part
    return matrix
