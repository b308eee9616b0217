"""Files that are whole or as they were."""

import contextlib
import io
import json
import os
import zlib
from pathlib import Path

from host_sdk.errors import MotionletError

try:
    import fcntl
except ImportError:  # Windows: a lock is only a courtesy
    fcntl = None


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
    except (ValueError, KeyError):
        known = False
    if not known:
        raise MotionletError(f"{path} is not what `{writer}` writes")
    return value


def read_arrays(path, kind):
    """Return {name: array} of an `.npz` archive, or {"": array} of an `.npy` file.

    Raises MotionletError naming the file, which then is not `kind`.
    """
    import numpy as np

    try:
        with open(path, "rb") as file:  # of one that it opens itself, numpy may lose hold
            content = np.load(file)
            if isinstance(content, np.ndarray):
                return {"": content}
            arrays = {name: content[name] for name in content.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError  # files of other kinds are zip archives too
    except Exception as error:  # numpy, zipfile and zlib raise whatever their unpacking met
        reason = getattr(error, "strerror", None) or f"not {kind}"
        raise MotionletError(f"{path}: {reason}") from None
    return arrays


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

    It has the same ending, and is this process's own. A link stays a link, and what is no file,
    such as /dev/null, is written to as it is. Raises MotionletError naming `path` when writing
    fails.
    """
    place = Path(os.path.realpath(path))
    temporary = place.with_name(f"{place.stem}.{os.getpid()}.tmp{place.suffix}")
    special = os.path.exists(place) and not os.path.isfile(place)
    try:
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
