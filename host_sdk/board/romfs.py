"""ROMFS images: MicroPython's read-only file system, with every file's bytes aligned.

A file in a ROMFS is used where it lies, in flash, through a memoryview. Motionlet's kernels read
words there, so a model must start at a multiple of 16; images from `mpremote romfs build` promise
nothing of the kind. Here padding records move each file's data to where it should be.

The format (MicroPython's extmod/vfs_rom.c): a record is `kind`, `length`, payload, the first two
as varuints (7 bits a byte, the most significant first, bit 7 set on all but the last). The whole
image is one record of kind FILESYSTEM; a file or a directory is a record whose payload is the
length of its name, the name, and the records in it.
"""

from host_sdk.errors import MotionletError

PADDING = 1
DATA = 2
DATA_POINTER = 3
DIRECTORY = 4
FILE = 5
FILESYSTEM = 0x14A6B1  # as a varuint: b"\xd2\xcd\x31", "RM1" with two high bits set

MAGIC = b"\xd2\xcd\x31"


def varuint(value, size=0):
    """Encode a varuint in at least `size` bytes; leading 0x80 bytes do not change the value."""
    encoded = [value & 0x7F]
    while value := value >> 7:
        encoded.append(0x80 | value & 0x7F)
    encoded += [0x80] * (size - len(encoded))
    return bytes(reversed(encoded))


def record(kind, payload):
    """Return a record: its kind, its length, its payload."""
    return varuint(kind) + varuint(len(payload)) + payload


def padding(size):
    """Return a padding record of exactly `size` bytes, 2 or more (or 0: nothing)."""
    if size == 0:
        return b""
    length_bytes = 1
    while len(varuint(size - 1 - length_bytes)) > length_bytes:
        length_bytes += 1
    payload = size - 1 - length_bytes
    return varuint(PADDING) + varuint(payload, length_bytes) + b"\xff" * payload


LENGTH_BYTES = 5  # of every record with records inside: enough for any, so offsets stay put
HEADER_BYTES = len(MAGIC) + LENGTH_BYTES  # of the file system's own record


def _file(name, data, offset, align):
    """The record of a file that is put at `offset` of the image."""
    name = varuint(len(name)) + name
    before = 1 + LENGTH_BYTES + len(name)  # kind, length, name
    data_header = varuint(DATA) + varuint(len(data))
    gap = -(offset + before + len(data_header)) % align
    if gap == 1:
        gap += align  # the shortest padding record has two bytes
    payload = name + padding(gap) + data_header + data
    return varuint(FILE) + varuint(len(payload), LENGTH_BYTES) + payload


def _directory(tree, offset, align):
    """The records of everything in `tree`, which start at `offset` of the image."""
    records = bytearray()
    for name, content in sorted(tree.items()):
        here = offset + len(records)
        encoded = name.encode()
        if isinstance(content, dict):
            payload = varuint(len(encoded)) + encoded
            inside = here + 1 + LENGTH_BYTES + len(payload)
            payload += _directory(content, inside, align)
            records += varuint(DIRECTORY) + varuint(len(payload), LENGTH_BYTES) + payload
        else:
            records += _file(encoded, content, here, align)
    return records


def build_romfs(files, align=16):
    """Return a ROMFS image of `files`, a dict of path to bytes; "/" in a path makes directories.

    Each file's data starts at a multiple of `align` in the image (a power of two, up to 4096:
    images are written to 4096-byte flash blocks). Raises MotionletError as `tree_of` does.
    """
    if align < 1 or align > 4096 or align & (align - 1):
        raise MotionletError(f"align is {align}, want a power of two from 1 to 4096")
    tree = tree_of({path: bytes(data) for path, data in files.items()})
    records = _directory(tree, HEADER_BYTES, align)
    if len(records) % 2:
        records += padding(3)  # an image has an even number of bytes
    return MAGIC + varuint(len(records), LENGTH_BYTES) + bytes(records)


def check_path(path):
    """Raise MotionletError unless a file can have this path."""
    if {"", ".", ".."}.intersection(path.split("/")):
        raise MotionletError(f"{path!r} is no path for a file; want one like 'gesture.mlet'")


def tree_of(files):
    """Return {path: content} as a dict for each directory, in one another.

    Raises MotionletError for a path that is empty, absolute, or both a file and a directory.
    """
    tree = {}
    for path, content in files.items():
        check_path(path)
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise MotionletError(f"{path!r}: {parent!r} is a file already")
        if name in node:
            raise MotionletError(f"{path!r} is a directory already")
        node[name] = content
    return tree


def _read_varuint(image, offset, end):
    value = 0
    while offset < end:
        byte = image[offset]
        offset += 1
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, offset
    raise MotionletError(f"not a ROMFS image: it ends at {end} within a number")


def _records(image, offset, end):
    """Yield (kind, head, start, end) of each record between two offsets: its payload's, its own."""
    while offset < end:
        head = offset
        kind, offset = _read_varuint(image, offset, end)
        length, offset = _read_varuint(image, offset, end)
        if kind == 0 or offset + length > end:
            raise MotionletError(f"not a ROMFS image: a bad record ends at offset {offset}")
        yield kind, head, offset, offset + length
        offset += length


def file_offsets(image):
    """Return a dict of path to (offset, size) of each file's data in a ROMFS image.

    Raises MotionletError for an image that is not one. Bytes after the image (the rest of a flash
    partition) are ignored, and so is a second file or directory of one name, as VfsRom does.
    """
    return survey(image)[0]


def survey(image):
    """Return (what `file_offsets` does, (start, end) of every part that VfsRom reads).

    Those parts are the head of every record, names, pointers and the files' data.
    """
    if image[:3] != MAGIC:
        raise MotionletError("not a ROMFS image: it does not start with d2 cd 31")
    length, base = _read_varuint(image, 3, len(image))
    top = base + length
    if top > len(image):
        raise MotionletError(f"not a whole ROMFS image: {len(image)} of {top} bytes")
    found, held = {}, [(0, base)]

    def data_of(path, start, end):
        for kind, head, at, record_end in _records(image, start, end):
            held.append((head, at))
            if kind == DATA:
                return at, record_end - at
            if kind == DATA_POINTER:
                held.append((at, record_end))
                size, at = _read_varuint(image, at, record_end)
                pointer, _ = _read_varuint(image, at, record_end)
                if base + pointer + size > len(image):
                    raise MotionletError(f"not a whole ROMFS image: {path} ends behind it")
                return base + pointer, size
        raise MotionletError(f"not a whole ROMFS image: {path} has no data")

    def walk(start, end, prefix):
        seen = set()
        for kind, head, at, record_end in _records(image, start, end):
            held.append((head, at))
            if kind not in (FILE, DIRECTORY):
                continue
            name_length, name_at = _read_varuint(image, at, record_end)
            inside = name_at + name_length
            held.append((at, inside))
            name = bytes(image[name_at:inside])
            try:
                path = prefix + name.decode()
            except UnicodeDecodeError:
                raise MotionletError(f"not a whole ROMFS image: a name is {name}") from None
            if inside > record_end:
                raise MotionletError(f"not a whole ROMFS image: {path} is cut")
            if path in seen:
                continue
            seen.add(path)
            if kind == DIRECTORY:
                walk(inside, record_end, path + "/")
            else:
                found[path] = data_of(path, inside, record_end)
                held.append((found[path][0], sum(found[path])))

    walk(base, top, "")
    return found, held


def parse_romfs(image):
    """Return the files of a ROMFS image: a dict of path to bytes. Raises MotionletError."""
    return {
        path: bytes(image[offset : offset + size])
        for path, (offset, size) in file_offsets(image).items()
    }
