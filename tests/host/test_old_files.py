"""Files of earlier versions, stored in tests/vectors: they load and compute what they always did.

They were written by the release before format version 4.
"""

import struct
import zlib

import numpy as np
import pytest

from host_sdk import golden, native, paths
from host_sdk.errors import MotionletError
from host_sdk.format.graph import load_graph
from host_sdk.pack import mlet_file, planner

VECTORS = paths.repository() / "tests/vectors"
FILES = sorted(VECTORS.glob("*.mlet"))
SUFFIXES = ("_m0", "_s3", "_whole")
CANONICAL = [path for path in FILES if not path.stem.endswith(("_m0", "_s3"))]
# Packed when that target's kernels took less scratch: to be deployed again.
LITTLE_SCRATCH = {f"tiny_{name}_s3" for name in ("int4", "separable", "shifting", "tsm")}
DTYPES = {"raw": "i1", "gray8": "u1", "int16": "<i2"}


def by_stem(path):
    return path.stem


def trace_of(path, inputs):
    """Yield (frames of all inputs, CRC-32s of all tensors), frame by frame.

    `inputs`: (pixel format, shape) of each.
    """
    name = path.stem
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    content = path.with_name(f"{name}.trace").read_bytes()
    magic, frames, ops, _ = struct.unpack_from("<4sHHI", content)
    assert magic == b"MTRC"
    at = struct.calcsize("<4sHHI")
    for _ in range(frames):
        given = []
        for pixel_format, shape in inputs:
            count = int(np.prod(shape))
            given.append(np.frombuffer(content, DTYPES[pixel_format], count, at).reshape(shape))
            at += given[-1].nbytes
        crcs = struct.unpack_from(f"<{len(inputs) + ops}I", content, at)
        at += 4 * len(crcs)
        yield given, list(crcs)
    assert at == len(content)


def crcs_of(tensors):
    return [zlib.crc32(np.ascontiguousarray(tensor).tobytes()) for tensor in tensors]


def test_there_are_files_of_every_version():
    versions = {mlet_file.version_of(path.read_bytes()) for path in FILES}
    assert versions == {1, 2, 3}
    assert len(CANONICAL) == 7
    assert len(FILES) == 19


@pytest.mark.parametrize("path", FILES, ids=by_stem)
def test_in_c(path):
    if path.stem in LITTLE_SCRATCH:
        with pytest.raises(MotionletError, match=r"op \d: scratch_bytes"):
            native.Model(path.read_bytes())
        return
    model = native.Model(path.read_bytes())
    stream = native.Stream(model)
    inputs = [(given.pixel_format, given.shape) for given in model.inputs]
    for frames, crcs in trace_of(path, inputs):
        tensors = stream.normalize(frames)
        assert crcs_of([*tensors, *stream.push_trace(tensors)]) == crcs


@pytest.mark.parametrize("path", CANONICAL, ids=by_stem)
def test_in_python(path):
    graph, *_ = mlet_file.read(path.read_bytes())
    stream = golden.Stream(graph)
    inputs = [(given.pixel_format, graph.tensors[given.tensor].shape) for given in graph.inputs]
    for frames, crcs in trace_of(path, inputs):
        tensors = stream.normalize(frames)
        assert crcs_of([*tensors, *stream.push_trace(tensors)]) == crcs


@pytest.mark.parametrize("path", CANONICAL, ids=by_stem)
def test_they_are_still_written_so(path):
    """Read and packed again, with their own plan and a new one, their bytes stay."""
    content = path.read_bytes()
    graph, plan, _ = mlet_file.read(content)
    assert mlet_file.pack(graph, plan) == content
    again = planner.plan(graph, chains=not path.stem.endswith("_whole"))
    assert mlet_file.pack(graph, again) == content


def test_a_graph():
    """What the input takes lay beside the inputs, which were indices."""
    graph = load_graph(VECTORS / "tiny_thermal.graph")
    content = (VECTORS / "tiny_thermal.mlet").read_bytes()
    assert mlet_file.pack(graph, planner.plan(graph)) == content
