"""Files of format version 4, made of files of an older version by SPEC.md's layout alone."""

import struct
import zlib
from dataclasses import replace
from unittest import mock

import numpy as np

from host_sdk import golden
from host_sdk.format import mlet as fmt
from host_sdk.format.graph import Graph, Input
from host_sdk.pack import planner

HEADER = fmt.field_offsets(fmt.HEADER)
OP, OP_BYTES = fmt.field_offsets(fmt.OP), fmt.codec(fmt.OP).size
INPUT4 = fmt.codec(fmt.INPUT4)


def sealed(content):
    content = bytearray(content)
    struct.pack_into("<I", content, HEADER["total_bytes"][0], len(content))
    struct.pack_into("<I", content, HEADER["crc32"][0], zlib.crc32(content[fmt.CRC_START :]))
    return bytes(content)


def upgraded(content, inputs=(), ops=(), background_bytes=0):
    """Return the file, of any version, as one of version 4.

    `inputs` and `ops` are {field: value} of each, for what is not as it was: of an input also the
    fields of its normalization. `background_bytes` more of state lie before that of the ops.
    """
    out = bytearray(content)
    header = dict(zip(HEADER, fmt.codec(fmt.HEADER).unpack_from(content), strict=True))

    def put(table, start, field, value):
        at, code = table[field]
        struct.pack_into("<" + code, out, start + at, value)

    records = b""
    for index in range(header["input_count"]):
        fields = fmt.INPUT4 if header["format_version"] == 4 else fmt.INPUT  # of a new operator
        at = header["inputs_offset"] + index * fmt.codec(fields).size
        names = [name for name, *_ in fields]
        old = dict(zip(names, fmt.codec(fields).unpack_from(content, at), strict=True))
        if index == 0 and header["normalization_offset"]:
            names = [name for name, *_ in fmt.NORMALIZATION]
            at = header["normalization_offset"]
            old |= zip(names, fmt.codec(fmt.NORMALIZATION).unpack_from(content, at), strict=True)
        values = {"period": 1, **old, **(inputs[index] if index < len(inputs) else {})}
        records += INPUT4.pack(*(values.get(name, 0) for name, *_ in fmt.INPUT4))
    out += bytes(-len(out) % 4)
    put(HEADER, 0, "inputs_offset", len(out))
    put(HEADER, 0, "normalization_offset", 0)
    put(HEADER, 0, "format_version", 4)
    put(HEADER, 0, "state_bytes", header["state_bytes"] + background_bytes)
    out += records
    for index in range(header["op_count"]):
        at = header["ops_offset"] + index * OP_BYTES
        if struct.unpack_from("<I", out, at + OP["state_bytes"][0])[0]:
            (offset,) = struct.unpack_from("<I", out, at + OP["state_offset"][0])
            put(OP, at, "state_offset", offset + background_bytes)
        for field, value in (ops[index] if index < len(ops) else {}).items():
            put(OP, at, field, value)
    return sealed(out)


def apart(graph):
    """Return a plan of `graph` in which no tensor lies over another, and nothing is chained."""
    with mock.patch.object(planner, "check_live"):
        plan = planner.plan(graph, chains=False)
    at = 0
    for index, tensor in enumerate(graph.tensors):
        plan.tensor_offsets[index] = at
        at += planner.round_up(tensor.size)
    plan.arena_bytes = at
    return plan


def held(graph, inputs, ops):
    """Return the tensors that keep their value between runs of what writes them."""
    periods = [*inputs, *ops]  # of the tensors
    late = {t for op, p in zip(graph.ops, ops, strict=True) for t in op.inputs if p % periods[t]}
    return late | {t for t in graph.outputs if periods[t] > 1}


def values(graph, clips, inputs, ops):
    """Return {tensor: its value at every frame}, [T, H, W, C], from clips of the inputs.

    A clip has a frame for every frame of the stream; those that are not due are not used.
    """
    count = len(clips[0])
    pairs = zip(clips, inputs, strict=True)
    found = {i: hold(clip[::p], p, count) for i, (clip, p) in enumerate(pairs)}
    for op, period in zip(graph.ops, ops, strict=True):
        sources = list(dict.fromkeys(op.inputs))
        inputs = [Input(i, "raw") for i in range(len(sources))]
        alone = Graph(inputs=inputs, outputs=[len(sources)])
        alone.tensors = [graph.tensors[i] for i in (*sources, op.output)]
        own = replace(op, inputs=[sources.index(i) for i in op.inputs], output=len(sources))
        alone.ops = [own]
        taken = [found[i][::period] for i in sources]
        (made,) = golden.run_clip(alone, taken if len(taken) > 1 else taken[0])
        found[op.output] = hold(made, period, count)
    return found


def hold(clip, period, count):
    return np.repeat(clip, period, axis=0)[:count]
