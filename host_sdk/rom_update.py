"""Change one file of a ROMFS in flash without disturbing the others.

A ROMFS is a read-only filesystem in memory-mapped flash (MicroPython 1.25 and later); a model in
it is used where it lies. This module lays it out so that it can be updated in steps that leave
the old content whole: the first block holds the directory, whose files point to their data in the
blocks behind. New data goes into free blocks; then the one write of the first block makes it seen.

The format, from MicroPython's extmod/vfs_rom.c: a record is (kind, length, payload) with kind and
length as variable-length integers, seven bits a byte, most significant first, the top bit set on
all bytes but the last. The filesystem itself is a record.
"""

from dataclasses import dataclass

from host_sdk.errors import MotionletError

BLOCK = 4096  # bytes erased at once
MAGIC = b"\xd2\xcd\x31"  # the filesystem record's kind
PADDING, VERBATIM, POINTER, DIRECTORY, FILE = 1, 2, 3, 4, 5
LENGTH_BYTES = 4  # the filesystem's length is always written in four, so that offsets are known
HEADER_BYTES = len(MAGIC) + LENGTH_BYTES


@dataclass(frozen=True)
class Entry:
    """Where a file's data lies, in bytes from the start of the partition."""

    offset: int
    size: int


@dataclass
class Update:
    """What to write, in this order: the data, then the directory. Offsets are whole blocks."""

    data: list  # (offset, bytes)
    directory: bytes  # the first block
    entries: dict  # path: Entry, when all is written


def read_entries(read, size):
    """Return {path: Entry} of a ROMFS; {} when there is none.

    `read(offset, length)` returns bytes of the partition of `size` bytes.
    """
    if bytes(read(0, len(MAGIC))) != MAGIC:
        return {}
    length, at = _read_integer(read, len(MAGIC), size)
    entries = {}
    _walk(read, at, min(at + length, size), at, "", entries)
    return entries


def plan_update(read, size, path, data):
    """Plan to store `data` as `path`, beside what is there; an old file of that name is replaced.

    Raises MotionletError when the partition has no room beside the files it holds, the one to be
    replaced among them: it must stay whole until the new one is complete.
    """
    old = read_entries(read, size)
    used = sorted((e.offset // BLOCK, -(-(e.offset + e.size) // BLOCK)) for e in old.values())
    entries, writes = {}, []

    def place(name, content):
        first = _free_blocks(used, -(-len(content) // BLOCK), size // BLOCK)
        if first is None:
            raise MotionletError(
                f"{name} takes {len(content)} bytes and finds no room in the ROMFS of {size} "
                f"bytes beside {', '.join(sorted(old)) or 'its directory'}; erase it first"
            )
        used.append((first, first + -(-len(content) // BLOCK)))
        used.sort()
        entries[name] = Entry(first * BLOCK, len(content))
        padding = bytes(-len(content) % BLOCK)
        writes.append((first * BLOCK, content + padding))

    for name, entry in old.items():
        if name == path:
            continue
        if entry.offset < BLOCK and entry.size:
            place(name, bytes(read(entry.offset, entry.size)))  # from under the new directory
        else:
            entries[name] = entry
    place(path, data)
    return Update(writes, _directory(entries, size), entries)


def build(files, size=None):
    """Return a whole image of {path: bytes}, cut behind the last file; `size` limits it."""
    limit = size or (1 << 24)
    image = bytearray(b"\xff" * BLOCK)
    entries = {}
    for path, data in files.items():
        image += b"\xff" * (-len(image) % 16)
        entries[path] = Entry(len(image), len(data))
        image += data
    if len(image) > limit:
        raise MotionletError(f"the ROMFS image takes {len(image)} bytes, there are {limit}")
    image[:BLOCK] = _directory(entries, limit)
    return bytes(image)


def _free_blocks(used, count, blocks):
    """Return the first of `count` free blocks in a row, behind block 0, or None."""
    at = 1
    for first, end in used:
        if at + count <= first:
            return at
        at = max(at, end)
    return at if at + count <= blocks else None


def _directory(entries, size):
    """Return the first block: the directory, and a padding record over all data."""
    tree = {}
    for path, entry in sorted(entries.items()):
        *folders, name = path.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = entry
    records = _records(tree)
    end = max([BLOCK, *(entry.offset + entry.size for entry in entries.values())])
    padding_head = bytes([PADDING]) + _fixed_integer(0)
    rest = end - HEADER_BYTES - len(records) - len(padding_head)
    if rest < end - BLOCK:
        raise MotionletError(f"the names of {len(entries)} files do not fit in {BLOCK} bytes")
    assert end <= size
    block = MAGIC + _fixed_integer(end - HEADER_BYTES)
    block += records + bytes([PADDING]) + _fixed_integer(rest)
    return block + b"\xff" * (BLOCK - len(block))


def _records(tree):
    out = b""
    for name, node in tree.items():
        if isinstance(node, Entry):
            pointer = _integer(node.size) + _integer(node.offset - HEADER_BYTES)
            kind, content = FILE, bytes([POINTER]) + _integer(len(pointer)) + pointer
        else:
            kind, content = DIRECTORY, _records(node)
        payload = _integer(len(name.encode())) + name.encode() + content
        out += bytes([kind]) + _integer(len(payload)) + payload
    return out


def _integer(value):
    out = bytes([value & 0x7F])
    while value := value >> 7:
        out = bytes([0x80 | value & 0x7F]) + out
    return out


def _fixed_integer(value):
    out = _integer(value)
    return b"\x80" * (LENGTH_BYTES - len(out)) + out


def _read_integer(read, at, end):
    value = 0
    while at < end:
        byte = read(at, 1)[0]
        value, at = value << 7 | byte & 0x7F, at + 1
        if not byte & 0x80:
            return value, at
    raise MotionletError("the ROMFS on the device is damaged; erase it to start anew")


def _walk(read, at, end, base, folder, entries):
    while at < end:
        kind, at = _read_integer(read, at, end)
        length, at = _read_integer(read, at, end)
        following = at + length
        if kind in (DIRECTORY, FILE):
            name_length, at = _read_integer(read, at, end)
            path = folder + bytes(read(at, name_length)).decode()
            if kind == DIRECTORY:
                _walk(read, at + name_length, following, base, path + "/", entries)
            else:
                entries[path] = _find_data(read, at + name_length, following, base)
        at = following


def _find_data(read, at, end, base):
    while at < end:
        kind, at = _read_integer(read, at, end)
        length, at = _read_integer(read, at, end)
        if kind == VERBATIM:
            return Entry(at, length)
        if kind == POINTER:
            size, at = _read_integer(read, at, end)
            offset, _ = _read_integer(read, at, end)
            return Entry(base + offset, size)
        at += length
    return Entry(end, 0)
