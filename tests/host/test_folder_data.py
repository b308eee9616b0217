"""A folder of clips as a task: who goes where, what comes out, and what is said when it cannot."""

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import paths
from host_sdk.data import fingerprint, load_task, splits
from host_sdk.data.augment import Augmentation
from host_sdk.data.options import FolderOptions
from host_sdk.errors import MotionletError

PLAIN = {"augment": "none"}


@pytest.fixture(autouse=True)
def build_folder(tmp_path_factory, monkeypatch):
    """Keep what is made of the clips here out of the checkout's build."""
    folder = tmp_path_factory.mktemp("build")
    monkeypatch.setattr(paths, "build", lambda: folder)
    return folder


def make_folder(folder, clips, frames=40, side=8):
    """Write arrays: `clips` is {"class/name.npy": number that decides the content}.

    The first pixels of a frame tell which clip it is of and when.
    """
    for name, number in clips.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        film = np.random.default_rng(number).integers(0, 256, (frames, side, side), np.uint8)
        film[:, 0, 0] = number
        film[:, 0, 1] = np.arange(frames)
        np.save(path, film)
    return folder


def two_classes(folder, each=10, **size):
    names = [f"{label}/{i}.npy" for label in ("left", "right") for i in range(each)]
    return make_folder(folder, {name: number for number, name in enumerate(names)}, **size)


def table(folder, *lines):
    (folder / "splits.csv").write_text("\n".join(lines) + "\n")


def test_a_folder_is_a_task(tmp_path):
    task = load_task(two_classes(tmp_path), PLAIN)
    assert task.LABELS == ["left", "right"]
    assert (task.FRAME_SHAPE, task.FRAMES_PER_SECOND) == ((8, 8, 1), 10)
    assert (task.PIXEL_FORMAT, str(task.NORMALIZATION)) == ("gray8", "pixels")
    samples, labels = task.make_clips(None, 16)
    # 6 clips to train on per class (10 - 2 * round(1.5)), each of 40 frames: 4 windows of 16.
    assert samples.shape == (2 * 6 * 4, 16, 8, 8, 1)
    assert samples.dtype == np.uint8
    assert labels.dtype == np.int64
    clip_of, time = samples[:, :, 0, 0, 0], samples[:, :, 0, 1, 0]
    assert np.all(clip_of == clip_of[:, :1])
    assert np.array_equal(labels, clip_of[:, 0] // 10)
    assert np.all(np.diff(time.astype(int), axis=1) == 1)
    assert set(time[:, 0]) == {0, 8, 16, 24}
    assert len(task.make_clips(None, 16, "test")[0]) == 2 * 2 * 2  # whole windows follow each other


def test_windows_of_a_clip_are_in_one_split(tmp_path):
    task = load_task(two_classes(tmp_path, 20), PLAIN)
    seen = [set(task.make_clips(None, 10, split)[0][:, 0, 0, 0, 0]) for split in splits.SPLITS]
    assert [len(s) for s in seen] == [28, 6, 6]
    assert len(set.union(*seen)) == 40


def test_seeds_decide(tmp_path):
    folder = two_classes(tmp_path)

    def prints(seed, **options):
        return fingerprint(*load_task(folder, options).make_clips(30, 8, "train", seed))

    assert prints(1) == prints(1)
    assert prints(1) != prints(2)
    assert prints(1) != prints(1, split_seed=1)
    assert prints(1) != prints(1, **PLAIN)
    first, second = (
        load_task(folder).make_clips(None, 8, "test", seed)[0].sum(axis=(1, 2, 3, 4))
        for seed in (0, 1)
    )
    assert sorted(first) == sorted(second)  # another order of the same


def test_options_of_a_task_give_the_same_task_again(tmp_path):
    """What training writes down is enough, whatever the defaults would choose later."""
    folder = two_classes(tmp_path)
    task = load_task(folder)
    options = json.loads(json.dumps(dataclasses.asdict(task.options)))
    assert [n for n, value in options.items() if value is None] == ["floats", "ints", "stride"]
    assert load_task(folder, options).options == task.options
    thermal = load_task(bars(tmp_path / "thermal", thermal=True)).options
    assert [n for n, value in dataclasses.asdict(thermal).items() if value is None] == ["stride"]


def test_counts_and_classes(tmp_path):
    """Classes come equally often, though one has three times as many windows."""
    make_folder(tmp_path, {f"few/{i}.npy": i for i in range(5)})
    make_folder(tmp_path, {f"many/{i}.npy": 50 + i for i in range(15)})
    task = load_task(tmp_path, PLAIN)
    total = [len(task.windows(10, split)) for split in splits.SPLITS]
    for count in (1, 2, 9, 24):
        _, labels = task.make_clips(count, 10)
        assert len(labels) == count
        assert abs(2 * labels.sum() - count) <= 1
    assert len(task.make_clips(10_000, 10)[1]) == total[0]
    augmented = load_task(tmp_path)
    samples, labels = augmented.make_clips(300, 10)
    assert labels.sum() == 150
    assert len(np.unique(samples.reshape(300, -1), axis=0)) > 290
    assert len(augmented.make_clips(300, 10, "test")[1]) == total[2]


def test_what_was_made_is_used_again_until_the_clip_changes(tmp_path, build_folder, monkeypatch):
    from host_sdk.data import clip_files

    folder = two_classes(tmp_path, 3)
    read = []

    def counted(path, *arguments):
        read.append(path.name)
        return real(path, *arguments)

    real = clip_files.read_and_count
    monkeypatch.setattr(clip_files, "read_and_count", counted)
    first = load_task(folder, PLAIN).make_clips(None, 10)
    assert len(read) == 2
    again = load_task(folder, PLAIN).make_clips(None, 10)
    assert len(read) == 2
    assert fingerprint(*first) == fingerprint(*again)
    load_task(folder, {**PLAIN, "size": "4x4"}).make_clips(None, 10)
    assert len(read) == 4
    for clip in ("left/0.npy", "left/1.npy", "left/2.npy"):
        film = np.load(folder / clip)
        np.save(folder / clip, 255 - film)
        os.utime(folder / clip, ns=(1, 1))
    changed = load_task(folder, PLAIN).make_clips(None, 10)
    assert len(read) == 5
    assert fingerprint(*first) != fingerprint(*changed)
    assert not list(build_folder.rglob("*.tmp*"))


def test_a_verdict_does_not_outlive_its_cause(tmp_path, monkeypatch):
    folder = two_classes(tmp_path, 3)
    with monkeypatch.context() as patch:
        unreadable(patch, "0.npy")
        task = load_task(folder)
        assert task.skipped == {
            name: "cannot be read: Permission denied" for name in ("left/0.npy", "right/0.npy")
        }
    assert load_task(folder).skipped == {}
    # What was good is looked at again when its rights change.
    os.chmod(folder / "left/0.npy", 0o400)
    with monkeypatch.context() as patch:
        unreadable(patch, "0.npy")
        assert list(load_task(folder).skipped) == ["left/0.npy"]
    # It may be memory or the decoder that failed, not the file.
    (folder / "left/film.mp4").write_bytes(b"no film")
    assert list(load_task(folder).skipped) == ["left/film.mp4"]
    with monkeypatch.context() as patch:
        from host_sdk.data import clip_files

        patch.setattr(clip_files, "_inspect_video", lambda path: (9, 8, 8, 10, 0))
        assert load_task(folder).skipped == {}


def test_a_short_clip_is_only_short_for_long_windows(tmp_path):
    task = load_task(make_folder(two_classes(tmp_path), {"left/short.npy": 99}, frames=9), PLAIN)
    split = task.splits[[clip.name for clip in task.clips].index("left/short.npy")]
    task.windows(10, split)
    assert list(task.skipped) == ["left/short.npy"]
    task.windows(9, split)
    assert task.skipped == {}


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "zeros", "other", "longer"])
def test_damaged_files_of_ours_are_made_anew(tmp_path, build_folder, damage):
    folder = two_classes(tmp_path, 3)
    expected = fingerprint(*load_task(folder, PLAIN).make_clips(None, 10))
    made = sorted((build_folder / "clips").iterdir())
    assert [sum(p.suffix == s for p in made) for s in (".json", ".npy")] == [1, 2]
    whole = {path: path.read_bytes() for path in made}
    for path, data in whole.items():
        for at in (0, 1, 60, len(data) // 2, len(data) - 5, len(data) - 1):
            damaged = {
                "cut": data[:at],
                "empty": b"",
                "flipped": data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :],
                "zeros": data[:at] + bytes(len(data) - at),
                "other": b'{"left/0.npy": 3}',
                "longer": data + data[:at],
            }[damage]
            path.write_bytes(damaged)
            assert fingerprint(*load_task(folder, PLAIN).make_clips(None, 10)) == expected
            assert path.read_bytes() == data


def test_a_full_disk_is_no_fault_of_a_clip(tmp_path, build_folder, monkeypatch):
    task = load_task(two_classes(tmp_path / "clips", 3), PLAIN)
    shutil.rmtree(build_folder)
    build_folder.write_text("")
    with pytest.raises(MotionletError, match=r"cannot make the folder .*clips: Not a dir"):
        task.make_clips(None, 10)
    assert task.skipped == {}


def test_identical_files_stay_together(tmp_path):
    make_folder(tmp_path, {f"left/{i}.npy": i % 5 for i in range(20)})
    make_folder(tmp_path, {f"right/{i}.npy": 50 + i for i in range(20)})
    for seed in range(5):
        task = load_task(tmp_path, {"split_seed": seed})
        where = {}
        for clip, split in zip(task.clips, task.splits, strict=True):
            assert where.setdefault(clip.info.sha256, split) == split


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60),
    st.integers(0, 99),
)
def test_assign(clips, seed):
    """Units stay whole, and each class is in all splits if it has three units of its own."""
    labels, units = zip(*clips, strict=True)
    where = splits.assign(labels, units, seed)
    assert where == splits.assign(labels, units, seed)
    for unit in set(units):
        assert len({w for w, u in zip(where, units, strict=True) if u == unit}) == 1
    units = [f"{label} {unit}" for label, unit in clips]  # no unit of two classes
    where = splits.assign(labels, units, seed)
    for label in set(labels):
        mine = {(w, u) for w, u, x in zip(where, units, labels, strict=True) if x == label}
        counts = [sum(w == split for w, _ in mine) for split in splits.SPLITS]
        few = max(1, round(0.15 * len(mine)))
        if len(mine) >= 3:
            assert counts == [len(mine) - 2 * few, few, few]
        else:
            assert counts == [1, 0, len(mine) - 1]


def test_splits_and_groups_from_a_file(tmp_path):
    folder = two_classes(tmp_path, 6)
    names = [f"{label}/{i}.npy" for label in ("left", "right") for i in range(6)]
    table(folder, "clip,split", *(f"{name},{splits.SPLITS[i % 3]}" for i, name in enumerate(names)))
    assert load_task(folder).splits == [splits.SPLITS[i % 3] for i in range(12)]
    table(folder, "Clip, Group", *(f"{name}, person {i % 6 // 2}" for i, name in enumerate(names)))
    task = load_task(folder)
    assert task.groups["right/3.npy"] == "person 1"
    people = {}
    for clip, split in zip(task.clips, task.splits, strict=True):
        people.setdefault(task.groups[clip.name], set()).add(split)
    assert sorted(map(len, people.values())) == [1, 1, 1]
    assert set.union(*people.values()) == set(splits.SPLITS)


def test_clips_that_cannot_be_used_are_skipped_and_told(tmp_path):
    folder = two_classes(tmp_path)
    (folder / "left/broken.mp4").write_bytes(b"broken")
    (folder / "left/notes.txt").write_text("waved at the door")
    (folder / "left/.hidden").write_text("")
    make_folder(folder, {"left/short.npy": 99}, frames=5)
    make_folder(folder, {"right/single.npy": 98}, frames=1)
    task = load_task(folder)
    broken = ["left/broken.mp4", "left/notes.txt", "right/single.npy"]
    assert list(task.skipped) == [*broken, "left/.hidden"]
    assert task.skipped["left/broken.mp4"].startswith("cannot be decoded")
    for split in splits.SPLITS:
        task.make_clips(None, 8, split)
    assert task.skipped["left/short.npy"] == "5 frames at 10 fps; a window has 8"
    assert len(task.clips) == 21
    assert task.unused == []


def odd_entries(folder):
    """Put into a folder of clips what people's folders have; return {name: why it is no clip}."""
    make_folder(folder, {"left/inside/a.npy": 50, "left/.Trash-1000/files/old.npy": 51})
    make_folder(folder, {"right/.ipynb_checkpoints/b-checkpoint.npy": 52, "elsewhere.npy": 53})
    (folder / ".git").mkdir()
    (folder / "README.md").write_text("my clips")
    (folder / "left/.DS_Store").write_bytes(b"")
    (folder / "left/._0.npy").write_bytes(b"")
    (folder / "left/notes.txt").write_text("")
    (folder / "left/nothing").mkdir()
    (folder / "left/film.mp4").mkdir()
    (folder / "left/film.mp4/part.npy").write_bytes(b"")
    (folder / "left/lost.npy").symlink_to("nowhere.npy")
    (folder / "left/itself.npy").symlink_to("itself.npy")
    (folder / "left/inside/up").symlink_to("..")
    (folder / "left/linked.npy").symlink_to("inside/a.npy")
    (folder / "right/inside").symlink_to(folder / "left/inside")
    make_folder(folder.parent / "disk", {"c.npy": 54})
    (folder.parent / "disk/round").symlink_to(".")
    (folder / "right/linked").symlink_to(folder.parent / "disk")
    (folder / "lost").symlink_to("nowhere")
    os.mkfifo(folder / "right/pipe.mp4")
    (folder / "right" / os.fsdecode(b"caf\xe9.npy")).write_bytes(b"")
    hidden = "hidden: its name begins with a dot"
    return {
        "elsewhere.npy": "lies beside the class folders; move it into one",
        "left/film.mp4/part.npy": "not a .npy or .npz file",
        "left/inside/up": f"a link to {folder}/left, which is looked at already",
        "left/itself.npy": "cannot be read: Too many levels of symbolic links",
        "left/lost.npy": "a link to nowhere.npy, which is not there",
        "left/notes.txt": "neither a video nor an array: .txt",
        "left/nothing": "an empty folder",
        "lost": "a link to nowhere, which is not there",
        "right/caf\\xe9.npy": "its name is not UTF-8; rename it",
        "right/inside": f"a link to {folder}/left/inside, which is looked at already",
        "right/linked/round": f"a link to {folder.parent}/disk, which is looked at already",
        "right/pipe.mp4": "neither a file nor a folder",
        "left/.DS_Store": hidden,
        "left/.Trash-1000": hidden,
        "left/._0.npy": hidden,
        "right/.ipynb_checkpoints": hidden,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="names and files that only Linux has")
def test_every_entry_is_used_or_listed(tmp_path):
    folder = two_classes(tmp_path / "clips", 3)
    expected = odd_entries(folder)
    task = load_task(folder)
    used = {clip.name for clip in task.clips}
    assert {"left/inside/a.npy", "left/linked.npy", "right/linked/c.npy"} < used
    assert task.skipped == expected
    assert list(task.skipped)[-4:] == [n for n, why in expected.items() if "hidden" in why]
    entries = set()
    for label in ("left", "right"):
        for place, folders, files in os.walk(folder / label):
            for name in [*folders, *files]:
                path = os.path.relpath(os.path.join(place, name), folder)
                entries.add(os.fsencode(path).decode(errors="backslashreplace"))
    for entry in entries:
        accounted = used | set(task.skipped)
        parts = entry.split("/")
        above = {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
        below = any(name.startswith(f"{entry}/") for name in accounted)
        assert len(above & accounted) == 1 or below, entry
    assert not used & set(task.skipped)


def unreadable(monkeypatch, *names):
    """Make folders and files of these names unreadable, to the administrator too."""

    def guard(real):
        def call(path, *arguments, **options):
            if os.path.basename(os.fspath(path)) in names:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, *arguments, **options)

        return call

    monkeypatch.setattr(os, "listdir", guard(os.listdir))
    monkeypatch.setattr(Path, "open", guard(Path.open))


def test_folders_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    folder = two_classes(tmp_path)
    make_folder(folder, {"left/more/a.npy": 30})
    message = "one class only, 'left'; at least two are needed; right: cannot be read: Permission"
    with monkeypatch.context() as patch:
        unreadable(patch, "right")
        with pytest.raises(MotionletError, match=message):
            load_task(folder)
    unreadable(monkeypatch, "more")
    assert load_task(folder).skipped == {"left/more": "cannot be read: Permission denied"}


def test_a_class_that_cannot_be_learnt_is_told(tmp_path):
    folder = two_classes(tmp_path)
    make_folder(folder, {"third/short.npy": 99}, frames=5)
    (folder / "fourth").mkdir()
    task = load_task(folder)
    assert task.LABELS == ["left", "right", "third"]
    assert task.unused == ["fourth"]
    message = "no clip of the class 'third' in the train split gives a window of 8 frames; third/s"
    with pytest.raises(MotionletError, match=message):
        task.make_clips(None, 8, "train")
    task.make_clips(None, 8, "test")


def test_thermal_clips(tmp_path):
    rng = np.random.default_rng(0)
    for name, shape in {"walk/1": (24, 32), "walk/2": (24, 32), "fall/1": (12, 16)}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        np.save(tmp_path / f"{name}.npy", rng.normal(21, 2, (30, *shape)).astype(np.float32))
    task = load_task(tmp_path)
    assert task.FRAME_SHAPE == (12, 16, 1)
    assert str(task.NORMALIZATION).startswith("background, span 2")
    samples, _ = task.make_clips(None, 10)
    assert samples.dtype == np.int16
    assert samples.mean() == pytest.approx(2100, abs=150)
    assert task.NORMALIZATION.run(samples).shape == samples.shape
    window = load_task(tmp_path, {"normalization": "window:15,40", "augment": "none"})
    assert str(window.NORMALIZATION) == "window 15 to 40"


def test_rates_of_arrays(tmp_path):
    folder = two_classes(tmp_path)
    (folder / "clips.json").write_text('{"fps": {"left/0.npy": 20, "right/0.npy": 5}}')
    task = load_task(folder, {"fps": 10, "array_fps": 10})
    lengths = {clip.name: len(task.frames_of(clip)) for clip in task.clips}
    assert (lengths.pop("left/0.npy"), lengths.pop("right/0.npy")) == (20, 79)
    assert set(lengths.values()) == {40}
    (folder / "clips.json").write_text('{"fps": 8}')
    assert load_task(folder).FRAMES_PER_SECOND == 8


def test_mixed_sizes_and_rates(tmp_path):
    from test_clip_files import film, write_video

    folder = make_folder(tmp_path, {f"left/{i}.npy": i for i in range(3)}, side=20)
    (folder / "right").mkdir()
    write_video(folder / "right/slow.mkv", film(12), 6)
    write_video(folder / "right/fast.mkv", film(50, seed=1), 25)
    write_video(folder / "right/wide.mkv", film(50, 24, 80, seed=2), 25)
    task = load_task(folder)
    assert (task.FRAME_SHAPE, task.FRAMES_PER_SECOND) == ((32, 32, 1), 10)
    lengths = [len(task.frames_of(clip)) for clip in task.clips]
    assert lengths == [40, 40, 40, 20, 20, 20]


OPTION_ERRORS = [
    ({"size": "32"}, "size must be WIDTHxHEIGHT such as 32x24, not '32'"),
    ({"size": "0x8"}, "size must be WIDTHxHEIGHT"),
    ({"color": "sepia"}, "color must be gray or rgb, not 'sepia'"),
    ({"fps": 0}, "fps must be above 0 and at most 1000, not 0"),
    ({"stride": 0}, "stride must be an integer of at least 1, not 0"),
    ({"split_seed": -1}, "split_seed must be 0 to"),
    ({"normalization": "window:3"}, "normalization 'window:3': want pixels, window:LOW,HIGH"),
    ({"normalization": "window:9,3"}, "a window from 9.0 to 3.0 is empty"),
    ({"augment": "rotate=3"}, "augmentation 'rotate=3': want `default`, `none` or NAME=VALUE"),
    ({"augment": "shift=2"}, "augmentation: shift must be a number from 0 to 0.5, not 2"),
    ({"augment": "shift=much"}, "augmentation: shift must be a number, not 'much'"),
    ({"frames": 8}, "no data option 'frames'; there is: size, color"),
]


@pytest.mark.parametrize(("options", "message"), OPTION_ERRORS)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(MotionletError, match=message):
        load_task(two_classes(tmp_path, 3), options)


ROWS = [["clip", "split", "group"]]
ROWS += [
    [f"{label}/{i}.npy", split, f"person {i}"]
    for label in ("left", "right")
    for i, split in enumerate(splits.SPLITS)
]


def lines_of(separator, end="\n", rows=ROWS, name=str):
    rows = [rows[0], *([name(row[0]), *row[1:]] for row in rows[1:])]
    return "".join(separator.join(row) + end for row in rows)


@pytest.mark.parametrize(
    "data",
    [
        lines_of(",").encode("utf-8-sig"),
        lines_of(";", "\r\n").encode(),
        lines_of("\t", "\r").encode(),
        lines_of("\t", "\r\n").encode("utf-16"),
        b"\xfe\xff" + lines_of(",").encode("utf-16-be"),
        ("sep=;\r\n" + lines_of(";")).encode(),
        ("\n\n" + lines_of("; ") + ";;\n;;\n").encode(),
        lines_of(",", ",,\n").encode(),
        lines_of(",", name=lambda name: f'"{name}"').encode(),
        lines_of(",", name=lambda name: f"./{name}").encode(),
        lines_of(",", name=lambda name: f".\\{name}".replace("/", "\\")).encode(),
        lines_of(",", name=lambda name: f" {name.upper()} ").encode(),
        lines_of(",", name=lambda name: name.replace("/", " // ")).encode(),
        lines_of(",", name=lambda name: f"right/../{name}").encode(),
        lines_of(",").replace("test", "Test").replace("train", " TRAIN").encode(),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path, data):
    folder = two_classes(tmp_path, 3)
    (folder / "splits.csv").write_bytes(data)
    task = load_task(folder)
    assert task.splits == [*splits.SPLITS] * 2
    assert [task.groups[clip.name] for clip in task.clips] == [f"person {i}" for i in range(3)] * 2


def test_absolute_paths_in_a_table(tmp_path):
    folder = two_classes(tmp_path / "clips", 3)
    (tmp_path / "link").symlink_to("clips")

    lines = lines_of(",", name=lambda name: f"{folder}/{name}")
    (folder / "splits.csv").write_text(lines)
    for place in (folder, tmp_path / "link"):
        assert load_task(place).splits == [*splits.SPLITS] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are one name")
def test_names_that_look_alike(tmp_path):
    """Written on a Mac, a telephone and by hand; the table matches all the same."""
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    labels = [composed, decomposed, "Left", "left", "right "]
    folder = make_folder(tmp_path, {f"{x}/{i}.npy": i for i, x in enumerate(labels)})
    task = load_task(folder)
    assert sorted(labels) == task.LABELS
    assert sorted(task.alike) == [["Left", "left"], [decomposed, composed]]
    (folder / "clips.json").write_text(json.dumps({"fps": {"right/4.npy": 20}}))
    rows = [f"{decomposed}/0.npy", f"{composed}/1.npy", "LEFT/2.NPY", "left/3.npy", "Right/4.npy"]
    groups = ["Ann", "Bob", "ann ", "ANN", composed]
    table(folder, "clip,group", *(f"{r},{g}" for r, g in zip(rows, groups, strict=True)))
    task = load_task(folder)
    by_label = {clip.label: clip for clip in task.clips}
    assert [task.groups[by_label[label].name] for label in labels] == [
        *("Ann", "Bob", "Ann", "Ann"),
        composed,
    ]
    assert by_label["right "].info.fps == 20
    assert by_label["left"].info.fps is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are one name")
def test_a_name_that_may_be_two_clips(tmp_path):
    folder = make_folder(tmp_path, {"Left/a.npy": 0, "left/a.npy": 1, "right/a.npy": 2})
    table(folder, "clip,group", "LEFT/a.npy,x")
    message = "line 2: LEFT/a.npy may be Left/a.npy or left/a.npy; write it as it is there"
    with pytest.raises(MotionletError, match=message):
        load_task(folder)
    table(folder, "clip,group", "left/a.npy,x", "Left/a.npy,y", "right/a.npy,z")
    assert load_task(folder).groups == {"left/a.npy": "x", "Left/a.npy": "y", "right/a.npy": "z"}
    (folder / "clips.json").write_text('{"fps": {"LEFT/a.npy": 3}}')
    with pytest.raises(MotionletError, match=r"clips.json: LEFT/a.npy may be Left/a.npy or"):
        load_task(folder)
    (folder / "clips.json").write_text('{"fps": {"right/a.npy": 3, "./right/a.npy": 4}}')
    with pytest.raises(MotionletError, match=r"two rates of right/a.npy, 3 and 4"):
        load_task(folder)


SPLIT_ERRORS = [
    (["name,split", "left/0.npy,train"], "the headings are name, split; want clip, and split"),
    (["clip", "left/0.npy"], "the headings are clip; want clip, and split or group"),
    ([""], "the headings are missing"),
    (["clip,split", "left/0.npy,exam"], "line 2: split is 'exam', must be train, validation, test"),
    (["clip,group", "left/0.npy,"], "line 2: no group for 'left/0.npy'"),
    (["clip,group", "left/0.npy"], "line 2: no group for 'left/0.npy'"),
    (["clip,group", "left/0.npy,a", "left/0.npy,b"], "line 3: left/0.npy is listed in line 2 too"),
    (["clip,group", "left/0.npy,a", "./LEFT/0.npy,b"], "line 3: left/0.npy is listed in line 2"),
    (["clip,group", "left/a,b.npy,x"], "line 2 has more columns than headings; names with the"),
    (["clip,group", "/data/0.npy,x"], "line 2: /data/0.npy is not in .*; write names as they are"),
    (["clip,group", r"C:\data\0.npy,x"], r"line 2: C:\\data\\0.npy is not in .*; write names as"),
    (["clip,group", "../left/0.npy,x"], "line 2: ../left/0.npy is not in .*; write names as they"),
    (["clip|group", "left/0.npy|x"], r"the headings are clip\|group; want clip, and split or gro"),
    (["clip,group", "lft/0.npy,x"], "first: left/0.npy; line 2 lists lft/0.npy, which is no clip"),
    (["clip,split", "left/0.npy,train"], "5 of 6 clips are not listed; the first: left/1.npy"),
]


@pytest.mark.parametrize(("lines", "message"), SPLIT_ERRORS)
def test_bad_splits(tmp_path, lines, message):
    folder = two_classes(tmp_path, 3)
    table(folder, *lines)
    with pytest.raises(MotionletError, match=message):
        load_task(folder)


@pytest.mark.parametrize(
    "data",
    [
        b"clip,split\n\xff\xfe\n",
        "clip,group\nleft/0.npy,Jos\u00e9\n".encode("cp1252"),
        lines_of(",").encode("utf-16-le"),
        b"\xff\xfeclip,",
        b"PK\x03\x04\x00\x00",
        b'clip,group\n"' + 200_000 * b"a",
    ],
)
def test_a_splits_file_that_is_no_text(tmp_path, data):
    folder = two_classes(tmp_path, 3)
    (folder / "splits.csv").write_bytes(data)
    with pytest.raises(MotionletError, match="not a CSV file in UTF-8; save it as that") as caught:
        load_task(folder)
    assert "\n" not in str(caught.value)


def empty_class_folder(folder):
    (folder / "left").mkdir()


def files_only(folder):
    np.save(folder / "a.npy", np.zeros((4, 8, 8), np.uint8))


def one_frame_each(folder):
    two_classes(folder, 2, frames=1)


def one_class(folder):
    make_folder(folder, {"left/a.npy": 1, "left/b.npy": 2})


def two_kinds(folder):
    make_folder(folder, {"left/a.npy": 1, "right/b.npy": 2})
    np.save(folder / "right/c.npy", np.full((9, 8, 8), 20.5))


def odd_name(folder):
    two_classes(folder, 2)
    try:
        os.mkdir(os.fsencode(folder) + b"/caf\xe9")
    except OSError:
        pytest.skip("no such names here")


def rates(text):
    def make(folder):
        two_classes(folder, 2)
        (folder / "clips.json").write_text(text)

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "holds no folder; want one for each class, with its clips"),
        (files_only, "holds no folder; want one for each class"),
        (empty_class_folder, "the folders in it are empty; want clips in them"),
        (one_frame_each, "none of 4 files is a clip that can be used; left/0.npy: 1 frame; a clip"),
        (one_class, "has clips of one class only, 'left'; at least two are needed"),
        (two_kinds, "left/a.npy holds pictures, right/c.npy temperatures; a task is of one kind"),
        (odd_name, r"the name of the folder 'caf\\udce9' is not UTF-8; it is to be a label"),
        (rates('{"rate": 3}'), r'clips.json: want {"fps": 8} or'),
        (rates('{"fps": "fast"}'), "fps of left/0.npy must be above 0, at most 1000: 'fast'"),
        (rates('{"fps": {"left/9.npy": 3}}'), "there is no clip left/9.npy"),
    ],
)
def test_bad_folders(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(MotionletError, match=message) as caught:
        load_task(tmp_path)
    assert "\n" not in str(caught.value)


def test_bad_calls(tmp_path):
    task = load_task(two_classes(tmp_path, 2))
    for arguments, message in [
        ((None, 16, "exam"), "no split named 'exam'; there is: train, validation, test"),
        ((0, 16), "clips and frames must be at least 1, not 0 and 16"),
        ((None, 16, "validation"), "no clip is in the validation split"),
        ((None, 41, "test"), "no clip in the test split gives a window of 41 frames; .*: 40 fr"),
    ]:
        with pytest.raises(MotionletError, match=message):
            task.make_clips(*arguments)
    with pytest.raises(MotionletError, match="no task named 'chess' and no folder"):
        load_task("chess")
    with pytest.raises(MotionletError, match="moving_digits takes no data options"):
        load_task("moving_digits", {"fps": 3})


# Augmentation


def settings(**changed):
    """Return an Augmentation that changes nothing but what is named."""
    nothing = {"shift": 0, "zoom": 0, "brightness": 0, "contrast": 0, "jitter": 0, "flip": 0}
    return Augmentation(**{**nothing, **changed})


@given(st.integers(1, 6), st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))
def test_no_augmentation_changes_nothing(frames, height, width, channels):
    rng = np.random.default_rng(frames)
    for dtype, low, high in ((np.uint8, 0, 256), (np.int16, -4000, 8000)):
        clip = rng.integers(low, high, (frames, height, width, channels)).astype(dtype)
        assert np.array_equal(settings().change(rng, clip), clip)
    assert settings().move(rng, 3, 5) == 3


@pytest.mark.parametrize("name", ["shift", "zoom", "brightness", "contrast"])
def test_each_change_is_the_same_for_all_frames(name):
    """Augmenting must not make a still clip move."""
    still = np.random.default_rng(0).integers(60, 190, (1, 16, 16, 1)).astype(np.uint8)
    still = still.repeat(5, axis=0)
    augmentation = settings(**{name: 0.2})
    changed = [augmentation.change(np.random.default_rng(seed), still) for seed in range(20)]
    for clip in changed:
        assert np.all(clip == clip[:1])
    assert len(np.unique(changed, axis=0)) > 15
    again = augmentation.change(np.random.default_rng(3), still)
    assert np.array_equal(again, changed[3])


def test_shift_moves_as_far_as_it_may():
    clip = np.zeros((1, 32, 32, 1), np.uint8)
    clip[0, 16, 16] = 250
    places = []
    for seed in range(200):
        moved = settings(shift=0.25).change(np.random.default_rng(seed), clip)[0, ..., 0]
        places.append(
            np.average(np.indices((32, 32)).reshape(2, -1), axis=1, weights=moved.ravel())
        )
    offsets = np.array(places) - 16
    assert np.abs(offsets).max() < 8.1
    assert offsets.min() < -7
    assert offsets.max() > 7


def test_flip_only_when_asked_for():
    clip = np.arange(32, dtype=np.uint8).reshape(1, 4, 8, 1)
    flipped = [settings(flip=1).change(np.random.default_rng(s), clip) for s in range(40)]
    mirrored = sum(np.array_equal(f, clip[:, :, ::-1]) for f in flipped)
    assert mirrored + sum(np.array_equal(f, clip) for f in flipped) == 40
    assert 8 < mirrored < 32
    assert Augmentation().flip == 0
    assert Augmentation.parse("none") is None
    assert Augmentation.parse("flip=1, shift=0.2") == Augmentation(flip=1, shift=0.2)
    assert Augmentation.parse(FolderOptions().augment) == Augmentation()


def test_jitter_stays_in_the_clip():
    rng = np.random.default_rng(0)
    starts = {settings(jitter=3).move(rng, 4, 5) for _ in range(200)}
    assert starts == {1, 2, 3, 4, 5}


# From a folder to a quantized network


def bars(folder, thermal=False):
    """Write clips of a bar that goes left or right, 20 of each: a task that is learned quickly."""
    rng = np.random.default_rng(0)
    for label, step in (("left", -1), ("right", 1)):
        (folder / label).mkdir(parents=True)
        for number in range(20):
            clip = rng.normal(80, 6, (12, 16, 16))
            for time in range(12):
                clip[time, :, (5 * number + step * time) % 16] += 120
            clip = 20 + clip.astype(np.float32) / 100 if thermal else clip.astype(np.uint8)
            np.save(folder / label / f"{number}.npy", clip)
    return folder


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("thermal", [False, True])
def test_train_and_quantize(tmp_path, thermal):
    from click.testing import CliRunner

    from host_sdk.cli import main
    from host_sdk.format.graph import load_graph
    from host_sdk.train.run_folder import open_run

    folder, out = bars(tmp_path / "bars", thermal), tmp_path / "run"
    (folder / "left/broken.mp4").write_bytes(b"")
    words = f"train --data {folder} --frames 8 --fps 8 --clips 64 --epochs 1 --batch 16 --out {out}"
    said = CliRunner().invoke(main, [*words.split(), "--set", "width=0.5", "--json"])
    assert said.exit_code == 0, said.output
    assert said.stderr.startswith("files skipped: 1; host_sdk data inspect")
    run = open_run(out)
    assert run.config["data"] == {
        "size": "16x16",
        "color": "gray",
        "crop": False,
        "fps": 8.0,
        "array_fps": 8.0,
        "floats": "celsius" if thermal else None,
        "ints": "celsius" if thermal else None,
        "stride": None,
        "normalization": "background:2" if thermal else "pixels",
        "augment": "default",
        "split_seed": 0,
    }
    samples, labels = run.make_clips("test")
    assert fingerprint(samples, labels) == run.record["data_sha256"]["test"]
    assert len(labels) == 6
    said = CliRunner().invoke(main, ["quantize", str(out), "--clips", "16"])
    assert said.exit_code == 0, said.output
    graph = load_graph(out / "model.graph")
    assert graph.labels == ["left", "right"]
    assert graph.frames_per_second == 8
    assert graph.input.normalization.to_dict() == run.record["normalization"]
    assert graph.input.normalization.sample_type == ("int16" if thermal else "uint8")


def test_data_options_without_a_folder(tmp_path):
    from click.testing import CliRunner

    from host_sdk.cli import main

    said = CliRunner().invoke(main, ["train", "--out", str(tmp_path / "x"), "--array-fps", "3"])
    assert said.exit_code == 1
    assert said.stderr == "error: --array-fps is for clips of your own: give --data too\n"


def test_groups_of_windows(tmp_path):
    """Windows of one file go together, and files of one group."""
    folder = bars(tmp_path, thermal=False)
    task = load_task(folder)
    samples, labels, groups = task.make_grouped_clips(None, 8, "train")
    assert np.array_equal(samples, task.make_clips(None, 8, "train")[0])
    used = {index for index, _ in task.windows(8, "train")}
    assert len(np.unique(groups)) == len(used)
    for group in np.unique(groups):
        assert len(set(labels[groups == group])) == 1
    names = [clip.name for clip in task.clips]
    rows = [f"{name},{'train' if i % 2 else 'test'},{i % 4}" for i, name in enumerate(names)]
    (folder / "splits.csv").write_text("\n".join(["clip,split,group", *rows]))
    groups = load_task(folder).make_grouped_clips(None, 8, "train")[2]
    assert len(np.unique(groups)) == 2


def test_windows_begin_with_the_background_known_by_then(tmp_path):
    folder = bars(tmp_path, thermal=True)
    task = load_task(folder, {"augment": "none", "stride": 3})
    samples, _ = task.make_clips(None, 6, "train", seed=0)
    expected = []
    for index, start in task.windows(6, "train"):
        film = np.array(task.frames_of(task.clips[index]))
        known = task.NORMALIZATION.backgrounds(film)[start]
        expected.append(np.concatenate([known[None], film[start + 1 : start + 6]]))
        if start:
            assert not np.array_equal(known, film[start])
    assert sorted(s.tobytes() for s in samples) == sorted(e.tobytes() for e in expected)
    # A difference from the frame before knows nothing else of the past.
    task = load_task(folder, {"augment": "none", "stride": 3, "normalization": "difference:2"})
    films = {c.name: np.array(task.frames_of(c)).tobytes() for c in task.clips}
    for sample in task.make_clips(None, 6, "train", seed=0)[0]:
        assert any(sample.tobytes() in film for film in films.values())
