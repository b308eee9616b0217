"""Change the files of a ROMFS in flash: whenever power fails, all of them are there, old or new.

The first block holds no directory, only a way to it: records that VfsRom skips one by one, each a
slot in which a jump can be written. To change anything, data and a whole new directory go to
blocks that nothing uses, a jump to that directory into a free slot, and then one bit of that
slot's length is cleared: the slot ends early, VfsRom comes upon the jump, and never at those
behind it. Before that bit the old directory is in force, after it the new one; a bit is not halved.
docs/power.md has the layout, and what is done when no slot is left.
"""

from dataclasses import dataclass

from host_sdk.board.romfs import (
    DATA_POINTER,
    DIRECTORY,
    FILE,
    HEADER_BYTES,
    LENGTH_BYTES,
    MAGIC,
    PADDING,
    padding,
    record,
    survey,
    tree_of,
    varuint,
)
from host_sdk.errors import MotionletError

BLOCK = 4096  # bytes erased at once
COPY = "/_mlet_romfs"  # the file that the first block is in meanwhile: device/motionlet/mend.py
SLOT = 16
SLOTS = BLOCK // SLOT - 2  # between the header and the jump that is taken where no other is
JUMP_BYTES = 1 + LENGTH_BYTES
# Of an unused slot; with one bit of its length cleared it ends where its jump begins.
UNUSED = bytes([PADDING, SLOT - 2]) + b"\xff" * (SLOT - 2)
TAKEN = bytes([PADDING, (SLOT - 2) & ~8])
JUMP_AT = len(TAKEN) + TAKEN[1]


@dataclass
class Update:
    """What to write, in this order: the data, then the jump, or else the first block."""

    data: list  # (offset, bytes), both in whole blocks
    slot: int | None  # the offset of a free slot; None: the first block must be written anew
    directory: int  # the offset of the new directory; that of the end when there is no file
    files: dict  # path: (offset, size), when all is written

    @property
    def jump(self):
        """What the free slot is to hold, before the bit of its length is cleared."""
        return filled_slot(self.slot, self.directory)


def plan_update(partition, path, data):
    """Plan to store `data` as `path`, beside what is there; an old file of that name is replaced.

    `partition`: the ROMFS partition's bytes, or something that is sliced and has a length like
    them. With `data` None the file is removed. Raises MotionletError for a path that no file can
    have beside the others, or when there is no room beside the files it holds, the one to be
    replaced among them: it must stay whole until the new one is complete.
    """
    size = len(partition)
    old, held = {}, [(0, BLOCK)]
    if bytes(partition[:3]) == MAGIC:
        try:
            old, parts = survey(partition)
        except MotionletError as error:
            raise MotionletError(f"the ROMFS there is damaged ({error}); erase it first") from None
        held += parts
    files = {name: place for name, place in old.items() if name != path}
    if data is not None:
        tree_of(dict.fromkeys([*files, path]))
    used = {block for start, end in held for block in range(start // BLOCK, _blocks(end))}
    writes = []

    def place(what, content):
        count = _blocks(len(content))
        first = _find_free(used, count, size // BLOCK)
        if first is None:
            raise MotionletError(
                f"{what}: {len(content)} bytes find no room in the ROMFS of {size} bytes beside "
                f"{', '.join(sorted(old)) or 'its first block'}; erase it first"
            )
        used.update(range(first, first + count))
        writes.append((first * BLOCK, content.ljust(count * BLOCK, b"\xff")))
        return first * BLOCK

    for name, (start, count) in files.items():
        if start < BLOCK and count:  # from where jumps will be
            files[name] = (place(name, bytes(partition[start : start + count])), count)
    if not files and data is None:
        return Update(writes, _free_slot(partition), size, files)  # nothing is the end
    # The directory lies behind the data that it comes with, mostly in the same block.
    content = b""
    if data is not None:
        content = bytes(data)
        files[path] = (0, len(content))
    room = bytes(len(directory(files, 0, size)))
    start = place("a directory" if data is None else f"{path} and the directory", content + room)
    if data is not None:
        files[path] = (start, len(content))
    at = start + len(content)
    whole = content + directory(files, at, size)
    writes[-1] = (start, whole.ljust(len(writes[-1][1]), b"\xff"))
    return Update(writes, _free_slot(partition), at, files)


def first_block(size, target):
    """Return the first block of a ROMFS of `size` bytes, with a jump to the directory at `target`.

    None: with no jump; such a ROMFS is empty.
    """
    block = MAGIC + varuint(size - HEADER_BYTES, LENGTH_BYTES)
    block += padding(SLOT - len(block)) + UNUSED * SLOTS
    if target is not None:
        block = block[:-SLOT] + TAKEN + filled_slot(len(block) - SLOT, target)[len(TAKEN) :]
    return block + _jump(len(block), size).ljust(SLOT, b"\xff")


def filled_slot(slot, target):
    """Return an unused slot with a jump in it from there to the offset `target`."""
    return UNUSED[:JUMP_AT] + _jump(slot + JUMP_AT, target).ljust(SLOT - JUMP_AT, b"\xff")


def directory(files, offset, size):
    """Return the directory of `files`, {path: (offset, size)}, itself at `offset`; it ends all."""
    records = _records(tree_of(dict(sorted(files.items()))))
    return records + _jump(offset + len(records), size)


def _jump(offset, target):
    """Return the head of a padding record at `offset` that ends at `target`."""
    return varuint(PADDING) + varuint(target - offset - JUMP_BYTES, LENGTH_BYTES)


def _blocks(size):
    return -(-size // BLOCK)


def _find_free(used, count, blocks):
    """Return the first of `count` free blocks in a row, or None."""
    run = 0
    for block in range(blocks):
        run = 0 if block in used else run + 1
        if run == count:
            return block - count + 1
    return None


def _free_slot(partition):
    """Return the offset of the last free slot before the jump that is taken; None without one.

    A slot that is neither is one that lost power while it was filled.
    """
    size, free = len(partition), None
    if bytes(partition[:SLOT]) != first_block(size, None)[:SLOT]:
        return None
    for slot in range(SLOT, BLOCK - SLOT, SLOT):
        content = bytes(partition[slot : slot + SLOT])
        if content[: len(TAKEN)] == TAKEN:
            return free
        if content == UNUSED:
            free = slot
    return None


def _records(tree):
    out = b""
    for name, node in tree.items():
        name = name.encode()
        if isinstance(node, dict):
            kind, content = DIRECTORY, _records(node)
        else:
            start, size = node
            kind = FILE
            pointer = varuint(max(start - HEADER_BYTES, 0), LENGTH_BYTES)
            content = record(DATA_POINTER, varuint(size) + pointer)
        out += record(kind, varuint(len(name)) + name + content)
    return out
