"""The demo in little: every step is the real one, on a network hardly trained."""

import json
from dataclasses import replace

import pytest
from rich.console import Console

from host_sdk import paths
from host_sdk.bench import demo
from host_sdk.cli.common import progress_bar

FIGURES = {
    *("accuracy_float", "accuracy_int8", "accuracy_per_frame_baseline", "parameters"),
    *("macs_per_frame", "arena_bytes", "state_bytes", "input_bytes", "model_bytes"),
    *("firmware_module_bytes", "cycles_per_frame", "frames_verified", "differing_bytes"),
    "seconds",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_whole_way(unix_firmware, pico_firmware, tmp_path, monkeypatch):
    for name in ("CONFIG", "BASELINE"):
        config = getattr(demo, name)
        small = replace(config, clips=90, validation_clips=18, test_clips=18, epochs=1)
        monkeypatch.setattr(demo, name, small)
    monkeypatch.setattr(demo, "DEVICE_CLIPS", 1)
    monkeypatch.setattr(demo, "SHOWN_FRAMES", 2)
    firmware = paths.build() / "firmware"
    (tmp_path / "firmware").symlink_to(firmware)
    (tmp_path / "native").symlink_to(paths.build() / "native")
    monkeypatch.setattr(paths, "build", lambda: tmp_path)
    built = []
    demo.run(Console(quiet=True), built.append, progress_bar)
    assert built == ["MOTIONLET_PICO", "unix"]
    report = json.loads((tmp_path / "demo/report.json").read_text())
    assert set(report) >= FIGURES
    assert report["differing_bytes"] == 0
    assert report["frames_verified"] == 16
    assert {target["frames"] for target in report["verified"]} == {16}
    assert report["input_bytes"] == 1024
    assert 1e6 < report["cycles_per_frame"] < 12e6
    assert report["firmware_module_bytes"] > 0
    memory = report["arena_bytes"] + report["state_bytes"] + report["input_bytes"]
    assert memory <= 48 * 1024
    picture = (tmp_path / "demo/motions.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    # A second run uses what the first has trained.
    before = (tmp_path / "demo/separable3d/model.keras").stat().st_mtime_ns
    demo._trained(Console(quiet=True), demo.CONFIG, tmp_path / "demo/separable3d", fresh=False)
    assert (tmp_path / "demo/separable3d/model.keras").stat().st_mtime_ns == before
