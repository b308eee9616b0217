"""Streams in which nothing happens, to count false alarms on."""

from pathlib import Path

import numpy as np

from host_sdk.clips import load_clip
from host_sdk.errors import MotionletError

STREAM_SECONDS = 30  # of each stream that a task makes
FROZEN_SECONDS = 10  # that a picture is shown which does not move


def folder_streams(folder):
    """Return the clips of a folder, [samples [T, H, W, C]]."""
    paths = sorted(path for path in Path(folder).glob("**/*") if path.suffix in (".npy", ".npz"))
    if not paths:
        raise MotionletError(f"{folder}: no clips in it (.npy or .npz)")
    return [load_clip(path) for path in paths]


def task_streams(task, quiet, clips, labels, minutes):
    """Return (what they are, [samples [T, H, W, C]]) for a task without a folder of its own.

    `quiet` are the classes that mean background; `clips` and `labels` are unseen clips. In this
    order:
    1. streams of the first quiet class of `STREAM_SECONDS` each, `minutes` in all, where the task
       makes streams (`make_stream`, see `data.moving_digits`);
    2. the clips of the quiet classes, each a stream of its own;
    3. without a quiet class, the first frame of each clip, repeated for `FROZEN_SECONDS`.
    """
    rate = task.FRAMES_PER_SECOND
    if quiet and hasattr(task, "make_stream"):
        frames, count = round(STREAM_SECONDS * rate), round(minutes * 60 / STREAM_SECONDS)
        streams = [
            task.make_stream([quiet[0]], frames, "test", seed)[0] for seed in range(max(count, 1))
        ]
        return f"unseen streams of the class {task.LABELS[quiet[0]]!r}", streams
    if quiet and np.isin(labels, quiet).any():
        names = ", ".join(repr(task.LABELS[c]) for c in quiet)
        return f"unseen clips of the class {names}", list(clips[np.isin(labels, quiet)])
    frames = round(FROZEN_SECONDS * rate)
    frozen = [np.broadcast_to(clip[0], (frames, *clip.shape[1:])) for clip in clips]
    return "the first frame of each unseen clip, held: nothing moves", frozen
