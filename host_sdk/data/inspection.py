"""A look at a folder of clips before training on it: what is there, and what is wrong with it."""

import collections
import statistics
import warnings

import numpy as np

from host_sdk.data import folder as folders
from host_sdk.data.options import FolderOptions
from host_sdk.data.splits import SPLITS, alike_warning, look_alikes
from host_sdk.errors import MotionletError
from host_sdk.format.normalization import HUNDREDTHS

IMBALANCE = 3.0  # times as many seconds in the largest class as in the smallest
FEW_GROUPS = 3  # people, say, that are too few to test on
FEW_WINDOWS = 30  # to test on: an accuracy of 90 % of so many may be 74 or 97 % of others
RATES = 1.05  # times the frame rate of another class
SIDE = 16  # pixels at most, of the frames that are compared
QUERIES = (0.25, 0.5, 0.75)  # where in a clip the frames lie that are looked for in others
SHOWN = 8  # pairs of copies that are named
LIKENESS = 1 / 3  # copies differ by less than this part of what the clip itself changes


def inspect_folder(folder, options=None, frames=16):
    """Look at a folder of clips as a task of windows of `frames`; return (report, task).

    `options` is a dict of fields of `FolderOptions`. `report` is a plain dict for JSON: classes,
    sizes, rates, what was skipped and why, warnings. `task` is None if there can be none; then
    `report["error"]`, else None, says why, or why nothing can be trained on it. Raises
    MotionletError if `folder` is no folder of folders, or `options` are wrong.
    """
    if frames < 1:
        raise MotionletError(f"frames must be at least 1, not {frames}")
    options = FolderOptions.from_dict(options or {})
    clips, skipped = folders.scan(folder, options)
    warnings, task, failure = [], None, None
    try:
        task = folders.FolderTask(folder, options)
    except MotionletError as error:
        failure = str(error)
    windows = {}
    if task:
        windows = {split: task.windows(frames, split) for split in SPLITS}
        skipped = task.skipped
        if task.unused:
            warnings.append(f"no clip that can be used of {_and(task.unused)}")
        warnings += _task_warnings(task, windows, frames)
        try:
            for split, found in windows.items():
                task.check_windows(found, frames, split)
        except MotionletError as error:
            failure = str(error)
    warnings += _clip_warnings(clips, skipped)
    report = {
        "folder": str(folder),
        "frames": frames,
        "classes": {
            label: _describe(label, clips, task, windows)
            for label in sorted({clip.label for clip in clips})
        },
        "sizes": _count(f"{clip.info.width}x{clip.info.height}" for clip in clips),
        "rates": _count(_rate(clip.info.fps) for clip in clips),
        "groups": _groups(task) if task else {},
        "lost": task.lost if task else {},
        "skipped": skipped,
        "warnings": warnings,
        "error": failure,
    }
    if task:
        height, width, channels = task.FRAME_SHAPE
        report["samples"] = {
            "width": width,
            "height": height,
            "channels": channels,
            "frames_per_second": task.FRAMES_PER_SECOND,
            "thermal": task.thermal,
            "normalization": str(task.NORMALIZATION),
        }
    return report, task


def _groups(task):
    """Return how many groups of splits.csv each split has, {} when there are none."""
    found = {split: set() for split in SPLITS if task.groups}
    for clip, split in zip(task.clips, task.splits, strict=True):
        if task.groups:
            found[split].add(task.groups[clip.name])
    return {split: len(groups) for split, groups in found.items()}


def _describe(label, clips, task, windows):
    """Return the figures of a class."""
    mine = [clip for clip in clips if clip.label == label]
    fps = task.options.array_fps if task else folders.DEFAULT_FPS
    seconds = [clip.info.frames / (clip.info.fps or fps) for clip in mine]
    entry = {
        "clips": len(mine),
        "seconds": round(sum(seconds), 1),
        "shortest": round(min(seconds), 2),
        "longest": round(max(seconds), 2),
    }
    if task:
        entry["split_clips"] = {
            split: sum(
                clip.label == label and where == split
                for clip, where in zip(task.clips, task.splits, strict=True)
            )
            for split in SPLITS
        }
        entry["range"] = _range([clip for clip in mine if clip.name not in task.skipped], task)
        entry["split_windows"] = {
            split: sum(task.clips[index].label == label for index, _ in found)
            for split, found in windows.items()
        }
    return entry


def _range(clips, task):
    """Return [lowest, highest] of what clips show, in degrees C or grey levels; None of no clip."""
    ends = [end for film in map(task.frames_of, clips) for end in (film.min(), film.max())]
    if not ends:
        return None
    return [float(end) / (HUNDREDTHS if task.thermal else 1) for end in (min(ends), max(ends))]


def _count(values):
    """Return {value: how often}, the most frequent first."""
    return dict(collections.Counter(values).most_common())


def _rate(fps):
    return f"{fps:g} fps" if fps else "not stated"


def _clip_warnings(clips, skipped):
    """What can be said of clips without a task: contradictions and odd ones."""
    for same in look_alikes(sorted({clip.label for clip in clips})):
        yield alike_warning(same)
    if meant := [name for name, why in skipped.items() if folders.counts(why)]:
        yield f"files skipped: {len(meant)}, the first {meant[0]}"
    by_content = collections.defaultdict(list)
    for clip in clips:
        by_content[clip.info.sha256].append(clip)
    for same in by_content.values():
        if len({clip.label for clip in same}) > 1:
            yield f"the same file in two classes: {', '.join(clip.name for clip in same)}"
    by_class = collections.defaultdict(list)
    for clip in clips:
        if clip.info.fps:
            by_class[clip.label].append(clip.info.fps)
    rates = {label: statistics.mean(found) for label, found in by_class.items()}
    if rates and max(rates.values()) > RATES * min(rates.values()):
        fast, slow = max(rates, key=rates.get), min(rates, key=rates.get)
        yield (
            f"{fast!r} has {rates[fast]:.3g} fps on average, {slow!r} {rates[slow]:.3g}: "
            "a network may tell classes by what resampling leaves"
        )
    shapes = {clip.info.width / clip.info.height for clip in clips}
    if shapes and max(shapes) > 1.05 * min(shapes):
        yield "pictures of different proportions are stretched to one; --crop cuts them instead"
    if any(not clip.info.fps for clip in clips):
        yield "the rate of arrays is not stated; say it in clips.json or with --array-fps"


def _task_warnings(task, windows, frames):
    """What can be said of a task: leaks, imbalance, classes that are missing somewhere."""
    where = dict(zip((clip.name for clip in task.clips), task.splits, strict=True))
    splits_of = collections.defaultdict(set)
    for name, group in task.groups.items():
        splits_of[group].add(where[name])
    for group, found in sorted(splits_of.items()):
        if len(found) > 1:
            yield f"leak: group {group!r} is in {_and(found)}"
    for split, count in _groups(task).items():
        if split != "train" and count < FEW_GROUPS:
            yield (
                f"{count} group{'s' * (count != 1)} in the {split} split: "
                "so few tell little of other ones"
            )
    by_content = collections.defaultdict(list)
    for clip in task.clips:
        by_content[clip.info.sha256].append(clip.name)
    for names in by_content.values():
        if len({where[name] for name in names}) > 1:
            yield f"leak: the same file in two splits: {', '.join(names)}"
    copies = near_copies(task)
    for first, second in copies[:SHOWN]:
        places = f"{where[first]} and {where[second]}"
        yield f"leak: nearly the same frames in {places}: {first}, {second}"
    if len(copies) > SHOWN:
        yield f"leak: nearly the same frames in {len(copies) - SHOWN} more pairs of clips"
    seconds = collections.Counter()
    for clip in task.clips:
        seconds[clip.label] += clip.info.frames / (clip.info.fps or task.options.array_fps)
    most, least = max(seconds, key=seconds.get), min(seconds, key=seconds.get)
    if seconds[most] > IMBALANCE * seconds[least]:
        times = seconds[most] / seconds[least]
        yield f"imbalance: {most!r} has {times:.1f} times the seconds of {least!r}"
    for split, found in windows.items():
        missing = set(task.LABELS) - {task.clips[index].label for index, _ in found}
        if missing:
            yield f"no window of {frames} frames of {_and(missing)} in the {split} split"
    if 0 < len(windows["test"]) < FEW_WINDOWS:
        count = len(windows["test"])
        yield f"{count} window{'s' * (count > 1)} to test on: an accuracy of so few says little"
    short = [clip.name for clip in task.clips if clip.name in task.skipped]
    if short:
        yield (
            f"{len(short)} clip(s) broken or shorter than {frames} frames at "
            f"{task.FRAMES_PER_SECOND:g} fps; fewer --frames or a higher --fps would take more"
        )
    if task.lost:
        name, count = next(iter(task.lost.items()))
        yield (
            f"frames lost in {len(task.lost)} film(s), cut or damaged; the first: {name} lacks "
            f"{count}"
        )
    slow = [c.name for c in task.clips if c.info.fps and c.info.fps < 0.95 * task.FRAMES_PER_SECOND]
    if slow:
        yield (
            f"{len(slow)} clip(s) with fewer than {task.FRAMES_PER_SECOND:g} fps: their frames are "
            f"repeated; the first: {slow[0]}"
        )


def _and(names):
    return " and ".join(sorted(names))


def near_copies(task):
    """Return pairs of names of clips in different splits that hold nearly the same frames.

    Three frames of each clip are looked for in the clips of other splits. They must be there at
    the same distances in time, and differ by much less than they do among themselves; a still
    clip is therefore no copy of another. Each clip is looked for until it is found once, so there
    are no more pairs than clips. Pairs of the same content are left out.

    Nothing is missed by the shortcuts: all clips but few are ruled out by distances that are at
    most the true ones, those to the ball around a clip's frames, then those of few principal
    components, of the most unusual of the three frames first.
    """
    used = [
        (clip, split)
        for clip, split in zip(task.clips, task.splits, strict=True)
        if clip.name not in task.skipped
    ]
    if len({split for _, split in used}) < 2:
        return []
    times, shown = [], []
    for clip, _ in folders.progress(used, "comparing clips: what to look for"):
        film = _small(task.frames_of(clip))
        times.append([int(q * (len(film) - 1)) for q in QUERIES])
        shown.append(film[times[-1]])
    times, shown = np.array(times), np.stack(shown)
    change = np.array([_mean_square(frames, frames).sum() for frames in shown])
    change /= len(QUERIES) * (len(QUERIES) - 1)
    allowed = LIKENESS**2 * change  # the mean square that copies may differ by
    where = np.unique([split for _, split in used], return_inverse=True)[1]
    content = np.unique([clip.info.sha256 for clip, _ in used], return_inverse=True)[1]

    mean, components = _components(shown.reshape(-1, shown.shape[-1]))
    low = (shown - mean) @ components
    unusual = np.argmax((low**2).sum(2), axis=1)
    order = (unusual[:, None] + np.arange(len(QUERIES))) % len(QUERIES)
    low = np.take_along_axis(low, order[..., None], 1).swapaxes(0, 1).copy()
    later = np.take_along_axis(times, order, 1).T
    later = later - later[0]
    squares = (low**2).sum(2)
    # Squares of distances, and more than rounding can add to them.
    limits = 1.001 * allowed * shown.shape[-1] + 1e-5 * squares.max(0)

    pairs = set()
    wanted = allowed > 0
    for index, (clip, _) in enumerate(folders.progress(used, "comparing clips")):
        film = _small(task.frames_of(clip))
        frames = (film - mean) @ components
        middle = frames.mean(axis=0)
        reach = np.sqrt(((frames - middle) ** 2).sum(1).max()) + np.sqrt(limits)
        away = squares[0] - 2 * low[0] @ middle + middle @ middle
        other = wanted & (where != where[index]) & (content != content[index])
        near = np.flatnonzero(other & (away < reach**2))
        at = None  # [clips that are left, frames of the film]: may the unusual frame be there?
        for step in range(len(QUERIES)):
            if not near.size:
                break
            distance = squares[step, near, None] - 2 * low[step, near] @ frames.T
            distance += (frames**2).sum(1)
            close = distance < limits[near, None]
            if step:
                shifted = np.arange(len(film)) + later[step, near, None]
                inside = (shifted >= 0) & (shifted < len(film))
                shifted = shifted.clip(0, len(film) - 1)
                close = at & inside & np.take_along_axis(close, shifted, 1)
            left = close.any(axis=1)
            near, at = near[left], close[left]
        for query in near:
            if _contains(film, times[query], shown[query], allowed[query]):
                wanted[query] = False
                pairs.add(tuple(sorted((clip.name, used[query][0].name))))
    return sorted(pairs)


def _small(film):
    """Return frames [T, H, W, C] of at most about `SIDE` pixels a side: float32 [T, P]."""
    rows, columns = (max(1, side // SIDE) for side in film.shape[1:3])
    return film[:, ::rows, ::columns].reshape(len(film), -1).astype(np.float32)


def _components(frames):
    """Return (mean [P], principal components [P, K]) of some of the frames [N, P].

    They are so many that frames which differ by noise alone differ in them by more than copies do.
    """
    size = frames.shape[1]
    sample = frames[:: -(-len(frames) // 4096)].astype(np.float64)
    mean = sample.mean(axis=0)
    _, vectors = np.linalg.eigh((sample - mean).T @ (sample - mean))
    kept = min(size, max(64, size // 4))
    return mean.astype(np.float32), vectors[:, ::-1][:, :kept].astype(np.float32)


def _contains(film, times, shown, allowed):
    """Return whether frames [3, P] are in a film [T, P], as far apart as their `times` are."""
    shifts = np.arange(-times[0], len(film) - times[-1])
    if not shifts.size:
        return False
    distance = _mean_square(shown, film)
    there = np.take_along_axis(distance, times[:, None] + shifts, 1)
    return there.max(axis=0).min() < allowed


def _mean_square(first, second):
    """Return the mean squared differences of frames [N, P] and [M, P]: [N, M]."""
    mean = first.mean(axis=0)
    first, second = first - mean, second - mean  # so that float32 loses little
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None]
    return np.maximum(0, squares - 2 * first @ second.T) / first.shape[1]


def contact_sheet(task, path, frames=16, clips_each=2, columns=8, seed=0):
    """Draw `clips_each` training windows of every class, a row each, into a PNG file.

    They are drawn as the network sees them, normalized: differences from a background, or from
    the frame before, are red where they are above it and blue where they are below.
    """
    from matplotlib.figure import Figure

    count = clips_each * len(task.LABELS)
    samples, labels = task.make_clips(max(64, 4 * count), frames, "train", seed)
    rows = [
        row
        for label in range(len(task.LABELS))
        for row in np.flatnonzero(labels == label)[:clips_each]
    ]
    times = np.unique(np.linspace(0, frames - 1, columns).astype(int))
    height, width = task.FRAME_SHAPE[:2]
    tall = 1.3 * height / width * len(rows) + 0.7
    figure = Figure(figsize=(1.3 * len(times) + 1.6, tall))
    figure.subplots_adjust(bottom=0.4 / tall, top=1 - 0.3 / tall)
    axes = figure.subplots(len(rows), len(times), squeeze=False)
    normalization = task.NORMALIZATION
    colours = "gray" if samples.dtype == np.uint8 else "inferno"
    if normalization.kind != "window":
        colours = "RdBu_r"
    clips = normalization.run(samples[rows]).astype(np.int16) + 128
    for line, clip, row in zip(axes, clips, rows, strict=True):
        for axis, time in zip(line, times, strict=True):
            picture = clip[time] if clip.shape[3] == 3 else clip[time, ..., 0]
            axis.imshow(picture, cmap=colours, vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        label = task.LABELS[labels[row]]
        line[0].set_ylabel(label, rotation=0, ha="right", va="center", parse_math=False)
    for axis, time in zip(axes[0], times, strict=True):
        axis.set_title(f"{time / task.FRAMES_PER_SECOND:.1f} s", fontsize=9)
    about = f"{width}x{height}, {task.FRAMES_PER_SECOND:g} fps, normalization {normalization}"
    figure.supxlabel(f"what the network sees: {about}", fontsize=9)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # which the font lacks: a box stands for it
        figure.savefig(path, dpi=100, bbox_inches="tight")
