"""What is given to the inputs of a network: frames at their times, and clips."""

import numpy as np

from host_sdk.errors import MotionletError


def in_order(names, given):
    """Return what is given as a list of one to each input, None where there is nothing.

    `given` is a frame or clip where there is one input; else a list in the order of the inputs, or
    a dict by their `names`, in which those that get nothing may be left out.
    """
    if isinstance(given, dict):
        if unknown := [name for name in given if name not in names]:
            raise MotionletError(f"no input {unknown[0]!r}; there is: {', '.join(names)}")
        if len(set(names)) < len(names):
            raise MotionletError(f"inputs share a name ({', '.join(names)}): give a list")
        return [given.get(name) for name in names]
    listed = list(given) if isinstance(given, list | tuple) else [given]
    if len(listed) != len(names):
        raise MotionletError(
            f"{len(listed)} inputs given, the graph has {len(names)}: {', '.join(names)}"
        )
    return listed


def check_due(name, period, t, frame):
    """Raise MotionletError unless an input is given a frame at frame t just when it is due."""
    due = t % period == 0
    if due and frame is None:
        raise MotionletError(f"input {name!r} is given nothing; a frame is due at frame {t}")
    if not due and frame is not None:
        raise MotionletError(
            f"input {name!r} is given a frame at frame {t}; it is of period {period}, the next is "
            f"due at frame {t - t % period + period}"
        )


def clip_frames(names, periods, clips):
    """Return how many frames the clips of all inputs last, checked.

    A clip of an input of period p has a frame for every p-th frame: ceil(T / p) for T frames. T is
    the most for which all clips are long enough.
    """
    for name, clip in zip(names, clips, strict=True):
        if clip is None:
            raise MotionletError(f"input {name!r} is given no clip")
    lasts = min(len(clip) * period for clip, period in zip(clips, periods, strict=True))
    for name, period, clip in zip(names, periods, clips, strict=True):
        needed = -(-lasts // period)
        if len(clip) != needed:
            raise MotionletError(
                f"the clip of input {name!r} has {len(clip)} frames; of period {period}, it has "
                f"{needed} where the others last {lasts} frames"
            )
    return lasts


def frame_by_frame(names, periods, clips):
    """Return a list of what a stream is to be given, frame by frame, from what `run_clip` takes."""
    if len(names) == 1 and periods == [1] and not isinstance(clips, dict | list | tuple):
        return list(clips)
    clips = in_order(names, clips)
    return [
        [
            None if t % period else clip[t // period]
            for period, clip in zip(periods, clips, strict=True)
        ]
        for t in range(clip_frames(names, periods, clips))
    ]


def is_samples(given, frames):
    """Whether `frames` are samples that an `Input` normalizes, and not yet int8."""
    if given.pixel_format == "raw" or not isinstance(frames, np.ndarray):
        return False
    return frames.dtype == given.normalization.sample_type


def checked(graph, given, array, leading):
    """Return the array of an `Input`, int8 or samples, `leading` dimensions before its tensor's."""
    tensor, array = graph.tensors[given.tensor], np.asarray(array)
    if (array.dtype != np.int8 and not is_samples(given, array)) or array.ndim != 3 + leading:
        raise MotionletError(
            f"input {tensor.name!r} is int8 of {3 + leading} dimensions, "
            f"not {array.dtype} of {array.ndim}"
        )
    if array.shape[leading:] != tensor.shape:
        raise MotionletError(
            f"input {tensor.name!r} is {tensor.shape}, not {array.shape[leading:]}"
        )
    return array
