"""A task from a folder of clips: one folder for each class, in it the clips.

    DIR/wave/anna-1.mp4      videos, or arrays (see `clip_files`), also in folders further down
    DIR/still/anna-1.mp4
    DIR/splits.csv           who is for training and who for testing (see `splits`); optional
    DIR/clips.json           {"fps": 8} or {"fps": {"wave/1.npy": 8}}: rates of arrays; optional

Without splits.csv clips are shared out at random, 70 % for training and 15 % each for validation
and testing, the same share of every class; files with the same content stay together. If it has
groups alone, groups are shared out. Windows of one clip are always in one split.

A clip that cannot be used is skipped; the task's `skipped` says why. Frames are kept in
build/clips once they are decoded and resized, under a name made of what they were made from.
"""

import dataclasses
import hashlib
import json
import os
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host_sdk import paths
from host_sdk.data import clip_files, splits
from host_sdk.data.augment import Augmentation
from host_sdk.data.options import FolderOptions
from host_sdk.errors import MotionletError
from host_sdk.files import is_kept, keep, kept_array
from host_sdk.format import normalization

CLIPS_FILE = "clips.json"
DEFAULT_SIDE = 32  # pixels
DEFAULT_FPS = 10.0
LARGEST_OWN_SIDE = 64  # pixels: clips that are all of one size up to this keep it


@dataclass(frozen=True)
class Clip:
    """A clip that can be read: its path below the folder, with /, its class, and what it holds."""

    name: str
    label: str
    info: clip_files.ClipInfo


def scan(folder, options=clip_files.PLAIN):
    """Look into every file of a folder; return (clips, skipped).

    `options`, a `FolderOptions`, say what values in arrays are.
    `clips` are in order of class and name; `skipped` is {name: why} of all other entries of the
    class folders, of class folders that cannot be read, and of clips that lie beside them.
    Raises MotionletError when there is no folder of that name or no folder in it.
    """
    folder = Path(folder)
    classes, skipped = _class_folders(folder)
    if not classes:
        raise MotionletError(
            f"{folder} holds no folder; want one for each class, with its clips: "
            f"{folder}/CLASS/CLIP.mp4"
        )
    files = []  # (name, label)
    for label in classes:
        found, others = clip_files.find_files(folder / label, folder)
        files += [(f"{label}/{name}", label) for name in found]
        skipped |= {f"{label}/{name}".removesuffix("/"): why for name, why in others.items()}
    rates = _read_rates(folder / CLIPS_FILE, [name for name, _ in files])
    index = _cache(folder.resolve().as_posix(), ".json")
    known = json.loads(index.read_bytes()[:-4]) if is_kept(index) else {}
    found, clips = {}, []
    for name, label in progress(files, "looking at clips"):
        try:
            found[name] = _look(folder / name, known.get(name), options)
        except MotionletError as error:
            # Not kept: the next time the file may be readable, or the decoder a better one.
            skipped[name] = str(error)
            continue
        info = clip_files.ClipInfo(**found[name]["info"])
        clips.append(Clip(name, label, dataclasses.replace(info, fps=info.fps or rates.get(name))))
    keep(index, json.dumps(found).encode())
    return clips, {
        # What is hidden was hardly meant to be a clip: last.
        name: why
        for name, why in sorted(skipped.items(), key=lambda item: (not counts(item[1]), item[0]))
    }


def counts(why):
    """Return whether what was skipped for this reason may have been meant to be a clip."""
    return why != clip_files.HIDDEN


def _class_folders(folder):
    """Return (names of the class folders, {name: why} of entries beside them that seem to be)."""
    if not folder.is_dir():
        raise MotionletError(f"{folder}: no such folder")
    try:
        entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise MotionletError(f"{folder}: cannot be read: {error.strerror}") from None
    classes, others = [], {}
    suffixes = clip_files.VIDEO_SUFFIXES | clip_files.ARRAY_SUFFIXES
    for path in entries:
        kind = clip_files.kind_of(path)
        name = os.fsencode(path.name).decode(errors="backslashreplace")
        if kind == "folder" and name != path.name:
            raise MotionletError(
                f"{folder}: the name of the folder {path.name!r} is not UTF-8; it is to be a "
                "label: rename it"
            )
        if kind == "folder":
            classes.append(name)
        elif kind != "file":
            others[name] = kind
        elif path.suffix.lower() in suffixes:
            others[name] = "lies beside the class folders; move it into one"
    return classes, others


class Unusable(MotionletError):
    """A clip proves to be broken: other than a failure to keep what was read of it."""


class FolderTask:
    """A task (see `host_sdk.data`) of the clips in a folder.

    `options` is the `FolderOptions` with nothing left to choose: with them the same folder gives
    the same samples. `clips` [N] can be used, `splits` [N] says where each is, `groups` {name:
    group} is from splits.csv, `skipped` {name: why} are the other entries of the folders, `unused`
    the folders in which there is no clip, `alike` [[label]] are classes whose names look alike.
    `lost` {name: frames} are films, of those that windows were cut of, with frames that are not
    there or not whole.
    """

    def __init__(self, folder, options=None):
        """Look into `folder`; `options` is a `FolderOptions` or a dict of its fields."""
        if not isinstance(options, FolderOptions):
            options = FolderOptions.from_dict(options or {})
        self.folder = Path(folder)
        self.clips, self.skipped = scan(folder, options)
        self.lost = {}
        if not self.clips:
            raise MotionletError(_nothing(self.folder, self.skipped))
        self.LABELS = sorted({clip.label for clip in self.clips})
        if len(self.LABELS) < 2:
            raise MotionletError(
                f"{self.folder} has clips of one class only, {self.LABELS[0]!r}; "
                f"at least two are needed{_lacking(self.LABELS[0], self.skipped)}"
            )
        classes, _ = _class_folders(self.folder)
        self.unused = [name for name in classes if name not in self.LABELS]
        self.alike = splits.look_alikes(self.LABELS)
        self.thermal = self.clips[0].info.thermal
        for clip in self.clips:
            if clip.info.thermal != self.thermal:
                pair = sorted((clip, self.clips[0]), key=lambda c: c.info.thermal)
                raise MotionletError(
                    f"{self.folder}: {pair[0].name} holds pictures, {pair[1].name} temperatures; "
                    "a task is of one kind"
                )
        self.options = _choose(options, [clip.info for clip in self.clips])
        self.FRAME_SHAPE = self.options.shape()
        self.FRAMES_PER_SECOND = self.options.fps
        self.PIXEL_FORMAT = (
            "int16" if self.thermal else "rgb888" if self.FRAME_SHAPE[2] == 3 else "gray8"
        )
        self.NORMALIZATION = normalization.parse(
            self.options.normalization, "int16" if self.thermal else "uint8"
        )
        self.groups, self.splits = self._share_out()

    def make_clips(self, count=None, frames=16, split="train", seed=0):
        """Return windows of clips [N, frames, H, W, C] and their labels, int64 [N].

        Samples are uint8, or int16 (hundredths of a degree C) of thermal clips. `count` None is
        all there are, in an order that `seed` decides; with `count` the classes are as equally
        frequent as they can be. Training windows are augmented, and repeated with other changes
        when `count` is more than there are; elsewhere there may be fewer than `count`.

        Where a running mean is subtracted, a window from the middle of a clip begins with the mean
        of what came before instead of its first frame: so it looks as to a device that has seen
        the clip from its beginning, and whoever is in that frame does not count as background.
        """
        return self.make_grouped_clips(count, frames, split, seed)[:2]

    def make_grouped_clips(self, count=None, frames=16, split="train", seed=0):
        """As `make_clips`, and groups, int64 [N]: those of splits.csv, else files."""
        if frames < 1 or (count is not None and count < 1):
            raise MotionletError(f"clips and frames must be at least 1, not {count} and {frames}")
        windows = self.windows(frames, split)
        self.check_windows(windows, frames, split)
        augmentation = Augmentation.parse(self.options.augment) if split == "train" else None
        rng = np.random.default_rng([seed, splits.SPLITS.index(split)])
        labels = np.array([self.LABELS.index(self.clips[index].label) for index, _ in windows])
        picked = _pick(rng, labels, count, repeat=augmentation is not None)
        dtype = np.int16 if self.thermal else np.uint8
        samples = np.empty((len(picked), frames, *self.FRAME_SHAPE), dtype)
        films = {index: self.frames_of(self.clips[index]) for index, _ in windows}
        first = films  # frames that a window can begin with
        if self.NORMALIZATION.kind == "background" and self.NORMALIZATION.rate:
            first = {i: self.NORMALIZATION.backgrounds(film) for i, film in films.items()}
        for row, pick in enumerate(picked):
            index, start = windows[pick]
            film = films[index]
            if augmentation:
                start = augmentation.move(rng, start, len(film) - frames)
            window = np.array(film[start : start + frames])
            window[0] = first[index][start]
            samples[row] = augmentation.change(rng, window) if augmentation else window
        shown = [self.clips[windows[pick][0]] for pick in picked]
        units = [self.groups.get(clip.name, clip.info.sha256) for clip in shown]
        groups = np.unique(units, return_inverse=True)[1]
        return samples, labels[picked].astype(np.int64), groups.astype(np.int64)

    def windows(self, frames, split):
        """Return [(index of a clip, first frame)] of a split's windows of so many frames.

        A clip that proves to be broken or is too short for one window goes into `skipped`.
        """
        splits.check_split(split)
        stride = self.options.stride or (max(1, frames // 2) if split == "train" else frames)
        indices = [index for index, where in enumerate(self.splits) if where == split]
        found = []
        for index in progress(indices, f"reading clips ({split})"):
            clip = self.clips[index]
            try:
                length = len(self.frames_of(clip))
            except Unusable as error:
                self.skipped[clip.name] = str(error)
                continue
            self.skipped.pop(clip.name, None)
            if count := self._lost_in(clip):
                self.lost[clip.name] = count
            if length < frames:
                self.skipped[clip.name] = (
                    f"{length} frames at {self.options.fps:g} fps; a window has {frames}"
                )
            found += [(index, start) for start in range(0, length - frames + 1, stride)]
        return found

    def check_windows(self, windows, frames, split):
        """Raise MotionletError when nothing can be trained with `windows` of a split.

        There must be one, and to train on one of each class.
        """
        if not windows:
            raise MotionletError(self._no_window(frames, split))
        found = {self.clips[index].label for index, _ in windows}
        if split == "train" and len(found) < len(self.LABELS):
            lacking = next(label for label in self.LABELS if label not in found)
            raise MotionletError(self._no_window(frames, split, lacking))

    def frames_of(self, clip):
        """Return all frames of a clip, [F, H, W, C]; made once, then read from build/clips."""
        form = clip_files.FrameForm(self.options.fps, self.FRAME_SHAPE, self.options.crop)
        fps = clip.info.fps or self.options.array_fps
        info = dataclasses.replace(clip.info, fps=fps)

        def make():
            path = self.folder / clip.name
            frames, lost = clip_files.read_and_count(path, info, form, self.options)
            if _is_film(clip):
                keep(self._kept(clip, ".lost"), json.dumps(lost).encode())
            return frames

        return kept_array(self._kept(clip, ".npy"), make)

    def _lost_in(self, clip):
        """Return how many frames a clip has lost; see `clip_files.read_and_count`."""
        if not _is_film(clip):
            return 0
        path = self._kept(clip, ".lost")
        if not is_kept(path):
            self._kept(clip, ".npy").unlink(missing_ok=True)
        self.frames_of(clip)
        return json.loads(path.read_bytes()[:-4])

    def _kept(self, clip, suffix):
        """Return where what was read of a clip is kept."""
        o, info = self.options, clip.info
        fps = info.fps or o.array_fps
        form = (o.fps, self.FRAME_SHAPE, o.crop, o.floats, o.ints)
        return _cache(repr((clip_files.CACHE_VERSION, info.sha256, fps, form)), suffix)

    def _share_out(self):
        """Return ({name: group}, [N] of splits)."""
        names = [clip.name for clip in self.clips]
        table = self.folder / splits.FILE_NAME
        given, groups = splits.read_splits(table, names) if table.exists() else ({}, {})
        if given:
            return groups, [given[name] for name in names]
        units = [groups.get(clip.name, clip.info.sha256) for clip in self.clips]
        labels = [clip.label for clip in self.clips]
        return groups, splits.assign(labels, units, self.options.split_seed)

    def _no_window(self, frames, split, label=None):
        """Say why there is no window, of the class `label` if one is given."""
        names = [
            clip.name
            for clip, where in zip(self.clips, self.splits, strict=True)
            if where == split and label in (None, clip.label)
        ]
        of_class = f" of the class {label!r}" if label else ""
        if not names:
            return (
                f"{self.folder}: no clip{of_class} is in the {split} split; want clips in each of "
                f"{', '.join(splits.SPLITS)}"
            )
        return (
            f"{self.folder}: no clip{of_class} in the {split} split gives a window of {frames} "
            f"frames; {names[0]}: {self.skipped[names[0]]}"
        )


def _is_film(clip):
    return Path(clip.name).suffix.lower() in clip_files.VIDEO_SUFFIXES


def _choose(options, infos):
    """Return `options` with every None replaced by what suits the clips."""
    thermal = infos[0].thermal
    if thermal and options.color == "rgb":
        raise MotionletError("color must be gray for thermal clips, not rgb")
    sizes = {(info.width, info.height) for info in infos}
    width, height = min(sizes)
    if thermal:
        width, height = (min(side) for side in zip(*sizes, strict=True))
    elif len(sizes) > 1 or max(width, height) > LARGEST_OWN_SIDE:
        width = height = DEFAULT_SIDE
    rates = [info.fps for info in infos if info.fps]
    fps = options.fps or min(
        DEFAULT_FPS, statistics.median_low(rates) if rates else options.array_fps or DEFAULT_FPS
    )
    chosen = {
        "size": f"{width}x{height}",
        "color": "gray",
        "fps": fps,
        "array_fps": fps,
        "normalization": "background:2" if thermal else "pixels",
        # What was plain is so for good; pictures have no such values.
        "floats": "celsius" if thermal else None,
        "ints": "celsius" if thermal else None,
    }
    return dataclasses.replace(
        options,
        **{name: value for name, value in chosen.items() if getattr(options, name) is None},
    )


def _pick(rng, labels, count, repeat):
    """Return indices into `labels` [N]: all, or `count` with classes as equal as can be.

    With `repeat` and a count every class comes equally often, however few it has.
    """
    classes = np.unique(labels)
    each = -(-count // len(classes)) if repeat and count else 0
    ranked = []  # (how often this class came before, at random, index)
    for label in classes:
        mine = rng.permutation(np.flatnonzero(labels == label))
        for rank in range(each or len(mine)):
            ranked.append((rank, rng.random(), mine[rank % len(mine)]))
    chosen = [index for _, _, index in sorted(ranked)[:count]]
    return rng.permutation(np.array(chosen))


def _cache(key, suffix):
    """Return the path of a file in build/clips that belongs to the text `key`."""
    return paths.build() / "clips" / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}{suffix}"


def _read_rates(path, names):
    """Return {name: frames per second} as clips.json has it."""
    if not path.exists():
        return {}
    try:
        rates = json.loads(path.read_text("utf-8-sig"))["fps"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise MotionletError(
            f'{path}: want {{"fps": 8}} or {{"fps": {{"CLASS/CLIP": 8}}}}'
        ) from None
    if not isinstance(rates, dict):
        rates = dict.fromkeys(names, rates)
    clips, found = splits.Names(path.parent, names), {}
    for written, rate in rates.items():
        if not isinstance(rate, (int, float)) or not 0 < rate <= 1000:
            raise MotionletError(
                f"{path}: fps of {written} must be above 0, at most 1000: {rate!r}"
            )
        try:
            name = clips.find(written)
        except MotionletError as error:
            raise MotionletError(f"{path}: {error}") from None
        if name not in clips.names:
            raise MotionletError(f"{path}: there is no clip {written}")
        if found.setdefault(name, rate) != rate:
            raise MotionletError(f"{path}: two rates of {name}, {found[name]:g} and {rate:g}")
    return found


def _nothing(folder, skipped):
    if not skipped:
        return f"{folder}: the folders in it are empty; want clips in them: {folder}/CLASS/CLIP.mp4"
    name, why = next(iter(skipped.items()))
    count = sum(map(counts, skipped.values())) or len(skipped)
    return f"{folder}: none of {count} files is a clip that can be used; {name}: {why}"


def _lacking(label, skipped):
    """Say why there may be no other class than `label`."""
    for name, why in skipped.items():
        if name.partition("/")[0] != label and counts(why):
            return f"; {name}: {why}"
    return ""


def progress(items, title):
    """Yield the items, with a bar on the terminal if it takes more than a moment."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, title, console=console, transient=True, disable=not console.is_terminal)


def _look(path, known, options):
    """Return what a file holds, as a dict; MotionletError says why it is no clip.

    `known` is what was returned before, or None; it holds while the file is not touched.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise MotionletError(f"cannot be read: {error.strerror}") from None
    times = [state.st_mtime_ns, state.st_ctime_ns]  # the latter is of its rights too
    stamp = [clip_files.CACHE_VERSION, state.st_size, *times, options.floats, options.ints]
    if known and known["stamp"] == stamp:
        return known
    return {"stamp": stamp, "info": dataclasses.asdict(clip_files.inspect_clip(path, options))}
