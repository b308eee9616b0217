"""Streams in which nothing happens, to count false alarms on."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from host_sdk.data import clip_files
from host_sdk.data.options import FolderOptions
from host_sdk.errors import MotionletError

STREAM_SECONDS = 30  # of each stream that a task makes
FROZEN_SECONDS = 10  # that a picture is shown which does not move


def folder_streams(folder, task):
    """Return (what they are, [samples [T, H, W, C]]) of a folder's clips, in the task's form.

    They are videos or arrays, see `data.clip_files`.
    """
    if not Path(folder).is_dir():
        raise MotionletError(f"{folder}: no such folder")
    suffixes = clip_files.VIDEO_SUFFIXES | clip_files.ARRAY_SUFFIXES
    files, others = clip_files.find_files(folder)
    for name, why in others.items():
        if why not in (clip_files.HIDDEN, clip_files.EMPTY):
            raise MotionletError(f"{Path(folder) / name}: {why}")
    paths = [Path(folder) / name for name in files if Path(name).suffix.lower() in suffixes]
    if not paths:
        raise MotionletError(f"{folder}: no clips in it, neither videos nor arrays")
    options = getattr(task, "options", FolderOptions())
    form = clip_files.FrameForm(task.FRAMES_PER_SECOND, task.FRAME_SHAPE, options.crop)
    streams = []
    for path in paths:
        try:
            info = clip_files.inspect_clip(path, options)
            if info.thermal != (task.PIXEL_FORMAT == "int16"):
                found, wanted = ("temperatures", "pictures")[:: 1 if info.thermal else -1]
                raise MotionletError(f"holds {found}; the network takes {wanted}")
            info = replace(info, fps=info.fps or options.array_fps)
            streams.append(clip_files.read_frames(path, info, form, options))
        except MotionletError as error:
            raise MotionletError(f"{path}: {error}") from None
    return str(folder), streams


def task_streams(task, quiet, clips, labels, minutes):
    """Return (what they are, [samples [T, H, W, C]]) for a task without a folder of its own.

    `quiet` are the classes that mean background; `clips` and `labels` are unseen clips. In this
    order:
    1. streams of the first quiet class of `STREAM_SECONDS` each, `minutes` in all, where the task
       makes streams (`make_stream`, see `data.moving_digits`);
    2. the test clips of the quiet classes, each a stream of its own: whole, where the task is a
       folder of clips, as long as the others where it makes them;
    3. without a quiet class, the first frame of each clip, repeated for `FROZEN_SECONDS`.
    """
    rate = task.FRAMES_PER_SECOND
    if quiet and hasattr(task, "make_stream"):
        frames, count = round(STREAM_SECONDS * rate), round(minutes * 60 / STREAM_SECONDS)
        streams = [
            task.make_stream([quiet[0]], frames, "test", seed)[0] for seed in range(max(count, 1))
        ]
        return f"unseen streams of the class {task.LABELS[quiet[0]]!r}", streams
    names = [task.LABELS[c] for c in quiet]
    if hasattr(task, "clips"):
        pairs = zip(task.clips, task.splits, strict=True)
        streams = [task.frames_of(c) for c, where in pairs if where == "test" and c.label in names]
    else:
        streams = list(clips[np.isin(labels, quiet)])
    if streams:
        return f"unseen clips of the class {', '.join(map(repr, names))}", streams
    frames = round(FROZEN_SECONDS * rate)
    frozen = [np.broadcast_to(clip[0], (frames, *clip.shape[1:])) for clip in clips]
    return "the first frame of each unseen clip, held: nothing moves", frozen
