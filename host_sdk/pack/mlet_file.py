"""Write and read `.mlet` files, as SPEC.md section 4 lays them out.

`pack`, for the portable target, and `read` are each other's inverse. The bytes depend on nothing
but the graph, the plan and the target.
"""

import math
import zlib
from dataclasses import dataclass, replace

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format import check
from host_sdk.format import mlet as fmt
from host_sdk.format.check import RecordError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.format.normalization import PIXELS, Normalization, field_ranges
from host_sdk.format.weights import unpack_int4
from host_sdk.pack.planner import Plan, check_chains, check_plan, lifetimes
from host_sdk.pack.targets import check_target, relayout

SECTIONS = ("tensors", "ops", "inputs", "outputs", "labels", "strings", "data", "normalization")
ARRAY_ALIGN = {"weights": fmt.ALIGN, "bias": 4, "multiplier": 4, "shift": 1}
PLAN_FIELDS = ("state_offset", "state_bytes", "scratch_offset", "scratch_bytes")
CODECS = {name: fmt.codec(fields) for name, fields in fmt.RECORDS.items()}


@dataclass
class FileInfo:
    """What a file says besides its graph and plan."""

    format_version: int
    target: str
    total_bytes: int
    crc32: int
    data_bytes: int


def pack(graph, plan, target="portable"):
    """Return `graph`, laid out by `plan`, as the bytes of an `.mlet` file for `target`.

    The plan must have the scratch that the target's kernels need: `targets.scratch_bytes`.
    Raises `RecordError` for a graph or plan that breaks SPEC.md.
    """
    check.check_graph(graph)
    check_plan(graph, plan)
    check_target(target)
    version = _version(graph, plan, target)
    strings = _Strings()
    data, arrays = _pack_arrays(graph, target)
    sections = {
        "tensors": b"".join(
            _record(
                "tensor",
                height=tensor.height,
                width=tensor.width,
                channels=tensor.channels,
                dtype=fmt.DTYPES["int8"],
                zero_point=tensor.zero_point,
                scale=tensor.scale,
                arena_offset=offset,
                name=strings.add(tensor.name),
            )
            for tensor, offset in zip(graph.tensors, plan.tensor_offsets, strict=True)
        ),
        "ops": b"".join(
            _op_record(op, plan, index, arrays[index], strings)
            for index, op in enumerate(graph.ops)
        ),
        "inputs": b"".join(
            _input_record(given, offset, version)
            for given, offset in zip(graph.inputs, plan.background_offsets, strict=True)
        ),
        "outputs": b"".join(_record("output", tensor=tensor) for tensor in graph.outputs),
        "labels": np.array([strings.add(label) for label in graph.labels], "<u2").tobytes(),
    }
    sections["strings"] = strings.bytes()
    sections["data"] = data
    if version < 4:
        values = _normalization(graph.inputs[0], plan.background_offsets[0])
        sections["normalization"] = _record("normalization", **values) if values else b""
    return _assemble(graph, plan, target, version, sections)


def read(data):
    """Read an `.mlet` file: return (Graph, Plan, FileInfo).

    Checks all that SPEC.md asks for; raises `RecordError` naming the first field that is wrong.
    """
    data = bytes(data)
    header = _read_header(data)
    version = header["format_version"]
    sections = _read_sections(data, header)
    text = _Text(sections["strings"])
    check.check_tensor_count(*(header[f"{name}_count"] for name in ("tensor", "input", "op")))
    graph, offsets = Graph(frames_per_second=header["frames_per_second"]), []
    for index, record in enumerate(CODECS["tensor"].iter_unpack(sections["tensors"])):
        tensor, offset = _read_tensor(index, _fields("tensor", record), text)
        graph.tensors.append(tensor)
        offsets.append(offset)
    background_offsets, stray = _read_inputs(graph, sections, version)
    for index, record in enumerate(CODECS["output"].iter_unpack(sections["outputs"])):
        fields = _fields("output", record)
        _zero("output", index, fields, "reserved")
        graph.outputs.append(fields["tensor"])
    for index, offset in enumerate(np.frombuffer(sections["labels"], "<u2")):
        graph.labels.append(text.at(int(offset), "label", index, "labels_offset"))
    records = [_fields("op", record) for record in CODECS["op"].iter_unpack(sections["ops"])]
    graph.ops = [_read_op(index, fields, text, version) for index, fields in enumerate(records)]
    check.check_counts(graph)
    check.check_inputs(graph)
    if stray is not None:
        message = "0, no normalization, but the fields behind it are not all 0"
        raise RecordError("normalization", stray, "kind", message)
    check.check_order(graph)
    check.check_periods(graph)
    shared = 0
    for index, (op, fields) in enumerate(zip(graph.ops, records, strict=True)):
        check.check_layer(graph, index, op)
        shared += _read_arrays(graph, index, op, fields, sections["data"])
        if shared > _most_shared(len(sections["data"])):
            message = f"{shared} bytes up to here, of {len(sections['data'])}: shared too often"
            raise RecordError("op", index, "arrays", message)
        check.check_parameters(graph, index, op)
    plan = Plan(
        header["arena_bytes"],
        header["state_bytes"],
        offsets,
        *([fields[name] for fields in records] for name in PLAN_FIELDS),
        rows=[fields["rows"] for fields in records],
        background_offsets=background_offsets,
    )
    check_chains(graph, plan.rows)
    plan.lifetimes = lifetimes(graph, plan.rows)
    check_plan(graph, plan)
    target = next(name for name, code in fmt.TARGETS.items() if code == header["target"])
    info = FileInfo(
        header["format_version"],
        target,
        header["total_bytes"],
        header["crc32"],
        header["data_bytes"],
    )
    return graph, plan, info


def version_of(data):
    """Return the format version that the header of a whole file states."""
    return _fields("header", CODECS["header"].unpack_from(data))["format_version"]


# ----------------------------------------------------------------------------------------------
# Writing


class _Strings:
    """The strings of a file, each stored once."""

    def __init__(self):
        self._at = {"": 0}
        self._bytes = bytearray(1)

    def add(self, text):
        if text not in self._at:
            if "\0" in text:
                raise MotionletError(f"name {text!r} holds a zero character")
            self._at[text] = len(self._bytes)
            self._bytes += text.encode() + b"\0"
            if len(self._bytes) > fmt.LIMITS["max_strings_bytes"]:
                most = fmt.LIMITS["max_strings_bytes"]
                raise MotionletError(f"names and labels take more than {most} bytes together")
        return self._at[text]

    def bytes(self):
        return bytes(self._bytes)


def _pack_arrays(graph, target):
    """Return (the data section, [{field: offset in it} of each op]).

    Equal arrays are stored once, but for shifts: these are equal by chance, and a few bytes are
    not worth a size that depends on what the weights are. Weights come first, so that little
    padding is needed. Where ops would share more than a reader allows, some store their own again.
    """
    contents = []
    for op in graph.ops:
        source, output = graph.tensors[op.inputs[0]], graph.tensors[op.output]
        contents.append(
            {
                name: array.astype(array.dtype.newbyteorder("<")).tobytes()
                for name, array in relayout(op, source, output, target).items()
                if array is not None
            }
        )

    def key(index, name, content):
        return index if name == "shift" else (ARRAY_ALIGN[name], content)

    data, places = bytearray(), {}

    def store(place, content, align):
        data.extend(bytes(-len(data) % align))
        places[place] = len(data)
        data.extend(content)

    by_align = [
        (align, index, name, content)
        for align in sorted({*ARRAY_ALIGN.values()}, reverse=True)
        for index, arrays in enumerate(contents)
        for name, content in arrays.items()
        if ARRAY_ALIGN[name] == align
    ]
    for align, index, name, content in by_align:
        if key(index, name, content) not in places:
            store(key(index, name, content), content, align)
    total = sum(len(content) for *_, content in by_align)
    used = set()
    for align, index, name, content in by_align:
        if total <= _most_shared(len(data)):
            break
        if key(index, name, content) in used:
            store((index, name), content, align)
        used.add(key(index, name, content))
    return bytes(data), [
        {
            f"{name}_offset": places.get((index, name), places[key(index, name, content)])
            for name, content in arrays.items()
        }
        for index, arrays in enumerate(contents)
    ]


def _most_shared(data_bytes):
    """Return how many bytes the arrays of all ops may have, counted op by op."""
    return fmt.LIMITS["array_reuse"] * data_bytes + fmt.LIMITS["array_spare"]


def _record(kind, /, **values):
    """Return one record; fields not given are 0."""
    return CODECS[kind].pack(*(values.get(field, 0) for field, _, _ in fmt.RECORDS[kind]))


def _op_record(op, plan, index, arrays, strings):
    values = {
        "code": fmt.OP_CODES[op.kind],
        "weight_format": fmt.WEIGHT_FORMATS[f"int{op.weight_bits}"],
        "period": op.period,
        "group": op.group,
        "input0": op.inputs[0],
        "input1": op.inputs[1] if len(op.inputs) > 1 else fmt.NO_TENSOR,
        "output": op.output,
        "act_min": op.act_min,
        "act_max": op.act_max,
        "kernel_h": op.kernel[0],
        "kernel_w": op.kernel[1],
        "stride_h": op.stride[0],
        "stride_w": op.stride[1],
        "dilation_h": op.dilation[0],
        "dilation_w": op.dilation[1],
        "pad_top": op.padding[0],
        "pad_left": op.padding[1],
        "frames": op.frames,
        "frame_dilation": op.frame_dilation,
        "shift_channels": op.shift_channels,
        "name": strings.add(op.name),
        "state_offset": plan.state_offsets[index],
        "state_bytes": plan.state_sizes[index],
        "scratch_offset": plan.scratch_offsets[index],
        "scratch_bytes": plan.scratch_sizes[index],
        "rows": plan.rows[index],
    }
    return _record("op", **values, **arrays)


def _input_record(given, background_offset, version):
    values = {"tensor": given.tensor, "pixel_format": fmt.PIXEL_FORMATS[given.pixel_format]}
    if version < 4:
        return _record("input", **values)
    return _record(
        "input4", **values, period=given.period, **_normalization(given, background_offset)
    )


def _normalization(given, background_offset):
    """Return the fields of an input's normalization, none when it needs none."""
    if given.pixel_format == "raw" or given.normalization.is_pixels:
        return {}
    return {
        **{name: getattr(given.normalization, name) for name in field_ranges("window")},
        "kind": fmt.NORMALIZATION_KINDS[given.normalization.kind],
        "state_offset": background_offset,
    }


def _version(graph, plan, target):
    """Return the oldest version of the format that can hold this file."""
    needed = max(fmt.OPS[op.kind].since for op in graph.ops)
    normalized = [bool(_normalization(given, 0)) for given in graph.inputs]
    timed = any(writer.period > 1 for writer in (*graph.inputs, *graph.ops))
    if timed or any(op.group for op in graph.ops) or any(normalized[1:]):
        needed = max(needed, 4)
    shifts = any(op.kind in check.SHIFTING and op.shift_channels for op in graph.ops)
    if shifts or normalized[0]:
        needed = max(needed, 3)
    if target != "portable" or any(plan.rows) or any(op.weight_bits != 8 for op in graph.ops):
        needed = max(needed, 2)
    return needed


def _assemble(graph, plan, target, version, sections):
    out = bytearray(CODECS["header"].size)
    header = {
        "magic": fmt.MAGIC,
        "format_version": version,
        "target": fmt.TARGETS[target],
        "frames_per_second": graph.frames_per_second,
        "strings_bytes": len(sections["strings"]),
        "data_bytes": len(sections["data"]),
        "arena_bytes": plan.arena_bytes,
        "state_bytes": plan.state_bytes,
    }
    for name in ("tensor", "op", "input", "output", "label"):
        header[f"{name}_count"] = len(getattr(graph, f"{name}s"))
    for name in SECTIONS:
        if name == "normalization" and not sections.get(name):
            continue
        align = fmt.ALIGN if name == "data" else 4
        out += bytes(-len(out) % align)
        header[f"{name}_offset"] = len(out)
        out += sections[name]
    header["total_bytes"] = len(out)
    out[: CODECS["header"].size] = _record("header", **header)
    header["crc32"] = zlib.crc32(out[fmt.CRC_START :])
    out[: CODECS["header"].size] = _record("header", **header)
    return bytes(out)


# ----------------------------------------------------------------------------------------------
# Reading


class _Text:
    """The strings section of a file, checked."""

    def __init__(self, content):
        if not content or content[0] or content[-1]:
            message = "the strings begin and end with a zero byte"
            raise RecordError("header", 0, "strings_bytes", message)
        try:
            content.decode()
        except UnicodeDecodeError as error:
            raise RecordError("header", 0, "strings_offset", f"not UTF-8: {error}") from None
        self._content = content

    def at(self, offset, record, index, field):
        if offset >= len(self._content):
            message = f"{offset} is outside the strings, {len(self._content)} bytes"
            raise RecordError(record, index, field, message)
        if self._content[offset] >> 6 == 2:
            raise RecordError(record, index, field, f"{offset} is inside a character")
        return self._content[offset : self._content.index(0, offset)].decode()


def _fields(name, values):
    return {field: value for (field, _, _), value in zip(fmt.RECORDS[name], values, strict=True)}


def _zero(record, index, fields, name):
    if fields[name]:
        raise RecordError(record, index, name, f"{fields[name]} where 0 is due")


def _name_of(table, record, index, name, fields):
    """Return the name that `table` gives to the code in a field."""
    for key, code in table.items():
        if code == fields[name]:
            return key
    known = ", ".join(f"{code} {key}" for key, code in table.items())
    raise RecordError(record, index, name, f"{fields[name]} is not known; there are {known}")


def _read_header(data):
    def wrong(field, message):
        raise RecordError("header", 0, field, message)

    if data[:2] == b"PK":
        raise MotionletError("a quantized graph, not yet a model; pack it first: host_sdk pack")
    if data[:4] != fmt.MAGIC:
        wrong("magic", f"{data[:4]!r} is not {fmt.MAGIC!r}; not an .mlet file")
    if len(data) < CODECS["header"].size:
        wrong("total_bytes", f"the file ends after {len(data)} bytes, inside the header")
    header = _fields("header", CODECS["header"].unpack_from(data))
    version = header["format_version"]
    if version > fmt.FORMAT_VERSION:
        ours = fmt.FORMAT_VERSION
        wrong("format_version", f"{version} is newer than this library reads, {ours}: update it")
    if version < fmt.OLDEST_VERSION:
        known = f"{fmt.OLDEST_VERSION} to {fmt.FORMAT_VERSION}"
        wrong("format_version", f"{version} is not in {known}")
    if header["total_bytes"] != len(data):
        kind = "truncated" if header["total_bytes"] > len(data) else "too long"
        wrong("total_bytes", f"{kind}: {len(data)} bytes, the header says {header['total_bytes']}")
    crc = zlib.crc32(data[fmt.CRC_START :])
    if header["crc32"] != crc:
        wrong("crc32", f"{header['crc32']:08x}, but the bytes give {crc:08x}: the file is damaged")
    _read_target(header)
    _zero("header", 0, header, "reserved0")
    if version != 3:
        _zero("header", 0, header, "normalization_offset")
    for name in ("tensor", "op", "input", "output", "label"):
        count, most = header[f"{name}_count"], fmt.LIMITS[f"max_{name}s"]
        if count > most:
            wrong(f"{name}_count", f"{count} is more than {most}")
        if not count and name != "label":
            wrong(f"{name}_count", f"0 is not in 1 to {most}")
    if header["strings_bytes"] > fmt.LIMITS["max_strings_bytes"]:
        most = fmt.LIMITS["max_strings_bytes"]
        wrong("strings_bytes", f"{header['strings_bytes']} is more than {most}")
    return header


def _read_target(header):
    known = fmt.TARGETS if header["format_version"] >= 2 else {"portable": 0}
    target = _name_of(known, "header", 0, "target", header)
    if target != "portable":
        message = f"packed for {target}, which only devices read; use the .mlet it was made from"
        raise RecordError("header", 0, "target", message)


def _read_sections(data, header):
    """Return {section: bytes}, after checking that each lies in the file and by itself."""
    sections, taken = {}, []
    for name in SECTIONS:
        field, align = f"{name}_offset", fmt.ALIGN if name == "data" else 4
        start = header[field]
        if name == "normalization":
            size = CODECS[name].size
            if not start:
                sections[name] = b""
                continue
        elif name in ("strings", "data"):
            size = header[f"{name}_bytes"]
        else:
            record = _input_of(header["format_version"]) if name == "inputs" else name[:-1]
            each = 2 if name == "labels" else CODECS[record].size
            size = each * header[f"{name[:-1]}_count"]
        if start % align:
            message = f"{start} is not a multiple of {align}"
            raise RecordError("header", 0, field, message)
        if start < CODECS["header"].size or start + size > len(data):
            message = f"{start} + {size} bytes is outside the file, {len(data)} bytes"
            raise RecordError("header", 0, field, message)
        for other, (first, end) in taken:
            if max(first, start) < min(end, start + size):
                raise RecordError("header", 0, field, f"{name} overlap {other}")
        taken.append((name, (start, start + size)))
        sections[name] = data[start : start + size]
    return sections


def _read_tensor(index, fields, text):
    _name_of(fmt.DTYPES, "tensor", index, "dtype", fields)
    _zero("tensor", index, fields, "reserved")
    tensor = Tensor(
        text.at(fields["name"], "tensor", index, "name"),
        *(fields[name] for name in ("height", "width", "channels", "scale", "zero_point")),
    )
    check.check_tensor(index, tensor)
    return tensor, fields["arena_offset"]


def _input_of(version):
    """Return which record a file of a version has for an input."""
    return "input4" if version >= 4 else "input"


def _read_inputs(graph, sections, version):
    """Append the graph's inputs.

    Returns where each keeps its background, and the first without a normalization that has fields
    of one, or None.
    """
    offsets, stray, name = [], None, _input_of(version)
    for index, record in enumerate(CODECS[name].iter_unpack(sections["inputs"])):
        fields = {"period": 1, "reserved2": 0, "kind": 0, **_fields(name, record)}
        _zero("input", index, fields, "reserved")
        _zero("input", index, fields, "reserved2")
        if version < 4 and index == 0 and sections["normalization"]:
            (record,) = CODECS["normalization"].iter_unpack(sections["normalization"])
            fields.update(_fields("normalization", record))
            if not fields["kind"]:
                raise RecordError("normalization", 0, "kind", "0 is not known")
        pixel_format = _name_of(fmt.PIXEL_FORMATS, "input", index, "pixel_format", fields)
        normalization = _read_normalization(index, fields, pixel_format, graph.tensors[index])
        graph.inputs.append(Input(fields["tensor"], pixel_format, normalization, fields["period"]))
        background = fields["kind"] == fmt.NORMALIZATION_KINDS["background"]
        offsets.append(fields["state_offset"] if background else 0)
        if version >= 4 and stray is None and not fields["kind"]:
            stray = index if any(fields[field] for field, *_ in fmt.NORMALIZATION) else None
    return offsets, stray


def _read_normalization(index, fields, pixel_format, tensor):
    """Return the normalization that the fields of an input's record say."""
    if not fields["kind"]:
        return replace(PIXELS, scale=tensor.scale)
    if pixel_format == "raw":
        raise RecordError("normalization", index, "kind", "a raw input has no normalization")
    kind = _name_of(fmt.NORMALIZATION_KINDS, "normalization", index, "kind", fields)
    ranges = field_ranges(kind)
    for name, (least, most) in ranges.items():
        if not least <= fields[name] <= most:
            message = f"{fields[name]} is not in {least} to {most}"
            raise RecordError("normalization", index, name, message)
    return Normalization(
        kind,
        "int16" if pixel_format == "int16" else "uint8",
        zero_point=tensor.zero_point,
        scale=tensor.scale,
        **{name: fields[name] for name in ranges},
    )


def _read_op(index, fields, text, version):
    """Return an op without its arrays. Fields that its kind does not have are left out."""
    known = {kind: op.code for kind, op in fmt.OPS.items() if op.since <= version}
    kind = _name_of(known, "op", index, "code", fields)
    formats = dict(fmt.WEIGHT_FORMATS)
    if version < 2 or kind not in check.WITH_ROWS:
        del formats["int4"]
    weight_format = _name_of(formats, "op", index, "weight_format", fields)
    _zero("op", index, fields, "reserved")
    if version < 4:
        _zero("op", index, fields, "group")
    if version < 2:
        _zero("op", index, fields, "rows")
    if version < 4 and fields["period"] != 1:
        message = f"{fields['period']}; up to version 3, every op runs at every frame, 1"
        raise RecordError("op", index, "period", message)
    inputs = [fields["input0"]]
    if fields["input1"] != fmt.NO_TENSOR:
        inputs.append(fields["input1"])
    op = Op(kind, text.at(fields["name"], "op", index, "name"), inputs, fields["output"])
    op.period, op.group = fields["period"], fields["group"]
    op.act_min, op.act_max = fields["act_min"], fields["act_max"]
    op.weight_bits = int(weight_format.removeprefix("int"))
    if kind in check.WITH_KERNEL:
        op.kernel = (fields["kernel_h"], fields["kernel_w"])
        op.stride = (fields["stride_h"], fields["stride_w"])
    if kind in check.WITH_PADDING:
        op.dilation = (fields["dilation_h"], fields["dilation_w"])
        op.padding = (fields["pad_top"], fields["pad_left"])
    if kind in check.WITH_SLOTS:
        op.frames = fields["frames"]
    if kind in check.WITH_DILATED_FRAMES:
        op.frame_dilation = fields["frame_dilation"]
    if kind in check.SHIFTS:
        if kind in check.SHIFTING and version < 3:
            _zero("op", index, fields, "shift_channels")
        op.shift_channels = fields["shift_channels"]
    return op


def _read_arrays(graph, index, op, fields, data):
    """Read the arrays an op has; return how many bytes they take.

    The offsets of those it has not are checked all the same.
    """
    shapes, total = check.array_shapes(graph, op), 0
    for name, align in ARRAY_ALIGN.items():
        field, dtype = f"{name}_offset", np.dtype(check.ARRAYS[name])
        shape = shapes.get(name, (0,))
        int4 = name == "weights" and op.weight_bits == 4
        stored = (shape[0], -(-math.prod(shape[1:]) // 2)) if int4 else shape
        count = math.prod(stored)
        start, size = fields[field], count * dtype.itemsize
        if start % align:
            raise RecordError("op", index, field, f"{start} is not a multiple of {align}")
        if start + size > len(data):
            message = f"{start} + {size} bytes is outside the data, {len(data)} bytes"
            raise RecordError("op", index, field, message)
        if name in shapes:
            array = np.frombuffer(data, dtype.newbyteorder("<"), count, start)
            array = array.astype(dtype).reshape(stored)
            setattr(op, name, _read_int4(index, array, shape) if int4 else array)
            total += size
    return total


def _read_int4(index, packed, shape):
    """Return weights of 4 bits as int8 of `shape`."""
    rows, count = unpack_int4(packed), math.prod(shape[1:])
    if rows[:, count:].any():
        message = "a row of 4-bit weights does not end in zero"
        raise RecordError("op", index, "weights", message)
    return rows[:, :count].reshape(shape)
