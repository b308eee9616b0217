"""ROMFS images: what is built is parsed back, aligned, and mounted by real MicroPython."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_sdk.board.romfs import build_romfs, file_offsets, parse_romfs
from host_sdk.errors import MotionletError

FILES = {
    "gesture.mlet": bytes(range(256)) * 5 + b"odd",
    "empty": b"",
    "one": b"1",
    "lib/deep/er.py": b"value = 41\n",
    "lib/zero": bytes(127),
    **{f"many/{number}": bytes([number]) * number for number in range(60)},
}

names = st.text("abcdefg._-", min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
trees = st.dictionaries(
    names,
    st.one_of(st.binary(max_size=300), st.dictionaries(names, st.binary(max_size=40), max_size=4)),
    max_size=8,
)


def flat(tree):
    files = {}
    for name, content in tree.items():
        if isinstance(content, dict):
            files.update({f"{name}/{inner}": data for inner, data in content.items()})
        else:
            files[name] = content
    return files


@given(tree=trees, align=st.sampled_from([1, 2, 4, 16, 64, 4096]))
def test_what_is_built_is_parsed_back_and_aligned(tree, align):
    files = flat(tree)
    image = build_romfs(files, align)
    assert parse_romfs(image) == files
    assert parse_romfs(image + b"\xff" * 100) == files
    assert all(offset % align == 0 for offset, _ in file_offsets(image).values())
    assert len(image) % 2 == 0


def test_every_gap_between_files_can_be_padded():
    # Sizes that put the next file's data at every offset modulo 64, and at every varuint length.
    for size in [*range(130), 16380, 16384, 16390]:
        files = {"a": bytes(size), "b": b"data"}
        assert parse_romfs(build_romfs(files, 64)) == files


def test_it_agrees_with_mpremote():
    """Another writer of the format: its images parse to the same files."""
    romfs = pytest.importorskip("mpremote.romfs")
    writer = romfs.VfsRomWriter()
    writer.mkfile("a.txt", b"abc")
    writer.opendir("d")
    writer.mkfile("e", bytes(200))
    writer.closedir()
    image = writer.finalise()
    assert parse_romfs(image) == {"a.txt": b"abc", "d/e": bytes(200)}


def test_a_data_pointer_is_followed():
    romfs = pytest.importorskip("mpremote.romfs")
    writer = romfs.VfsRomWriter()
    offset = writer.mkdata(b"shared")
    writer.mkfile("f", (6, offset))
    assert parse_romfs(writer.finalise()) == {"f": b"shared"}


@pytest.mark.parametrize("path", ["", "/absolute", "a//b", "a/../b", "./a", "a/"])
def test_bad_paths_are_refused(path):
    with pytest.raises(MotionletError, match="is no path for a file"):
        build_romfs({path: b""})


def test_a_file_is_no_directory():
    with pytest.raises(MotionletError, match="'a' is a file already"):
        build_romfs({"a": b"", "a/b": b""})
    with pytest.raises(MotionletError, match="'a' is a directory already"):
        build_romfs({"a/b": b"", "a": b""})


@pytest.mark.parametrize("align", [0, 3, -16, 8192])
def test_bad_alignments_are_refused(align):
    with pytest.raises(MotionletError, match="power of two"):
        build_romfs({}, align)


def test_a_cut_image_never_parses_as_whole():
    image = build_romfs(FILES)
    for size in range(len(image)):
        with pytest.raises(MotionletError, match="ROMFS"):
            parse_romfs(image[:size])


def test_a_damaged_image_never_crashes():
    image = bytearray(build_romfs({"a/b": b"12345", "c": b""}))
    for at in range(3, len(image)):
        for bit in range(8):
            damaged = bytearray(image)
            damaged[at] ^= 1 << bit
            try:
                parse_romfs(damaged)
            except MotionletError:
                continue


WALK = """
import os, uctypes, binascii
def walk(path):
    for entry in os.ilistdir(path):
        name = path + "/" + entry[0]
        if entry[1] == 0x4000:
            walk(name)
        else:
            with open(name, "rb") as file:
                view = memoryview(file)
                address = uctypes.addressof(view) if len(view) else 0
                print(name[5:], len(view), address % 16, binascii.crc32(view))
walk("/rom")
import sys
sys.path.append("/rom/lib/deep")
import er
print(er.value + 1)
"""


def test_micropython_mounts_it_aligned(device):
    import binascii

    if not device.romfs_bytes():
        pytest.skip("no ROMFS in this firmware")
    device.write_romfs(build_romfs(FILES))
    *lines, answer = device.exec(WALK).splitlines()
    expected = [f"{path} {len(data)} 0 {binascii.crc32(data)}" for path, data in FILES.items()]
    assert sorted(lines) == sorted(expected)
    assert answer == "42"
