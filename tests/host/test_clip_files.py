"""Clips in files: what is read is what a device would have seen."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden
from host_sdk.data.clip_files import (
    FrameForm,
    _resample,
    inspect_clip,
    middle,
    read_and_count,
    read_frames,
)
from host_sdk.data.options import FolderOptions
from host_sdk.errors import MotionletError
from host_sdk.golden.frames import area_resize

PATHS_LIKE_URLS = [
    "10:05 wave",
    "concat:x",
    "file:x",
    "data:text",
    "pipe:0",
    "2024-05-01T10:00/wave",
    "http://example.org/wave",
    "-i",
    "wave%03d",
    "wave*{a,b}?[c]",
    "a|b",
    "wave#t=3?x=1&y=2",
    "wave %41",
]


def write_video(path, frames, fps, codec="ffv1", pixels="bgr0", times=None):
    """Write uint8 frames [T, H, W, 3]; `times` are their time stamps in milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        for index, pixel_rows in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixel_rows), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
                stream.codec_context.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def film(frames=6, height=24, width=40, seed=0):
    """Smooth colours, different in every frame."""
    coarse = np.random.default_rng(seed).integers(0, 256, (frames, height // 8, width // 8, 3))
    return coarse.astype(np.uint8).repeat(8, axis=1).repeat(8, axis=2)


@pytest.mark.parametrize("shape", [(12, 20, 1), (12, 20, 3), (7, 9, 1), (24, 40, 3), (30, 50, 1)])
def test_a_video_becomes_what_the_device_makes_of_its_frames(tmp_path, shape):
    """Frame by frame the same as golden.frame_to_tensor, which C and device are checked against."""
    frames = film()
    path = tmp_path / "clip.mkv"
    write_video(path, frames, 25)
    info = inspect_clip(path)
    assert (info.frames, info.height, info.width, info.fps, info.thermal) == (6, 24, 40, 25, False)
    read = read_frames(path, info, FrameForm(25, shape))
    for got, frame in zip(read, frames, strict=True):
        tensor = golden.frame_to_tensor(frame.tobytes(), "rgb888", 40, 24, shape)
        assert np.array_equal(got, tensor.astype(int) + 128)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "mpeg4", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mov", "mpeg4", "yuv420p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_formats(tmp_path, name, codec, pixels):
    frames = film(10)
    write_video(tmp_path / name, frames, 10, codec, pixels)
    info = inspect_clip(tmp_path / name)
    assert (info.frames, info.height, info.width) == (10, 24, 40)
    assert info.fps == pytest.approx(10, rel=0.01)
    read = read_frames(tmp_path / name, info, FrameForm(info.fps, (3, 5, 3)))
    assert len(read) == 10
    error = read.astype(int) - golden_small(frames)
    assert np.abs(error).mean() < 24  # of 256; another frame is 85 away


def golden_small(frames):
    return np.stack([area_resize(f.astype(np.int64), 3, 5) for f in frames])


@given(
    count=st.integers(1, 40),
    source=st.integers(1, 60),
    target=st.integers(1, 60),
    jitter=st.floats(0, 0.3),
    seed=st.integers(0, 9),
)
def test_resampled_frames_are_the_nearest(count, source, target, jitter, seed):
    """At any two rates; time stamps may be off by a part of a frame."""
    times = np.arange(count) / source
    times += np.random.default_rng(seed).uniform(-jitter, jitter, count) / source
    picked = list(_resample(zip(times, range(count), strict=True), 1 / source, target))
    for k, index in enumerate(picked):
        nearest = np.abs(times - times[0] - k / target).min()
        assert abs(times[index] - times[0] - k / target) == pytest.approx(nearest, abs=2e-6)
    assert len(picked) == pytest.approx((times[-1] - times[0] + 0.5 / source) * target, abs=1.01)
    if source == target:
        assert picked == list(range(count))


def test_time_stamps_count_not_the_stated_rate(tmp_path):
    """A phone that drops frames: 10 frames in a second, then nothing for a second."""
    times = [0, 100, 200, 300, 400, 1400, 1500, 1600]
    frames = film(len(times))
    write_video(tmp_path / "a.mkv", frames, 30, times=times)
    info = inspect_clip(tmp_path / "a.mkv")
    read = read_frames(tmp_path / "a.mkv", info, FrameForm(10, (3, 5, 3)))
    steps = [0, 1, 2, 3, *[4] * 5, *[5] * 6, 6, 7]
    assert np.array_equal(read[: len(steps)], golden_small(frames)[steps])
    assert len(read) - len(steps) in (0, 1)


def test_arrays(tmp_path):
    grey = film()[..., 0]
    np.save(tmp_path / "grey.npy", grey)
    np.savez_compressed(tmp_path / "colour.npz", film())
    info = inspect_clip(tmp_path / "grey.npy")
    assert (info.frames, info.height, info.width, info.fps) == (6, 24, 40, None)
    read = read_frames(tmp_path / "grey.npy", info, FrameForm(10, (24, 40, 1)))
    assert np.array_equal(read[..., 0], grey)
    read = read_frames(tmp_path / "grey.npy", info, FrameForm(10, (24, 40, 3)))
    assert np.array_equal(read, grey[..., None].repeat(3, axis=3))
    info = inspect_clip(tmp_path / "colour.npz")
    read = read_frames(tmp_path / "colour.npz", info, FrameForm(10, (24, 40, 3)))
    assert np.array_equal(read, film())


def test_temperatures(tmp_path):
    rng = np.random.default_rng(0)
    hundredths = rng.integers(-2000, 4000, (5, 24, 32)).astype(np.int16)
    np.save(tmp_path / "whole.npy", hundredths)
    np.save(tmp_path / "degrees.npy", hundredths.astype(np.float32) / 100)
    form = FrameForm(8, (24, 32, 1))
    for name in ("whole.npy", "degrees.npy"):
        info = inspect_clip(tmp_path / name)
        assert info.thermal
        read = read_frames(tmp_path / name, info, form)
        assert read.dtype == np.int16
        assert np.array_equal(read[..., 0], hundredths)
    small = read_frames(tmp_path / name, info, FrameForm(8, (12, 16, 1)))[..., 0]
    blocks = hundredths.reshape(5, 12, 2, 16, 2).astype(int).sum(axis=(2, 4))
    assert np.array_equal(small, (blocks + 2) // 4)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 64), st.integers(1, 64))
def test_middle(height, width, target_height, target_width):
    rows, columns = middle(height, width, target_height, target_width)
    h, w = rows.stop - rows.start, columns.stop - columns.start
    assert 0 <= rows.start <= rows.stop <= height
    assert 0 <= columns.start <= columns.stop <= width
    assert h == height or w == width
    # The proportions are right to a pixel.
    assert abs(h * target_width - w * target_height) < max(target_height, target_width) + max(h, w)
    assert abs(rows.start - (height - rows.stop)) <= 1
    assert abs(columns.start - (width - columns.stop)) <= 1


def test_crop(tmp_path):
    frames = film(3, 24, 40)
    np.save(tmp_path / "a.npy", frames)
    info = inspect_clip(tmp_path / "a.npy")
    read = read_frames(tmp_path / "a.npy", info, FrameForm(10, (24, 24, 3), crop=True))
    assert np.array_equal(read, frames[:, :, 8:32])


def set_matrix(path, a, b, c, d):
    """Write a display matrix into an mp4's track header; it puts (x, y) at (ax + cy, bx + dy)."""
    data = path.read_bytes()

    def matrix(*numbers):
        a, b, c, d = (round(65536 * number) for number in numbers)
        return np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()

    at = data.index(matrix(1, 0, 0, 1), data.index(b"tkhd"))
    path.write_bytes(data[:at] + matrix(a, b, c, d) + data[at + 36 :])


def autorotated(path):
    """Return a video's frames, turned as the program ffmpeg turns them, by the same filters."""
    frames = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            m = np.frombuffer(bytes(frame.side_data["DISPLAYMATRIX"]), np.int32).tolist()
            theta = round(np.degrees(np.arctan2(m[1], m[0]))) % 360
            filters = {
                0: ["vflip"] if m[4] < 0 else [],
                90: [("transpose", "cclock_flip" if m[3] > 0 else "clock")],
                180: ["hflip"] * (m[0] < 0) + ["vflip"] * (m[4] < 0),
                270: [("transpose", "clock_flip" if m[3] < 0 else "cclock")],
            }[theta]
            graph = av.filter.Graph()
            names = [(name, None) if isinstance(name, str) else name for name in filters]
            parts = [graph.add_buffer(template=container.streams.video[0])]
            parts += [graph.add(*name) for name in [*names, ("buffersink", None)]]
            graph.link_nodes(*parts).configure()
            graph.push(frame)
            frames.append(graph.pull().to_ndarray(format="rgb24"))
    return np.stack(frames)


EIGHT = [(a, 0, 0, d) for a in (1, -1) for d in (1, -1)]
EIGHT += [(0, b, c, 0) for b in (1, -1) for c in (1, -1)]


@pytest.mark.parametrize("matrix", EIGHT)
@pytest.mark.parametrize("scale", [1, 0.5])
def test_a_turned_or_mirrored_video_is_read_upright(tmp_path, matrix, scale):
    """Phones film on their side, and front cameras mirrored, and say so in the file."""
    path = tmp_path / "a.mp4"
    write_video(path, film(3, 24, 40), 10, "mpeg4", "yuv420p")
    plain = read_frames(path, inspect_clip(path), FrameForm(10, (24, 40, 3)))
    set_matrix(path, *(scale * number for number in matrix))
    unchanged = scale == 1 and matrix == (1, 0, 0, 1)
    upright = plain if unchanged else autorotated(path)
    info = inspect_clip(path)
    assert (info.height, info.width) == ((24, 40) if matrix[0] else (40, 24)) == upright.shape[1:3]
    read = read_frames(path, info, FrameForm(10, upright.shape[1:]))
    # The filters and the decoder turn colours to RGB along different paths: off by a little.
    assert np.abs(read.astype(int) - upright).mean() < 4
    a, b, c, d = matrix
    for y, x in [(3, 3), (20, 30), (3, 36)]:  # in the middles of equal blocks
        p, q = a * x + c * y, b * x + d * y
        there = read[:, q if min(b, d) >= 0 else q - 1, p if min(a, c) >= 0 else p - 1]
        assert np.abs(there.astype(int) - plain[:, y, x]).max() < 3


@pytest.mark.parametrize("matrix", [(0.8, 0.6, -0.6, 0.8), (1, 0.5, 0, 1), (1, 0, 0, 0)])
def test_what_no_turn_makes_upright_is_refused(tmp_path, matrix):
    path = tmp_path / "a.mp4"
    write_video(path, film(3, 24, 40), 10, "mpeg4", "yuv420p")
    set_matrix(path, *matrix)
    with pytest.raises(MotionletError, match=r"no multiple of 90 degrees.*write it upright"):
        inspect_clip(path)


def test_a_matrix_of_zeros_says_nothing(tmp_path):
    path = tmp_path / "a.mp4"
    write_video(path, film(3, 24, 40), 10, "mpeg4", "yuv420p")
    set_matrix(path, 0, 0, 0, 0)
    assert inspect_clip(path).height == 24


@pytest.mark.parametrize("name", PATHS_LIKE_URLS)
@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".npy"])
def test_a_path_is_no_url(tmp_path, monkeypatch, name, suffix):
    """Nor a pattern, an option or a list; wherever it is given from."""
    monkeypatch.chdir(tmp_path)
    path = Path(name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".npy":
        np.save(path, film())
    else:
        codec = {".mp4": ("mpeg4", "yuv420p"), ".gif": ("gif", "rgb8")}[suffix]
        write_video(tmp_path / f"plain{suffix}", film(), 10, *codec)
        (tmp_path / f"plain{suffix}").rename(path)
    for place in (path, tmp_path / path):
        info = inspect_clip(place)
        assert info.frames == 6
        assert len(read_frames(place, info, FrameForm(10, (4, 4, 1)))) == 6


def write_streams(path, *streams):
    """Write films [T, H, W, 3] into one file; each is (film, disposition)."""
    with av.open(str(path), "w") as container:
        added = []
        for frames, disposition in streams:
            picture = disposition & Disposition.attached_pic
            stream = container.add_stream("mjpeg" if picture else "mpeg4", rate=10)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuvj420p" if picture else "yuv420p"
            stream.disposition = disposition
            added.append(stream)
        for stream, (frames, _) in zip(added, streams, strict=True):
            for rows in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(rows, format="rgb24")))
            container.mux(stream.encode())


NONE, DEFAULT, COVER = Disposition(0), Disposition.default, Disposition.attached_pic


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("streams", "wanted"),
    [
        ([(1, 64, NONE), (6, 40, NONE)], 1),  # a thumbnail that is not marked as one
        ([(1, 64, DEFAULT), (6, 40, NONE)], 1),
        ([(6, 40, NONE), (1, 64, NONE)], 0),
        ([(6, 24, DEFAULT), (6, 40, DEFAULT)], 1),  # a preview beside the film
        ([(6, 40, NONE), (6, 24, NONE)], 0),
        ([(6, 24, DEFAULT), (6, 40, NONE)], 0),  # what its maker wants to be shown
        ([(1, 64, COVER), (6, 40, NONE)], 1),
        ([(6, 40, NONE), (1, 64, COVER)], 0),
    ],
)
def test_the_film_of_a_file_is_read_not_its_thumbnail(tmp_path, suffix, streams, wanted):
    path = tmp_path / f"a{suffix}"
    films = [film(count, 24, width, seed) for seed, (count, width, _) in enumerate(streams)]
    write_streams(path, *((f, marks) for f, (_, _, marks) in zip(films, streams, strict=True)))
    info = inspect_clip(path)
    assert (info.frames, info.width) == (6, streams[wanted][1])
    read = read_frames(path, info, FrameForm(info.fps, (3, 5, 3)))
    assert np.abs(read.astype(int) - golden_small(films[wanted])).mean() < 24


def test_a_cover_picture_alone_is_no_film(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 24, 40, "yuvj420p"
        cover.disposition = COVER
        container.mux(cover.encode(av.VideoFrame.from_ndarray(film(1)[0], format="rgb24")))
        container.mux(cover.encode())
        quiet = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        quiet.sample_rate = 8000
        container.mux(sound.encode(quiet))
        container.mux(sound.encode())
    with pytest.raises(MotionletError, match="only a cover picture in it; want a file with a film"):
        inspect_clip(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 8), np.uint8), r"an array \[4, 8\]; a clip is \[T, H, W\]"),
        (np.zeros((0, 8, 8), np.uint8), r"an array \[0, 8, 8\]"),
        (np.zeros((4, 8, 8, 2), np.uint8), "2 channels; 1 or 3 can be used"),
        (np.zeros((4, 3, 8, 8), np.uint8), r"8 channels; 1 or 3 can be used; channels come last"),
        (np.full((4, 8, 8, 3), 2000, np.int16), "3 channels; 1 can be used"),
        (np.zeros((48, 64, 3), np.uint8), r"an array \[48, 64, 3\]: one picture of 3 channels\?"),
        (np.zeros((4, 8, 8), np.int32), "values of type int32; a clip is uint8"),
        (np.array([[[1 + 2j]]] * 2), "values of type complex128"),
        (
            np.full((4, 8, 8), -2931.5),
            "floats from -2931.5 to -2931.5; floats are degrees C, -327.6",
        ),
        (np.full((4, 8, 8), np.inf), "floats from inf to inf; floats are degrees C"),
        (np.array([[[1]], [[None]]]), "an array of Python objects, which numpy makes of lists"),
        (np.full((4, 8, 8), np.nan), r"\(NaN\)"),
        (np.zeros((1, 8, 8), np.uint8), "1 frame; a clip has at least 2"),
        (np.zeros((2, 1, 5000), np.uint8), "frames of 5000x1; at most 4096 a side"),
    ],
)
def test_bad_arrays(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(MotionletError, match=message):
        inspect_clip(tmp_path / "a.npy")


ROOM = np.random.default_rng(0).uniform(18, 34, (5, 8, 8))  # degrees C
GREY = np.random.default_rng(0).integers(0, 256, (5, 8, 8))


@pytest.mark.parametrize(
    ("array", "asked", "answer", "meant"),
    [
        (GREY / 255, "floats from 0 to 1: say --floats unit", {"floats": "unit"}, GREY),
        (GREY / 127.5 - 1, "save .x . 1. / 2 and say --floats unit", None, None),
        ((GREY - GREY.mean()) / GREY.std(), "they may be standardized", None, None),
        (GREY.astype(np.float32), "whole numbers; say --floats 0-255", {"floats": "0-255"}, GREY),
        (GREY * 0.999, "say --floats (fahrenheit, --floats )?0-255 if", {"floats": "0-255"}, GREY),
        (ROOM + 273.15, "hot for degrees C; say --floats kelvin", {"floats": "kelvin"}, ROOM),
        (ROOM * 1.8 + 32, "say --floats fahrenheit", {"floats": "fahrenheit"}, ROOM),
        (ROOM - 26, "they may be standardized", {"floats": "celsius"}, ROOM - 26),
        (
            ROOM * 100 + 27315,
            "uint16 from .*kelvin\\? say --ints cen",
            {"ints": "centikelvin"},
            ROOM,
        ),
        (ROOM * 100, "uint16 from .*--ints celsius for hundr", {"ints": "celsius"}, ROOM),
        (GREY * 256, "uint16 from .*--ints pixels if 65535", {"ints": "pixels"}, GREY),
        (GREY, "uint16 from 0 to 255: save them as uint8", None, None),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_values_that_may_be_something_else(tmp_path, array, asked, answer, meant, order):
    """They are asked for, and what is answered is what they are, in either order of bytes."""
    path = tmp_path / "a.npy"
    kind = "u2" if "uint16" in asked else "f4"
    np.save(path, (np.round(array) if kind == "u2" else array).astype(order + kind))
    with pytest.raises(MotionletError, match=asked):
        inspect_clip(path)
    if answer:
        options = FolderOptions(**answer)
        info = inspect_clip(path, options)
        frames = read_frames(path, info, FrameForm(10, (8, 8, 1)), options)[..., 0]
        assert info.thermal == (meant is not GREY)
        if info.thermal:
            assert np.abs(frames / 100 - meant).max() <= 0.0051 + 1e-4
        else:
            assert np.abs(frames - meant).max() <= 1


@pytest.mark.parametrize(
    "array",
    [ROOM, ROOM - 40, ROOM + 60 * (ROOM > 33), (ROOM * 100).astype(">i2"), ROOM.astype(">f4")],
)
def test_temperatures_that_are_plain(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    info = inspect_clip(tmp_path / "a.npy")
    frames = read_frames(tmp_path / "a.npy", info, FrameForm(10, (8, 8, 1)))[..., 0]
    degrees = array / 100 if array.dtype.kind == "i" else array
    assert np.abs(frames / 100 - degrees).max() <= 0.0051


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"floats": "unit"}, "floats from 18.* to 33.*; with --floats unit they are 0 to 1"),
        ({"floats": "kelvin"}, "."),
    ],
)
def test_a_wrong_answer(tmp_path, answer, message):
    np.save(tmp_path / "a.npy", ROOM if "unit" in answer.values() else ROOM - 80)
    with pytest.raises(MotionletError, match=message):
        inspect_clip(tmp_path / "a.npy", FolderOptions(**answer))


WHOLE = [
    *(("avi", "mpeg4"), ("avi", "mjpeg"), ("mkv", "libx264"), ("mp4", "libx264"), ("flv", "flv1")),
    *(("webm", "libvpx"), ("webm", "libvpx-vp9"), ("ts", "mpeg2video"), ("mpg", "mpeg1video")),
]


@pytest.mark.parametrize(("suffix", "codec"), WHOLE)
def test_lost_frames_are_counted(tmp_path, suffix, codec):
    """None of a film that is whole; of one that is cut all that its head tells of."""
    whole = tmp_path / f"whole.{suffix}"
    write_video(whole, film(60, 48, 64), 25, codec, "yuvj420p" if codec == "mjpeg" else "yuv420p")

    def count(path):
        info = inspect_clip(path)
        frames, lost = read_and_count(path, info, FrameForm(25, (24, 32, 1)))
        return len(frames), lost

    assert count(whole) == (60, 0)
    cut = tmp_path / f"cut.{suffix}"
    content = whole.read_bytes()
    cut.write_bytes(content[: len(content) * 6 // 10])
    if suffix == "mp4":  # whose list of frames is at its end
        with pytest.raises(MotionletError, match="cannot be decoded"):
            count(cut)
    elif suffix in ("avi", "mkv", "webm", "flv"):
        there, lost = count(cut)
        assert 15 <= there <= 45
        assert 60 <= there + lost <= 61  # the last one there is in parts


def test_damaged_frames_are_counted(tmp_path):
    write_video(tmp_path / "a.mkv", film(60, 48, 64), 25, "libx264", "yuv420p")
    content = bytearray((tmp_path / "a.mkv").read_bytes())
    for at in np.random.default_rng(1).integers(len(content) // 2, len(content), 6):
        content[at] ^= 0xFF
    (tmp_path / "a.mkv").write_bytes(content)
    info = inspect_clip(tmp_path / "a.mkv")
    assert 1 <= read_and_count(tmp_path / "a.mkv", info, FrameForm(25, (24, 32, 1)))[1] <= 60


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.npy", "a.npz", "a.txt"])
@pytest.mark.parametrize("content", [b"", b"no clip at all" * 100])
def test_files_that_are_no_clips(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MotionletError, match=r"cannot be decoded|not a .npy|neither a video"):
        inspect_clip(tmp_path / name)


def test_a_broken_video_is_told_in_one_line(tmp_path):
    """Cut off or damaged anywhere: an error of ours, or fewer frames, but no other exception."""
    write_video(tmp_path / "whole.avi", film(12), 10, "mpeg4", "yuv420p")
    data = (tmp_path / "whole.avi").read_bytes()
    rng = np.random.default_rng(0)
    said = []
    for index in range(40):
        damaged = bytearray(data[: rng.integers(1, len(data))] if index % 2 else data)
        for at in rng.integers(0, len(damaged), 30):
            damaged[at] = rng.integers(0, 256)
        path = tmp_path / "broken.avi"
        path.write_bytes(damaged)
        try:
            info = inspect_clip(path)
            read_frames(path, info, FrameForm(10, (8, 8, 1)))
        except MotionletError as error:
            said.append(str(error))
    assert len(said) > 5
    assert not any("\n" in line for line in said)
