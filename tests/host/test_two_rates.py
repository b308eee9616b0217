"""Several inputs, each at its own rate: golden clip, golden stream and C alike, frame by frame."""

import json
import struct
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import strategies
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st

from host_sdk import golden, native, paths
from host_sdk.board.deploy import deploy
from host_sdk.board.remote import RemoteStream
from host_sdk.board.verify import NativeTarget, verify
from host_sdk.cli import main
from host_sdk.cost.layer_table import describe
from host_sdk.data.clips import noise_clip
from host_sdk.errors import MotionletError
from host_sdk.evaluation.inference import Int8Network
from host_sdk.format.check import RecordError, check_graph
from host_sdk.format.graph import Input, load_graph, save_graph
from host_sdk.format.normalization import PIXELS, Normalization
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.packing import pack_for

sys.path.insert(0, str(paths.repository() / "tools"))
import make_vectors

FRAMES = st.integers(1, 13)


def packed(graph, **options):
    return mlet_file.pack(graph, planner.plan(graph, **options))


def frames_for(graph, clips):
    return golden.frame_by_frame(graph.input_names, graph.input_periods, clips)


def noise(graph, frames):
    return [
        noise_clip(graph, -(-frames // given.period), given=given, seed=given.tensor)
        for given in graph.inputs
    ]


@given(data=st.data())
def test_golden_and_c_are_alike(data):
    """From samples or int8, twice with a reset in between; with and without chains."""
    graph = data.draw(strategies.two_rate_graphs())
    clips = data.draw(strategies.clips_for(graph, data.draw(FRAMES)))
    chains = data.draw(st.booleans())
    offline = golden.run_clip(graph, clips)
    stream = native.Stream(native.Model(packed(graph, chains=chains)))
    reference = golden.Stream(graph)
    for _ in range(2):
        for t, frames in enumerate(frames_for(graph, clips)):
            if data.draw(st.booleans()):
                by_name = zip(graph.input_names, frames, strict=True)
                frames = {name: frame for name, frame in by_name if frame is not None}
            streamed = reference.push_trace(frames)
            traced = stream.push_trace(frames)
            for op, wanted, got, in_c in zip(graph.ops, offline, streamed, traced, strict=True):
                np.testing.assert_array_equal(got, wanted[t], err_msg=f"{op.name}, frame {t}")
                assert (in_c is None) == (t % op.period > 0)
                if in_c is not None:
                    np.testing.assert_array_equal(in_c, wanted[t], err_msg=f"{op.name}, frame {t}")
        stream.reset()
        reference.reset()


@given(data=st.data())
def test_outputs_are_held_in_c(data):
    graph = data.draw(strategies.two_rate_graphs())
    clips = data.draw(strategies.clips_for(graph, data.draw(FRAMES)))
    wanted = golden.run_clip(graph, clips)[graph.outputs[0] - len(graph.inputs)]
    got = native.run_clip(native.Model(packed(graph)), clips)
    np.testing.assert_array_equal(got, wanted)


@given(data=st.data())
def test_no_answer_reaches_further_back(data):
    graph = data.draw(strategies.two_rate_graphs())
    assume(graph.reach <= 64)
    rng, frames = np.random.default_rng(graph.reach), graph.reach + max(graph.input_periods)
    clips = [
        rng.integers(-128, 128, (-(-frames // x.period), *graph.tensors[x.tensor].shape), np.int8)
        for x in graph.inputs
    ]
    first = graph.outputs[0] - len(graph.inputs)
    before = golden.run_clip(graph, clips)[first]
    for clip in clips:
        clip[0] = ~clip[0]
    after = golden.run_clip(graph, clips)[first]
    only = replace(graph, outputs=graph.outputs[:1])
    np.testing.assert_array_equal(after[only.reach :], before[only.reach :])


@pytest.mark.parametrize("kind", strategies.ALL_KINDS)
@given(data=st.data())
def test_an_op_sees_every_nth_frame_and_nothing_else(kind, data):
    """SPEC.md in words: its output at frame t is that of run floor(t / p) on frames 0, p, 2p ..."""
    graph = data.draw(strategies.one_op_graphs(kind))
    period, frames = data.draw(st.integers(2, 5)), data.draw(FRAMES)
    clips = data.draw(strategies.clips_for(graph, frames))
    graph.ops[0].period = period
    (got,) = golden.run_clip(graph, clips)
    alone = golden.run_op(graph, graph.ops[0], [clips[i][::period] for i in graph.ops[0].inputs])
    for t in range(frames):
        np.testing.assert_array_equal(got[t], alone[t // period])
    for given_input in graph.inputs:  # as are the frames of an input of that period
        given_input.period = period
    (again,) = golden.run_clip(graph, [clip[::period] for clip in clips])
    np.testing.assert_array_equal(again[:frames], got)


# ----------------------------------------------------------------------------------------------
# What is given when


def streams():
    graph = make_vectors.tiny_two_rates()
    return graph, golden.Stream(graph), native.Stream(native.Model(packed(graph)))


IMAGE, HEAT = np.zeros((8, 8, 1), np.uint8), np.zeros((4, 4, 1), np.int16)


@pytest.mark.parametrize(
    ("before", "frames", "message"),
    [
        (0, [IMAGE, None], "input 'heat' is given nothing; a frame is due at frame 0"),
        (0, {"heat": HEAT}, "input 'input' is given nothing; a frame is due at frame 0"),
        (1, [IMAGE, HEAT], "'heat' is given a frame at frame 1; .* 3, the next is due at frame 3"),
        (5, {"input": IMAGE, "heat": HEAT}, "at frame 5; .* the next is due at frame 6"),
        (3, {"input": IMAGE}, "input 'heat' is given nothing; a frame is due at frame 3"),
        (0, [IMAGE], "1 inputs given, the graph has 2: input, heat"),
        (0, IMAGE, "1 inputs given, the graph has 2: input, heat"),
        (0, {"image": IMAGE, "heat": HEAT}, "no input 'image'; there is: input, heat"),
        (0, [IMAGE, HEAT[:3]], r"\(3, 4, 1\)"),
        (0, [IMAGE, HEAT.astype(np.uint8)], "'heat' is .*uint8"),
        (0, [HEAT, HEAT], "'input' is .*int16"),
    ],
)
def test_what_is_not_due_or_does_not_fit(before, frames, message):
    """Golden and C refuse alike, by name, and go on as if nothing had been given."""
    graph, *both = streams()
    given_frames = frames_for(graph, noise(graph, 9))
    wanted = golden.run_clip(graph, noise(graph, 9))[-1]
    for stream in both:
        for t in range(before):
            stream.push(given_frames[t])
        with pytest.raises(MotionletError, match=message) as caught:
            stream.push(frames)
        assert "\n" not in str(caught.value)
        for t in range(before, 9):
            np.testing.assert_array_equal(stream.push(given_frames[t]), wanted[t])


def test_clips_of_other_lengths():
    graph = make_vectors.tiny_two_rates()
    image, heat = noise(graph, 7)
    assert (len(image), len(heat)) == (7, 3)
    by_name = golden.run_clip(graph, {"heat": heat, "input": image})
    np.testing.assert_array_equal(by_name[-1], golden.run_clip(graph, [image, heat])[-1])
    with pytest.raises(MotionletError, match="'heat' has 3 frames; of period 3, it has 2 where"):
        golden.run_clip(graph, [image[:6], heat])
    with pytest.raises(MotionletError, match="'input' has 7 frames; of period 1, it has 6 where"):
        golden.run_clip(graph, [image, heat[:2]])
    with pytest.raises(MotionletError, match="input 'heat' is given no clip"):
        golden.run_clip(graph, [image, None])


def test_c_says_when_an_input_is_due():
    _, lib = native.library()
    graph, _, stream = streams()
    for t, frames in enumerate(frames_for(graph, noise(graph, 13))):
        due = [lib.mlet_stream_due(stream.struct, index) for index in range(2)]
        assert due == [True, t % 3 == 0]
        stream.push(frames)


# ----------------------------------------------------------------------------------------------
# The file


def test_version_4_by_hand():
    """The offsets of SPEC.md's tables, written out, not taken from host_sdk.format.mlet."""
    content = packed(make_vectors.tiny_two_rates())
    version, _, _, _ = struct.unpack_from("<HHII", content, 4)
    ops, inputs = struct.unpack_from("<II", content, 36)
    (normalization_offset,) = struct.unpack_from("<I", content, 76)
    assert (version, normalization_offset) == (4, 0)
    assert struct.unpack_from("<HBBHH12B", content, inputs) == (0, 1, 0, 1, 0, *[0] * 12)
    heat = struct.unpack_from("<HBBHHBBBBhHI", content, inputs + 20)
    n = Normalization.background(2, rate=2, sample_type="int16")
    assert heat == (1, 3, 0, 3, 0, 2, 2, n.shift, 100, 0, n.multiplier, 0)
    records = [struct.unpack_from("<BBHHHH", content, ops + 64 * i) for i in range(8)]
    assert [record[2] for record in records] == [3, 3, 1, 1, 1, 1, 2, 2]
    assert [record[5] for record in records] == list(range(2, 10))
    assert [content[ops + 64 * i + 62] for i in range(8)] == [1, 1, 0, 0, 0, 0, 0, 0]
    (state,) = struct.unpack_from("<I", content, ops + 64 + 44)
    assert state == 64  # behind the background of 4 x 4 x 1 elements


@given(graph=strategies.two_rate_graphs(), chains=st.booleans())
def test_round_trip(graph, chains):
    plan = planner.plan(graph, chains=chains)
    content = mlet_file.pack(graph, plan)
    read, read_plan, info = mlet_file.read(content)
    assert (read.tensors, read.inputs, read.outputs) == (
        graph.tensors,
        [replace(x, normalization=PIXELS) if x.pixel_format == "raw" else x for x in graph.inputs],
        graph.outputs,
    )
    assert [(op.period, op.group) for op in read.ops] == [(op.period, op.group) for op in graph.ops]
    assert read_plan == plan
    assert mlet_file.pack(read, read_plan) == content
    assert info.format_version == 4


@pytest.mark.parametrize(
    ("change", "version"),
    [
        (lambda g: None, 1),
        (lambda g: setattr(g.inputs[1], "period", 2), 4),
        (lambda g: setattr(g.ops[0], "period", 2), 4),
        (lambda g: setattr(g.ops[0], "group", 1), 4),
        (lambda g: setattr(g.inputs[0], "normalization", Normalization.window(20, 200)), 3),
        (lambda g: setattr(g.inputs[1], "normalization", Normalization.window(20, 200)), 4),
        (lambda g: g.inputs.__setitem__(1, Input(1, "raw", Normalization.window(20, 200))), 1),
    ],
)
def test_the_oldest_version_that_can_hold_it(change, version):
    net = make_vectors.Builder(0, (2, 2, 1), [])
    net.input("other", (2, 2, 1))
    graph = net.finish(net.add("add", [0, 1], (2, 2, 1)))
    change(graph)
    content = packed(graph)
    assert mlet_file.version_of(content) == version
    assert mlet_file.read(content)[0].inputs[1].period == graph.inputs[1].period
    native.Model(content)


@pytest.mark.parametrize(
    ("change", "record", "field"),
    [
        (lambda g: setattr(g.inputs[1], "period", 0), "input", "period"),
        (lambda g: setattr(g.inputs[1], "period", 257), "input", "period"),
        (lambda g: setattr(g.ops[0], "period", 257), "op", "period"),
        (lambda g: setattr(g.ops[0], "group", 16), "op", "group"),
        (lambda g: setattr(g.inputs[1], "tensor", 0), "input", "tensor"),
        (lambda g: setattr(g.inputs[1], "pixel_format", "gray8"), "input", "pixel_format"),
    ],
)
def test_check_names_what_is_wrong(change, record, field):
    graph = make_vectors.tiny_two_rates()
    check_graph(graph)
    change(graph)
    with pytest.raises(RecordError) as caught:
        check_graph(graph)
    assert (caught.value.record, caught.value.field) == (record, field)


def test_a_cycle_that_is_too_long():
    """255 * 257 would be 65535 frames; 256 * 255 * 7 is more than there may be."""
    graph = make_vectors.tiny_two_rates()
    for op, period in zip(graph.ops, (255, 256, 51, 128, 3, 5, 17, 2), strict=True):
        op.period = period
    check_graph(graph)
    graph.ops[6].period = 7
    with pytest.raises(RecordError, match=r"op 6: period: 7; .* 456960 frames, at most 65535"):
        check_graph(graph)


def sharing(ops):
    """Pointwise ops whose arrays are all equal; weights have 1024 bytes."""
    net = make_vectors.Builder(0, (1, 1, 1), [])
    last = net.add("conv2d", [0], (1, 1, 32))
    for _ in range(ops):
        last = net.add("pointwise", [last], (1, 1, 32))
        for name in ("weights", "bias", "multiplier"):
            setattr(net.graph.ops[-1], name, getattr(net.graph.ops[1], name))
    return net.finish(last)


def test_what_would_be_shared_too_often_is_stored_again():
    sizes = []
    for ops in (1, 4, 12):
        content = packed(sharing(ops))
        native.Model(content)
        graph, _, info = mlet_file.read(content)
        sizes.append(info.data_bytes)
        total = sum(
            array.nbytes
            for op in graph.ops
            for array in (op.weights, op.bias, op.multiplier, op.shift)
        )
        assert total <= 4 * info.data_bytes + 1024
    assert sizes[1] - sizes[0] == 3 * 32  # their shifts
    assert 11 * 32 + 1024 <= sizes[2] - sizes[0] < 5 * 1024


def test_readers_refuse_what_is_shared_too_often(monkeypatch):
    monkeypatch.setattr(mlet_file, "_most_shared", lambda data_bytes: 1 << 30)
    content = packed(sharing(12))
    monkeypatch.undo()
    with pytest.raises(RecordError, match=r"op \d+: arrays: \d+ bytes up to here") as caught:
        mlet_file.read(content)
    with pytest.raises(MotionletError, match=f"op {caught.value.index}: arrays"):
        native.Model(content)


def test_readers_refuse_what_is_live_too_much(monkeypatch):
    net = make_vectors.Builder(0, (1, 1, 1), [])
    branches = [net.add("pointwise", [0], (1, 1, 1)) for _ in range(64)]
    last = branches[0]
    for branch in branches[1:]:
        last = net.add("add", [last, branch], (1, 1, 1))
    graph = net.finish(last)
    monkeypatch.setattr(planner, "check_live", lambda *_: None)
    content = packed(graph)
    monkeypatch.undo()
    with pytest.raises(RecordError, match=r"tensor (\d+): live: 65 tensors are live"):
        mlet_file.read(content)
    with pytest.raises(MotionletError, match=r"tensor \d+: live"):
        native.Model(content)


def test_graphs_are_saved_with_their_inputs(tmp_path):
    graph = make_vectors.tiny_two_rates()
    save_graph(graph, tmp_path / "two.graph")
    assert packed(load_graph(tmp_path / "two.graph")) == packed(graph)


@pytest.mark.parametrize("make", [make_vectors.tiny_thermal, make_vectors.tiny_tsm])
def test_graphs_of_before_are_read(tmp_path, make):
    """Up to format version 3, what the first input takes lay beside a list of tensors."""
    graph, path = make(), tmp_path / "old.graph"
    save_graph(graph, path)
    with np.load(path) as stored:
        arrays = dict(stored)
    description = json.loads(str(arrays.pop("graph")))
    for op in description["ops"]:
        del op["period"], op["group"]
    description["inputs"] = [0]
    description["pixel_format"] = graph.input.pixel_format
    description["normalization"] = asdict(graph.input.normalization)
    with path.open("wb") as file:
        np.savez(file, graph=json.dumps(description), **arrays)
    read = load_graph(path)
    assert read.inputs == graph.inputs
    assert packed(read) == packed(graph)


# ----------------------------------------------------------------------------------------------
# Commands and devices


def test_verify_shows_which_input_differs():
    graph, other = make_vectors.tiny_two_rates(), make_vectors.tiny_two_rates()
    other.inputs[1].normalization = Normalization.background(2, 4, "int16")
    found = verify(NativeTarget(packed(other)), graph, noise(graph, 10)).difference
    assert (found.op, found.name) == (-2, "heat")
    assert found.frame > 0
    assert found.frame % 3 == 0
    assert found.differing_bytes
    other = make_vectors.tiny_two_rates()
    other.ops[1].bias = other.ops[1].bias + 2000
    found = verify(NativeTarget(packed(other)), graph, noise(graph, 10)).difference
    assert (found.frame, found.op, found.name) == (0, 1, graph.ops[1].name)


@pytest.fixture
def two_rates(tmp_path):
    path = tmp_path / "two.mlet"
    path.write_bytes(packed(make_vectors.tiny_two_rates()))
    return path


def said(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    return done.exit_code, done.output


def test_verify_takes_clips_by_name(two_rates, tmp_path):
    np.save(tmp_path / "heat.npy", np.full((4, 4, 4), 21.5, np.float32))
    np.save(tmp_path / "image.npy", np.zeros((9, 16, 16), np.uint8))
    heat, image = f"heat={tmp_path}/heat.npy", f"input={tmp_path}/image.npy"
    for words, frames in (
        ((), 8),
        (("--clip", heat), 12),
        (("--clip", heat, "--frames", 5), 5),
        (("--clip", heat, "--clip", image), 9),
    ):
        code, output = said("verify", two_rates, "--device", "cffi", "--json", *words)
        assert code == 0, output
        assert json.loads(output)["frames"] == frames
        assert json.loads(output)["differing_bytes"] == 0
    for words, message in (
        (("--clip", f"{tmp_path}/heat.npy"), "2 inputs; give input=FILE, heat=FILE"),
        (("--clip", f"cold={tmp_path}/heat.npy"), "2 inputs; give input=FILE, heat=FILE"),
        (("--clip", heat, "--clip", heat), "input 'heat' has one already"),
    ):
        code, output = said("verify", two_rates, "--device", "cffi", *words)
        assert code == 1
        assert message in output


def test_commands_for_one_input_say_so(two_rates):
    with pytest.raises(MotionletError, match="the model has 2 inputs"):
        Int8Network(two_rates.read_bytes()).logits(np.zeros((1, 3, 8, 8, 1), np.uint8))


def test_inspect_lists_inputs_periods_and_groups(two_rates, tmp_path):
    _, output = said("inspect", two_rates)
    assert "input heat int16 4×4×1" in output
    assert "every 3 frames" in output
    assert "period group" in output
    told = describe(two_rates.read_bytes())
    assert [x["period"] for x in told["inputs"]] == [1, 3]
    assert [x["background_bytes"] for x in told["inputs"]] == [0, 64]
    assert told["inputs"][1]["normalization"] == "background, span 2, rate 2"
    one = tmp_path / "one.mlet"
    one.write_bytes(packed(make_vectors.tiny_tsm()))
    _, output = said("inspect", one)
    assert "period" not in output
    assert "group" not in output


def test_a_model_counts_what_runs():
    """MACs of a frame are the mean of all frames."""
    graph = make_vectors.tiny_two_rates()
    macs = [graph.macs(op) for op in graph.ops]
    assert graph.macs_per_frame == round(sum(macs[:2]) / 3 + sum(macs[2:6]) + sum(macs[6:]) / 2)


@pytest.mark.parametrize("target", ["cortex_m0plus", "esp32s3"])
def test_tuned_kernels(target):
    graph = make_vectors.tiny_two_rates()
    report = verify(NativeTarget(pack_for(graph, target)), graph, noise(graph, 14))
    assert (report.difference, report.frames) == (None, 14)


def test_two_rates_on_a_device(device):
    """Deployed, and every layer of every frame that runs equals the golden model."""
    graph = make_vectors.tiny_two_rates()
    deployed = deploy(device, packed(graph), "two_rates.mlet")
    stream = RemoteStream(device, deployed.path, graph)
    clips = noise(graph, 14)
    report = verify(stream, graph, clips)
    assert (report.difference, report.frames) == (None, 14)
    wanted = golden.run_clip(graph, clips)
    stream.reset()
    for t, frames in enumerate(frames_for(graph, clips)):
        if t == 6:
            heat = golden.run_clip(graph, [clips[0], clips[1]])[0][t]
            np.testing.assert_array_equal(stream.tap(frames, 0), heat)
        elif t == 9:
            np.testing.assert_array_equal(
                stream.tap(frames, -2), graph.inputs[1].normalization.run(clips[1])[3]
            )
        else:
            assert stream.push(frames)[0] == wanted[-1][t].ravel().tolist()
