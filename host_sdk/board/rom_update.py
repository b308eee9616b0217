"""Change one file of a ROMFS in flash without disturbing the others.

The first block of flash holds the directory, whose files point to their data in the blocks behind.
New data goes into free blocks; then the one write of the first block makes it seen. Until then the
old content is whole.
"""

from dataclasses import dataclass

from host_sdk.board.romfs import (
    DATA_POINTER,
    DIRECTORY,
    FILE,
    MAGIC,
    PADDING,
    file_offsets,
    record,
    tree_of,
    varuint,
)
from host_sdk.errors import MotionletError

BLOCK = 4096  # bytes erased at once
LENGTH_BYTES = 4  # of every length here, so that offsets do not depend on it
HEADER_BYTES = len(MAGIC) + LENGTH_BYTES


@dataclass
class Update:
    """What to write, in this order: the data, then the directory. Offsets are whole blocks."""

    data: list  # (offset, bytes)
    directory: bytes  # the first block
    files: dict  # path: (offset, size), when all is written


def plan_update(partition, path, data):
    """Plan to store `data` as `path`, beside what is there; an old file of that name is replaced.

    `partition`: the ROMFS partition's bytes, or something that is sliced and has a length like
    them. Raises MotionletError for a path that no file can have beside the others, or when there is
    no room beside the files it holds, the one to be replaced among them: it must stay whole until
    the new one is complete.
    """
    size = len(partition)
    try:
        old = file_offsets(partition) if bytes(partition[:3]) == MAGIC else {}
    except MotionletError as error:
        raise MotionletError(f"the ROMFS there is damaged ({error}); erase it first") from None
    tree_of(dict.fromkeys([*(old.keys() - {path}), path]))
    used = [(start // BLOCK, _blocks(start + count)) for start, count in old.values()]
    files, writes = {}, []

    def place(name, content):
        count = _blocks(len(content))
        first = _find_free(used, count, size // BLOCK)
        if first is None:
            raise MotionletError(
                f"{name} takes {len(content)} bytes and finds no room in the ROMFS of {size} "
                f"bytes beside {', '.join(sorted(old)) or 'its directory'}; erase it first"
            )
        used.append((first, first + count))
        files[name] = (first * BLOCK, len(content))
        writes.append((first * BLOCK, content.ljust(count * BLOCK, b"\xff")))

    for name, (start, count) in old.items():
        if name != path and start < BLOCK:
            place(name, bytes(partition[start : start + count]))  # from under the new directory
        elif name != path:
            files[name] = (start, count)
    place(path, bytes(data))
    return Update(writes, _directory_block(files), files)


def _blocks(size):
    return -(-size // BLOCK)


def _find_free(used, count, blocks):
    """Return the first of `count` free blocks in a row, behind block 0, or None."""
    at = 1
    for first, end in sorted(used):
        if at + count <= first:
            break
        at = max(at, end)
    return at if at + count <= blocks else None


def _directory_block(files):
    """Return the first block: the directory, and the head of a padding record over all data."""
    records = _records(tree_of(dict(sorted(files.items()))))
    end = max([BLOCK, *(start + count for start, count in files.values())])
    rest = end - HEADER_BYTES - len(records) - 1 - LENGTH_BYTES
    block = MAGIC + varuint(end - HEADER_BYTES, LENGTH_BYTES) + records
    block += varuint(PADDING) + varuint(max(rest, 0), LENGTH_BYTES)
    if len(block) > BLOCK:
        raise MotionletError(f"the names of {len(files)} files do not fit in {BLOCK} bytes")
    return block.ljust(BLOCK, b"\xff")


def _records(tree):
    out = b""
    for name, node in tree.items():
        name = name.encode()
        if isinstance(node, dict):
            kind, content = DIRECTORY, _records(node)
        else:
            start, size = node
            kind = FILE
            content = record(DATA_POINTER, varuint(size) + varuint(start - HEADER_BYTES))
        out += record(kind, varuint(len(name)) + name + content)
    return out
