"""Format version 4 in C: inputs and ops that run once in some frames, several inputs, groups."""

import struct
from unittest import mock

import numpy as np
import pytest
import strategies
import version4
from hypothesis import given
from hypothesis import strategies as st
from test_loader import VALUES, Loader, build, fields_of, int4_graph, python_verdict

from host_sdk import native
from host_sdk.bench import loader as slow_files
from host_sdk.errors import MotionletError
from host_sdk.format import check
from host_sdk.format import mlet as fmt
from host_sdk.format.check import RecordError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.format.normalization import Normalization
from host_sdk.pack import chains, mlet_file, planner

PERIODS = st.sampled_from([1, 1, 2, 3, 4, 6])


@pytest.fixture(scope="module")
def loader():
    process = Loader(build("loader_main"))
    yield process
    process.close()


def packed(graph, plan):
    """The file of a plan that this library might refuse."""
    everything = mock.patch.object(mlet_file, "_most_shared", return_value=1 << 30)
    with mock.patch.object(mlet_file, "check_plan"), everything:
        return mlet_file.pack(graph, plan)


def shift_of(graph, source, **fields):
    """Append a temporal_shift of a tensor; return its output."""
    op = Op("temporal_shift", "", [source], len(graph.tensors), shift_channels=1, **fields)
    graph.tensors.append(graph.tensors[source])
    graph.ops.append(op)
    return op.output


def sum_of(graph, a, b):
    """Append an add of two tensors, whose result is their sum; return its output."""
    op = Op("add", "", [a, b], len(graph.tensors))
    op.multiplier, op.shift = np.array([2, 2], np.int32), np.array([1], np.uint8)
    graph.tensors.append(graph.tensors[a])
    graph.ops.append(op)
    return op.output


def two_rates():
    """Two inputs; the second one's shift is added to the first."""
    graph = Graph(inputs=[Input(0, "raw"), Input(1, "raw")])
    graph.tensors = [Tensor(name, 1, 2, 4, 1.0, 0) for name in ("fast", "slow")]
    graph.outputs = [sum_of(graph, 0, shift_of(graph, 1))]
    return graph


def two_rates_file(period=3, **changes):
    graph = two_rates()
    content = mlet_file.pack(graph, version4.apart(graph))
    inputs, ops = [{}, {"period": period}], [{"period": period}, {}]
    for name, value in changes.items():
        where, index, field = name.split("_", 2)
        {"input": inputs, "op": ops}[where][int(index)][field] = value
    return version4.upgraded(content, inputs, ops)


def test_the_same_model_in_version_4(loader, make_vectors):
    """With periods of 1, it computes the same; its normalization lies in the input's record."""
    for graph in (make_vectors.tiny_tsm(), make_vectors.tiny_thermal(), int4_graph()):
        content = mlet_file.pack(graph, planner.plan(graph))
        newer = version4.upgraded(content)
        assert loader.verdict(newer) == "ok"
        streams = [native.Stream(native.Model(c)) for c in (content, newer)]
        for seed in range(4):
            low, high = (0, 256) if graph.input.pixel_format == "gray8" else (2000, 4000)
            samples = np.random.default_rng(seed).integers(low, high, graph.tensors[0].shape)
            samples = samples.astype("uint8" if high == 256 else "int16")
            first, second = (stream.push_trace(samples) for stream in streams)
            for a, b in zip(first, second, strict=True):
                np.testing.assert_array_equal(a, b)


@given(data=st.data())
def test_every_op_of_every_frame(data):
    """Ops at random periods, of one input or two, on plans where nothing shares memory."""
    graph = data.draw(st.one_of(strategies.graphs(max_ops=6), strategies.one_op_graphs("add")))
    inputs = [data.draw(PERIODS) for _ in graph.inputs]
    ops = [data.draw(PERIODS) for _ in graph.ops]
    content = version4.upgraded(
        mlet_file.pack(graph, version4.apart(graph)),
        [{"period": p} for p in inputs],
        [{"period": p, "group": p} for p in ops],
    )
    assert_right(data, graph, content, inputs, ops)


def assert_right(data, graph, content, inputs, ops):
    """The stream in C computes what SPEC.md says, twice with a reset in between."""
    clips = [data.draw(strategies.frames_of(graph.tensors[x.tensor], 14)) for x in graph.inputs]
    wanted = version4.values(graph, clips, inputs, ops)
    stream = native.Stream(native.Model(content))
    for count in (5, 14):
        stream.reset()
        for t in range(count):
            due = [t % p == 0 for p in inputs]
            assert [stream.due(i) for i in range(len(inputs))] == due
            given_now = [clip[t] if now else None for clip, now in zip(clips, due, strict=True)]
            outputs = stream.push_trace(given_now if len(inputs) > 1 else given_now[0])
            for op, period, output in zip(graph.ops, ops, outputs, strict=True):
                if t % period:
                    assert output is None
                else:
                    np.testing.assert_array_equal(output, wanted[op.output][t])
            np.testing.assert_array_equal(stream.output(), wanted[graph.outputs[0]][t])


def naive_verdict(graph, plan, inputs, ops):
    """SPEC.md's rules of the plan for periods, pair by pair, beside those of this library."""
    for index, rows in enumerate(plan.rows):
        if rows and ops[index] != ops[index + 1]:
            return "op", index, "rows"
    held = version4.held(graph, inputs, ops)
    spans = planner.lifetimes(graph, plan.rows)
    sizes = planner.arena_sizes(graph, plan.rows)
    for j in range(len(graph.tensors)):
        for i in range(j):
            live = {i, j} & held or max(spans[i][0], spans[j][0]) <= min(spans[i][1], spans[j][1])
            apart = plan.tensor_offsets[i] - plan.tensor_offsets[j]
            overlap = -sizes[i] < apart < sizes[j]
            if not ({i, j} & held and live and overlap):
                continue  # which planner.check_plan looks at
            return "tensor", j, "arena_offset"
    try:
        planner.check_plan(graph, plan)
    except RecordError as error:
        return error.record, error.index, error.field
    return "ok"


@given(data=st.data())
def test_plans_with_what_is_held(loader, data):
    """C accepts a plan where a pass over all pairs of tensors does, and then it computes right."""
    graph = data.draw(strategies.graphs(max_ops=6))
    plan = planner.plan(graph, chains=data.draw(strategies.chains_of(graph)))
    if data.draw(st.booleans()):
        plan.arena_bytes += 512
        for index in range(len(graph.tensors)):
            if data.draw(st.booleans()):
                places = st.sampled_from([*plan.tensor_offsets, *range(0, 513, 64)])
                plan.tensor_offsets[index] = data.draw(places)
    few = st.sampled_from([1, 1, 1, 2])
    inputs, ops = [data.draw(few)], [data.draw(few) for _ in graph.ops]
    for first, last in chains.chains_of(plan.rows):
        if data.draw(st.integers(0, 5)):
            ops[first : last + 1] = [ops[first]] * (last - first + 1)
    periods = [{"period": p} for p in ops]
    content = version4.upgraded(packed(graph, plan), [{"period": inputs[0]}], periods)
    wanted, verdict = naive_verdict(graph, plan, inputs, ops), loader.verdict(content)
    assert (wanted == "ok") == (verdict == "ok"), (wanted, verdict)
    assert python_verdict(content) == verdict
    if wanted == "ok":
        assert_right(data, graph, content, inputs, ops)


def test_two_inputs_at_two_rates(loader):
    content = two_rates_file()
    assert loader.verdict(content) == "ok"
    stream = native.Stream(native.Model(content))
    fast = np.arange(8, dtype=np.int8).reshape(1, 2, 4)
    for t in range(7):
        slow = fast + np.int8(10 * t) if t % 3 == 0 else None
        output = stream.push({"fast": fast, "slow": slow} if t % 2 else [fast, slow])
        # The first channel is that of the slow frame before the last one.
        last = t - t % 3
        before = fast[..., 0] + 10 * (last - 3) if last else 0 * fast[..., 0]
        np.testing.assert_array_equal(output[..., 1:], 2 * fast[..., 1:] + 10 * last)
        np.testing.assert_array_equal(output[..., 0], fast[..., 0] + before)
    with pytest.raises(
        MotionletError, match=r"'slow' is given a frame at frame 7; .* due at frame 9"
    ):
        stream.push([fast, fast])
    with pytest.raises(MotionletError, match="'fast' is given nothing; a frame is due at frame 7"):
        stream.push({})
    with pytest.raises(MotionletError, match="no input 'medium'; there is: fast, slow"):
        stream.push({"medium": fast})
    with pytest.raises(MotionletError, match="1 inputs given, the graph has 2: fast, slow"):
        stream.push([fast])


def test_each_input_has_its_own_background(loader):
    """Two of them, in front of the state of the ops, at two rates."""
    graph = Graph(inputs=[Input(0, "raw"), Input(1, "raw")])
    graph.tensors = [Tensor(name, 2, 3, 1, 1.0, zero) for name, zero in (("a", 3), ("b", 7))]
    graph.tensors[1].zero_point = 3  # as an add of both wants it of its shift
    graph.outputs = [sum_of(graph, 0, shift_of(graph, 1))]
    kinds = [
        Normalization("background", "uint8", 9000, 13, 3, 1.0, rate=2),
        Normalization("background", "int16", 12000, 17, 3, 1.0, rate=3),
    ]
    formats, inputs, at = ("gray8", "int16"), [], 0
    for normalization, pixels, period in zip(kinds, formats, (1, 2), strict=True):
        fields = normalization.to_dict()
        record = {name: fields[name] for name, *_ in fmt.NORMALIZATION if name in fields}
        record |= {"kind": fmt.NORMALIZATION_KINDS["background"], "state_offset": at}
        inputs.append(record | {"pixel_format": fmt.PIXEL_FORMATS[pixels], "period": period})
        at += 32
    ops = [{"period": 2}, {}]
    content = mlet_file.pack(graph, version4.apart(graph))
    content = version4.upgraded(content, inputs, ops, background_bytes=at)
    assert loader.verdict(content) == "ok"
    rng = np.random.default_rng(1)
    samples = [
        rng.integers(0, 256, (8, 2, 3, 1)).astype(np.uint8),
        rng.integers(-3000, 3000, (8, 2, 3, 1)).astype(np.int16),
    ]
    stream = native.Stream(native.Model(content))
    wanted = [kind.run(clip[::p]) for kind, clip, p in zip(kinds, samples, (1, 2), strict=True)]
    for _ in range(2):
        for t in range(8):
            fast, slow = stream.normalize([samples[0][t], None if t % 2 else samples[1][t]])
            np.testing.assert_array_equal(fast, wanted[0][t])
            assert (slow is None) == (t % 2 == 1)
            if slow is not None:
                np.testing.assert_array_equal(slow, wanted[1][t // 2])
            stream.push([fast, slow])
        stream.reset()


def test_a_frame_that_is_not_due_changes_nothing():
    ffi, lib = native.library()
    stream = native.Stream(native.Model(two_rates_file()))
    fast = np.zeros((1, 2, 4), np.int8)
    stream.push([fast, fast])
    before = stream.memory.copy()
    frame = ffi.new("mlet_frame_t *", {"format": 0, "width": 2, "height": 1})
    pixels = ffi.new("uint8_t[]", 8)
    assert lib.mlet_stream_frame(stream.struct, 1, frame, pixels) == lib.MLET_E_FRAME
    np.testing.assert_array_equal(stream.memory, before)


def test_a_run_that_ends_early_is_not_counted():
    """So that a reset, which it asks for, is all that it takes."""
    ffi, lib = native.library()
    stream = native.Stream(native.Model(two_rates_file()))

    @ffi.callback("mlet_status_t(void *, uint16_t, const int8_t *, uint32_t)")
    def hook(_context, op, _output, _bytes):
        return lib.MLET_E_LAYER

    for _ in range(2):
        assert lib.mlet_stream_run(stream.struct, hook, ffi.NULL) == lib.MLET_E_LAYER
        assert stream.due(1)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"input_1_period": 0}, ("input", 1, "period")),
        ({"input_0_period": 257}, ("input", 0, "period")),
        ({"op_0_period": 0}, ("op", 0, "period")),
        ({"op_0_period": 257}, ("op", 0, "period")),
        ({"op_0_period": 256, "op_1_period": 255}, "ok"),  # 65280 frames
        ({"op_0_period": 256, "op_1_period": 251, "period": 1}, "ok"),  # 64256
        ({"op_0_period": 256, "op_1_period": 251}, ("op", 1, "period")),  # and 3 of the input
        ({"op_0_group": 15}, "ok"),
        ({"op_0_group": 16}, ("op", 0, "group")),
        ({"op_0_reserved": 1}, ("op", 0, "reserved")),
        ({"input_0_reserved": 1}, ("input", 0, "reserved")),
        ({"input_0_reserved2": 1}, ("input", 0, "reserved2")),
        ({"input_0_tensor": 1}, ("input", 0, "tensor")),
        ({"input_1_multiplier": 1}, ("normalization", 1, "kind")),  # of no kind
        ({"input_1_kind": 1}, ("normalization", 1, "kind")),  # of a raw input
        ({"op_0_output": 3}, ("op", 0, "output")),
        ({"op_0_input0": 2}, ("op", 0, "input0")),
        ({"op_1_input1": 3}, ("op", 1, "input1")),
    ],
)
def test_what_is_wrong_is_named(loader, changes, wanted):
    period = changes.pop("period", 3) if "period" in changes else 3
    assert loader.verdict(two_rates_file(period, **changes)) == wanted


def test_a_normalization_in_the_header_is_refused(loader):
    content = bytearray(two_rates_file())
    struct.pack_into("<I", content, version4.HEADER["normalization_offset"][0], 80)
    assert loader.verdict(version4.sealed(content)) == ("header", 0, "normalization_offset")


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (("fast", "slow"), None),
        (("a", "ab"), None),
        (("ab", "a"), None),
        (("a" * 254 + "b", "a" * 254 + "c"), None),
        (("", "slow"), 0),
        (("fast", ""), 1),
        (("fast", "fast"), 1),
        (("a" * 255, "a" * 255 + "c"), 1),
        (("a" * 300 + "b", "a" * 300 + "c"), 1),
    ],
)
def test_inputs_are_told_by_their_names(loader, names, wrong):
    graph = two_rates()
    for tensor, name in zip(graph.tensors, names, strict=False):
        tensor.name = name
    with mock.patch.object(check, "_check_input_names", return_value=None):
        content = mlet_file.pack(graph, version4.apart(graph))
    if wrong is None:
        assert loader.verdict(content) == "ok"
        mlet_file.read(content)
        return
    assert loader.verdict(content) == ("tensor", wrong, "name")
    for refuse in (lambda: mlet_file.read(content), lambda: check.check_graph(graph)):
        with pytest.raises(RecordError, match=f"tensor {wrong}: name: "):
            refuse()


def test_older_versions_have_no_periods_and_groups(loader):
    graph = two_rates()
    content = mlet_file.pack(graph, version4.apart(graph))
    at = struct.unpack_from("<I", content, version4.HEADER["ops_offset"][0])[0]
    for field in ("period", "group"):
        spoilt = bytearray(content)
        offset, code = version4.OP[field]
        struct.pack_into("<" + code, spoilt, at + offset, 2)
        assert loader.verdict(version4.sealed(spoilt)) == ("op", 0, field)


def test_a_chain_has_one_period_and_one_group(loader, make_vectors):
    graph = make_vectors.tiny_separable()
    first, last = chains.possible(graph)[0]
    content = mlet_file.pack(graph, planner.plan(graph, chains=[(first, last)]))
    for field, value in (("period", 2), ("group", 1)):
        ops = [{} for _ in graph.ops]
        ops[first] = {field: value}
        assert loader.verdict(version4.upgraded(content, ops=ops)) == ("op", first, "rows")


def test_every_field_with_many_values(loader, make_vectors):
    """Whatever is accepted is run; the sanitizers watch."""
    refused = set()
    thermal = make_vectors.tiny_thermal()
    thermal = version4.upgraded(mlet_file.pack(thermal, planner.plan(thermal)))
    for content in (two_rates_file(), thermal):
        for record, _, field, at, code in fields_of(content):
            (now,) = struct.unpack_from("<" + code, content, at)
            near = [] if code in ("4s", "f") else [now + d for d in (-16, -4, -1, 1, 4, 16)]
            for value in [*VALUES[code], *near]:
                spoilt = bytearray(content)
                try:
                    struct.pack_into("<" + code, spoilt, at, value)
                except struct.error:  # now + d is out of range
                    continue
                if loader.verdict(version4.sealed(spoilt)) != "ok":
                    refused.add((record, field))
    assert {("input", name) for name, *_ in fmt.INPUT4} <= refused


@pytest.mark.parametrize(("count", "wanted"), [(63, "ok"), (64, ("tensor", 2, "live"))])
def test_how_many_tensors_may_be_live(loader, count, wanted):
    """At the first sum they are all live, and its output; the one too many is its last input."""
    graph = Graph(inputs=[Input(0, "raw")])
    graph.tensors = [Tensor("x", 1, 1, 1, 1.0, 0)]
    last, *rest = [shift_of(graph, 0) for _ in range(count)]
    for tensor in rest:
        last = sum_of(graph, last, tensor)
    graph.outputs = [last]
    assert loader.verdict(packed(graph, version4.apart(graph))) == wanted


@pytest.mark.parametrize(("count", "wanted"), [(4, "ok"), (5, ("op", 4, "arrays"))])
def test_how_often_ops_may_share_arrays(loader, count, wanted):
    graph = Graph(inputs=[Input(0, "raw")], outputs=[count])
    graph.tensors = [Tensor("x", 1, 1, 64, 1.0, 0) for _ in range(count + 1)]
    for index in range(count):
        op = Op("pointwise", "", [index], index + 1)
        op.weights = np.ones((64, 64), np.int8)
        op.bias, op.multiplier = np.zeros(64, np.int32), np.full(64, 1 << 30, np.int32)
        op.shift = np.full(64, 40, np.uint8)
        graph.ops.append(op)
    assert loader.verdict(packed(graph, version4.apart(graph))) == wanted


def test_states_lie_in_the_order_of_the_ops(loader):
    graph = Graph(inputs=[Input(0, "raw")], outputs=[2])
    graph.tensors = [Tensor("x", 1, 1, 1, 1.0, 0)]
    shift_of(graph, shift_of(graph, 0))
    plan = version4.apart(graph)
    assert plan.state_offsets == [0, 16]
    plan.state_offsets.reverse()
    assert loader.verdict(packed(graph, plan)) == ("op", 1, "state_offset")


def test_the_longest_check_is_short(loader):
    """512 ops, 64 tensors live: 512 * 512 / 2 pairs of tensors alone would take longer."""
    content = slow_files.long_to_check(0)
    assert loader.verdict(content) == "ok"
    assert min(slow_files.open_seconds(content) for _ in range(20)) < 0.02
