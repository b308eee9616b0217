"""A frame that lets others run in the middle: in bands of rows, or in chains; and what it takes."""

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from host_sdk import golden, native, paths
from host_sdk.errors import MotionletError
from host_sdk.format import mlet as fmt
from host_sdk.native.core_library import library
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.packing import pack_for

POLL = "mlet_status_t(struct mlet_stream *)"
TARGETS = ("portable", "cortex_m0plus", "esp32s3")


class Polled(native.Stream):
    """A stream that counts its polls; number `stop` ends the run."""

    def __init__(self, model, pace, stop=None):
        super().__init__(model)
        ffi, lib = library()
        self.polls = 0

        @ffi.callback(POLL)
        def poll(stream):
            assert stream == self.struct
            self.polls += 1
            return lib.MLET_E_ARGUMENT if self.polls == stop else lib.MLET_OK

        self.keep = poll
        self.struct.poll, self.struct.pace = poll, pace


def packed(graph, target, chains=False):
    return native.Model(pack_for(graph, target, chains=chains))


@given(data=st.data())
def test_bands_give_the_same_bytes(data):
    """Whatever the pace: of rows that begin anywhere, with borders, strides and shifts."""
    graph = data.draw(strategies.graphs(max_ops=5))
    clip = data.draw(strategies.frames_of(graph.tensors[0], 3))
    offline = golden.run_clip(graph, clip)
    model = packed(graph, data.draw(st.sampled_from(TARGETS)), data.draw(st.booleans()))
    stream = Polled(model, data.draw(st.sampled_from([1, 30, 200, 1000, 5000])))
    for t, frame in enumerate(clip):
        for op, got in enumerate(stream.push_trace(frame)):
            np.testing.assert_array_equal(got, offline[op][t], err_msg=f"op {op}, frame {t}")


@given(data=st.data())
def test_the_multiply_accumulates_of_a_frame(data):
    graph = data.draw(strategies.graphs(max_ops=6))
    model = native.Model(mlet_file.pack(graph, planner.plan(graph)))
    assert model.struct.macs == graph.most_macs
    assert graph.most_macs >= graph.macs_per_frame


@pytest.mark.parametrize("target", TARGETS)
def test_how_often_it_polls(make_vectors, target):
    graph = make_vectors.tiny_separable()
    model, pace = packed(graph, target), 100
    macs, stream = model.struct.macs, Polled(model, pace)
    frame = np.zeros(graph.tensors[0].shape, np.int8)
    for _ in range(4):
        stream.push(frame)
    assert macs > 10 * pace
    assert macs * 4 / pace / 4 < stream.polls <= macs * 4 / pace
    # A model that is small polls once in some frames.
    stream = Polled(model, 3 * macs)
    polls = []
    for _ in range(9):
        stream.push(frame)
        polls.append(stream.polls)
    assert polls == [0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_a_poll_may_end_the_run(make_vectors):
    """A reset makes it whole again."""
    graph = make_vectors.tiny_separable()
    model = packed(graph, "portable")
    rng = np.random.default_rng(1)
    clip = rng.integers(-128, 128, (5, *graph.tensors[0].shape)).astype(np.int8)
    wanted = native.run_clip(model, clip)
    for stop in (1, 2, 7):
        stream = Polled(model, 500, stop)
        with pytest.raises(MotionletError, match="NULL"):
            [stream.push(frame) for frame in clip]
        stream.reset()
        np.testing.assert_array_equal([stream.push(frame) for frame in clip], wanted)


def test_the_limit_is_that_of_the_header():
    header = paths.repository() / "native_modules/motionlet/core/mlet_format.h"
    assert f"#define MLET_MACS_LIMIT UINT64_C({fmt.MACS_LIMIT})" in header.read_text()
    assert fmt.MACS_LIMIT == 2**31
