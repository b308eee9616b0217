"""The command line: what each verb prints and writes, and the one line for each wrong input."""

import copy
import io
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.text import Text
from test_clip_files import write_video

from host_sdk.cli import main
from host_sdk.cli.common import PlainConsole, console
from host_sdk.format import mlet as mlet_format
from host_sdk.format.graph import save_graph
from host_sdk.pack import mlet_file, planner


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Run a command in an empty folder: cli("pack", "x") -> (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(console, "width", 200)

    def run(*arguments):
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
def model(tiny, tmp_path):
    path = tmp_path / "tiny.mlet"
    path.write_bytes(tiny[1])
    return path


def test_every_command_has_help(cli):
    for words in ([], *([name] for name in main.commands), ["firmware", "build"]):
        code, out, _ = cli(*words, "--help")
        assert code == 0
        assert "Usage" in out


def test_help_is_fast():
    """Neither TensorFlow nor a device library is loaded to show help."""
    code = (
        "import sys; import host_sdk.cli; "
        "print([m for m in ('tensorflow', 'keras', 'mpremote', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_inspect_shows_every_layer_and_the_sums(cli, tiny, model):
    graph, data = tiny
    code, out, _ = cli("inspect", model)
    assert code == 0
    assert all(op.name in out for op in graph.ops)
    code, out, _ = cli("inspect", model, "--json")
    description = json.loads(out)
    assert description["bytes"] == len(data)
    assert sum(layer["macs"] for layer in description["layers"]) == graph.macs_per_frame
    assert description["macs_per_frame"] == graph.macs_per_frame
    assert description["state_bytes"] == sum(x["state_bytes"] for x in description["layers"])
    assert description["stream_bytes"] >= description["arena_bytes"] + description["state_bytes"]
    assert description["labels"] == graph.labels


def test_a_label_is_shown_as_it_is(cli, tiny, tmp_path):
    """Whatever Rich would make of it."""
    graph = copy.deepcopy(tiny[0])
    graph.labels = ["[/b]", ":smile:", "[red]", "日本"]
    (tmp_path / "odd[1].mlet").write_bytes(mlet_file.pack(graph, planner.plan(graph)))
    code, out, _ = cli("inspect", "odd[1].mlet")
    assert code == 0
    assert out.rstrip().endswith(": [/b], :smile:, [red], 日本")
    code, _, err = cli("inspect", "[/b].mlet")
    assert (code, err) == (1, "error: [/b].mlet: No such file or directory\n")


STEERING = "\x1b]0;mine\x07\x1b[2J\x9b1A\r\u202egp\n"
SHOWN = r"\x1b]0;mine\x07\x1b[2J\x9b1A\r\u202egp\n"


def hostile(out):
    """Return the characters of an output that a terminal would obey."""
    return [c for c in out if c != "\n" and (unicodedata.category(c) in ("Cc", "Cf"))]


def test_text_of_a_model_does_not_steer_the_terminal(cli, tiny, tmp_path, unix_firmware):
    graph = copy.deepcopy(tiny[0])
    graph.labels = [STEERING, *graph.labels[1:]]
    graph.ops[0].name = f"conv{STEERING}"
    graph.ops[-1].bias = np.array([1 << 20, *[0] * (len(graph.labels) - 1)], np.int32)
    (tmp_path / "odd.mlet").write_bytes(mlet_file.pack(graph, planner.plan(graph)))
    _, out, _ = cli("inspect", "odd.mlet")
    assert f"conv{SHOWN}" in out
    assert f": {SHOWN}, " in out
    assert not hostile(out)
    _, out, _ = cli("run", "odd.mlet", "--device", "unix", "--frames", 1)
    assert out.splitlines() == [out.rstrip()]
    assert out.rstrip().endswith(f"ms  {SHOWN}")


def test_names_of_files_do_not_steer_the_terminal(cli, tmp_path):
    name = STEERING.replace("/", "").rstrip("\n")
    for label in ("a", name):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(4):
            clip = np.random.default_rng(number).integers(0, 256, (20, 8, 8), np.uint8)
            np.save(tmp_path / "clips" / label / f"{number}.npy", clip)
        (tmp_path / "clips" / label / f"{name}.npy").write_text("nothing")
    _, out, err = cli("data", "inspect", "clips", "--out", "x.png")
    assert out.count(SHOWN.removesuffix(r"\n")) >= 4
    assert not hostile(out + err)
    for words in (
        ["inspect", name],
        ["deploy", f"clips/{name}"],
        ["report", f"clips/a/{name}.npy"],
    ):
        code, out, err = cli(*words)
        assert code
        assert r"\x1b]0;mine\x07" in err
        assert not hostile(out + err)


def test_what_rich_draws_itself_is_left_alone():
    console = PlainConsole(file=io.StringIO(), force_terminal=True)
    console.print(Text("a\x1b[2Jb", style="bold red"))
    console.print("plain \x1b[2J", style="bold")
    assert console.file.getvalue() == (
        "\x1b[1;31ma\\x1b[2Jb\x1b[0m\n\x1b[1mplain \\x1b[2J\x1b[0m\n"
    )


def test_inspect_shows_weights_of_4_bits(cli, make_vectors, tmp_path):
    from host_sdk.pack import mlet_file, planner

    graph = make_vectors.tiny_int4()
    (tmp_path / "int4.mlet").write_bytes(mlet_file.pack(graph, planner.plan(graph)))
    _, out, _ = cli("inspect", "int4.mlet", "--json")
    layers = json.loads(out)["layers"]
    assert [layer["weight_bits"] for layer in layers] == [4, 4, 4, 8, 4]
    assert [layer["weights"] for layer in layers] == [op.weights.size for op in graph.ops]
    _, out, _ = cli("inspect", "int4.mlet")
    for op in graph.ops:
        line = next(line for line in out.splitlines() if op.name in line)
        assert re.search(rf" {op.weights.size} +{op.weight_bits} ", line)


def test_inspect_shows_chains(cli, make_vectors, tmp_path):
    from host_sdk.pack import mlet_file, planner

    graph = make_vectors.tiny_tsm()
    plan = planner.plan(graph, chains=[(1, 4)])
    (tmp_path / "chain.mlet").write_bytes(mlet_file.pack(graph, plan))
    _, out, _ = cli("inspect", "chain.mlet", "--json")
    assert [layer["rows"] for layer in json.loads(out)["layers"]] == plan.rows
    assert plan.rows == [0, 1, 3, 1, 0, 0, 0, 0, 0]
    _, out, _ = cli("inspect", "chain.mlet")
    lines = [next(line for line in out.splitlines() if op.name in line) for op in graph.ops]
    marks = ["".join(mark for mark in "┐┤┘" if mark in line) for line in lines]
    assert marks == ["", "┐", "┤", "┤", "┘", "", "", "", ""]
    assert "3 ┤" in lines[2]


def test_pack_writes_what_the_graph_says(cli, tiny, tmp_path):
    from host_sdk.format.graph import save_graph

    save_graph(tiny[0], tmp_path / "net.graph")
    code, out, _ = cli("pack", "net.graph")
    assert code == 0
    assert "wrote net.mlet" in out
    assert (tmp_path / "net.mlet").read_bytes() == tiny[1]


def test_pack_keeps_its_graph(cli, tiny, tmp_path):
    from host_sdk.format.graph import save_graph

    save_graph(tiny[0], tmp_path / "net.graph")
    before = (tmp_path / "net.graph").read_bytes()
    code, _, err = cli("pack", "net.graph", "-o", "./net.graph")
    assert code == 1
    assert "net.graph: is the graph itself" in err
    assert (tmp_path / "net.graph").read_bytes() == before


def test_verify_in_c(cli, model, tiny, tmp_path):
    clip = np.random.default_rng(0).integers(0, 256, (6, 20, 30), np.uint8)
    np.save(tmp_path / "clip.npy", clip)
    code, out, _ = cli("verify", model, "--device", "cffi", "--clip", "clip.npy", "--json")
    assert code == 0
    report = json.loads(out)
    assert (report["frames"], report["differing_bytes"]) == (6, 0)
    assert report["layers"] == 6 * (1 + len(tiny[0].ops))


def test_verify_with_a_video(cli, model, tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (5, 24, 32, 3), np.uint8)
    write_video(tmp_path / "clip.mp4", frames, 10, "mpeg4", "yuv420p")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "clip.mp4").read_bytes()[:500])
    code, out, _ = cli("verify", model, "--device", "cffi", "--clip", "clip.mp4", "--json")
    assert code == 0
    report = json.loads(out)
    assert (report["frames"], report["differing_bytes"]) == (5, 0)
    code, _, err = cli("verify", model, "--device", "cffi", "--clip", "cut.mp4")
    assert (code, err.startswith("error: cut.mp4: cannot be decoded: ")) == (1, True)


def test_deploy_verify_and_run_on_unix(cli, model, tiny, unix_firmware):
    code, out, _ = cli("deploy", model, "--device", "unix", "--json")
    assert (code, json.loads(out)["bytes"]) == (0, len(tiny[1]))
    code, out, _ = cli("verify", model, "--device", "unix", "--path", "/tiny.mlet")
    assert code == 0
    assert "all equal to the golden model" in out
    code, out, _ = cli("stream", model, "--device", "unix", "--frames", 3, "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["frame"] for answer in answers] == [0, 1, 2]
    assert all(answer["label"] in tiny[0].labels for answer in answers)


def test_verify_shows_the_difference_and_fails(cli, model, tiny, tmp_path, unix_firmware):
    import copy

    from host_sdk.pack import mlet_file, planner

    changed = copy.deepcopy(tiny[0])
    changed.ops[0].bias = changed.ops[0].bias + 1000
    other = tmp_path / "other.mlet"
    other.write_bytes(mlet_file.pack(changed, planner.plan(changed)))
    assert cli("deploy", other, "--device", "unix", "--name", "wrong.mlet")[0] == 0
    code, out, _ = cli("verify", model, "--device", "unix", "--path", "/wrong.mlet")
    assert code == 1
    assert f"frame 0, layer {changed.ops[0].name}" in out
    assert "golden [4, 4, 5]" in out


def test_every_result_can_be_json(cli, tiny):
    """But of the demo and of what makes a picture or firmware, whose result is a file."""

    def walk(group, before=""):
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if hasattr(command, "commands"):
                yield from walk(command, f"{name} ")
            else:
                yield f"{before}{name}", {parameter.name for parameter in command.params}

    without = {name for name, parameters in walk(main) if "as_json" not in parameters}
    assert without == {"demo", "data show", "firmware build", "firmware flash"}
    save_graph(tiny[0], "tiny.graph")
    code, out, err = cli("pack", "tiny.graph", "-o", "again.mlet", "--json")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert (record["model"], record["bytes"]) == ("again.mlet", Path("again.mlet").stat().st_size)


def test_devices_lists_what_can_be_used(cli):
    code, out, _ = cli("devices", "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found) == {"boards", "bootloaders", "built"}
    assert "virtual" in cli("devices")[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inspect", "none.mlet"], "none.mlet: No such file or directory"),
        (["pack", "none.graph"], "none.graph: No such file or directory"),
        (["pack", "tiny.mlet"], "tiny.mlet: not a quantized graph"),
        (["run", "t.graph"], "t.graph: a quantized graph, not yet a model; pack it first: host_sd"),
        (["inspect", "t.graph"], "t.graph: a quantized graph, not yet a model; pack it first"),
        (["verify", "tiny.mlet", "--clip", "README.md"], "README.md: neither a video (.mp4, "),
        (["design", "--task", "playback", "--data", "x"], "want --task or --data, not both"),
        (["quantize", "none"], "none holds no trained network: there is no none/train.json"),
        (["deploy", "tiny.mlet", "--device", "/dev/none"], "/dev/none"),
        (["verify", "tiny.mlet", "--device", "cffi", "--clip", "bad.npy"], "not a .npy or .npz"),
        (
            ["verify", "tiny.mlet", "--device", "cffi", "--clip", "flat.npy"],
            "a clip is uint8, int16",
        ),
        (["verify", "tiny.mlet", "--device", "cffi", "--clip", "five.npy"], "has 5 channels"),
        (
            ["verify", "tiny.mlet", "--device", "cffi", "--clip", "empty.npy"],
            "empty.npy holds no frames: [0, 8, 8, 1]",
        ),
        (
            ["verify", "tiny.mlet", "--device", "cffi", "--clip", "nan.npy"],
            "nan.npy: too many values are not numbers (NaN), such as that at (0, 0, 0, 0)",
        ),
        (
            ["verify", "tiny.mlet", "--device", "cffi", "--clip", "none.mp4"],
            "none.mp4: cannot be read: No such file",
        ),
        (["inspect", "cut.mlet"], "cut.mlet: header: total_bytes: truncated"),
        (["inspect", "newer.mlet"], "newer than this library reads"),
        (["firmware", "flash", "--board", "NONE"], "no board named NONE; there is: MOTIONLET_"),
        (["train", "--network", "lstm", "--out", "x"], "no network named 'lstm'"),
    ],
)
def test_wrong_input_gives_one_line(cli, model, tiny, tmp_path, words, message):
    save_graph(tiny[0], tmp_path / "t.graph")
    (tmp_path / "README.md").write_text("# A clip?")
    (tmp_path / "bad.npy").write_text("# A clip?")
    np.save(tmp_path / "flat.npy", np.zeros(5, np.uint8))
    np.save(tmp_path / "five.npy", np.zeros((2, 8, 8, 5), np.uint8))
    np.save(tmp_path / "empty.npy", np.zeros((0, 8, 8), np.uint8))
    np.save(tmp_path / "nan.npy", np.full((2, 8, 8), np.nan))
    (tmp_path / "cut.mlet").write_bytes(tiny[1][:100])
    newer = bytearray(tiny[1])
    newer[4] = mlet_format.FORMAT_VERSION + 1
    (tmp_path / "newer.mlet").write_bytes(newer)
    before = sorted(path.name for path in tmp_path.iterdir())
    code, out, err = cli(*words)
    assert code == 1
    assert err.startswith("error: ")
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "words", [["quantize"], ["prune", "--keep", "50%", "-o", "y"], ["evaluate"]]
)
def test_a_seed_that_no_generator_takes(cli, words):
    code, _, err = cli(*words, "run", "--seed", "-1")
    assert code == 2
    assert "-1 is not in the range 0<=x<=2147483647" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["deploy", "x.mlet", "--device", "a", "--device", "b"], "--device is given twice"),
        (["firmware", "build", "--board", "a", "--board", "b"], "--board is given twice"),
        (["data", "inspect", "x", "-o", "a", "--out", "b"], "is given twice"),
        (["install", "--for", "--device", "unix"], "--for wants a model before --device"),
        (["deploy", "x.mlet", "--silence", "0"], "0.0 is not in the range x>0"),
    ],
)
def test_wrong_options_are_refused(cli, words, message):
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())


def test_options_that_may_be_given_twice(cli, model):
    words = ["--device", "cffi", "--clip", "none.npy", "--clip", "other.npy"]
    assert "input has one already" not in cli("verify", model, *words)[2]
    code, _, err = cli("verify", model, *words)
    assert (code, "is given twice" in err) == (1, False)


def test_a_long_name_is_whole_in_a_file(tiny, tmp_path):
    import copy

    from host_sdk.pack import mlet_file, planner

    graph = copy.deepcopy(tiny[0])
    graph.ops[0].name = "a_name_" * 30
    (tmp_path / "long.mlet").write_bytes(mlet_file.pack(graph, planner.plan(graph)))
    command = [sys.executable, "-m", "host_sdk.cli", "inspect", str(tmp_path / "long.mlet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert graph.ops[0].name in done.stdout


def test_a_clip_s_path_may_have_an_equals_sign(make_vectors, tmp_path):
    from host_sdk.cli.on_device import _clips
    from host_sdk.errors import MotionletError

    graph = make_vectors.tiny_two_rates()
    name = graph.input_names[0]
    with pytest.raises(MotionletError, match=r"a=b\.npy"):
        _clips([f"{name}={tmp_path}/a=b.npy"], graph, 4)
    with pytest.raises(MotionletError, match="the model has 2 inputs; give"):
        _clips([f"{tmp_path}/a=b.npy"], graph, 4)


def test_run_takes_models_of_several_inputs(cli, make_vectors, tmp_path, unix_firmware):
    from host_sdk import golden
    from host_sdk.cli.on_device import _clips
    from host_sdk.pack import mlet_file, planner

    graph = make_vectors.tiny_two_rates()
    (tmp_path / "two.mlet").write_bytes(mlet_file.pack(graph, planner.plan(graph)))
    code, out, err = cli("run", "two.mlet", "--device", "unix", "--frames", 4, "--json")
    assert code == 0, err
    answers = [json.loads(line)["logits"] for line in out.splitlines()]
    stream = golden.Stream(graph)
    clips = _clips([], graph, 4)
    for frame in golden.frame_by_frame(graph.input_names, graph.input_periods, clips):
        stream.push(frame)
        assert stream.output().ravel().tolist() == answers.pop(0)
    assert answers == []


def test_models_are_listed_and_removed(cli, model, unix_firmware):
    assert cli("deploy", model, "--device", "unix", "--name", "mine/listed.mlet")[0] == 0
    code, out, _ = cli("models", "--device", "unix", "--json")
    found = {each["path"]: each for each in json.loads(out)["models"]}
    assert (code, found["/mine/listed.mlet"]["target"]) == (0, "portable")
    code, out, _ = cli("models", "--device", "unix", "--remove", "mine/listed.mlet", "--json")
    assert json.loads(out)["removed"] == ["/mine/listed.mlet"]
    assert "/mine/listed.mlet" not in cli("models", "--device", "unix")[1]
    code, out, err = cli("models", "--device", "unix", "--remove", "mine/listed.mlet", "--json")
    assert (code, out) == (1, "")
    assert "has no file mine/listed.mlet" in err


def test_firmware_that_is_there_is_taken(cli, tmp_path, monkeypatch, unix_firmware):
    """And built only where there is none."""
    from host_sdk.board import images
    from host_sdk.cli import evaluation

    built = []
    monkeypatch.setattr(evaluation, "build_firmware", built.append)
    assert cli("evaluate", "nowhere", "--device", "unix")[0] == 1
    assert built == []
    monkeypatch.setattr(images, "image_path", lambda board, name: tmp_path / name)
    for device in ("unix", "virtual", "/dev/none"):
        assert cli("evaluate", "nowhere", "--device", device)[0] == 1
    assert built == ["unix", "MOTIONLET_PICO"]


def test_firmware_keeps_its_user_modules(tmp_path, monkeypatch):
    from host_sdk.board import images
    from host_sdk.cli import common

    commands = []
    monkeypatch.setattr(images, "image_path", lambda board, variant, name: tmp_path / name)
    monkeypatch.setattr(
        common.subprocess, "run", lambda command: commands.append(command) or subprocess
    )
    monkeypatch.setattr(subprocess, "returncode", 0, raising=False)
    common.build_firmware("MOTIONLET_PICO", same_modules=True)
    (tmp_path / "user_modules.json").write_text('["/a/ulab"]')
    common.build_firmware("MOTIONLET_PICO", same_modules=True)
    common.build_firmware("MOTIONLET_PICO")
    modules = [command[3:] for command in commands]
    assert modules == [[], ["--user-module", "/a/ulab"], []]
