"""The C loader, under AddressSanitizer and UBSan, against the Python reader, on damaged files.

The two are separate readings of SPEC.md: they must accept the same files and name the same field.
"""

import os
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import strategies
import version4
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import native, paths
from host_sdk.format import check
from host_sdk.format import mlet as fmt
from host_sdk.format.check import RecordError
from host_sdk.format.graph import Graph, Input, Op
from host_sdk.pack import mlet_file, planner, targets

sys.path.insert(0, str(paths.repository() / "tools"))
import make_vectors

CORE = paths.repository() / "native_modules/motionlet/core"
FUZZ = paths.repository() / "tests/fuzz"
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1", "-std=c99"]
HEADER = fmt.field_offsets(fmt.HEADER)

# Where one changed field breaks several rules at once, readers may name any of them.
BREAKS_SEVERAL = {
    ("header", "format_version"),
    ("tensor", "height"),
    ("tensor", "width"),
    ("tensor", "channels"),
    ("op", "code"),
    ("op", "input0"),
    ("op", "input1"),
    ("op", "output"),
}
LARGE = [2**16, 2**24, 2**28, 2**28 + 16, 2**31 - 1, 2**31, 2**32 - 16, 2**32 - 1]
EDGES = [0x3FFF, 0x4000, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF]
NOT_FINITE = ("nan", "inf", "-inf")
VALUES = {
    "B": [0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 16, 30, 31, 127, 128, 200, 255],
    "b": [-128, -127, -1, 0, 1, 127],
    "h": [-(2**15), -1, 0, 1, 2**15 - 1],
    "H": [*range(12), 16, 64, 255, 256, 257, 4095, 4096, 4097, *EDGES],
    "I": [0, 1, 2, 3, 4, 8, 12, 15, *range(16, 144, 16), 256, 512, 1024, *LARGE],
    "f": [0.0, -0.0, -1.0, 1.0, 1e-45, 1e-38, 2**-126, 7.6e-6, 2**-17, *map(float, NOT_FINITE)],
    "4s": [b"MLEX", b"\0\0\0\0"],
}


def build(name, compiler="gcc", flags=SANITIZE, arch=None):
    """Compile a program of tests/fuzz; skip when the compiler has no sanitizers.

    `arch` names a folder of tuned kernels to build in; their assembly is left out.
    """
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    target = paths.build() / "fuzz" / (f"{name}_{arch}" if arch else name)
    target.parent.mkdir(parents=True, exist_ok=True)
    sources = [FUZZ / f"{name}.c", *sorted(CORE.glob("*.c"))]
    command = [compiler, *flags, "-Wall", "-Wextra", "-Werror", f"-I{CORE}"]
    if arch:
        tuned = CORE.parent / "arch" / arch
        sources += sorted(tuned.glob("*.c"))
        command += [f"-I{tuned}", f"-DMLET_TARGET=MLET_TARGET_{arch.upper()}"]
    probe = subprocess.run(
        [compiler, *flags, "-x", "c", "-", "-o", f"{target}.probe"],
        input="int main(void) { return 0; }\n"
        if "fuzzer" not in " ".join(flags)
        else "int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && !n; }\n",
        capture_output=True,
        text=True,
    )
    if probe.returncode:
        pytest.skip(f"{compiler} has no runtime for {flags[0]}")
    fresh = target.with_name(f"{target.name}.{os.getpid()}")  # others may be running the old one
    subprocess.run([*command, *map(str, sources), "-o", str(fresh)], check=True)
    return fresh.replace(target)


class Loader:
    """The C loader as a process that lives on; when it dies, what it said is the error."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def verdict(self, content):
        """What C says to a file: "ok", or (record, index, field)."""
        try:
            self.process.stdin.write(struct.pack("<I", len(content)) + content)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline().decode().strip()
        if not line:
            pytest.fail("the loader died:\n" + self.process.stderr.read().decode())
        if line == "ok":
            return line
        record, index, field = line.split(" ", 2)
        return record, int(index), field

    def close(self):
        _, said = self.process.communicate()
        assert (self.process.returncode, said) == (0, b"")


@pytest.fixture(scope="module")
def loader():
    process = Loader(build("loader_main"))
    yield process
    process.close()


def int4_graph():
    """A conv2d, a pointwise and a dense of odd rows, all with weights of 4 bits."""
    rng = np.random.default_rng(4)
    graph = Graph(inputs=[Input(0, "gray8")], outputs=[3])
    shapes = [(3, 3, 1), (3, 3, 5), (3, 3, 3), (1, 1, 2)]
    graph.tensors = [strategies.tensor(f"t{i}", shape) for i, shape in enumerate(shapes)]
    graph.tensors[0].zero_point = -128
    weights = {"conv2d": (5, 3, 3, 1), "pointwise": (3, 5), "dense": (2, 27)}
    for index, (kind, shape) in enumerate(weights.items()):
        op = Op(kind, kind, [index], index + 1, weight_bits=4)
        op.weights = rng.integers(-7, 8, shape).astype(np.int8)
        op.bias = np.zeros(shape[0], np.int32)
        op.multiplier = np.full(shape[0], 2**30, np.int32)
        op.shift = np.full(shape[0], 35, np.uint8)
        graph.ops.append(op)
    graph.ops[0].kernel, graph.ops[0].padding = (3, 3), (1, 1)
    return graph


@pytest.fixture(scope="module")
def models():
    """Small files: two with every op, one of 4-bit weights, one normalized, one that shifts, and
    one of version 4: of two inputs, at two rates.
    """
    graphs = (
        make_vectors.tiny_tsm(),
        make_vectors.tiny_separable(),
        int4_graph(),
        make_vectors.tiny_thermal(),
        make_vectors.tiny_shifting(),
        make_vectors.tiny_two_rates(),
    )
    return [mlet_file.pack(graph, planner.plan(graph)) for graph in graphs]


def python_verdict(content):
    try:
        mlet_file.read(content)
    except RecordError as error:
        return error.record, error.index, error.field
    return "ok"


def sealed(content):
    """Make the CRC right, so that the checks behind it are reached."""
    content = bytearray(content)
    struct.pack_into("<I", content, HEADER["crc32"][0], zlib.crc32(content[fmt.CRC_START :]))
    return bytes(content)


def header_of(content):
    values = fmt.codec(fmt.HEADER).unpack_from(content)
    return dict(zip(HEADER, values, strict=True))


def fields_of(content):
    """Yield (record, index, field, offset in the file, struct code) of every field."""
    header = header_of(content)
    for record, fields in fmt.records_of(header["format_version"]).items():
        start, count = make_vectors.records(header, record)
        size = fmt.codec(fields).size
        for index in range(count):
            for field, (offset, code) in fmt.field_offsets(fields).items():
                yield record, index, field, start + index * size + offset, code


def same(loader, content):
    """Both readers accept, or both refuse; return their verdicts."""
    python, c = python_verdict(content), loader.verdict(content)
    assert (python == "ok") == (c == "ok"), f"Python says {python}, C says {c}"
    return python, c


def test_whole_files_are_accepted(loader, models):
    for content in models:
        assert same(loader, content) == ("ok", "ok")


def test_cut_anywhere(loader, models):
    for content in models:
        for length in range(len(content)):
            python, c = same(loader, content[:length])
            assert python == c != "ok"
            # The same with a header that claims to be whole.
            if length >= fmt.codec(fmt.HEADER).size:
                cut = bytearray(content[:length])
                struct.pack_into("<I", cut, HEADER["total_bytes"][0], length)
                python, c = same(loader, sealed(cut))
                assert python == c != "ok"


def test_longer_than_it_says(loader, models):
    for extra in (1, 3, 4, 16):
        python, c = same(loader, models[0] + bytes(extra))
        assert python == c == ("header", 0, "total_bytes")


def test_every_field_with_many_values(loader, models):
    refused = set()
    for content in models:
        for record, index, field, at, code in fields_of(content):
            (now,) = struct.unpack_from("<" + code, content, at)
            near = [] if code in ("4s", "f") else [now + d for d in (-16, -4, -1, 1, 4, 16)]
            for value in [*VALUES[code], *near]:
                try:
                    patch = struct.pack("<" + code, value)
                except struct.error:  # now + d is out of range
                    continue
                spoilt = bytearray(content)
                spoilt[at : at + len(patch)] = patch
                spoilt = bytes(spoilt) if field == "crc32" else sealed(spoilt)
                python, c = same(loader, spoilt)
                if (record, field) not in BREAKS_SEVERAL:
                    assert python == c, f"{record} {index} {field} = {value}"
                if c != "ok":
                    refused.add((record, field))
    # Fields without a wrong value: ones that say something only to people.
    free = {
        (r, f) for v in (3, 4) for r, fields in fmt.records_of(v).items() for f, _, _ in fields
    } - refused
    assert free <= {("op", "dilation_h"), ("op", "dilation_w")}


def test_damage_vectors_name_what_is_wrong(loader, models):
    for record, index, field, length, patches in make_vectors.damage_cases(models[0]):
        verdict = loader.verdict(make_vectors.damaged(models[0], length, patches))
        assert verdict == (record, index, field)


def ends(op, taps):
    """{array: (lowest, highest)} that SPEC.md allows."""
    bias = 2**31 - 1 - 32768 * taps
    multiplier, shift = ((0, 2**22 - 1), (1, 23)) if op.kind == "add" else ((2**30, None), (1, 62))
    return {
        "weights": (-127, None),
        "bias": (-bias, bias),
        "multiplier": multiplier,
        "shift": shift,
    }


def test_parameters_at_their_ends(loader, models):
    """Elements of every array of every op: the ends of the range are accepted, beyond is not."""
    for content in models:
        header = header_of(content)
        graph, *_ = mlet_file.read(content)
        for record, index, field, at, _ in fields_of(content):
            name, op = field.removesuffix("_offset"), graph.ops[index] if record == "op" else None
            array = getattr(op, name, None)
            if not isinstance(array, np.ndarray):
                continue
            if name == "weights" and op.weight_bits == 4:
                continue  # test_every_weight_of_4_bits
            (offset,) = struct.unpack_from("<I", content, at)
            low, high = ends(op, check.taps_of(graph, op))[name]
            values = {low: True, low - 1: False}
            if high is not None:  # else it is the last value of the type
                values |= {high: True, high + 1: False}
            for element in {0, array.size // 2, array.size - 1}:
                place = header["data_offset"] + offset + element * array.itemsize
                for value, allowed in values.items():
                    spoilt = bytearray(content)
                    number = np.array(value).astype(array.dtype).tobytes()
                    spoilt[place : place + array.itemsize] = number
                    python, c = same(loader, sealed(spoilt))
                    assert (c == "ok") == allowed, f"{op.name} {name} {value}"
                    assert allowed or python[2] == c[2] == name


def test_every_weight_of_4_bits(loader, models):
    """-8 is refused wherever it stands; so is anything but zero behind the end of a row."""
    content = models[2]
    header = header_of(content)
    graph, *_ = mlet_file.read(content)
    for record, index, field, at, _ in fields_of(content):
        if record != "op" or field != "weights_offset":
            continue
        weights = graph.ops[index].weights
        row, taps = -(-weights[0].size // 2), weights[0].size
        (start,) = struct.unpack_from("<I", content, at)
        for byte in range(len(weights) * row):
            place = header["data_offset"] + start + byte
            for half in (0, 4):
                tap = byte % row * 2 + half // 4
                for value in (-8, -7, 0, 7):
                    spoilt = bytearray(content)
                    spoilt[place] = spoilt[place] & 0xF0 >> half | (value & 15) << half
                    python, c = same(loader, sealed(spoilt))
                    allowed = value != -8 if tap < taps else value == 0
                    assert python == c == ("ok" if allowed else ("op", index, "weights"))


@given(data=st.data())
def test_other_plans(loader, data):
    """Random graphs with tensors, scratch and state moved about."""
    graph = data.draw(st.one_of(strategies.graphs(), strategies.two_rate_graphs()))
    plan = planner.plan(graph)
    content = bytearray(mlet_file.pack(graph, plan))
    places = {(record, index, field): at for record, index, field, at, _ in fields_of(content)}
    sixteens = st.integers(0, max(plan.arena_bytes, plan.state_bytes) // 16 + 1).map(
        lambda n: 16 * n
    )
    for _ in range(data.draw(st.integers(1, 3))):
        index = data.draw(st.integers(0, len(graph.ops) - 1))
        field = data.draw(st.sampled_from(["arena_offset", "state_offset", "scratch_offset"]))
        if field == "arena_offset":
            at = places["tensor", data.draw(st.integers(0, len(graph.tensors) - 1)), field]
            value = data.draw(st.one_of(st.sampled_from(plan.tensor_offsets), sixteens))
        else:
            at, value = places["op", index, field], data.draw(sixteens)
        if field == "scratch_offset":
            size = data.draw(st.sampled_from([0, 16, 33]))
            struct.pack_into("<I", content, places["op", index, "scratch_bytes"], size)
        struct.pack_into("<I", content, at, value)
    same(loader, sealed(content))


@given(data=st.data())
def test_random_bytes(loader, data):
    graph = data.draw(st.one_of(strategies.graphs(4), strategies.two_rate_graphs(4)))
    content = mlet_file.pack(graph, planner.plan(graph))
    header = header_of(content)
    spoilt = bytearray(content)
    end = header["strings_offset"] + header["strings_bytes"]
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(4, end - 1))] = data.draw(st.integers(0, 255))
    same(loader, sealed(spoilt))


def with_text(models, text):
    """A model whose first texts are replaced by some bytes, between two zeros."""
    header, spoilt = header_of(models[0]), bytearray(models[0])
    start = header["strings_offset"]
    assert len(text) + 2 < header["strings_bytes"]
    spoilt[start : start + len(text) + 2] = b"\0" + text + b"\0"
    return spoilt


def test_texts_are_utf8_as_python_has_it(loader, models):
    rng = np.random.default_rng(1)
    leads = [0x00, 0x7F, 0x80, 0xBF, *range(0xC0, 0x100)]
    nexts = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
    texts = [bytes([a, b, c, 0x80]) for a in leads for b in nexts for c in nexts]
    texts += [bytes([a, b, 0xBF, 0xBF]) for a in leads for b in nexts]
    texts += [rng.integers(0, 256, 4, np.uint8).tobytes() for _ in range(500)]
    texts += [chr(code).encode("utf-8", "surrogatepass") for code in rng.integers(0, 0x110000, 500)]
    found = set()
    for text in texts:
        _, c = same(loader, sealed(with_text(models, text)))
        try:
            text.decode()
        except UnicodeDecodeError:
            assert c == ("header", 0, "strings_offset"), text
        found.add(c == "ok")
    assert found == {True, False}


def test_a_text_begins_with_a_character(loader, models):
    spoilt = with_text(models, "aé€😀".encode())
    header = header_of(spoilt)
    graph, *_ = mlet_file.read(models[0])
    places = {(record, field): at for record, _, field, at, _ in reversed([*fields_of(spoilt)])}
    places["label", "labels_offset"] = header["labels_offset"]
    assert graph.labels
    for (record, field), at in places.items():
        if (record, field) not in {("tensor", "name"), ("op", "name"), ("label", "labels_offset")}:
            continue
        for offset in range(12):
            patched = bytearray(spoilt)
            struct.pack_into("<H", patched, at, offset)
            python, c = same(loader, sealed(patched))
            inside = offset in (3, 5, 6, 8, 9, 10)
            assert python == c
            assert (c == (record, 0, field)) == inside, offset


def test_memory_that_is_not_aligned(models):
    ffi, lib = native.library()
    memory = ffi.new("uint8_t[]", len(models[0]) + 32)
    start = -int(ffi.cast("uintptr_t", memory)) % fmt.ALIGN
    model, error = ffi.new("mlet_model_t *"), ffi.new("mlet_error_t *")
    for offset in (0, 1, 4, 8):
        ffi.memmove(memory + start + offset, models[0], len(models[0]))
        status = lib.mlet_model_open(model, memory + start + offset, len(models[0]), error)
        assert status == (lib.MLET_E_MEMORY if offset else lib.MLET_OK)


def test_frames_in_exact_blocks():
    done = subprocess.run([build("frames_main")], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1000


@pytest.mark.slow
@pytest.mark.parametrize("arch", [None, "cortex_m0plus", "esp32s3"])
def test_fuzz(models, arch, tmp_path):
    """libFuzzer for some seconds, from the small models; needs clang with its fuzzer runtime.

    Tuned kernels are reached from files that are packed for them.
    """
    flags = ["-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    program = build("fuzz_loader", "clang", flags, arch)
    seeds = [*models, *(version4.upgraded(content) for content in models[:-1])]
    if arch:
        for content in models:
            graph, *_ = mlet_file.read(content)
            plan = planner.plan(graph, targets.scratch_bytes(arch))
            seeds.append(mlet_file.pack(graph, plan, arch))
    for index, content in enumerate(seeds):
        (tmp_path / f"{index}.mlet").write_bytes(content)
    command = [program, tmp_path, "-max_total_time=30", "-max_len=4096", "-timeout=20"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
