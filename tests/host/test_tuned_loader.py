"""The C loader, under sanitizers, on files packed for the Cortex-M0+, whole and damaged.

A forged file may give wrong numbers. It must not make a kernel leave its buffers, which are
blocks of exactly the sizes that the core asks for.
"""

import struct
from dataclasses import replace

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from test_loader import VALUES, Loader, build, fields_of, header_of, int4_graph, sealed

from host_sdk import golden, native
from host_sdk.format import mlet as fmt
from host_sdk.format.check import WITH_WEIGHTS, taps_of
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import mlet_file, planner, targets
from host_sdk.pack.targets import cortex_m0plus

TARGET = "cortex_m0plus"
ODD_SHAPES = [
    (kind, c, k) for kind in ("conv2d", "pointwise", "dense") for c, k in ((3, 5), (5, 3))
]


def packed(graph):
    plan = planner.plan(graph, targets.scratch_bytes(TARGET))
    return mlet_file.pack(graph, plan, TARGET)


def one_op(weight_bits, kind, channels, outputs):
    """A graph of one op whose rows need padding."""
    rng = np.random.default_rng(channels)
    graph = Graph()
    graph.tensors += [Tensor("x", 1, 1, channels, 1.0, 3), Tensor("y", 1, 1, outputs, 1.0, 4)]
    graph.inputs, graph.outputs = [Input(0, "raw")], [1]
    op = Op(kind, "op", [0], 1)
    op.weight_bits = weight_bits
    shape = (outputs, 1, 1, channels) if kind == "conv2d" else (outputs, channels)
    op.weights = rng.integers(-7, 8, shape).astype(np.int8)
    op.bias = np.zeros(outputs, np.int32)
    op.multiplier = np.full(outputs, 2**30, np.int32)
    op.shift = np.full(outputs, 34, np.uint8)
    graph.ops.append(op)
    return graph


@pytest.fixture(scope="module")
def loader():
    process = Loader(build("loader_main", arch=TARGET))
    yield process
    process.close()


@pytest.fixture(scope="module")
def portable_loader():
    process = Loader(build("loader_main"))
    yield process
    process.close()


@pytest.fixture(scope="module")
def graphs(make_vectors):
    tiny = (make_vectors.tiny_tsm, make_vectors.tiny_separable, make_vectors.tiny_shifting)
    return [*(build() for build in tiny), int4_graph()]


def test_whole_files(loader, portable_loader, graphs):
    for graph in graphs:
        content = packed(graph)
        assert loader.verdict(content) == "ok"
        assert portable_loader.verdict(content) == ("header", 0, "target")
        old = bytearray(content)
        old[4] = 1
        assert loader.verdict(sealed(old)) == ("header", 0, "target")


@given(data=st.data())
def test_models_compute_the_same(data):
    graph = data.draw(strategies.graphs())
    clip = data.draw(strategies.frames_of(graph.tensors[0], 4))
    model = native.Model(packed(graph))
    tensor = graph.outputs[0]
    writer = next((i for i, op in enumerate(graph.ops) if op.output == tensor), None)
    wanted = clip if writer is None else golden.run_clip(graph, clip)[writer]
    np.testing.assert_array_equal(native.run_clip(model, clip), wanted)


def arrays_of(graph, content):
    """Yield (op, array name, its place in the file, the packed array) of all ops with weights."""
    header = header_of(content)
    for record, index, field, at, _ in fields_of(content):
        name = field.removesuffix("_offset")
        if record == "op" and name in ("weights", "bias", "multiplier", "shift"):
            op = graph.ops[index]
            if op.kind in WITH_WEIGHTS:
                source, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
                array = targets.relayout(op, source, output, TARGET)[name]
                (offset,) = struct.unpack_from("<I", content, at)
                yield index, op, name, header["data_offset"] + offset, array


def padding_of(op, name):
    """The bits of each element of a packed array, flat, that hold no weight."""
    if name != "weights":
        return np.zeros(op.bias.size, np.uint8)
    ones = replace(op, weights=np.full_like(op.weights, 1))
    packed = cortex_m0plus.relayout_weights(ones).reshape(-1).view(np.uint8)
    if op.weight_bits == 8:
        return np.where(packed, 0, 0xFF).astype(np.uint8)
    return ((packed & 0x0F == 0) * 0x0F | (packed & 0xF0 == 0) * 0xF0).astype(np.uint8)


def test_padding_of_weights_is_zero(loader, graphs, make_vectors):
    """Every byte of it, in every order of weights: a kernel multiplies it by stale bytes."""
    seen = set()
    for graph in [*graphs, *(one_op(bits, *shape) for bits in (8, 4) for shape in ODD_SHAPES)]:
        content = packed(graph)
        for index, op, name, place, array in arrays_of(graph, content):
            if name != "weights":
                continue
            padding = padding_of(op, name)
            assert (array.reshape(-1).view(np.uint8) & padding == 0).all()
            for element in np.flatnonzero(padding):
                for bit in (1 << n for n in range(8) if padding[element] >> n & 1):
                    spoilt = bytearray(content)
                    spoilt[place + element] |= bit
                    assert loader.verdict(sealed(spoilt)) == ("op", index, "weights")
                seen.add((op.kind, op.weight_bits))
    kinds = ("conv2d", "pointwise", "dense")
    assert seen == {(kind, bits) for kind in kinds for bits in (8, 4)}


def allowed_shift(op, value):
    runs = op.kind in ("conv2d", "pointwise") and op.weight_bits == 8
    if value & 0x40 and not runs:
        return False
    return 1 <= value & 63 <= (30 if value & 0x80 else 62)


def test_every_value_of_every_shift(loader, graphs):
    for graph in graphs:
        content = packed(graph)
        arrays = list(arrays_of(graph, content))
        multipliers = {index: array for index, _, name, _, array in arrays if name == "multiplier"}
        for index, op, name, place, array in arrays:
            if name != "shift":
                continue
            for channel in {0, len(array) - 1}:
                for value in range(256):
                    spoilt = bytearray(content)
                    spoilt[place + channel] = value
                    allowed = allowed_shift(op, value)
                    if not value & 0x80 and multipliers[index][channel] < 2**30:
                        allowed = None  # the exact kind wants a whole multiplier
                    verdict = loader.verdict(sealed(spoilt))
                    assert (verdict == "ok") == bool(allowed), f"{op.name} {value}"
                    if allowed is False:
                        assert verdict in (("op", index, "shift"), ("op", index, "bias"))


def test_weights_bias_and_multipliers_at_their_ends(loader, graphs):
    for graph in graphs:
        content = packed(graph)
        arrays = list(arrays_of(graph, content))
        shifts = {index: array for index, _, name, _, array in arrays if name == "shift"}
        for index, op, name, place, array in arrays:
            used = padding_of(op, name) == 0  # bits that are padding
            for element in np.flatnonzero(used)[[0, used.sum() // 2, -1]]:
                if name == "weights":
                    good, bad = [-127, 127], [-128]
                    if op.weight_bits == 4:
                        good, bad = [0x77, -0x67, 0], [-0x80, 0x08, -8, -0x78]
                elif name == "shift":
                    continue
                elif shifts[index][element] & 0x80:
                    good, bad = [1, 2**31 - 1], [0, -1, -(2**31)]
                    if name == "bias":
                        good, bad = [-(2**31), 2**31 - 1], []
                else:
                    most = 2**31 - 1 - 16512 * taps_of(graph, op)
                    good, bad = [2**30, 2**31 - 1], [2**30 - 1, 0]
                    if name == "bias":
                        good, bad = [most, -most], [most + 1, -most - 1]
                at = place + element * array.itemsize
                for value in [*good, *bad]:
                    spoilt = bytearray(content)
                    number = np.array(value).astype(array.dtype).tobytes()
                    spoilt[at : at + array.itemsize] = number
                    wanted = "ok" if value in good else ("op", index, name)
                    assert loader.verdict(sealed(spoilt)) == wanted, f"{op.name} {name} {value}"


def test_both_kinds_are_met(graphs):
    """Else the test above says less than it seems."""
    kinds = set()
    for graph in graphs:
        for _, _, name, _, array in arrays_of(graph, packed(graph)):
            if name == "shift":
                kinds.update((array >> 7).tolist())
    assert kinds == {0, 1}


def test_too_little_scratch_or_data(loader, graphs):
    for graph in graphs:
        content = packed(graph)
        scratch = planner.plan(graph, targets.scratch_bytes(TARGET)).scratch_sizes
        for record, index, field, at, _ in fields_of(content):
            spoilt = bytearray(content)
            need = scratch[index] if field == "scratch_bytes" else 0
            if need:
                struct.pack_into("<I", spoilt, at, need - 1)
            elif record == "op" and field == "weights_offset" and graph.ops[index].bias is not None:
                # The last multiple of 16 at which the array does not fit.
                size = header_of(content)["data_bytes"]
                struct.pack_into("<I", spoilt, at, size // 16 * 16)
            else:
                continue
            assert loader.verdict(sealed(spoilt)) == ("op", index, field)


def test_every_field_with_many_values(loader, graphs):
    """Whatever is accepted is run; the sanitizers watch."""
    for graph in graphs:
        content = packed(graph)
        for _, _, field, at, code in fields_of(content):
            (now,) = struct.unpack_from("<" + code, content, at)
            near = [] if code in ("4s", "f") else [now + d for d in (-16, -4, -1, 1, 4, 16)]
            for value in [*VALUES[code], *near]:
                try:
                    patch = struct.pack("<" + code, value)
                except struct.error:  # now + d is out of range
                    continue
                spoilt = bytearray(content)
                spoilt[at : at + len(patch)] = patch
                loader.verdict(bytes(spoilt) if field == "crc32" else sealed(spoilt))


@given(data=st.data())
def test_random_bytes(loader, data):
    content = packed(data.draw(strategies.graphs(max_ops=4)))
    assert loader.verdict(content) == "ok"
    header, spoilt = header_of(content), bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        part = data.draw(st.sampled_from(["ops", "data"]))
        start = header[f"{part}_offset"]
        size = header["data_bytes"]
        if part == "ops":
            size = header["op_count"] * fmt.codec(fmt.OP).size
        if size:
            spoilt[start + data.draw(st.integers(0, size - 1))] = data.draw(st.integers(0, 255))
    loader.verdict(sealed(spoilt))
