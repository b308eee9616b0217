"""The report: whole, by itself, and what the figures say."""

import html
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from host_sdk.cli import main
from host_sdk.errors import MotionletError
from host_sdk.report import plots, render, write_report
from host_sdk.report.collect import collect, reproduce
from host_sdk.train import TrainConfig
from host_sdk.train.run_folder import open_run

VOID = {"meta", "br", "hr", "img", "link", "input"}


@pytest.fixture(scope="module")
def evaluated(evaluated_run, tmp_path_factory):
    """A run folder with its evaluate.json, of which a label needs escaping."""
    folder = tmp_path_factory.mktemp("report") / "tiny"
    shutil.copytree(evaluated_run, folder)
    result = json.loads((folder / "evaluate.json").read_text())
    result["labels"][0] = "<b>left</b> & $right_1 右"
    (folder / "evaluate.json").write_text(json.dumps(result))
    return folder


@pytest.fixture(scope="module")
def page(evaluated):
    return render(collect([evaluated]))


class Checker(HTMLParser):
    """Are all elements closed, in order?"""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(page):
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert len(set(checker.ids)) == len(checker.ids)
    assert all(link.startswith("#") for link in checker.links)
    assert {link[1:] for link in checker.links} <= set(checker.ids)
    for outside in ("@import", "<script", "<link", "url(http", "src="):
        assert outside not in page
    assert len(page) < 5e6


def test_it_says_what_was_evaluated(page, evaluated):
    result = json.loads((evaluated / "evaluate.json").read_text())
    shown = html.unescape(page)
    assert all(warning in shown for warning in result["warnings"])
    assert f"{result['accuracy']['int8']['value']:.1%}" in shown
    assert all(layer["name"] in shown for layer in result["cost"]["layers"])
    assert all(digest in shown for digest in result["sha256"].values())
    assert "<b>left</b>" not in page
    assert "&lt;b&gt;left&lt;/b&gt; &amp; $right_1 右" in page


def test_pictures_follow_the_page(page):
    """No colour of its own is left in a picture, and each variable has a value in both modes."""
    pictures = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(pictures) >= 6
    for picture in pictures:
        ET.fromstring(picture)
        assert set(re.findall(r"#[0-9a-f]{6}\b", picture)) <= {"#ffffff", "#000000"}, picture[:99]
        assert "<title>" not in picture or "bytes at" in picture
    light, dark = (re.findall(r"(--[a-z0-9]+): #", block) for block in page.split("@media", 2)[:2])
    assert set(light) == set(dark) >= set(plots.VARIABLES.values())


def test_the_same_runs_give_the_same_bytes(page, evaluated):
    assert render(collect([evaluated])) == page


def test_runs_side_by_side(evaluated, tmp_path):
    for name in ("seed0", "seed1"):
        shutil.copytree(evaluated, tmp_path / "runs" / name)
    size = write_report([tmp_path / "runs", evaluated], tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert size == len(text.encode())
    assert [entry["name"] for entry in collect([tmp_path / "runs", evaluated])] == [
        *("runs/seed0", "runs/seed1", "tiny")
    ]
    for said in ("Side by side", "Spread over seeds", "Accuracy against memory", "runs/seed1"):
        assert said in text
    checker = Checker()
    checker.feed(text)
    assert checker.open == []


def test_cycles_are_estimated_without_a_device(evaluated, page):
    [entry] = collect([evaluated])
    assert not entry["measured"]
    assert len(entry["layer_cycles"]) == len(entry["result"]["cost"]["layers"])
    assert entry["cycles"] == sum(entry["layer_cycles"]) > 100_000
    assert "as the benchmarks let expect" in page


def test_cycles_are_shown_when_a_device_was_measured(evaluated, tmp_path):
    shutil.copytree(evaluated, tmp_path / "run")
    path = tmp_path / "run/evaluate.json"
    result = json.loads(path.read_text())
    layers = result["cost"]["layers"]
    result["device"] = {
        **{"device": "some board", "target": "portable", "clips": 1, "frames": 6, "bytes": 100},
        **{"differing_bytes": 0, "microseconds_per_frame": 2000.0, "clock_hz": 125_000_000},
        "layers": [10.0 * (n + 1) for n in range(len(layers))],
    }
    path.write_text(json.dumps(result))
    [entry] = collect([tmp_path / "run"])
    assert entry["cycles"] == 250_000
    assert entry["layer_cycles"][:2] == [1250, 2500]
    assert entry["memory"] == result["cost"]["targets"]["portable"]
    shown = render([entry])
    assert "some board" in shown
    assert f"{1250 * len(layers):,}" in shown
    # What has no clock is no board: then the bytes are a board's all the same.
    result["device"]["clock_hz"] = 0
    path.write_text(json.dumps(result))
    [entry] = collect([tmp_path / "run"])
    assert entry["memory"] == result["cost"]["targets"]["cortex_m0plus"]
    assert not entry["measured"]


def test_the_commands_make_the_run_once_more(evaluated):
    """The configuration in the page is that of the training, and Python reads it."""
    [entry] = collect([evaluated])
    text = reproduce(entry)
    code = text[text.index("TrainConfig(") : text.index("train(config")]
    config = open_run(evaluated).config
    assert eval(code, {"TrainConfig": TrainConfig}) == TrainConfig(**config)
    assert "host_sdk evaluate RUN" in text


def test_the_commands_do_nothing_else(evaluated, tmp_path):
    """They are pasted; a folder that was sent may hold whatever its sender likes."""
    run = tmp_path / "run"
    shutil.copytree(evaluated, run)
    shell = f"0; touch {tmp_path}/shell $(touch {tmp_path}/shell)"
    code = f"__import__('pathlib').Path('{tmp_path}/python').touch()"
    record = json.loads((run / "train.json").read_text())
    record["config"] |= {f"seed=0) or {code} #": 1, "x": 1, "network": f'"""\n{code}\n"""'}
    (run / "train.json").write_text(json.dumps(record))
    result = json.loads((run / "evaluate.json").read_text())
    result["options"] |= {"clips": shell, "background": shell, "device": shell, "seed": shell}
    result["options"] |= {"background_minutes": shell}
    result["options"]["rule"] = dict.fromkeys(("smooth", "threshold", "hold"), shell)
    (run / "evaluate.json").write_text(json.dumps(result))
    python, commands = reproduce(collect([run])[0]).split("# Shell\n")
    exec(python.replace("from host_sdk", "#"), {"TrainConfig": dict, "train": print})
    subprocess.run(["sh", "-c", "host_sdk() { :; }\n" + commands], check=True)
    assert not list(tmp_path.glob("shell*"))
    assert not list(tmp_path.glob("python*"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "run/evaluate.json: `host_sdk evaluate run` writes it"),
        ("{}", "run/evaluate.json is not what `host_sdk evaluate` writes"),
        ('{"version": 0}', "run/evaluate.json is of version 0, this is"),
    ],
)
def test_a_run_that_was_not_evaluated(tiny_run, tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_run, "run", ignore=shutil.ignore_patterns("evaluate.json"))
    if content is not None:
        (tmp_path / "run/evaluate.json").write_text(content)
    said = CliRunner().invoke(main, ["report", "run", "-o", "report.html"])
    assert said.exit_code == 1
    assert message in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "report.html").exists()


def test_a_model_that_changed_since(evaluated, tmp_path):
    shutil.copytree(evaluated, tmp_path / "run")
    with (tmp_path / "run/model.graph").open("ab") as file:
        file.write(b"x")
    with pytest.raises(MotionletError, match=r"model\.graph has changed since .*evaluate\.json"):
        collect([tmp_path / "run"])


def test_command(evaluated, tmp_path):
    out = tmp_path / "page.html"
    said = CliRunner().invoke(main, ["report", str(evaluated), "-o", str(out)])
    assert said.exit_code == 0, said.stderr
    assert f"{out.stat().st_size:,} bytes" in " ".join(said.stdout.split())
