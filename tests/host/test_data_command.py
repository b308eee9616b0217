"""`host_sdk data`: what it finds in good folders and in bad ones."""

import json
import sys
import types

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread
from test_clip_files import film, write_video

from host_sdk import paths
from host_sdk.cli import main
from host_sdk.data import inspection, load_task
from host_sdk.errors import MotionletError


@pytest.fixture(autouse=True)
def few_windows_are_enough(request, monkeypatch):
    """The folders here are small; what is said of that has its own test."""
    if request.function is not test_few_windows_to_test_on:
        monkeypatch.setattr(inspection, "FEW_WINDOWS", 0)


@pytest.fixture(autouse=True)
def build_folder(tmp_path_factory, monkeypatch):
    """Keep what is made of the clips here out of the checkout's build."""
    folder = tmp_path_factory.mktemp("build")
    monkeypatch.setattr(paths, "build", lambda: folder)
    return folder


def ball(seed, frames=40, side=16, noise=0):
    """A bright square on a random walk over a random background: uint8 [T, side, side]."""
    rng = np.random.default_rng(seed)
    background = rng.integers(40, 120, (side, side))
    places = np.cumsum(rng.integers(-1, 2, (frames, 2)), axis=0) + rng.integers(0, side, 2)
    clip = np.repeat(background[None], frames, axis=0)
    for picture, (x, y) in zip(clip, places % (side - 4), strict=True):
        picture[y : y + 4, x : x + 4] = 230
    return np.clip(clip + rng.normal(0, noise, clip.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two classes of ten clips, all different, all of one group each."""
    for index, label in enumerate(["one", "two"]):
        (tmp_path / label).mkdir()
        for number in range(10):
            np.save(tmp_path / label / f"{number}.npy", ball(100 * index + number))
    (tmp_path / "clips.json").write_text('{"fps": 10}')
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(main, ["data", *map(str, arguments)])


def warnings_of(folder, *arguments):
    said = run("inspect", folder, "--json", *arguments)
    assert said.exit_code == bool(json.loads(said.stdout)["error"]), said.output
    return json.loads(said.stdout)["warnings"]


def test_a_good_folder(folder, build_folder):
    said = run("inspect", folder, "--json")
    report = json.loads(said.stdout)
    assert report["warnings"] == []
    assert report["classes"]["two"] == {
        "clips": 10,
        "seconds": 40.0,
        "shortest": 4.0,
        "longest": 4.0,
        "range": [40, 230],
        "split_clips": {"train": 6, "validation": 2, "test": 2},
        "split_windows": {"train": 24, "validation": 4, "test": 4},
    }
    assert report["sizes"] == {"16x16": 20}
    assert report["rates"] == {"10 fps": 20}
    assert report["samples"]["normalization"] == "pixels"
    sheet = imread(report["sheet"])
    assert report["sheet"] == str(build_folder / "data" / f"{folder.name}.png")
    assert sheet.shape[0] > 300
    assert sheet.shape[1] > 800
    assert sheet[..., :3].std() > 0.1


def test_the_table(folder, tmp_path):
    (folder / "one/broken[1].mp4").write_bytes(b"no video")
    said = run("inspect", folder, "-o", tmp_path / "sheet.png")
    assert "skipped one/broken[1].mp4: cannot be decoded" in said.stdout
    assert "warning: files skipped: 1, the first one/broken[1].mp4" in said.stdout
    assert "samples: 16x16 gray at 10 fps, normalization pixels" in said.stdout
    assert (tmp_path / "sheet.png").exists()


def test_groups_in_two_splits(folder):
    rows = ["clip,split,group"]
    for label in ("one", "two"):
        for number in range(10):
            split = ("train", "validation", "test")[min(2, number // 4)]
            rows.append(f"{label}/{number}.npy,{split},{'anna' if number in (3, 4) else number}")
    (folder / "splits.csv").write_text("\n".join(rows))
    assert warnings_of(folder) == [
        "leak: group 'anna' is in train and validation",
        "2 groups in the test split: so few tell little of other ones",
    ]


def test_copies_in_two_splits(folder):
    """The same file, and the same film cut a little later, with noise or encoded again."""
    np.save(folder / "one/8.npy", np.load(folder / "one/0.npy"))
    noisy = np.load(folder / "one/1.npy") + np.random.default_rng(0).normal(0, 2, (40, 16, 16))
    np.save(folder / "one/9.npy", np.clip(noisy, 0, 255).astype(np.uint8)[3:])
    coded = np.load(folder / "two/2.npy")[..., None].repeat(3, axis=3)
    write_video(
        folder / "two/9.mp4", coded.repeat(4, axis=1).repeat(4, axis=2), 10, "mpeg4", "yuv420p"
    )
    (folder / "two/9.npy").unlink()
    names = [f"{label}/{n}.npy" for label in ("one", "two") for n in range(10)]
    rows = [f"{n},{'test' if n[4] in '89' else 'train'}" for n in names]
    rows[-1] = "two/9.mp4,test"
    (folder / "splits.csv").write_text("\n".join(["clip,split", *rows]))
    assert warnings_of(folder, "--size", "16x16") == [
        "leak: the same file in two splits: one/0.npy, one/8.npy",
        "leak: nearly the same frames in train and test: one/1.npy, one/9.npy",
        "leak: nearly the same frames in train and test: two/2.npy, two/9.mp4",
        "no window of 16 frames of one and two in the validation split",
    ]


def test_still_clips_are_no_copies_of_each_other(folder):
    for number in range(10):
        still = np.full((40, 16, 16), 90, np.uint8)
        noise = np.random.default_rng(number).normal(0, 2, still.shape)
        np.save(folder / f"one/{number}.npy", np.clip(still + noise, 0, 255).astype(np.uint8))
    assert warnings_of(folder) == []


def test_the_same_file_in_two_classes(folder):
    np.save(folder / "one/0.npy", np.load(folder / "two/0.npy"))
    assert warnings_of(folder) == ["the same file in two classes: one/0.npy, two/0.npy"]


def test_imbalance_short_clips_rates_and_proportions(folder):
    for number in range(3, 10):
        (folder / f"one/{number}.npy").unlink()
    np.save(folder / "one/2.npy", ball(2)[:9])
    for number, (fps, width) in enumerate([(6, 40), (25, 80)]):
        write_video(folder / f"two/{number}.mkv", film(4 * fps, 24, width), fps)
    (folder / "clips.json").unlink()
    warnings = warnings_of(folder, "--fps", 10)
    for expected in (
        "imbalance: 'two' has 5.4 times the seconds of 'one'",
        "1 clip(s) broken or shorter than 16 frames at 10 fps; fewer --frames",
        "1 clip(s) with fewer than 10 fps: their frames are repeated; the first: two/0.mkv",
        "pictures of different proportions",
        "the rate of arrays is not stated",
        "files skipped: 1, the first one/2.npy",
    ):
        assert any(warning.startswith(expected) for warning in warnings), (expected, warnings)


def test_classes_of_different_rates(folder):
    (folder / "clips.json").unlink()
    for label, fps in (("one", 10), ("two", 20)):
        for number in range(3):
            write_video(folder / label / f"film{number}.mkv", film(4 * fps, seed=number), fps)
    said = "'two' has 20 fps on average, 'one' 10: a network may tell"
    assert any(said in warning for warning in warnings_of(folder))
    for label, fps in (("one", 20), ("two", 10)):  # both in both classes: harmless
        for number in range(3, 6):
            write_video(folder / label / f"film{number}.mkv", film(4 * fps, seed=number), fps)
    assert not any("fps on average" in warning for warning in warnings_of(folder))


def test_a_folder_that_is_no_task_is_described_all_the_same(folder):
    for clip in (folder / "two").iterdir():
        clip.unlink()
    for words in ((), ("--json",)):
        said = run("inspect", folder, *words)
        assert said.exit_code == 1
        assert "has clips of one class only, 'one'; at least two are needed" in said.stderr
        assert said.stderr.count("\n") == 1
        assert "one" in said.stdout
    report = json.loads(said.stdout)
    assert report["classes"]["one"]["clips"] == 10
    assert report["sheet"] is None
    assert report["warnings"] == []
    assert report["error"] in said.stderr


def test_a_class_without_clips(folder):
    (folder / "three").mkdir()
    assert warnings_of(folder) == ["no clip that can be used of three"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they are one name")
def test_classes_whose_names_look_alike(folder):
    (folder / "two").rename(folder / "One")
    assert warnings_of(folder) == [
        "classes whose names look alike: 'One' and 'one'; if they are one, put their clips in one "
        "folder"
    ]


def test_many_copies_are_counted_not_listed(folder):
    film = ball(0)
    for number in range(10):
        np.save(folder / f"one/{number}.npy", film[number % 3 :])
        noisy = film + np.random.default_rng(number).normal(0, 2, film.shape)
        np.save(folder / f"two/{number}.npy", np.clip(noisy, 0, 255).astype(np.uint8))
    leaks = [w for w in warnings_of(folder) if w.startswith("leak: nearly")]
    assert len(leaks) == inspection.SHOWN + 1
    assert leaks[-1].endswith("more pairs of clips")


def plainly_near(films, splits):
    """Return {clip: those that it is found in}, every frame compared with every other."""
    found = {}
    for query, sought in enumerate(films):
        times = np.array([int(q * (len(sought) - 1)) for q in inspection.QUERIES])
        shown = sought[times].astype(float)
        pairs = [(0, 1), (0, 2), (1, 2)]
        allowed = np.mean([((shown[a] - shown[b]) ** 2).mean() for a, b in pairs])
        allowed *= inspection.LIKENESS**2
        for other, where in enumerate(films):
            if splits[other] != splits[query]:
                for shift in range(-times[0], len(where) - times[-1]):
                    there = where[times + shift].astype(float)
                    if ((there - shown) ** 2).mean(axis=(1, 2, 3)).max() < allowed:
                        found.setdefault(query, set()).add(other)
    return found


@pytest.mark.parametrize(
    "kind", ["one room", "rooms", "noise", "still", "thermal", "colour", "edge"]
)
def test_near_copies_are_those_that_a_plain_search_finds(kind):
    """Each clip that is in another one by the plain definition has a pair, and no other has."""
    rng = np.random.default_rng(0)
    films = [
        rng.integers(0, 256, (20, 16, 16)) if kind == "noise" else ball(seed, 20)
        for seed in range(24)
    ]
    if kind == "one room":
        films = [np.where(clip == 230, clip, ball(0)[0]) for clip in films]
    if kind == "still":
        films = [np.repeat(clip[:1], 20, axis=0) for clip in films]
    films = [clip[rng.integers(4) :] + rng.normal(0, 2, (1, 16, 16)) for clip in films + films[:6]]
    strong = np.full(len(films), 2.0)
    if kind == "edge":  # copies so noisy that some are just none, in all of few components
        films = [clip[:, ::2, ::2] for clip in films]
        strong[-6:] = np.linspace(8, 14, 6)
    films = [
        (clip + rng.normal(0, noise, clip.shape)).clip(0, 255)[..., None]
        for clip, noise in zip(films, strong, strict=True)
    ]
    films[-1] = films[-1][:1]  # a clip of one frame
    films = [clip.astype(np.uint8) for clip in films]
    if kind == "thermal":
        films = [2000 + 4 * clip.astype(np.int16) for clip in films]
    if kind == "colour":
        films = [clip.repeat(3, axis=3) for clip in films]
    splits = rng.choice(["train", "validation", "test"], len(films)).tolist()
    clips = [
        types.SimpleNamespace(name=index, info=types.SimpleNamespace(sha256=str(index)))
        for index in range(len(films))
    ]
    task = types.SimpleNamespace(
        clips=clips, splits=splits, skipped={}, frames_of=lambda clip: films[clip.name]
    )
    expected = plainly_near(films, splits)
    pairs = inspection.near_copies(task)
    assert all(b in expected.get(a, ()) or a in expected.get(b, ()) for a, b in pairs)
    assert set(expected) <= {name for pair in pairs for name in pair}
    assert len(pairs) <= len(films)
    assert bool(pairs) == (kind != "still")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "nowhere: no such folder"),
        ("one", "one holds no folder; want one for each class"),
    ],
)
def test_what_is_no_folder_of_folders(folder, name, message):
    said = run("inspect", folder / name)
    assert said.exit_code == 1
    assert message in said.stderr
    assert said.stderr.count("\n") == 1


def test_more_memory_than_there_is_is_one_line(folder, monkeypatch):
    def fail(*_):
        return np.empty((1 << 20, 1 << 40), np.uint8)  # more than any machine can address

    monkeypatch.setattr(inspection, "contact_sheet", fail)
    said = run("inspect", folder)
    assert said.exit_code == 1
    assert said.stderr.startswith("error: out of memory: Unable to allocate 1.00 EiB")
    assert said.stderr.count("\n") == 1


def test_bad_options_are_errors_not_warnings(folder):
    for option, value, message in [
        ("--size", "big", "size must be WIDTHxHEIGHT"),
        ("--frames", "0", "frames must be at least 1, not 0"),
        ("--augment", "more", "augmentation 'more': want `default`"),
    ]:
        said = run("inspect", folder, option, value)
        assert said.exit_code == 1
        assert message in said.stderr


def test_show(folder, tmp_path):
    said = run("show", "moving_digits", "-o", tmp_path / "digits.png", "--frames", 6)
    assert said.exit_code == 0
    assert imread(tmp_path / "digits.png").shape[0] > 1000  # 18 rows
    said = run("show", folder, "-o", tmp_path / "folder.png")
    assert (tmp_path / "folder.png").exists()
    assert "no task named 'chess'" in run("show", "chess").stderr
    (tmp_path / "file").write_text("")
    assert "file" in run("show", folder, "-o", tmp_path / "file" / "x.png").stderr


def test_a_thermal_sheet(tmp_path):
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(3):
            warm = 21 + ball(number, side=8).astype(np.float32) / 255
            np.save(tmp_path / label / f"{number}.npy", warm)
    inspection.contact_sheet(load_task(tmp_path), tmp_path / "sheet.png")
    colours = imread(tmp_path / "sheet.png")[..., :3]
    # The ball is warmer than what was there before (red), and then colder where it was (blue).
    assert (colours[..., 0] - colours[..., 2]).max() > 0.2
    assert (colours[..., 2] - colours[..., 0]).max() > 0.1


def test_frames_of_a_task_must_be_there(tmp_path):
    with pytest.raises(MotionletError, match="no such folder"):
        inspection.inspect_folder(tmp_path / "nothing")


def test_the_range_of_each_class_in_its_unit(tmp_path):
    for label, low in (("cool", 1800), ("warm", 3000)):
        (tmp_path / label).mkdir()
        for number in range(4):
            clip = low + np.random.default_rng(number).integers(0, 500, (20, 8, 8))
            clip[0, 0, 0], clip[1, 1, 1] = low, low + 500
            np.save(tmp_path / label / f"{number}.npy", clip.astype(np.int16))
    report = json.loads(run("inspect", tmp_path, "--json").stdout)
    assert {n: c["range"] for n, c in report["classes"].items()} == {
        "cool": [18, 23],
        "warm": [30, 35],
    }
    table = run("inspect", tmp_path).stdout.splitlines()
    assert "range, °C" in table[0]
    assert "18.0 to 23.0" in table[1]
    assert "30.0 to 35.0" in table[2]


def test_floats_are_asked_for(tmp_path):
    """Pictures as floats: nobody trains on them as temperatures; an answer makes them pictures."""
    for label in ("one", "two"):
        (tmp_path / label).mkdir()
        for number in range(4):
            clip = np.random.default_rng(number).uniform(0, 1, (20, 8, 8)).astype(">f4")
            np.save(tmp_path / label / f"{number}.npy", clip)
    said = run("inspect", tmp_path)
    assert said.exit_code == 1
    assert "one/0.npy: floats from" in said.stderr
    assert "say --floats unit if they are pictures of 0 to 1, or --floats celsius" in said.stderr
    report = json.loads(run("inspect", tmp_path, "--floats", "unit", "--json").stdout)
    assert report["classes"]["one"]["range"] == [0, 255]
    said = run("inspect", tmp_path, "--floats", "volts")
    assert (said.exit_code, said.stderr.count("\n")) == (1, 1)
    assert "floats must be celsius, kelvin, fahrenheit, unit, 0-255, not 'volts'" in said.stderr


def test_lost_frames_are_shown(folder):
    write_video(folder / "one/whole.mkv", film(40), 10, "mpeg4", "yuv420p")
    content = (folder / "one/whole.mkv").read_bytes()
    (folder / "one/cut.mkv").write_bytes(content[: len(content) * 3 // 4])
    for _ in range(2):  # the second time it is read from what was kept
        report = json.loads(run("inspect", folder, "--json").stdout)
        assert list(report["lost"]) == ["one/cut.mkv"]
        lost = report["lost"]["one/cut.mkv"]
        assert 5 <= lost <= 15
        assert f"the first: one/cut.mkv lacks {lost}" in " ".join(report["warnings"])
    assert f"lost one/cut.mkv: {lost} frames" in run("inspect", folder).stdout


def test_few_windows_to_test_on(folder):
    assert "8 windows to test on: an accuracy of so few says little" in warnings_of(folder)


@pytest.mark.parametrize(
    ("frames", "split", "message"),
    [
        (50, None, "no clip in the train split gives a window of 50 frames"),
        (16, "train", "no clip is in the validation split"),
        (16, "validation", "no clip is in the train split"),
    ],
)
def test_what_cannot_be_trained_on_is_an_error(folder, frames, split, message):
    """As `train` would say it; what there is to see is shown all the same."""
    if split:
        names = [f"{label}/{number}.npy" for label in ("one", "two") for number in range(10)]
        rows = "\n".join(f"{name},{split}" for name in names)
        (folder / "splits.csv").write_text(f"clip,split\n{rows}\n")
    said = run("inspect", folder, "--frames", frames)
    assert said.exit_code == 1
    assert message in said.stderr
    assert "one" in said.stdout
    words = ["train", "--data", folder, "--frames", frames, "--out", folder.parent / "run"]
    assert message in CliRunner().invoke(main, list(map(str, words))).stderr
