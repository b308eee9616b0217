"""The vector files that device tests read: small, the same in every run, and true in C.

Read here by the layout that tools/make_vectors.py documents, not by its own code.
"""

import struct
import sys
import zlib

import numpy as np
import pytest
import strategies

from host_sdk import native, paths
from host_sdk.format.graph import Op, Tensor
from host_sdk.format.mlet import OP_CODES
from host_sdk.pack import targets

sys.path.insert(0, str(paths.repository() / "tools"))
import make_vectors


@pytest.fixture(scope="module")
def files():
    return make_vectors.all_files()


def test_they_are_small_and_reproducible(files):
    assert files == make_vectors.all_files()
    for name, content in files.items():
        assert len(content) <= (3000 if name.endswith(".mlet") else 6000), name


class Cursor:
    def __init__(self, content):
        self.content, self.at = content, 0

    def unpack(self, layout):
        values = struct.unpack_from(layout, self.content, self.at)
        self.at += struct.calcsize(layout)
        return values

    def array(self, dtype, *shape):
        count = int(np.prod(shape))
        array = np.frombuffer(self.content, dtype, count, self.at).reshape(shape)
        self.at += -(-array.nbytes // 4) * 4
        return array


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
def test_op_vectors_in_c(files, kind):
    cursor = Cursor(files[f"{kind}.vec"])
    magic, code, cases = cursor.unpack("<4sBxH")
    assert (magic, code) == (b"MVEC", OP_CODES[kind])
    assert cases >= 4
    for _ in range(cases):
        shape, target = cursor.unpack("<3H"), cursor.unpack("<3H")
        zeros = cursor.unpack("<3b")
        act_min, act_max = cursor.unpack("<2bx")
        small = cursor.unpack("<8B")
        frames, dilation, shift_channels, length, inputs = cursor.unpack("<5H")
        counts = cursor.unpack("<4H")
        bias, multiplier, shift, weights = (
            cursor.array(dtype, count)
            for dtype, count in zip(("<i4", "<i4", "u1", "i1"), counts, strict=True)
        )
        x = cursor.array("i1", length, inputs, *shape)
        y = cursor.array("i1", length, *target)
        op = Op(kind, kind, list(range(inputs)), inputs, weights, bias, multiplier, shift)
        op.act_min, op.act_max = act_min, act_max
        op.kernel, op.stride, op.dilation, op.padding = (small[i : i + 2] for i in (0, 2, 4, 6))
        op.frames, op.frame_dilation, op.shift_channels = frames, dilation, shift_channels
        sources = [Tensor("x", *shape, 1.0, zero) for zero in zeros[:inputs]]
        got = targets.run_layer(
            op, sources, Tensor("y", *target, 1.0, zeros[2]), list(x.swapaxes(0, 1))
        )
        np.testing.assert_array_equal(got, y)
    assert cursor.at == len(cursor.content)


def dtype_of(model_input):
    return np.dtype("<i2" if model_input.pixel_format == "int16" else "u1")


@pytest.mark.parametrize("packed", ["", *make_vectors.PACKED])
@pytest.mark.parametrize("name", list(make_vectors.MODELS))
def test_traces_in_c(files, name, packed):
    model = native.Model(files[f"{name}{packed}.mlet"])
    stream, cursor = native.Stream(model), Cursor(files[f"{name}.trace"])
    magic, frames, ops, size = cursor.unpack("<4sHHI")
    assert (magic, ops) == (b"MTRC", model.op_count)
    assert size == sum(dtype_of(x).itemsize * int(np.prod(x.shape)) for x in model.inputs)
    for t in range(frames):
        samples = [
            None if t % x.period else cursor.array(dtype_of(x), *x.shape) for x in model.inputs
        ]
        tensors = stream.normalize(samples)
        for pixels, x, given in zip(samples, tensors, model.inputs, strict=True):
            if given.pixel_format == "gray8" and x is not None:
                np.testing.assert_array_equal(x, pixels.astype(int) - 128)
        maps = [*tensors, *stream.push_trace(tensors)]
        crcs = cursor.unpack(f"<{len(model.inputs) + ops}I")
        assert crcs == tuple(0 if a is None else zlib.crc32(a.tobytes()) for a in maps)
    assert cursor.at == len(cursor.content)


def test_every_op_is_in_a_model():
    models = (make_vectors.tiny_tsm, make_vectors.tiny_separable, make_vectors.tiny_pooled)
    graphs = [make() for make in models]
    assert {op.kind for graph in graphs for op in graph.ops} == set(OP_CODES)
