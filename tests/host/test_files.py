"""Files that are read back: whole, or a line that names them."""

import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host_sdk import files, native, paths
from host_sdk.data import load_task
from host_sdk.data.clips import load_clip
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph, save_graph
from host_sdk.networks import import_keras, load_network
from host_sdk.train import run_folder
from host_sdk.train.loop import load_checkpoint


@pytest.fixture(scope="module")
def samples(tmp_path_factory, make_vectors):
    """{file: how to read it} of what numpy and zipfile unpack."""
    folder = tmp_path_factory.mktemp("files")
    clip = np.random.default_rng(0).integers(0, 256, (4, 5, 6), np.uint8)
    np.save(folder / "clip.npy", clip)
    np.savez(folder / "clip.npz", clip)
    np.savez_compressed(folder / "small.npz", clip)
    save_graph(make_vectors.tiny_tsm(), folder / "model.graph")
    readers = {"clip.npy": load_clip, "clip.npz": load_clip, "small.npz": load_clip}
    return {folder / name: read for name, read in {**readers, "model.graph": load_graph}.items()}


def read_or_refuse(read, path):
    """A file is read as if it were whole, or refused by name."""
    try:
        read(path)
        named = True
    except MotionletError as error:
        named = str(path) in str(error)
    assert named


@example(number=0, length=0, changes=[])  # numpy has an EOFError for this one alone
@given(
    number=st.integers(0, 3),
    length=st.one_of(st.none(), st.integers(0, 2000)),
    changes=st.lists(st.tuples(st.integers(-400, 400), st.integers(0, 255)), max_size=4),
)
def test_damaged_files(samples, number, length, changes):
    path, read = list(samples.items())[number]
    content = bytearray(path.read_bytes()[:length])
    for at, value in changes:
        if -len(content) <= at < len(content):
            content[at] = value
    damaged = path.with_name(f"damaged{path.suffix}")
    damaged.write_bytes(content)
    read_or_refuse(read, damaged)


def test_every_byte_of_a_compressed_clip(samples):
    path, read = list(samples.items())[2]
    content = path.read_bytes()
    for at in range(len(content)):
        damaged = path.with_name("damaged.npz")
        damaged.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        read_or_refuse(read, damaged)


def test_an_archive_of_other_things(tmp_path):
    with zipfile.ZipFile(tmp_path / "clip.npz", "w") as archive:
        archive.writestr("letter.txt", "Dear Sir")
    with pytest.raises(MotionletError, match=r"clip\.npz: not a \.npy or \.npz file$"):
        load_clip(tmp_path / "clip.npz")


def npy(shape, dtype, content=b""):
    """Return an array's file that claims a shape and a type, whatever follows."""
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content


def test_a_file_that_claims_more_than_it_has(tmp_path):
    path = tmp_path / "clip.npy"
    path.write_bytes(npy((1 << 40, 32, 32), "|u1", bytes(100)))
    with pytest.raises(MotionletError, match=r"clip\.npy: cut short: 100 of 1,125,899,906,842"):
        load_clip(path)
    path.write_bytes(npy((-1, 1, 1), "|u1", bytes(100)))  # which numpy takes for "all there is"
    with pytest.raises(MotionletError, match=r"clip\.npy: not a \.npy or \.npz file$"):
        load_clip(path)


@pytest.mark.parametrize("name", ["clip.npy", "notes.txt"])
def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch, name):
    """1,000 times as many bytes as the file has, in an array or beside it."""
    monkeypatch.setattr(files, "LARGEST", 10_000_000)
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.npy", npy((4, 5, 6), "|u1", bytes(120)))
        archive.writestr(name, npy((10_000_000, 1, 1), "|u1", bytes(10_000_000)))
    assert path.stat().st_size < 20_000
    for read in (load_clip, load_graph, load_checkpoint):
        tracemalloc.start()
        with pytest.raises(MotionletError, match=r"bomb\.npz: unpacked it has 10,0\d\d,"):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
        tracemalloc.stop()


def test_a_member_that_claims_less_than_its_array(tmp_path):
    """Of a member no more is unpacked than the archive's list says."""
    path = tmp_path / "clip.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip.npy", npy((1 << 40, 1, 1), "|u1", bytes(1000)))
    with pytest.raises(MotionletError, match=r"clip\.npz: not a "):
        load_clip(path)


def test_an_array_of_objects(tmp_path):
    ragged = np.empty(2, object)
    ragged[:] = [np.zeros((2, 2)), np.zeros((3, 3))]
    np.save(tmp_path / "clip.npy", ragged, allow_pickle=True)
    np.savez(tmp_path / "clip.npz", ragged)
    for name in ("clip.npy", "clip.npz"):
        with pytest.raises(MotionletError, match=f"{name}: an array of Python objects, .*; want "):
            load_clip(tmp_path / name)


def test_json_that_is_nested_without_end(tmp_path):
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(MotionletError, match=r"x\.json is not what `train` writes"):
        files.read_json(tmp_path / "x.json", "train")


@pytest.fixture(scope="module")
def keras():
    return import_keras()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_network_that_would_run_code(tmp_path, keras, suffix):
    """A Lambda layer holds Python's bytecode; old Keras ran it when it came in an old format."""
    layers = [keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)]
    path = tmp_path / f"model{suffix}"
    keras.Sequential(layers).save(path)
    with pytest.raises(MotionletError, match=r"model\.\w+ is not a Keras model: .*[Ll]ambda"):
        load_network(path)


def test_a_network_that_is_a_bomb(tmp_path, monkeypatch, keras):
    monkeypatch.setattr(files, "LARGEST", 10_000_000)
    with zipfile.ZipFile(tmp_path / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", bytes(10_000_001))
    with pytest.raises(MotionletError, match=r"keras is not .*: unpacked it has 10,000,001 b"):
        load_network(tmp_path / "model.keras")


class Network:
    """Saves itself as a Keras model does."""

    def save(self, path):
        path.write_text("new")


def test_a_full_disk_leaves_the_run_as_it_was(tmp_path, monkeypatch):
    names = ("model.keras", "train.json", run_folder.CHECKPOINT, *run_folder.DERIVED)
    for name in names:
        (tmp_path / name).write_text("old")

    def full(path, value):
        raise MotionletError(f"{path}: No space left on device")

    monkeypatch.setattr(run_folder, "write_json", full)
    with pytest.raises(MotionletError, match=r"train\.json: No space"):
        run_folder.write_run(tmp_path, Network(), {})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        names, "old"
    )
    monkeypatch.undo()
    run_folder.write_run(tmp_path, Network(), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.keras", "train.json"]
    assert (tmp_path / "model.keras").read_text() == "new"


def test_build_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "build").touch()
    monkeypatch.setattr(paths, "build", lambda: tmp_path / "build")
    (tmp_path / "clips/one").mkdir(parents=True)
    with pytest.raises(MotionletError, match=r"cannot make .*/build/clips: Not a dir"):
        load_task(str(tmp_path / "clips"))
    with pytest.raises(MotionletError, match=r"cannot make .*/build/native/mlet-\w+: Not a dir"):
        native.library.__wrapped__()  # which keeps what it found


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    for name, why in (("file/x", "Not a directory"), ("x" * 300, "File name too long")):
        with pytest.raises(MotionletError, match=f"{name}: {why}$"):
            files.write(tmp_path / name, b"text")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "model").write_text("old")
    (tmp_path / "link").symlink_to("model")
    files.write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model").read_text() == "new"


def test_what_is_no_file_is_not_replaced(tmp_path):
    """A terminal here; for root, `-o /dev/null` would make a file of what all programs share."""
    master, slave = os.openpty()
    try:
        name = os.ttyname(slave)
        before = os.stat(name)
        files.write(name, b"text")
        assert os.read(master, 10) == b"text"
        assert os.path.samestat(os.stat(name), before)
    finally:
        os.close(master)
        os.close(slave)
    with pytest.raises(MotionletError, match=r"Is a directory$"):
        files.write(tmp_path, b"text")
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_name_cannot_be_guessed(tmp_path):
    """Two at once do not meet, and a file that is there is not written through."""
    with files.replacing(tmp_path / "model") as first, files.replacing(tmp_path / "model") as other:
        assert first != other
        assert first.exists()  # taken, so that no link can be put there
        first.write_text("first")
        other.write_text("other")
    assert (tmp_path / "model").read_text() == "first"
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "model", b"")
        assert (tmp_path / "model").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_name_that_is_taken_is_not_written_through(tmp_path, monkeypatch):
    monkeypatch.setattr(files.secrets, "token_hex", lambda count: "guessed")
    (tmp_path / "other").write_text("as it was")
    (tmp_path / "model.guessed.tmp").symlink_to("other")
    with pytest.raises(MotionletError, match="model: File exists"):
        files.write(tmp_path / "model", b"new")
    assert (tmp_path / "other").read_text() == "as it was"
