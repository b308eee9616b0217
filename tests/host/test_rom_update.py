"""Updates of a ROMFS: the old content stays whole until the last write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.board.rom_update import BLOCK, plan_update
from host_sdk.board.romfs import build_romfs, parse_romfs
from host_sdk.errors import MotionletError

SIZE = 16 * BLOCK
names = st.sampled_from(["a.mlet", "b.mlet", "lib/c.py", "lib/deep/d"])
contents = st.binary(max_size=300).flatmap(
    lambda seed: st.integers(0, 40).map(lambda times: seed * times)
)


def erased():
    return bytearray(b"\xff" * SIZE)


def apply(partition, update):
    """Write an update, checking after each block that what was there can still be read."""
    before = parse_romfs(partition) if partition[0] != 0xFF else {}
    for offset, content in update.data:
        assert offset % BLOCK == 0
        assert len(content) % BLOCK == 0
        for at in range(0, len(content), BLOCK):
            partition[offset + at : offset + at + BLOCK] = content[at : at + BLOCK]
            assert (parse_romfs(partition) if partition[0] != 0xFF else {}) == before
    assert len(update.directory) == BLOCK
    partition[:BLOCK] = update.directory


@given(st.lists(st.tuples(names, contents), max_size=6))
def test_every_update_shows_its_file_and_keeps_the_others(changes):
    partition, expected = erased(), {}
    for path, data in changes:
        try:
            update = plan_update(partition, path, data)
        except MotionletError:
            assert len(data) > BLOCK  # small ones always fit
            continue
        apply(partition, update)
        expected[path] = data
        assert parse_romfs(partition) == expected
        assert all(start % 16 == 0 for start, _ in update.files.values())


def test_an_image_made_otherwise_is_taken_over():
    files = {"small": b"in the first block", "big": bytes(3 * BLOCK), "lib/x.py": b"x = 1\n"}
    partition = erased()
    image = build_romfs(files)
    partition[: len(image)] = image
    apply(partition, plan_update(partition, "new.mlet", b"model" * 1000))
    assert parse_romfs(partition) == {**files, "new.mlet": b"model" * 1000}


def test_it_says_what_is_in_the_way():
    partition = erased()
    apply(partition, plan_update(partition, "old.mlet", bytes(8 * BLOCK)))
    with pytest.raises(MotionletError, match=r"36864 bytes .* 65536 bytes beside old\.mlet; erase"):
        plan_update(partition, "old.mlet", bytes(9 * BLOCK))


def test_a_damaged_directory_is_named():
    partition = erased()
    apply(partition, plan_update(partition, "old.mlet", b"data"))
    partition[7] = 0
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
    partition = erased()
    apply(partition, plan_update(partition, "lib/c.py", b"c = 1\n"))
    with pytest.raises(MotionletError, match=message):
        plan_update(partition, path, b"model")


def test_too_many_names_are_refused():
    partition = erased()
    image = build_romfs({f"a-rather-long-name-{i:04}": b"" for i in range(200)})
    partition[: len(image)] = image
    with pytest.raises(MotionletError, match="do not fit"):
        plan_update(partition, "one.mlet", b"")
