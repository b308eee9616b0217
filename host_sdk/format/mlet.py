"""The `.mlet` file, as data: every field, code and limit of the format, defined once.

`python tools/generate_format.py` writes the C header `mlet_format.h` and the tables of SPEC.md
from this file, so that host, device and document cannot disagree. Everything is little-endian.
"""

import struct

from host_sdk.format.operators import OP_CODES, OPS, TRAITS  # noqa: F401 - part of the format

MAGIC = b"MLET"
FORMAT_VERSION = 4  # the newest; a writer uses the oldest that can hold the file
OLDEST_VERSION = 1
ALIGN = 16  # bytes: blobs in the file, tensors in the arena, slots of the state
NO_TENSOR = 0xFFFF  # an op's second input when it has one
CRC_START = 16  # the CRC-32 covers the file from here to its end

# A file packed for one target holds its weights in that target's layout; 0 runs anywhere.
TARGETS = {"portable": 0, "cortex_m0plus": 1, "esp32s3": 2}

DTYPES = {"int8": 1}

WEIGHT_FORMATS = {"int8": 0, "int4": 1}

# What an input takes: int8 elements as they are, or samples of 8 or 16 bits.
PIXEL_FORMATS = {"raw": 0, "gray8": 1, "rgb888": 2, "int16": 3}

# How samples become int8. Without a normalization, an 8-bit sample v enters as v - 128.
NORMALIZATION_KINDS = {"window": 1, "background": 2}

# Layout of a camera's frame in memory.
FRAME_FORMATS = {
    "gray8": 0,
    "rgb888": 1,
    "rgb565_le": 2,
    "rgb565_be": 3,
    "yuv422": 4,
    "int16": 5,
    "float32": 6,
}

LIMITS = {
    "max_dim": 4096,  # height, width, channels
    "max_tensor_bytes": 1 << 24,
    "max_arena_bytes": 1 << 28,
    "max_state_bytes": 1 << 28,
    "max_taps": 65535,  # products in one accumulator
    "max_tensors": 1024,
    "max_ops": 512,
    "max_inputs": 16,
    "max_outputs": 16,
    "max_labels": 1024,
    "max_strings_bytes": 65535,
    "max_chain": 8,  # ops
    "max_frames": 256,  # a temporal kernel's taps, a temporal average's frames
    "max_span": 4096,  # (frames - 1) * frame_dilation
    "multiplier_min": 1 << 30,
    "multiplier_max": (1 << 31) - 1,
    "shift_min": 1,
    "shift_max": 62,
    "add_multiplier_max": (1 << 22) - 1,
    "add_shift_max": 23,
    "normalization_multiplier_max": (1 << 14) - 1,
    "normalization_shift_max": 30,
    "normalization_rate_max": 15,
    "max_period": 256,  # frames from one run of an op to the next
    "max_cycle": 65535,  # frames: the least common multiple of all periods
    "max_group": 15,
    "max_live": 64,  # tensors at once
    "max_missing": 8,  # samples of a frame of float32 that are bridged
    "max_input_name": 255,  # bytes in which the names of inputs differ
    "array_reuse": 4,  # the arrays of all ops together: at most so many times the data,
    "array_spare": 1024,  # and so many bytes more
}

# Multiply-accumulates that one frame may take before loaders ask: `Graph.most_macs`.
MACS_LIMIT = 1 << 31

# (name, struct code, meaning); records are packed, and every field is naturally aligned.
HEADER = [
    ("magic", "4s", '"MLET"'),
    ("format_version", "H", "the oldest version of this document that has all the file uses"),
    ("target", "H", "whose weight layout this is; 0: portable, runs anywhere"),
    ("total_bytes", "I", "length of the file"),
    ("crc32", "I", "CRC-32 (as in zlib) of bytes 16 to the end"),
    ("tensor_count", "H", ""),
    ("op_count", "H", ""),
    ("input_count", "H", ""),
    ("output_count", "H", ""),
    ("label_count", "H", "0, or the channels of the first output"),
    ("reserved0", "H", "0"),
    ("frames_per_second", "f", "the rate the model was trained at, at least 2^-17; 0: not stated"),
    ("tensors_offset", "I", "tensor records"),
    ("ops_offset", "I", "op records, in the order they run"),
    ("inputs_offset", "I", "input records"),
    ("outputs_offset", "I", "output records"),
    ("labels_offset", "I", "label_count 16-bit offsets into the strings"),
    ("strings_offset", "I", "UTF-8 strings, each ended by a zero byte"),
    ("strings_bytes", "I", "at least 1; the first and the last byte are zero"),
    ("data_offset", "I", "weights and parameters"),
    ("data_bytes", "I", ""),
    ("arena_bytes", "I", "scratch memory of one frame; holds the input tensor too"),
    ("state_bytes", "I", "what a stream keeps from frame to frame"),
    ("normalization_offset", "I", "up to version 3: the record of input 0; 0: there is none"),
]

TENSOR = [
    ("height", "H", ""),
    ("width", "H", ""),
    ("channels", "H", ""),
    ("dtype", "B", "1: int8"),
    ("zero_point", "b", ""),
    ("scale", "f", "real value = scale * (q - zero_point); finite, at least 2^-126"),
    ("arena_offset", "I", "a multiple of 16"),
    ("name", "H", "offset into the strings"),
    ("reserved", "H", "0"),
]

INPUT = [
    ("tensor", "H", ""),
    ("pixel_format", "B", ""),
    ("reserved", "B", "0"),
]

NORMALIZATION = [
    ("kind", "B", "how samples become int8"),
    ("rate", "B", "background: 0 to 15; else 0"),
    ("shift", "B", "1 to 30"),
    ("samples_per_unit", "B", "at least 1: how many samples make 1 in a frame of float32"),
    ("offset", "h", "window: subtracted from a sample; else 0"),
    ("multiplier", "H", "1 to 16383"),
    ("state_offset", "I", "background: in the state; a multiple of 16"),
]

# The input record of version 4 holds the normalization in place, all zero where there is none.
INPUT4 = [
    *INPUT,
    ("period", "H", "a frame is given at every n-th frame; 1 to 256"),
    ("reserved2", "H", "0"),
    *(
        (name, code, meaning + "; 0: no normalization" if name == "kind" else meaning)
        for name, code, meaning in NORMALIZATION
    ),
]

OUTPUT = [
    ("tensor", "H", ""),
    ("reserved", "H", "0"),
]

OP = [
    ("code", "B", "op code"),
    ("weight_format", "B", "how weights are stored"),
    ("period", "H", "run on every n-th frame; 1 to 256, up to version 3: 1"),
    ("input0", "H", "tensor index"),
    ("input1", "H", "tensor index; 0xFFFF: none"),
    ("output", "H", "tensor index"),
    ("act_min", "b", "lower bound of the output"),
    ("act_max", "b", "upper bound of the output"),
    ("kernel_h", "B", ""),
    ("kernel_w", "B", ""),
    ("stride_h", "B", ""),
    ("stride_w", "B", ""),
    ("dilation_h", "B", ""),
    ("dilation_w", "B", ""),
    ("pad_top", "B", ""),
    ("pad_left", "B", ""),
    ("frames", "H", "temporal taps k_t, or frames averaged; else 1"),
    ("frame_dilation", "H", "frames between temporal taps; else 1"),
    ("shift_channels", "H", "channels taken from the previous frame; 0: none"),
    ("name", "H", "offset into the strings"),
    ("weights_offset", "I", "from the start of data; a multiple of 16"),
    ("bias_offset", "I", "int32 values"),
    ("multiplier_offset", "I", "int32 values"),
    ("shift_offset", "I", "uint8 values"),
    ("state_offset", "I", "in the state; a multiple of 16"),
    ("state_bytes", "I", ""),
    ("scratch_offset", "I", "in the arena; a multiple of 16"),
    ("scratch_bytes", "I", ""),
    ("rows", "H", "rows of the output that are kept: see Chains; 0: all"),
    ("group", "B", "0 to 15; up to version 3: 0"),
    ("reserved", "B", "0"),
]

RECORDS = {
    "header": HEADER,
    "tensor": TENSOR,
    "input": INPUT,
    "input4": INPUT4,
    "normalization": NORMALIZATION,
    "output": OUTPUT,
    "op": OP,
}


def records_of(version):
    """Return {record: fields} of the records that a file of a version has."""
    records = {name: fields for name, fields in RECORDS.items() if name != "input4"}
    if version >= 4:
        records["input"] = INPUT4
        del records["normalization"]
    return records


def codec(fields):
    """Return the `struct.Struct` of a record."""
    return struct.Struct("<" + "".join(code for _, code, _ in fields))


def field_offsets(fields):
    """Return {name: (offset, struct code)} of a record; raise if a field is not aligned."""
    offsets, at = {}, 0
    for name, code, _ in fields:
        size = struct.calcsize("<" + code)
        if code != "4s" and at % size:
            raise ValueError(f"field {name} at {at} is not aligned to {size}")
        offsets[name] = (at, code)
        at += size
    if at % 4:
        raise ValueError(f"record of {at} bytes is not a multiple of 4")
    return offsets
