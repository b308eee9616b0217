"""Updates of a ROMFS: whatever has been written, all files are there, old or new."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.board.rom_update import BLOCK, SLOTS, TAKEN, UNUSED, first_block, plan_update
from host_sdk.board.romfs import MAGIC, build_romfs, parse_romfs, survey
from host_sdk.errors import MotionletError

SIZE = 16 * BLOCK
names = st.sampled_from(["a.mlet", "b.mlet", "lib/c.py", "lib/deep/d"])
contents = st.binary(max_size=300).flatmap(
    lambda seed: st.integers(0, 40).map(lambda times: seed * times)
)


def flash_with(image=b"", size=SIZE):
    return bytearray(image.ljust(size, b"\xff"))


def files_in(partition):
    return parse_romfs(partition) if partition[:3] == MAGIC else {}


def program(partition, offset, data):
    """Clear bits, as flash does without an erase."""
    for at, byte in enumerate(data, offset):
        assert not byte & ~partition[at], "a program cannot set a bit"
        partition[at] &= byte


def apply(partition, update):
    """Write an update, checking after each step that what was there can still be read."""
    before = files_in(partition)
    for offset, content in update.data:
        assert offset % BLOCK == len(content) % BLOCK == 0 < offset
        for at in range(0, len(content), BLOCK):
            partition[offset + at : offset + at + BLOCK] = b"\xff" * BLOCK
            assert files_in(partition) == before
            partition[offset + at : offset + at + BLOCK] = content[at : at + BLOCK]
            assert files_in(partition) == before
    if update.slot is None:
        partition[:BLOCK] = first_block(len(partition), update.directory)
        return
    program(partition, update.slot, update.jump)
    assert files_in(partition) == before
    changed = partition[update.slot + 1] ^ TAKEN[1]
    assert changed.bit_count() == 1
    program(partition, update.slot, TAKEN)


@given(st.lists(st.tuples(names, st.none() | contents), max_size=8))
def test_every_update_shows_its_file_and_keeps_the_others(changes):
    partition, expected = flash_with(), {}
    for path, data in changes:
        if data is None and path not in expected:
            continue
        try:
            update = plan_update(partition, path, data)
        except MotionletError:
            assert data is None or len(data) > BLOCK  # small ones always fit
            continue
        apply(partition, update)
        if data is None:
            del expected[path]
        else:
            expected[path] = data
            assert update.files[path][0] % BLOCK == 0
        assert parse_romfs(partition) == expected


@given(st.integers(0, 2**32), st.sampled_from([1, 16, 2048, 4096]))
def test_an_image_made_otherwise_is_taken_over(seed, align):
    chance = random.Random(seed)
    files = {
        f"{chance.choice(['', 'd/', 'd/e/'])}{i}": chance.randbytes(chance.choice([1, 500, 5000]))
        for i in range(chance.randrange(1, 7))
    }
    partition = flash_with(build_romfs(files, align), 40 * BLOCK)
    old = chance.choice([*files, "new"])
    for turn in range(3):
        files[old] = bytes([turn]) * chance.randrange(9000)
        apply(partition, plan_update(partition, old, files[old]))
        assert parse_romfs(partition) == files


@pytest.mark.parametrize("align", [2048, 4096])
def test_a_block_with_the_head_of_a_record_is_in_use(align):
    image = build_romfs({"a": bytes(10), "b": bytes(4096), "c": bytes(10)}, align)
    files, parts = survey(image)
    data = {start // BLOCK for start, size in files.values() for start in (start, start + size - 1)}
    held = {start // BLOCK for start, _ in parts}
    assert (held != data) == (align == 4096)  # then a block holds but the head of c
    update = plan_update(flash_with(image), "b", bytes(4096))
    assert not {offset // BLOCK for offset, _ in update.data} & (held | data)


def test_slots_are_used_up_one_after_another():
    partition, model = flash_with(), b""
    for turn in range(SLOTS + 2):
        model = turn.to_bytes(2, "big")
        update = plan_update(partition, "m", model)
        assert (update.slot is None) == (turn in (0, SLOTS)), turn
        apply(partition, update)
        assert parse_romfs(partition) == {"m": model}


def test_a_slot_that_was_half_filled_is_left_alone():
    partition = flash_with()
    apply(partition, plan_update(partition, "m", b"old"))
    torn = plan_update(partition, "m", b"new")
    partition[torn.slot + 9] &= 0x55
    update = plan_update(partition, "m", b"new")
    assert update.slot < torn.slot
    apply(partition, update)
    assert parse_romfs(partition) == {"m": b"new"}


def test_a_first_block_that_only_begins_like_ours():
    partition = flash_with(first_block(SIZE, None))
    assert parse_romfs(partition) == {}
    assert plan_update(partition, "m", b"m").slot is None  # no jump is taken there
    image = first_block(SIZE, None)[:16] + UNUSED
    image = MAGIC + bytes([0x80, 0x80, 0x80, 0x80, len(image) - 8]) + image[8:]
    assert plan_update(flash_with(image), "m", b"m").slot is None


def test_the_last_file_is_removed_from_a_rom_that_is_full():
    partition = flash_with()
    whole = bytes(SIZE - BLOCK - 100)
    apply(partition, plan_update(partition, "m", whole))
    with pytest.raises(MotionletError, match="find no room"):
        plan_update(partition, "n", b"")
    update = plan_update(partition, "m", None)
    assert not update.data
    apply(partition, update)
    assert parse_romfs(partition) == {}
    apply(partition, plan_update(partition, "n", whole))
    assert parse_romfs(partition) == {"n": whole}


def test_it_says_what_is_in_the_way():
    partition = flash_with()
    apply(partition, plan_update(partition, "old.mlet", bytes(8 * BLOCK)))
    with pytest.raises(MotionletError, match=r"and .*: 368\d\d bytes .* beside old\.mlet; erase"):
        plan_update(partition, "old.mlet", bytes(9 * BLOCK))


def test_a_damaged_directory_is_named():
    partition = flash_with()
    apply(partition, plan_update(partition, "old.mlet", b"data"))
    partition[8] = 0
    with pytest.raises(MotionletError, match=r"damaged .*; erase it first"):
        plan_update(partition, "new.mlet", b"data")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("lib", "'lib' is a directory already"),
        ("lib/c.py/x", "'lib/c.py/x': 'c.py' is a file already"),
        ("/a.mlet", "'/a.mlet' is no path for a file"),
        ("../a.mlet", r"'\.\./a\.mlet' is no path"),
    ],
)
def test_a_path_that_no_file_can_have(path, message):
    partition = flash_with()
    apply(partition, plan_update(partition, "lib/c.py", b"c = 1\n"))
    with pytest.raises(MotionletError, match=message):
        plan_update(partition, path, b"model")


def test_a_directory_may_take_several_blocks():
    files = {f"a-rather-long-name-{i:04}": b"" for i in range(200)}
    partition = flash_with(build_romfs(files))
    apply(partition, plan_update(partition, "one.mlet", b"1"))
    assert parse_romfs(partition) == {**files, "one.mlet": b"1"}
