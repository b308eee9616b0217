"""The `.mlet` writer and reader: exact round trips, the layout SPEC.md gives, clear refusals."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden
from host_sdk.errors import MotionletError
from host_sdk.format.check import RecordError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import mlet_file, planner


def assert_same_graph(a, b):
    assert a.tensors == b.tensors
    for name in ("inputs", "outputs", "labels", "frames_per_second"):
        assert getattr(a, name) == getattr(b, name)
    for op, other in zip(a.ops, b.ops, strict=True):
        for field in dataclasses.fields(op):
            value, read = getattr(op, field.name), getattr(other, field.name)
            if isinstance(value, np.ndarray):
                assert value.dtype == read.dtype
                np.testing.assert_array_equal(value, read)
            else:
                assert value == read


@given(graph=strategies.graphs(), scratch=st.sampled_from([0, 40]))
def test_round_trip(graph, scratch):
    plan = planner.plan(graph, scratch_bytes=lambda graph, op: scratch)
    content = mlet_file.pack(graph, plan)
    read, read_plan, info = mlet_file.read(content)
    assert_same_graph(graph, read)
    assert read_plan == plan
    assert mlet_file.pack(read, read_plan) == content
    version = 2 if any(plan.rows) or any(op.weight_bits == 4 for op in graph.ops) else 1
    shifts = any(op.kind != "temporal_shift" and op.shift_channels for op in graph.ops)
    if shifts or not graph.input.normalization.is_pixels:
        version = 3
    if any(op.kind == "max_pool2d" for op in graph.ops):
        version = 4
    assert (info.format_version, info.target, info.total_bytes) == (
        version,
        "portable",
        len(content),
    )


def pointwise_graph(ops=1, channels=4):
    """A chain of pointwise ops that all have equal parameters."""
    graph = Graph(inputs=[Input(0, "raw")], frames_per_second=12.5)
    graph.tensors = [Tensor("x", 2, 3, channels, 0.5, -3)]
    for index in range(ops):
        op = Op("pointwise", f"op{index}", [index], index + 1)
        op.weights = np.arange(channels * channels, dtype=np.int8).reshape(channels, channels)
        op.bias = np.arange(channels, dtype=np.int32)
        op.multiplier = np.full(channels, 2**30 + 5, np.int32)
        op.shift = np.full(channels, 33, np.uint8)
        graph.ops.append(op)
        graph.tensors.append(Tensor(f"t{index + 1}", 2, 3, channels, 0.25, 7))
    graph.outputs = [ops]
    return graph


def packed(graph):
    return mlet_file.pack(graph, planner.plan(graph))


def test_layout_by_hand():
    """The offsets of SPEC.md's tables, written out, not taken from host_sdk.format.mlet."""
    graph = pointwise_graph()
    graph.labels = ["a", "b", "c", "ü"]
    content = packed(graph)
    assert content[:4] == b"MLET"
    version, target, total, crc = struct.unpack_from("<HHII", content, 4)
    assert (version, target, total, crc) == (1, 0, len(content), zlib.crc32(content[16:]))
    assert struct.unpack_from("<6Hf", content, 16) == (2, 1, 1, 1, 4, 0, 12.5)
    (
        tensors,
        ops,
        inputs,
        outputs,
        labels,
        strings,
        strings_bytes,
        data,
        data_bytes,
        arena,
        state,
    ) = struct.unpack_from("<11I", content, 32)
    assert (arena, state) == (64, 0)
    text = content[strings : strings + strings_bytes]
    assert text[0] == text[-1] == 0
    height, width, channels, dtype, zero, scale, offset, name, reserved = struct.unpack_from(
        "<3HBbfIHH", content, tensors
    )
    assert (height, width, channels, dtype, zero, scale, reserved) == (2, 3, 4, 1, -3, 0.5, 0)
    assert offset % 16 == 0
    assert text[name:].startswith(b"x\0")
    assert struct.unpack_from("<HBB", content, inputs) == (0, 0, 0)
    assert struct.unpack_from("<HH", content, outputs) == (1, 0)
    last = struct.unpack_from("<4H", content, labels)[3]
    assert text[last:].startswith("ü\0".encode())
    op = struct.unpack_from("<BBHHHHbb8B4H9I", content, ops)
    assert op[:8] == (3, 0, 1, 0, 0xFFFF, 1, -128, 127)
    assert op[8:16] == (1, 1, 1, 1, 1, 1, 0, 0)  # kernel, stride, dilation, padding
    assert op[16:19] == (1, 1, 0)  # frames, frame_dilation, shift_channels
    weights, bias, multiplier, shift = op[20:24]
    assert op[24:] == (0, 0, 0, 0, 0)  # state, scratch, reserved
    assert data % 16 == weights % 16 == bias % 4 == multiplier % 4 == 0
    assert content[data + weights : data + weights + 16] == bytes(range(16))
    assert struct.unpack_from("<4i", content, data + bias) == (0, 1, 2, 3)
    assert struct.unpack_from("<4i", content, data + multiplier) == (2**30 + 5,) * 4
    assert content[data + shift : data + shift + 4] == b"\x21" * 4
    assert data + data_bytes == total


def test_int4_by_hand():
    """Two weights a byte, the first in the low half; the row ends on a whole byte."""
    graph = pointwise_graph(channels=3)
    graph.ops[0].weight_bits = 4
    graph.ops[0].weights = np.array([[1, -1, 7], [-7, 0, 2], [3, 4, 5]], np.int8)
    content = packed(graph)
    version, _, _, _ = struct.unpack_from("<HHII", content, 4)
    (ops,) = struct.unpack_from("<I", content, 36)
    (data,) = struct.unpack_from("<I", content, 60)
    (weights,) = struct.unpack_from("<I", content, ops + 28)
    assert (version, content[ops + 1]) == (2, 1)
    at = data + weights
    assert content[at : at + 6] == b"\xf1\x07\x09\x02\x43\x05"
    np.testing.assert_array_equal(mlet_file.read(content)[0].ops[0].weights, graph.ops[0].weights)
    for place, byte in ((0, 0xF8), (0, 0x81), (3, 0x12)):  # -8 low, -8 high, after the row's end
        with pytest.raises(RecordError, match="op 0: weights: "):
            mlet_file.read(resealed(content, at + place, bytes([byte])))
    old = bytearray(content)
    old[4] = 1
    with pytest.raises(RecordError, match="op 0: weight_format: 1 is not known"):
        mlet_file.read(old)


def test_equal_arrays_are_stored_once():
    """All but the shifts, which would be equal by chance."""
    shift = pointwise_graph(1).ops[0].shift.size
    one, five = (mlet_file.read(packed(pointwise_graph(n)))[2].data_bytes for n in (1, 5))
    assert five == one + 4 * shift
    different = pointwise_graph(2)
    different.ops[1].weights = different.ops[1].weights + 1
    assert mlet_file.read(packed(different))[2].data_bytes == one + 16 + shift


def test_scales_are_float32():
    graph = pointwise_graph()
    graph.tensors[0].scale = 1 / 255
    read, *_ = mlet_file.read(packed(graph))
    assert read.tensors[0].scale == float(np.float32(1 / 255))


def test_what_is_read_computes_the_same():
    graph = pointwise_graph(3)
    clip = np.random.default_rng(0).integers(-128, 128, (4, 2, 3, 4)).astype(np.int8)
    read, *_ = mlet_file.read(packed(graph))
    np.testing.assert_array_equal(golden.run_clip(graph, clip)[-1], golden.run_clip(read, clip)[-1])


def test_fields_an_op_does_not_have_are_ignored():
    content = bytearray(packed(pointwise_graph()))
    (ops,) = struct.unpack_from("<I", content, 36)
    content[ops + 12 : ops + 20] = b"\xff" * 8  # kernel to padding
    struct.pack_into("<I", content, 12, zlib.crc32(content[16:]))
    read, *_ = mlet_file.read(content)
    assert (read.ops[0].kernel, read.ops[0].padding) == ((1, 1), (0, 0))


def resealed(content, at, patch):
    content = bytearray(content)
    content[at : at + len(patch)] = patch
    struct.pack_into("<I", content, 12, zlib.crc32(content[16:]))
    return bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: b"", "header: magic: b'' is not b'MLET'; not an .mlet file"),
        (lambda c: b"RIFF" + c[4:], "header: magic: b'RIFF' is not b'MLET'"),
        (lambda c: c[:40], "header: total_bytes: the file ends after 40 bytes, inside the header"),
        (lambda c: c[:-1], "header: total_bytes: truncated: 259 bytes, the header says 260"),
        (lambda c: c + b"\0", "header: total_bytes: too long: 261 bytes, the header says 260"),
        (lambda c: c[:-1] + b"\0", "the file is damaged"),
        (
            lambda c: resealed(c, 4, b"\5\0"),
            "header: format_version: 5 is newer than this library reads, 4: update it",
        ),
        (lambda c: resealed(c, 4, b"\0\0"), "header: format_version: 0 is not in 1 to 4"),
        (lambda c: resealed(c, 6, b"\1\0"), "header: target: 1 is not known"),
        (lambda c: resealed(c, 4, b"\2\0\1\0"), "header: target: packed for cortex_m0plus"),
        (lambda c: resealed(c, 6, b"\7\0"), "header: target: 7 is not known; there are 0 portable"),
        (lambda c: resealed(c, 26, b"\1"), "header: reserved0: 1 where 0 is due"),
        (lambda c: resealed(c, 56, b"\0\0"), "header: strings_bytes: the strings begin and end"),
        (lambda c: resealed(c, 16, b"\0\5"), "header: tensor_count: 1280 is more than 1024"),
    ],
)
def test_refusals(change, message):
    content = packed(pointwise_graph())
    with pytest.raises(RecordError) as caught:
        mlet_file.read(change(content))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_that_are_not_utf8():
    content = packed(pointwise_graph())
    at = content.index(b"op0\0")
    with pytest.raises(RecordError, match="header: strings_offset: not UTF-8"):
        mlet_file.read(resealed(content, at + 1, b"\xff"))


def test_pack_refuses_what_read_would():
    graph = pointwise_graph()
    plan = planner.plan(graph)
    plan.tensor_offsets[1] = plan.tensor_offsets[0]
    with pytest.raises(RecordError, match="tensor 1: arena_offset: 't1' overlaps 'x'"):
        mlet_file.pack(graph, plan)
    graph.ops[0].shift[0] = 63
    with pytest.raises(RecordError, match="op 0: shift: a shift is not in 1 to 62"):
        mlet_file.pack(graph, planner.plan(pointwise_graph()))


def test_pack_refuses_names_it_cannot_store():
    graph = pointwise_graph()
    graph.ops[0].name = "a\0b"
    with pytest.raises(MotionletError, match="zero character"):
        packed(graph)
    graph.ops[0].name = "n" * 70000
    with pytest.raises(MotionletError, match="more than 65535 bytes together"):
        packed(graph)


def test_pack_refuses_an_unknown_target():
    graph = pointwise_graph()
    with pytest.raises(MotionletError, match="target 'z80' is not known; there are portable,"):
        mlet_file.pack(graph, planner.plan(graph), target="z80")
