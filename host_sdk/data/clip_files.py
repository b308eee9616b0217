"""One clip in a file: what is in it, and its frames as a device would see them.

A clip is a video, or an array `.npy`/`.npz` (one array) [T, H, W] or [T, H, W, C]: uint8 pictures
of 1 or 3 channels, or temperatures of one channel, int16 in hundredths of a degree C or floats in
degrees C. What floats and integers of 16 bits are can be said, as a `FolderOptions` does; where it
is not, and their values leave a doubt, the clip is refused with the question.
"""

import collections
import hashlib
import itertools
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host_sdk.data.clips import load_array, native_order, refuse_picture
from host_sdk.data.options import FolderOptions
from host_sdk.errors import MotionletError
from host_sdk.format.mlet import LIMITS
from host_sdk.format.normalization import HUNDREDTHS, sample_range, to_samples
from host_sdk.golden import frames as golden

VIDEO_SUFFIXES = {
    *(".3gp", ".avi", ".flv", ".gif", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"),
}
ARRAY_SUFFIXES = {".npy", ".npz"}
MAX_GAP = 60  # seconds between two frames
DEFAULT_COUNTS = 5_000_000  # pixels: so much a stream that is the default counts for more
HIDDEN_FRAMES = ("vp8", "vp9", "av1")  # codecs of which not every packet is a frame to be shown
STRAIGHT = 0.0087  # a picture that is turned by less, in radians, is upright: half a degree
HIDDEN = "hidden: its name begins with a dot"
EMPTY = "an empty folder"
CACHE_VERSION = 4  # to be raised when the functions here give other results


@dataclass(frozen=True)
class ClipInfo:
    """What a clip's file holds. `fps` is None where the file does not say (arrays).

    `lost` frames more were in it when it was written, as a film's head says.
    """

    sha256: str
    frames: int
    height: int
    width: int
    thermal: bool
    fps: float | None
    lost: int = 0


PLAIN = FolderOptions()


@dataclass(frozen=True)
class FrameForm:
    """What frames are made of a clip: their rate, their shape (H, W, C), and of what part.

    With `crop`, the largest part in the middle that has the shape's proportions is resized;
    otherwise the whole picture, whatever its proportions, which is what a device does by default.
    """

    fps: float
    shape: tuple
    crop: bool = False


def find_files(folder, within=None):
    """Look for files in a folder and those below it; return (files, others).

    `files` are paths relative to `folder`, with /, in order. `others` is {path: why} of each entry
    that is none: what is hidden, is no file or cannot be read, and folders without an entry. What
    is in a folder among `others` was not looked at. Links are followed, but not those to folders
    of `within`, by default `folder`, where their files are found anyway.
    """
    within = os.path.realpath(within or folder)
    files, others = [], {}

    def look(path, name, above):
        try:
            real = os.path.realpath(path)
            linked = name and path.is_symlink()
            if real in above or (linked and Path(real).is_relative_to(within)):
                others[name] = f"a link to {real}, which is looked at already"
                return
            entries = sorted(os.listdir(path))
        except OSError as error:
            others[name] = f"cannot be read: {error.strerror}"
            return
        if not entries and name:
            others[name] = EMPTY
        for entry in entries:
            visit(path / entry, f"{name}/{entry}" if name else entry, {*above, real})

    def visit(path, name, above):
        if name != (shown := os.fsencode(name).decode(errors="backslashreplace")):
            others[shown] = "its name is not UTF-8; rename it"
        elif path.name.startswith("."):
            others[name] = HIDDEN
        else:
            kind = kind_of(path)
            if kind == "folder":
                look(path, name, above)
            elif kind == "file":
                files.append(name)
            else:
                others[name] = kind

    look(Path(folder), "", frozenset())
    return files, others


def kind_of(path):
    """Return "folder" or "file"; of what is neither, what it is."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            target = os.fsencode(os.readlink(path)).decode(errors="backslashreplace")
            return f"a link to {target}, which is not there"
        return f"cannot be read: {error.strerror}"
    kinds = {stat.S_IFDIR: "folder", stat.S_IFREG: "file"}
    return kinds.get(stat.S_IFMT(mode), "neither a file nor a folder")


def inspect_clip(path, options=PLAIN):
    """Return the `ClipInfo` of a file; MotionletError, without the path, says why it is no clip.

    `options` say what values in arrays are.
    """
    path = Path(path)
    if path.suffix.lower() not in VIDEO_SUFFIXES | ARRAY_SUFFIXES:
        raise MotionletError(f"neither a video nor an array: {path.suffix or 'no suffix'}")
    try:
        with path.open("rb") as file:
            digest = _sha256(file)
    except OSError as error:
        raise MotionletError(f"cannot be read: {error.strerror}") from None
    if path.suffix.lower() in VIDEO_SUFFIXES:
        count, height, width, fps, lost = _inspect_video(path)
        info = ClipInfo(digest, count, height, width, False, fps, lost)
    else:
        frames = _load(path, options)
        info = ClipInfo(digest, *frames.shape[:3], frames.dtype != np.uint8, None)
    if info.frames < 2:
        raise MotionletError(f"{info.frames} frame; a clip has at least 2")
    largest = LIMITS["max_dim"]
    most = golden.MAX_CROP_PIXELS["int16" if info.thermal else "uint8"]
    if max(info.height, info.width) > largest or info.height * info.width > most:
        raise MotionletError(
            f"frames of {info.width}x{info.height}; at most {largest} a side and "
            f"{most} pixels are resized"
        )
    return info


def read_frames(path, info, form, options=PLAIN):
    """Return a clip's frames in `form`: uint8, or int16 for thermal clips, [F, H, W, C].

    Frames are picked by their time stamps:
    the k-th is the one nearest to k / form.fps seconds after the first. Each is made grey and
    resized by area as a device does it (SPEC.md section 3).
    """
    return read_and_count(path, info, form, options)[0]


def read_and_count(path, info, form, options=PLAIN):
    """As `read_frames`; return the frames, and how many the film has lost.

    Those are what its head tells of and is not there, what cannot be decoded, and what the decoder
    made up in parts.
    """
    path = Path(path)
    rate = info.fps or form.fps
    counts = collections.Counter()
    if path.suffix.lower() in VIDEO_SUFFIXES:
        source = _decode(path, rate, counts)
    else:
        frames = _load(path, options)
        source = ((index / rate, frame) for index, frame in enumerate(frames))
    picked = _resample(source, 1 / rate, form.fps)
    out, last = [], None
    for frame in picked:
        if frame is not last:
            small = _fit(_pixels(frame), form)
            last = frame
        out.append(small)
    return np.stack(out), info.lost + counts["lost"]


def read_video(path, graph, given=None):
    """Return a video's frames as a model would be shown them, uint8 [F, H, W, C].

    They are of the size of an `Input` of `graph`, by default the only one, and as many a second as
    it is made for, or as the video has if the graph does not say. Raises MotionletError naming the
    file.
    """
    given = given or graph.input
    shape = graph.tensors[given.tensor].shape
    try:
        if given.pixel_format not in ("gray8", "rgb888"):
            raise MotionletError(f"holds pictures; the model takes {given.pixel_format} samples")
        info = inspect_clip(path)
        rate = (graph.frames_per_second or info.fps) / given.period
        return read_frames(path, info, FrameForm(rate, shape))
    except MotionletError as error:
        raise MotionletError(f"{path}: {error}") from None


def _sha256(file):
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _load(path, options):
    """Return an array's frames: uint8 or int16 [T, H, W, C]."""
    try:
        frames = load_array(path)
    except MotionletError as error:
        raise MotionletError(
            str(error).removeprefix(f"{path}: ").removeprefix(f"{path} ")
        ) from None
    frames = native_order(frames)
    shape = list(frames.shape)
    if frames.ndim == 3:
        refuse_picture(shape)
        frames = frames[..., None]
    if frames.ndim != 4 or 0 in shape:
        raise MotionletError(f"an array {shape}; a clip is [T, H, W] or [T, H, W, C]")
    if frames.dtype.kind == "f":
        frames = from_floats(frames, options.floats)
    elif frames.dtype in (np.int16, np.uint16):
        frames = _from_ints(frames, options.ints)
    elif frames.dtype != np.uint8:
        raise MotionletError(
            f"values of type {frames.dtype}; a clip is uint8 (pictures), int16 (hundredths of a "
            "degree C) or float (degrees C)"
        )
    channels = (1, 3) if frames.dtype == np.uint8 else (1,)
    if frames.shape[3] not in channels:
        first = "; channels come last: [T, H, W, C]" if frames.shape[1] in channels else ""
        raise MotionletError(
            f"{frames.shape[3]} channels; {' or '.join(map(str, channels))} can be used{first}"
        )
    return frames


def _range(name, values):
    """Return (lowest, median, highest, words for them) of values."""
    low, high = float(values.min()), float(values.max())
    middle = float(np.median(values.ravel()[:: 1 + values.size // 1_000_000]))
    return low, middle, high, f"{name} from {low:g} to {high:g}"


def from_floats(values, floats=None):
    """Return floats as samples: int16 hundredths of a degree C, or uint8 of pictures.

    `floats` says what they are, see `options.FLOATS`; None: degrees C, if they can be nothing else.
    """
    low, middle, high, seen = _range("floats", values)
    if floats in ("unit", "0-255"):
        top = 1 if floats == "unit" else 255
        if not 0 <= low <= high <= top:
            raise MotionletError(f"{seen}; with --floats {floats} they are 0 to {top}")
        return np.floor(values.astype(np.float64) * (255 / top) + 0.5).astype(np.uint8)
    if floats is None and (doubt := _doubt(values, low, middle, high)):
        raise MotionletError(f"{seen}: {doubt} or --floats celsius for degrees C")
    if floats == "kelvin":
        values = values.astype(np.float64) - 273.15
    elif floats == "fahrenheit":
        values = (values.astype(np.float64) - 32) / 1.8
    coldest, hottest = (end / HUNDREDTHS for end in sample_range("int16"))
    if values.min() < coldest or values.max() > hottest:
        raise MotionletError(f"{seen}; floats are degrees C, {coldest:g} to {hottest:g}")
    return to_samples(values)


def _doubt(values, low, middle, high):
    """Return why floats may not be degrees C, and what to say then; None where that is plain."""
    if not np.isfinite((low, high)).all():
        return None  # which is refused for another reason
    if low >= 0 and high <= 1:
        return "say --floats unit if they are pictures of 0 to 1,"
    if low >= -1 and high <= 1:
        return "if they are pictures of -1 to 1, save (x + 1) / 2 and say --floats unit,"
    if low < 0 and high - low < 20 and abs(values.mean()) < 1:
        return "they may be standardized; save them as they were before,"
    if low >= 0 and high <= 255 and (values == np.floor(values)).all():
        return "whole numbers; say --floats 0-255 if they are pictures,"
    if low >= 200 and high <= 600:
        return "hot for degrees C; say --floats kelvin,"
    if low >= -60 and middle > 50:
        return "hot for degrees C; say --floats fahrenheit, --floats 0-255 if they are pictures,"
    if low >= 0 and 100 < high <= 255:
        return "say --floats 0-255 if they are pictures,"
    return None


def _from_ints(values, ints):
    """Return int16 or uint16 as samples; `ints` says what they are, see `options.INTS`."""
    low, middle, high, seen = _range(str(values.dtype), values)
    if ints == "pixels":
        if low < 0:
            raise MotionletError(f"{seen}; with --ints pixels they are 0 to 65535")
        return (values >> 8).astype(np.uint8)
    wide = values.astype(np.int32)
    if ints == "centikelvin":
        wide -= 27315
    elif ints is None and (high <= 255 and low >= 0):
        raise MotionletError(
            f"{seen}: save them as uint8 if they are pictures, or say --ints celsius for "
            "hundredths of a degree C"
        )
    elif ints is None and (values.dtype == np.uint16 or middle > 20000):
        hot = "hundredths of a kelvin?" if 20000 <= middle <= 45000 else "temperatures or pictures?"
        raise MotionletError(
            f"{seen}: {hot} say --ints centikelvin, --ints pixels if 65535 is white, or --ints "
            "celsius for hundredths of a degree C"
        )
    coldest, hottest = sample_range("int16")
    if wide.min() < coldest or wide.max() > hottest:
        raise MotionletError(
            f"{seen}; with --ints {ints} from {wide.min() / HUNDREDTHS:g} to "
            f"{wide.max() / HUNDREDTHS:g} degrees C, {coldest / HUNDREDTHS:g} to "
            f"{hottest / HUNDREDTHS:g} can be"
        )
    return wide.astype(np.int16)


# Videos


def _open(path):
    """Open a video; return (container, the stream that is the film)."""
    import av

    # What is wrong with a file is told once, by us; and the log can deadlock with the decoder.
    av.logging.set_level(None)
    # With `file:`, what is before a colon in a name is no protocol.
    container = av.open(f"file:{path.absolute()}")
    try:
        return container, _film_of(container)
    except BaseException:
        container.close()
        raise


def _film_of(container):
    """Return the stream of a file that is its film.

    Of several it is the largest, those counting for more that are to be shown by default: what
    the program ffmpeg takes. But no picture that stands for a film, whether marked as one or not.
    """
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    films = [stream for stream in container.streams.video if not stream.disposition & pictures]
    if not films:
        found = "only a cover picture in it" if container.streams.video else "no video in it"
        raise MotionletError(f"{found}; want a file with a film")
    films = [stream for stream in films if stream.codec_context is not None]
    if not films:
        raise MotionletError("cannot be decoded: its codec is not known; convert it to mp4")
    if len(films) == 1:
        return films[0]
    packets = collections.Counter(p.stream.index for p in container.demux(films) if p.size)
    container.seek(0)
    return max(
        films,
        key=lambda stream: (
            packets[stream.index] > 1,
            stream.width * stream.height
            + DEFAULT_COUNTS * bool(stream.disposition & Disposition.default),
        ),
    )


def _inspect_video(path):
    """Return (frames, height, width, frames per second, frames lost) of a video, turned upright."""
    import av

    try:
        container, stream = _open(path)
        with container:
            times = [p.pts * p.time_base for p in container.demux(stream) if p.pts is not None]
            container.seek(0)
            frame = next(container.decode(stream), None)
            stated = stream.average_rate
            frames, lasted = _stated(container, stream)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MotionletError(f"cannot be decoded: {_reason(error)}") from None
    if frame is None:
        raise MotionletError("no frame in it")
    # The stated rate is often a guess; the time stamps are what playing goes by.
    lasts = max(times) - min(times) if times else 0
    rate = (len(times) - 1) / lasts if lasts else stated
    if not rate:
        raise MotionletError("no time stamps and no frame rate in it")
    height, width = _upright(np.empty((frame.height, frame.width)), frame).shape
    lost = max(0, frames - len(times))
    if not frames and times:  # a frame lasts until the next one, and tools round
        lost = max(0, round((lasted - max(times)) * rate) - 1)
        lost = lost if lost > 2 else 0
    return len(times), height, width, round(float(rate), 2), lost


def _stated(container, stream):
    """Return what a film's head says: (frames or 0, seconds from 0 to its end, or 0)."""
    if stream.frames:
        return stream.frames, 0
    if stream.duration:
        return 0, (stream.duration + (stream.start_time or 0)) * stream.time_base
    words = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))  # Matroska's
    if words:
        return 0, int(words[1]) * 3600 + int(words[2]) * 60 + float(words[3])
    if len(container.streams) == 1 and container.duration:
        return 0, (container.duration + (container.start_time or 0)) / 1_000_000
    return 0, 0


def _decode(path, rate, counts):
    """Yield (seconds, frame) of a video; `counts["lost"]` is then how many were not whole."""
    import av

    failure = None
    try:
        container, stream = _open(path)
        with container:
            seconds, expected, whole, none = -1 / rate, 0, 0, True
            for packet in container.demux(stream):
                if packet.pts is not None and not packet.is_discard:
                    expected += stream.codec_context.name not in HIDDEN_FRAMES
                try:
                    frames = packet.decode()
                except av.InvalidDataError as error:  # players go on with the next one
                    failure, frames = error, ()
                for frame in frames:
                    whole += not frame.is_corrupt
                    seconds = frame.time if frame.time is not None else seconds + 1 / rate
                    none = False
                    yield seconds, frame
            if none:
                raise failure or MotionletError("no frame in it")
            counts["lost"] = max(0, expected - whole)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MotionletError(f"cannot be decoded: {_reason(error)}") from None


def _reason(error):
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


# Frames


def _resample(source, period, fps):
    """Yield, of (seconds, frame) in order, the frame nearest to each k / fps after the first."""
    begin, count = None, 0
    for (seconds, frame), later in itertools.pairwise(itertools.chain(source, [None])):
        begin = seconds if begin is None else begin
        end = (seconds + later[0]) / 2 if later else seconds + period / 2
        if later and not abs(later[0] - seconds) <= MAX_GAP:
            raise MotionletError(
                f"its time stamps jump from {seconds:g} s to {later[0]:g} s; "
                f"at most {MAX_GAP} s may lie between two frames"
            )
        # A little less than the middle between two frames: then a tie always goes to the later.
        while begin + count / fps < end - 1e-6:
            yield frame
            count += 1


def _pixels(frame):
    """Return [h, w, C] of an array's frame or of a decoded one."""
    if isinstance(frame, np.ndarray):
        return frame
    # The decoder turns video's 16 ... 235 into 0 ... 255, what cameras give.
    return _upright(frame.to_ndarray(format="rgb24"), frame)


def _upright(pixels, frame):
    """Return the picture [h, w, ...] of a decoded frame as it is to be shown.

    The file's display matrix puts the pixel (x, y) at (a x + c y, b x + d y): turned by quarters,
    mirrored, or both, in eight ways. As for FFmpeg its scale does not matter, nor where it moves
    the picture to, and a matrix of zeros says nothing.
    """
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].astype(float)
    if not any((a, b, c, d)):
        return pixels
    along, across = min(abs(a), abs(d)), min(abs(b), abs(c))
    if max(abs(b), abs(c)) < STRAIGHT * along:
        down, right = d, a
    elif max(abs(a), abs(d)) < STRAIGHT * across:
        pixels, down, right = pixels.swapaxes(0, 1), b, c
    else:
        numbers = ", ".join(f"{number / 65536:.3g}" for number in (a, b, c, d))
        raise MotionletError(
            f"turned by no multiple of 90 degrees (display matrix {numbers}); write it upright: "
            "ffmpeg -i IN OUT"
        )
    return pixels[:: 1 if down > 0 else -1, :: 1 if right > 0 else -1]


def _fit(pixels, form):
    """Return a frame [h, w, C] in `form`: [H, W, C]."""
    height, width, channels = form.shape
    if form.crop:
        pixels = pixels[middle(*pixels.shape[:2], height, width)]
    if pixels.dtype == np.uint8 and pixels.shape[2] != channels:
        source = "gray8" if pixels.shape[2] == 1 else "rgb888"
        convert = golden.grey if channels == 1 else golden.rgb
        pixels = convert(pixels.tobytes(), source, pixels.shape[1], pixels.shape[0])
    dtype = np.int16 if pixels.dtype == np.int16 else np.uint8
    if pixels.shape[:2] != (height, width):
        pixels = golden.area_resize(pixels.astype(np.int64), height, width)
    return pixels.astype(dtype)


def middle(height, width, target_height, target_width):
    """Return the slices of the largest part in the middle with the target's proportions."""
    h = min(height, max(1, width * target_height // target_width))
    w = min(width, max(1, height * target_width // target_height))
    top, left = (height - h) // 2, (width - w) // 2
    return slice(top, top + h), slice(left, left + w)
