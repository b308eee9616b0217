"""The demo: from handwritten digits to a Pico that tells how they move, every step a real one."""

import json
import os
import time
from dataclasses import asdict, replace

import numpy as np

from host_sdk import golden, paths
from host_sdk.board import deploy, devices, verify
from host_sdk.board.images import image_path
from host_sdk.board.remote import RemoteStream
from host_sdk.cost.benchmarks import MHZ
from host_sdk.data import load_task
from host_sdk.errors import MotionletError
from host_sdk.evaluation.inference import Int8Network
from host_sdk.evaluation.metrics import softmax
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.packing import plan_for
from host_sdk.pack.pipeline import quantize_run
from host_sdk.train import TrainConfig, accuracy, train
from host_sdk.train.run_folder import open_run

CONFIG = TrainConfig()
BASELINE = replace(CONFIG, network="per_frame")
DEVICE_CLIPS = 3  # unseen clips verified on the virtual Pico; the laptop's targets see as many
SHOWN_FRAMES = 16  # of each motion in the picture


def run(console, build_firmware, stage, fresh=False):
    """Run the whole demo; write demo/report.json and demo/motions.png in `paths.build()`.

    `console` is a rich Console; `build_firmware(board)` builds what it names; `stage(title)` is a
    context manager that gives a callback (done, total). A trained network is used again while its
    configuration stays the same, unless `fresh`.
    """
    begin = time.monotonic()
    folder = paths.build() / "demo"
    task = load_task(CONFIG.task)

    step(console, 1, "Train on moving digits")
    trained = _trained(console, CONFIG, folder / CONFIG.network, fresh)
    baseline = _trained(console, BASELINE, folder / BASELINE.network, fresh)

    step(console, 2, "Quantize to int8 and pack")
    clips, labels = task.make_clips(CONFIG.test_clips, CONFIG.frames, "test", CONFIG.seed)
    graph, data = _quantized(folder / CONFIG.network)
    path = folder / "motions.mlet"
    path.write_bytes(data)
    accuracy_int8 = _accuracy_int8(console, stage, CONFIG, data, clips, labels)
    console.print(f"  {_here(path)}: {len(data):,} bytes")

    in_checkout = paths.checkout() is not None
    if in_checkout:
        step(console, 3, "Build MicroPython with Motionlet in it")
        build_firmware("MOTIONLET_PICO")
        build_firmware("unix")
    else:
        step(console, 3, "Take MicroPython with Motionlet in it")
        console.print("  MOTIONLET_PICO: the image that came with this package")
        console.print("  unix port: left out, it is built in a checkout of Motionlet only")

    step(console, 4, "Verify every layer of every frame against the golden model")
    sample = clips[:DEVICE_CLIPS]
    reports = [_verify(console, stage, verify.NativeTarget(data), graph, sample)]
    if in_checkout:
        with devices.open_device("unix") as unix:
            remote, _ = _deployed(console, stage, unix, data, graph)
            reports.append(_verify(console, stage, remote, graph, sample))
    with devices.open_device("virtual") as pico:
        remote, deployed = _deployed(console, stage, pico, data, graph)
        report = _verify(console, stage, remote, graph, sample)
        reports.append(report)

        step(console, 5, "Stream unseen motions to the virtual Pico")
        film, truth = task.make_stream(range(len(task.LABELS)), SHOWN_FRAMES, "test", CONFIG.seed)
        logits, microseconds = _stream(console, stage, remote, film)

    picture = folder / "motions.png"
    _draw(picture, task.LABELS, film, truth, _probabilities(graph, logits))
    _, plan = plan_for(graph, deployed.target)
    figures = {
        "accuracy_float": trained["accuracy"]["test"],
        "accuracy_int8": accuracy_int8,
        "accuracy_per_frame_baseline": baseline["accuracy"]["test"],
        "parameters": graph.parameters,
        "parameters_per_frame_baseline": baseline["parameters"],
        "macs_per_frame": graph.macs_per_frame,
        "target": deployed.target,
        "arena_bytes": plan.arena_bytes,
        "state_bytes": plan.state_bytes,
        "input_bytes": sum(graph.tensors[x.tensor].size for x in graph.inputs),
        "model_bytes": deployed.bytes,
        "firmware_module_bytes": _module_bytes(),
        "cycles_per_frame": round(float(np.mean(microseconds)) * MHZ),
        "frames_verified": report.frames,
        "differing_bytes": sum(r.differing_bytes for r in reports),
        "verified": [
            {"target": r.target, "frames": r.frames, "layers": r.layers, "bytes": r.bytes}
            for r in reports
        ],
        "config": asdict(CONFIG),
        "seconds": round(time.monotonic() - begin, 1),
    }
    (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    _print_figures(console, figures)
    console.print(f"\nFigures: {_here(folder / 'report.json')}")
    console.print(f"Open {_here(picture)} to see it.")
    if figures["differing_bytes"]:
        raise MotionletError("the targets differ from the golden model; see above")


def _here(path):
    """Return a path as a person in this folder would type it."""
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive of Windows
        return path


def step(console, number, title):
    console.print(f"\n{number}. {title}", style="bold")


def _trained(console, config, folder, fresh):
    """Return the record of a training, done now or found in `folder`."""
    try:
        record = json.loads((folder / "train.json").read_text(encoding="utf-8"))
        known = record["config"] == asdict(config) and (folder / "model.keras").exists()
    except (OSError, ValueError, KeyError):
        known = False
    if fresh or not known:
        record = train(config, folder).record
    console.print(
        f"  {config.network}: {record['parameters']:,} parameters, "
        f"{record['accuracy']['test']:.1%} of unseen digits (float), trained in "
        f"{record['training_seconds']:.0f} s"
    )
    return record


def _quantized(folder):
    graph, _ = quantize_run(open_run(folder))
    data = mlet_file.pack(graph, planner.plan(graph))
    return mlet_file.read(data)[0], data


def _accuracy_int8(console, stage, config, data, clips, labels):
    """Return the accuracy of the C core on whole test clips."""
    with stage("evaluating in C") as progress:
        logits = Int8Network(data).logits(clips, progress)
    share = accuracy(config.network, logits, labels)
    console.print(f"  int8, C core on this machine: {share:.1%} of {len(clips)} unseen clips")
    return share


def _deployed(console, stage, device, data, graph):
    with stage(f"deploying to the {device.name}") as progress:
        done = deploy.deploy(device, data, "motions.mlet", progress=progress)
    console.print(f"  deployed to the {device.name}: {done.path}, packed for {done.target}")
    return RemoteStream(device, done.path, graph), done


def _verify(console, stage, target, graph, clips):
    """Verify clip after clip; return one Report over all."""
    whole = verify.Report(target.name)
    with stage(f"verifying {target.name}") as progress:
        for done, clip in enumerate(clips, start=1):
            report = verify.verify(target, graph, clip)
            offline = golden.run_clip(graph, clip)[-1]
            if report.difference is None and not np.array_equal(np.stack(report.logits), offline):
                raise MotionletError("the golden stream differs from the golden clip")
            whole.frames += report.frames
            whole.layers += report.layers
            whole.bytes += report.bytes
            whole.difference = whole.difference or report.difference
            progress(done, len(clips))
    words = f"{whole.differing_bytes} differing bytes"
    if whole.difference:
        words += f", first in frame {whole.difference.frame}, layer {whole.difference.name}"
    console.print(f"  {target.name}: {whole.frames} frames, {whole.bytes:,} bytes, {words}")
    return whole


def _stream(console, stage, remote, film):
    """Push a film frame by frame; return (int8 logits [T, classes], microseconds [T])."""
    remote.reset()
    pushed = []
    with stage("streaming") as progress:
        for frame in film:
            pushed.append(remote.push(frame))
            progress(len(pushed), len(film))
    logits, microseconds = zip(*pushed, strict=True)
    console.print(f"  {len(film)} frames, {np.mean(microseconds) / 1000:.1f} ms each on the device")
    return np.array(logits), np.array(microseconds)


def _probabilities(graph, logits):
    tensor = graph.tensors[graph.outputs[0]]
    return softmax((logits - tensor.zero_point) * tensor.scale)


def _module_bytes():
    path = image_path("MOTIONLET_PICO", name="size.json")
    return json.loads(path.read_text(encoding="utf-8"))["module_bytes"]


def _print_figures(console, f):
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    fps = MHZ * 1e6 / f["cycles_per_frame"]
    rows = [
        ("accuracy, float", f"{f['accuracy_float']:.1%}"),
        ("accuracy, int8", f"{f['accuracy_int8']:.1%}"),
        ("accuracy, per-frame baseline (float)", f"{f['accuracy_per_frame_baseline']:.1%}"),
        ("parameters", f"{f['parameters']:,}"),
        ("parameters, per-frame baseline", f"{f['parameters_per_frame_baseline']:,}"),
        ("MACs a frame", f"{f['macs_per_frame']:,}"),
        ("arena on the Pico, with the input's bytes", f"{f['arena_bytes']:,} bytes"),
        ("state", f"{f['state_bytes']:,} bytes"),
        ("model in flash", f"{f['model_bytes']:,} bytes"),
        ("Motionlet in the firmware", f"{f['firmware_module_bytes']:,} bytes"),
        ("cycles a frame", f"{f['cycles_per_frame']:,}"),
        (f"frames a second at {MHZ} MHz (virtual Pico)", f"{fps:.1f}"),
        ("frames verified on the virtual Pico", f"{f['frames_verified']}"),
        ("bytes that differ from the golden model", f"{f['differing_bytes']}"),
        ("seconds, this run", f"{f['seconds']:.0f}"),
    ]
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)


def _draw(path, labels, film, truth, probabilities):
    """Draw the film's frames over the answers, as time goes from left to right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    frames = len(film)
    figure, (strip, answer) = plt.subplots(
        2, 1, figsize=(14, 6), height_ratios=(1, 6), layout="constrained", sharex=True
    )
    for t in range(4, frames, 8):
        extent = (t - 3.9, t + 3.9, 0, 1)
        strip.imshow(film[t, :, :, 0], cmap="gray", extent=extent, vmin=0, vmax=255)
    strip.set(yticks=[], ylim=(0, 1), aspect="auto")
    strip.set_title("What the camera sees, every eighth frame")
    image = answer.imshow(
        probabilities.T, aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest"
    )
    for start in np.flatnonzero(np.diff(truth, prepend=-1)):
        end = start + SHOWN_FRAMES
        box = (start - 0.5, truth[start] - 0.5)
        answer.add_patch(
            plt.Rectangle(box, end - start, 1, fill=False, edgecolor="tab:red", linewidth=1.5)
        )
    answer.plot(np.argmax(probabilities, axis=1), ".", color="black", markersize=3)
    answer.set(
        yticks=range(len(labels)),
        yticklabels=labels,
        xlim=(-0.5, frames - 0.5),
        xlabel="frame",
        title="What the Pico answers (blue: probability, dots: answer, red: the truth)",
    )
    figure.colorbar(image, ax=answer, label="probability", pad=0.01)
    figure.savefig(path, dpi=110)
    plt.close(figure)
