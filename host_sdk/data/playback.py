"""Playback: people filmed in a yard; is the film played forward, backward, frozen or fast?

The film is `vtest.avi`, an example of OpenCV's (79 s of people who walk over a yard, 768x576, 10
frames a second, camera fixed). It is no part of this project: tools/get_videos.py fetches it.

A scene is a square part of the film, in the middle of which people move and go on moving, for
twice the time of a clip. Each scene is played in all four ways, so that nothing in it tells which:

- forward: frames one after the other, of some half of that time; backward: the same in reverse;
- frozen: one frame again and again;
- double speed: every second frame of the whole time.

Every frame gets noise of its own after that, seven times as strong as what the film has where
nothing moves: so it is not pixels that repeat exactly, or flicker less, that tell a frozen clip,
but only people who do not move.

The splits are of different times of the film, with `_GAP` between them. But the place is always
the same, and who stays long is seen in two splits. So this task says how well networks tell the
playback of *this camera's* film at other times; not how well they would do elsewhere. docs/data.md
has figures.
"""

import subprocess
import sys
from functools import cache

import numpy as np

from host_sdk import paths
from host_sdk.data import splits
from host_sdk.errors import MotionletError
from host_sdk.files import kept_array
from host_sdk.format.normalization import Normalization

LABELS = ["forward", "backward", "frozen", "double speed"]
FRAME_SHAPE = (48, 48, 1)
FRAMES_PER_SECOND = 10.0
PIXEL_FORMAT = "gray8"
NORMALIZATION = Normalization.pixels()

_GAP = 24  # frames of the film between two splits
_SHARES = (0.55, 0.2, 0.25)  # of the film's time, for training, validation and testing
_SCALES = (2, 3)  # pixels of the film, across, that become one: a body is 30 to 45 high
_BLOCK = 8  # pixels: where something moves is known for blocks of this side
_MOVES = 6  # grey levels by which the mean of a block changes where something moves
_NOISE = 3.0  # grey levels, standard deviation
_LIVELY = 0.02  # share of a part's blocks that move when something happens in it
_OFTEN = 0.6  # share of a scene's time in which something must
_OFF = 2.0  # blocks by which a part may lie beside the middle of what moves
_SIDE = FRAME_SHAPE[0]


@cache
def _film():
    """Return the film, uint8 [frames, 576, 768], and where it moves.

    The latter is bool [frames - 1, 72, 96]: whether a block differs from the frame before.
    """
    folder = paths.build() / "videos"
    path = folder / "vtest.npy"

    def read():
        from host_sdk.data import clip_files

        video = folder / "vtest.avi"
        if not video.exists():
            tool = paths.data("tools/get_videos.py")
            command = [sys.executable, str(tool), "--dest", str(folder)]
            if subprocess.run(command).returncode:
                raise MotionletError(f"{video} is not there and was not fetched; see above why")
        try:
            info = clip_files.inspect_clip(video)
            form = clip_files.FrameForm(FRAMES_PER_SECOND, (info.height, info.width, 1))
            return clip_files.read_frames(video, info, form)[..., 0]
        except MotionletError as error:
            raise MotionletError(f"{video}: {error}") from None

    film = kept_array(path, read)
    count, height, width = film.shape
    blocks = np.empty((count, height // _BLOCK, width // _BLOCK), np.float32)
    for index, frame in enumerate(film):
        parts = frame.reshape(blocks.shape[1], _BLOCK, blocks.shape[2], _BLOCK)
        blocks[index] = parts.mean(axis=(1, 3))
    return film, np.abs(np.diff(blocks, axis=0)) > _MOVES


def span(split):
    """Return the first frame of the film in a split, and the one after its last."""
    splits.check_split(split)
    index = splits.SPLITS.index(split)
    total = len(_film()[0])
    begin = round(sum(_SHARES[:index]) * total) + (_GAP if index else 0)
    return begin, round(sum(_SHARES[: index + 1]) * total)


def make_clips(count, frames=16, split="train", seed=0):
    """Return `count` clips, uint8 [N, T, 48, 48, 1], and their labels, int64 [N].

    The classes are as equally frequent as `count` allows. `seed` decides everything.
    """
    return make_grouped_clips(count, frames, split, seed)[:2]


def make_grouped_clips(count, frames=16, split="train", seed=0):
    """As `make_clips`, and groups, int64 [N]: clips of scenes that begin at the same time.

    That is in the same `_GAP` frames of the film, wherever in the picture; scenes of the next
    group may overlap with them.
    """
    if count < 1 or frames < 1:
        raise MotionletError(f"clips and frames must be at least 1, not {count} and {frames}")
    film, moving = _film()
    begin, end = span(split)
    if end - begin <= 4 * (frames - 1):
        longest = (end - begin + 3) // 4
        raise MotionletError(f"{split} clips have at most {longest} frames, not {frames}")
    film, moving = film[begin:end], moving[begin : end - 1]
    margin = 2 * (frames - 1)  # double speed takes so long
    moments = np.argwhere(moving[margin : end - begin - margin])
    moments[:, 0] += margin
    rng = np.random.default_rng([seed, splits.SPLITS.index(split)])
    samples = np.empty((count, frames, *FRAME_SHAPE), np.uint8)
    labels, groups = np.empty((2, count), np.int64)
    order = rng.permutation(count)
    for first in range(0, count, len(LABELS)):
        places = order[first : first + len(LABELS)]
        part, shown = _scene(rng, moving, moments, frames)
        clips = _shrink(film[:, part[0], part[1]][shown[: len(places)].ravel()])
        if rng.random() < 0.5:
            clips = clips[:, :, ::-1]
        clips = clips * rng.uniform(0.8, 1.2) + rng.uniform(-20, 20)
        clips += rng.normal(0, _NOISE, clips.shape)
        clips = np.clip(np.round(clips), 0, 255)
        samples[places] = clips.reshape(-1, *samples.shape[1:])
        labels[places] = np.arange(len(places))
        groups[places] = shown.min() // _GAP
    return samples, labels, groups


def _scene(rng, moving, moments, frames):
    """Draw a part of the film, and 2 T - 1 frames in which things move there most of the time.

    Returns the part's slices, and the frames that each class shows: see `_shown`.
    """
    while True:
        time, *place = moments[rng.integers(len(moments))]
        side = _SIDE * rng.choice(_SCALES)
        # The middle of what moves there is that of a body more often than the block drawn.
        around = _part(place, side, moving.shape[1:])
        place = np.argwhere(moving[time][around]).mean(axis=0) + [s.start for s in around]
        part = _part(place + rng.uniform(-_OFF, _OFF, 2), side, moving.shape[1:])
        span = 2 * frames - 1
        begin = time - rng.integers(span)
        lively = moving[begin : begin + span, part[0], part[1]].mean(axis=(1, 2)) >= _LIVELY
        if lively.mean() >= _OFTEN:
            part = tuple(slice(s.start * _BLOCK, s.stop * _BLOCK) for s in part)
            return part, begin + _shown(rng, frames)


def _part(middle, side, shape):
    """Return slices of `side` pixels around a place, within the film; all but `side` in blocks."""
    side //= _BLOCK
    corner = np.clip(np.round(middle - side / 2 + 0.5), 0, np.array(shape) - side)
    return tuple(slice(int(c), int(c) + side) for c in corner)


def _shown(rng, frames):
    """Return which of 2 T - 1 frames each class shows, int [classes, T]."""
    steps = np.arange(frames)
    forward = rng.integers(frames) + steps
    frozen = np.full(frames, rng.integers(2 * frames - 1))
    return np.stack([forward, forward[::-1], frozen, 2 * steps])


def _shrink(frames):
    """Return the means of frames [T, side, side] over areas: float32 [T, _SIDE, _SIDE]."""
    count, side, _ = frames.shape
    n = side // _SIDE
    return frames.reshape(count, _SIDE, n, _SIDE, n).mean(axis=(2, 4), dtype=np.float32)
