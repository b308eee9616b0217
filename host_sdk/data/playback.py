"""Playback: people filmed in a yard; is the film played forward, backward, frozen or fast?

The film is `vtest.avi`, an example of OpenCV's (79 s of people who walk over a yard, 768x576, 10
frames a second, camera fixed). It is no part of this project: tools/get_videos.py fetches it.

A clip is a square part of the film around something that moves, mirrored or not. All classes are
cut in the same way, around the same moments; only then is it decided which frames are shown:

- forward: the frames as they were; backward: the same in reverse;
- frozen: one frame again and again;
- double speed: every second frame, of twice the time.

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
from host_sdk.normalization import Normalization

LABELS = ["forward", "backward", "frozen", "double speed"]
FRAME_SHAPE = (32, 32, 1)
FRAMES_PER_SECOND = 10.0
PIXEL_FORMAT = "gray8"
NORMALIZATION = Normalization.pixels()

_GAP = 24  # frames of the film between two splits
_SHARES = (0.55, 0.2, 0.25)  # of the film's time, for training, validation and testing
_SCALES = (2, 3)  # pixels of the film, across, that become one
_BLOCK = 8  # pixels: where something moves is known for blocks of this side
_MOVES = 6  # grey levels by which the mean of a block changes where something moves
_NOISE = 3.0  # grey levels, standard deviation
_SIDE = FRAME_SHAPE[0]


@cache
def _film():
    """Return the film, uint8 [frames, 576, 768], and where it moves.

    The latter is bool [frames - 1, 72, 96]: whether a block differs from the frame before.
    """
    folder = paths.build() / "videos"
    path = folder / "vtest.npy"
    if not path.exists():
        from host_sdk.data import clip_files

        video = folder / "vtest.avi"
        if not video.exists():
            tool = paths.repository() / "tools/get_videos.py"
            if subprocess.run([sys.executable, str(tool)]).returncode:
                raise MotionletError(f"{video} is not there and was not fetched; see above why")
        info = clip_files.inspect_clip(video)
        form = clip_files.FrameForm(FRAMES_PER_SECOND, (info.height, info.width, 1))
        partial = path.with_name("partial.npy")
        np.save(partial, clip_files.read_frames(video, info, form)[..., 0])
        partial.replace(path)
    film = np.load(path, mmap_mode="r")
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
    """Return `count` clips, uint8 [N, T, 32, 32, 1], and their labels, int64 [N].

    The classes are as equally frequent as `count` allows. `seed` decides everything.
    """
    if count < 1 or frames < 1:
        raise MotionletError(f"clips and frames must be at least 1, not {count} and {frames}")
    film, moving = _film()
    begin, end = span(split)
    margin = 2 * (frames - 1)  # double speed may begin or end so far from the moment
    if end - begin <= 2 * margin:
        longest = (end - begin + 3) // 4
        raise MotionletError(f"{split} clips have at most {longest} frames, not {frames}")
    rng = np.random.default_rng([seed, splits.SPLITS.index(split)])
    labels = rng.permutation(np.arange(count) % len(LABELS))
    times, rows, columns = np.nonzero(moving[begin + margin : end - margin])
    samples = np.empty((count, frames, *FRAME_SHAPE), np.uint8)
    for sample, label in zip(samples, labels, strict=True):
        pick = rng.integers(len(times))
        part = _part(rng, rows[pick], columns[pick], film.shape[1:])
        shown = begin + margin + times[pick] + _shown(rng, LABELS[label], frames)
        clip = _shrink(film[:, part[0], part[1]][shown])
        if rng.random() < 0.5:
            clip = clip[:, :, ::-1]
        clip = clip * rng.uniform(0.8, 1.2) + rng.uniform(-20, 20)
        clip += rng.normal(0, _NOISE, clip.shape)
        sample[..., 0] = np.clip(np.round(clip), 0, 255)
    return samples, labels


def _part(rng, row, column, shape):
    """Return slices of the film around a block, of one of the scales, moved a little."""
    side = _SIDE * rng.choice(_SCALES)
    corner = (
        (np.array([row, column]) + 0.5) * _BLOCK
        - side / 2
        + rng.integers(-side // 6, side // 6 + 1, 2)
    )
    top, left = np.clip(corner.astype(int), 0, np.array(shape) - side)
    return slice(top, top + side), slice(left, left + side)


def _shown(rng, label, frames):
    """Return which frames of the film a clip shows, counted from the moment when something moves.

    That moment is anywhere in the clip; a frozen clip is any frame of what could be a moving one.
    """
    steps = np.arange(frames) - rng.integers(frames)
    return {
        "forward": steps,
        "backward": steps[::-1],
        "frozen": np.full(frames, rng.choice(steps)),
        "double speed": 2 * steps,
    }[label]


def _shrink(frames):
    """Return the means of frames [T, side, side] over areas: float32 [T, _SIDE, _SIDE]."""
    count, side, _ = frames.shape
    n = side // _SIDE
    return frames.reshape(count, _SIDE, n, _SIDE, n).mean(axis=(2, 4), dtype=np.float32)
