"""Files that are whole or as they were."""

import contextlib
import io
import json
import math
import os
import secrets
import zipfile
import zlib
from pathlib import Path

from host_sdk.errors import MotionletError

try:
    import fcntl
except ImportError:  # Windows: a lock is only a courtesy
    fcntl = None

LARGEST = 4 << 30  # bytes that an archive may hold, unpacked


def read(path):
    """Return the bytes of a file. Raises MotionletError naming it when that fails."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise MotionletError(f"{path}: {error.strerror}") from None


def read_json(path, writer, **types):
    """Return the dict in a JSON file that the command `writer` makes.

    Raises MotionletError naming the file when it holds something else; `types` are those of values
    that must be in it.
    """
    try:
        value = json.loads(read(path))
        known = isinstance(value, dict) and all(isinstance(value[k], t) for k, t in types.items())
    except (ValueError, KeyError, RecursionError):
        known = False
    if not known:
        raise MotionletError(f"{path} is not what `{writer}` writes")
    return value


def read_arrays(path, kind):
    """Return {name: array} of an `.npz` archive, or {"": array} of an `.npy` file.

    Headers are read first, so that no file makes more of itself than it says it is. Raises
    MotionletError naming the file, which then is not `kind`, or why else it is not read.
    """
    import numpy as np

    try:
        with open(path, "rb") as file:  # of one that it opens itself, numpy may lose hold
            if file.read(2) == b"PK":
                check_archive(file)
                with zipfile.ZipFile(file) as archive:
                    for name in archive.namelist():
                        with archive.open(name) as member:
                            _read_header(member)
            else:
                file.seek(0)
                claimed = _read_header(file)
                there = os.fstat(file.fileno()).st_size - file.tell()
                if claimed > there:
                    raise MotionletError(f"cut short: {there:,} of {claimed:,} bytes are there")
            file.seek(0)
            content = np.load(file)
            if isinstance(content, np.ndarray):
                return {"": content}
            return {name: content[name] for name in content.files}
    except MotionletError as error:
        raise MotionletError(f"{path}: {error}") from None
    except Exception as error:  # numpy, zipfile and zlib raise whatever their unpacking met
        reason = getattr(error, "strerror", None) or f"not {kind}"
        raise MotionletError(f"{path}: {reason}") from None


def _read_header(file):
    """Read the head of an array's file; return how many bytes of numbers are to follow."""
    from numpy.lib import format as npy

    first = npy.read_magic(file) == (1, 0)
    shape, _, dtype = (npy.read_array_header_1_0 if first else npy.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise MotionletError(
            "an array of Python objects, which numpy makes of lists of different lengths, such as "
            "frames of several sizes; want one array of numbers"
        )
    if min(shape, default=1) < 0:
        raise ValueError
    return math.prod(shape) * dtype.itemsize


def check_archive(file):
    """Raise MotionletError if a zip archive, unpacked, would have more bytes than `LARGEST`."""
    with zipfile.ZipFile(file) as archive:
        size = sum(member.file_size for member in archive.infolist())  # no more than that is read
    if size > LARGEST:
        raise MotionletError(f"unpacked it has {size:,} bytes; at most {LARGEST:,} are read")


def check_links(folder, names=None):
    """Raise MotionletError if something in a folder is a link to what is not in it.

    A folder that somebody sent may have such links; whoever writes into it would write elsewhere.
    `names` are those that matter, by default all.
    """
    folder = Path(folder)
    inside = Path(os.path.realpath(folder))
    try:
        links = [path for path in folder.iterdir() if path.is_symlink()]
    except OSError:
        return  # it is not there, or cannot be read; who wants it will say so
    for path in sorted(links):
        place = os.path.realpath(path)
        if (names is None or path.name in names) and not Path(place).is_relative_to(inside):
            raise MotionletError(
                f"{path}: a link out of the folder, to {place}; put the file itself there"
            )


def make_folder(path):
    """Make a folder, and those above it, unless it is there."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MotionletError(f"cannot make the folder {path}: {error.strerror}") from None


def check_folder(path):
    """Raise MotionletError if `make_folder` could not make it; nothing is made yet."""
    path = Path(path).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        raise MotionletError(f"cannot make the folder {path}: {there} is a file")
    if not os.access(there, os.W_OK):
        raise MotionletError(f"cannot write into the folder {there}")


@contextlib.contextmanager
def replacing(path):
    """Give another path to write a file to, which then becomes `path`: whole, or as it was.

    It has the same ending and a name that cannot be guessed, and is there already, empty. A link
    stays a link, and what is no file, such as /dev/null, is written to as it is. Raises
    MotionletError naming `path` when writing fails.
    """
    place = Path(os.path.realpath(path))
    temporary = place.with_name(f"{place.stem}.{secrets.token_hex(8)}.tmp{place.suffix}")
    special = os.path.exists(place) and not os.path.isfile(place)
    try:
        if not special:
            # As tempfile.mkstemp does it, but with the rights that files have by default.
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield place if special else temporary
        if not special:
            temporary.replace(place)
    except OSError as error:
        raise MotionletError(f"{path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):  # it is not there, or its folder is none
            temporary.unlink()


def write(path, data):
    """Write bytes, `replacing` what is there."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_json(path, value):
    """Write `value` as JSON, in the same way."""
    write(path, (json.dumps(value, indent=1) + "\n").encode())


def keep(path, data):
    """Write bytes that can be made anew, and a checksum, into a folder that is made if need be."""
    make_folder(Path(path).parent)
    write(path, b"".join([data, zlib.crc32(data).to_bytes(4, "little")]))


def is_kept(path):
    """Return whether a file is there and as `keep` wrote it: the bytes, and 4 of a checksum."""
    check, last = 0, b""
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                block = last + block
                check, last = zlib.crc32(block[:-4], check), block[-4:]
    except OSError:
        return False
    return len(last) == 4 and check == int.from_bytes(last, "little")


def kept_array(path, make):
    """Return the array kept in a file; if there is none, or it is damaged, `make()`, then kept."""
    import numpy as np

    if is_kept(path):
        with contextlib.suppress(OSError, ValueError):
            return np.load(path, mmap_mode="r")
    array = make()
    file = io.BytesIO()
    np.save(file, array)
    keep(path, file.getbuffer())
    return array


@contextlib.contextmanager
def locked(path, busy=None):
    """Hold an exclusive lock on the file `path`.

    While another process holds it: wait; or, if `busy` is given, raise MotionletError saying so.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise MotionletError(busy) from None
        yield
