"""Whole models: the C stream against the golden stream and the golden clip, bit for bit."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden, native
from host_sdk.errors import MotionletError
from host_sdk.format.graph import Graph, Input, Op, Tensor
from host_sdk.pack import mlet_file, planner

FRAMES = st.integers(1, 10)


def open_in_c(graph):
    return native.Model(mlet_file.pack(graph, planner.plan(graph)))


def assert_same_trace(traced, offline, t):
    for op, (got, expected) in enumerate(zip(traced, offline, strict=True)):
        np.testing.assert_array_equal(got, expected[t], err_msg=f"op {op}, frame {t}")


@given(data=st.data())
def test_every_op_of_every_frame(data):
    graph = data.draw(strategies.graphs(max_ops=12))
    clip = data.draw(strategies.frames_of(graph.tensors[0], data.draw(FRAMES)))
    offline = golden.run_clip(graph, clip)
    stream, reference = native.Stream(open_in_c(graph)), golden.Stream(graph)
    for t, frame in enumerate(clip):
        assert_same_trace(stream.push_trace(frame), offline, t)
        assert_same_trace(reference.push_trace(frame), offline, t)


@given(data=st.data())
def test_samples_are_normalized(data):
    """From samples on, twice with a reset in between: the input tensor and every output."""
    graph = data.draw(strategies.graphs(max_ops=3).filter(lambda g: g.input.pixel_format != "raw"))
    clip = data.draw(strategies.samples_for(graph.input.normalization, graph.tensors[0].shape))
    offline = golden.run_clip(graph, clip)
    tensors = graph.input.normalization.run(clip)
    stream, reference = native.Stream(open_in_c(graph)), golden.Stream(graph)
    for _ in range(2):
        stream.reset()
        reference.reset()
        for t, frame in enumerate(clip):
            x = stream.normalize(frame)
            np.testing.assert_array_equal(x, tensors[t])
            assert_same_trace(stream.push_trace(x), offline, t)
            assert_same_trace(reference.push_trace(frame), offline, t)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((6, 8, 1), np.uint8, "frame is uint8 .*, the model takes int16 or int8"),
        ((6, 7, 1), np.int16, "frame is int16 .*, the model takes int16 or int8"),
        ((6, 7, 1), np.int8, "frame is int8 .*, the model takes int16 or int8"),
    ],
)
def test_a_frame_that_does_not_fit(make_vectors, shape, dtype, message):
    stream = native.Stream(open_in_c(make_vectors.tiny_thermal()))
    with pytest.raises(MotionletError, match=message):
        stream.push(np.zeros(shape, dtype))


@given(data=st.data())
def test_outputs_without_a_hook(data):
    graph = data.draw(strategies.graphs())
    clip = data.draw(strategies.frames_of(graph.tensors[0], data.draw(FRAMES)))
    reference = golden.Stream(graph)
    expected = np.stack([reference.push(frame) for frame in clip])
    np.testing.assert_array_equal(native.run_clip(open_in_c(graph), clip), expected)


@given(data=st.data())
def test_two_streams_on_one_model(data):
    """Frames of two videos, interleaved: neither stream sees the other."""
    graph = data.draw(strategies.graphs())
    model = open_in_c(graph)
    clips = [data.draw(strategies.frames_of(graph.tensors[0], 8)) for _ in range(2)]
    offline = [golden.run_clip(graph, clip) for clip in clips]
    streams, seen = [native.Stream(model) for _ in clips], [0, 0]
    turns = data.draw(st.lists(st.integers(0, 1), max_size=8))
    for turn in turns:
        t = seen[turn]
        assert_same_trace(streams[turn].push_trace(clips[turn][t]), offline[turn], t)
        seen[turn] += 1


@given(data=st.data())
def test_reset_forgets(data):
    graph = data.draw(strategies.graphs())
    clip = data.draw(strategies.frames_of(graph.tensors[0], 6))
    offline = golden.run_clip(graph, clip)
    stream = native.Stream(open_in_c(graph))
    for _ in range(2):
        for t in range(data.draw(st.integers(0, 6))):
            assert_same_trace(stream.push_trace(clip[t]), offline, t)
        stream.reset()


def run_inputs(graph, clips):
    """Stream clips into all inputs of a model; return its outputs at the last frame."""
    ffi, lib = native.library()
    model = open_in_c(graph)
    stream = native.Stream(model)
    for frames in zip(*clips, strict=True):
        for index, frame in enumerate(frames):
            content = np.ascontiguousarray(frame).tobytes()
            ffi.memmove(lib.mlet_stream_input(stream.struct, index), content, len(content))
        assert lib.mlet_stream_run(stream.struct, ffi.NULL, ffi.NULL) == lib.MLET_OK
    outputs = []
    for index, tensor in enumerate(graph.outputs):
        shape = graph.tensors[tensor].shape
        pointer = lib.mlet_stream_output(stream.struct, index)
        outputs.append(np.frombuffer(ffi.buffer(pointer, int(np.prod(shape))), np.int8).copy())
    return outputs


@given(data=st.data())
def test_several_inputs_and_outputs(data):
    graph = data.draw(strategies.one_op_graphs("add"))
    last = data.draw(strategies.graph_ops(graph, graph.outputs[0], "temporal_average")).output
    inputs = range(len(graph.inputs))
    graph.outputs = [last, *inputs, graph.ops[0].output]
    clips = [data.draw(strategies.frames_of(graph.tensors[i], 3)) for i in inputs]
    total, mean = golden.run_clip(graph, clips)
    expected = [mean[-1], *(clip[-1] for clip in clips), total[-1]]
    for got, wanted in zip(run_inputs(graph, clips), expected, strict=True):
        np.testing.assert_array_equal(got, wanted.reshape(-1))


def running_mean():
    """A model of one temporal average over 4 frames, in place."""
    graph = Graph(inputs=[Input(0, "raw")], outputs=[1])
    graph.tensors = [Tensor(name, 2, 2, 3, 0.5, 11) for name in "xy"]
    op = Op("temporal_average", "mean", [0], 1, frames=4)
    op.multiplier, op.shift = np.array([2**30], np.int32), np.array([32], np.uint8)
    graph.ops = [op]
    return graph


def test_a_stream_in_place_goes_round_its_ring():
    graph = running_mean()
    plan = planner.plan(graph)
    assert plan.tensor_offsets == [0, 0]
    clip = np.random.default_rng(3).integers(-128, 128, (300, 2, 2, 3)).astype(np.int8)
    (expected,) = golden.run_clip(graph, clip)
    np.testing.assert_array_equal(native.run_clip(open_in_c(graph), clip), expected)


def test_state_starts_at_the_zero_point():
    stream = native.Stream(open_in_c(running_mean()))
    nothing = np.full((2, 2, 3), 11, np.int8)
    assert (stream.push(nothing) == 11).all()
    assert (stream.push(nothing + np.int8(4)) == 12).all()


def test_a_hook_can_end_a_run():
    ffi, lib = native.library()
    graph = make_chain(3)
    model = open_in_c(graph)
    stream = native.Stream(model)
    called = []

    @ffi.callback("mlet_status_t(void *, uint16_t, const int8_t *, uint32_t)")
    def hook(_context, op, _output, _bytes):
        called.append(op)
        return lib.MLET_E_ARGUMENT if op == 1 else lib.MLET_OK

    assert lib.mlet_stream_run(stream.struct, hook, ffi.NULL) == lib.MLET_E_ARGUMENT
    assert called == [0, 1]
    stream.reset()
    clip = np.random.default_rng(4).integers(-128, 128, (5, 2, 2, 3)).astype(np.int8)
    expected = golden.run_clip(graph, clip)[-1]
    np.testing.assert_array_equal(np.stack([stream.push(frame) for frame in clip]), expected)


def make_chain(ops):
    graph = running_mean()
    for index in range(1, ops):
        graph.tensors.append(Tensor(f"t{index}", 2, 2, 3, 0.5, 11))
        op = Op("temporal_shift", f"shift{index}", [index], index + 1, shift_channels=index)
        graph.ops.append(op)
    graph.outputs = [ops]
    return graph


@pytest.mark.parametrize("missing", [1, 16])
def test_too_little_memory(missing):
    ffi, lib = native.library()
    model = open_in_c(running_mean())
    size = lib.mlet_stream_bytes(model.struct)
    memory = ffi.new("uint8_t[]", size + 16)
    start = memory + (-int(ffi.cast("uintptr_t", memory)) % 16)
    stream = ffi.new("mlet_stream_t *")
    assert lib.mlet_stream_init(stream, model.struct, start, size) == lib.MLET_OK
    short = lib.mlet_stream_init(stream, model.struct, start, size - missing)
    assert short == lib.MLET_E_MEMORY
    assert lib.mlet_stream_init(stream, model.struct, start + 4, size) == lib.MLET_E_MEMORY
