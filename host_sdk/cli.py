"""The command line `host_sdk`: verbs only; what they do is in the modules they call."""

import contextlib
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import rich_click as click
from rich.console import Console

import host_sdk
from host_sdk import paths
from host_sdk.errors import MotionletError

console = Console(highlight=False)
messages = Console(stderr=True, highlight=False)

click.rich_click.TEXT_MARKUP = "markdown"
click.rich_click.COMMAND_GROUPS = {
    "host_sdk": [
        {"name": "From clips to a model", "commands": ["train", "quantize", "pack", "inspect"]},
        {"name": "On a device", "commands": ["devices", "deploy", "verify", "run", "bench"]},
        {"name": "Firmware", "commands": ["firmware"]},
        {"name": "All of it at once", "commands": ["demo"]},
    ]
}

DEVICE_HELP = (
    "`auto` (the one board attached, else the virtual Pico), `virtual`, `unix`, a serial port, "
    "or a URL of pyserial's such as `socket://HOST:PORT`"
)


class Commands(click.RichGroup):
    """Prints a MotionletError as one line and exits with 1."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except MotionletError as error:
            messages.print(f"[bold red]error:[/] {_plain(error)}", soft_wrap=True)
            trace = getattr(error, "traceback", "")
            if trace and ctx.params.get("verbose"):
                messages.print(_plain(trace), soft_wrap=True)
            sys.exit(1)


def _plain(text):
    from rich.markup import escape

    return escape(str(text))


@click.group(cls=Commands)
@click.version_option(host_sdk.__version__, prog_name="host_sdk")
@click.option("--verbose", is_flag=True, help="Show the device's traceback with an error.")
def main(verbose):
    """Motionlet: streaming video inference for MicroPython microcontrollers.

    Data flows one way: clips → `train` → `quantize` → `pack` → `deploy` → `verify`. Start with
    `host_sdk demo`, which does it all on an emulated Raspberry Pi Pico.
    """


device_option = click.option(
    "--device", "spec", default="auto", show_default=True, metavar="DEVICE", help=DEVICE_HELP
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
model_argument = click.argument("model", type=click.Path(dir_okay=False, path_type=Path))


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise MotionletError(f"{path}: {error.strerror}") from None


def _write(path, data):
    """Write bytes under another name first, so that the file is whole or as it was."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise MotionletError(f"{path}: {error.strerror}") from None


@contextlib.contextmanager
def _progress(title):
    """Yield a callback (done, total) that draws a bar."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), Remaining())
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _model(path):
    """Return (bytes, graph) of an .mlet file."""
    from host_sdk import mlet_file

    data = _read(path)
    try:
        return data, mlet_file.read(data)[0]
    except MotionletError as error:
        raise MotionletError(f"{path}: {error}") from None


@main.command()
@click.option("--task", default="moving_digits", show_default=True, help="What to learn.")
@click.option("--network", default="separable3d", show_default=True)
@click.option("--width", default=1.0, show_default=True, help="Scales the network's channels.")
@click.option("--epochs", type=int, help="Passes over the clips.")
@click.option("--clips", type=int, help="Clips to train on.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
@json_option
def train(task, network, width, epochs, clips, seed, out, as_json):
    """Train a network; write `model.keras` and `train.json` into the folder OUT.

    Networks: `separable3d`, `tsm` (temporal shift) and `per_frame` (no memory, to compare with).
    """
    from host_sdk.train import TrainConfig
    from host_sdk.train import train as run

    given = {"epochs": epochs, "clips": clips}
    given = {name: value for name, value in given.items() if value is not None}
    config = TrainConfig(task=task, network=network, width=width, seed=seed, **given)
    result = run(config, out, progress=not as_json)
    if as_json:
        print(json.dumps(result.record))
    else:
        console.print(f"test accuracy {result.test_accuracy:.1%}; wrote {result.model_path}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: FOLDER/model.graph.")
@click.option(
    "--method",
    default="mse",
    show_default=True,
    help="Ranges of activations: `mse`, `percentile` or `minmax`.",
)
@click.option("--clips", default=64, show_default=True, help="Clips to calibrate with.")
@click.option(
    "--int4",
    multiple=True,
    metavar="NAME",
    help="A layer to give weights of 4 bits, or `all`. Can be repeated.",
)
def quantize(folder, out, method, clips, int4):
    """Quantize what `train` left in FOLDER to int8, calibrated on streams of training clips."""
    from host_sdk.data import load_task
    from host_sdk.graph import save_graph
    from host_sdk.networks import load_network
    from host_sdk.quantize import quantize as run

    try:
        record = json.loads(_read(folder / "train.json"))
        config, labels = record["config"], record["labels"]
    except (ValueError, KeyError, TypeError):
        raise MotionletError(f"{folder}/train.json is not what `host_sdk train` writes") from None
    task = load_task(config["task"])
    samples, _ = task.make_clips(clips, config["frames"], "train", config["seed"])
    model = load_network(folder / "model.keras")
    int4 = "all" if "all" in int4 else int4
    graph = run(model, samples, labels, task.FRAMES_PER_SECOND, method, int4)
    out = out or folder / "model.graph"
    save_graph(graph, out)
    console.print(f"{len(graph.ops)} ops, {graph.parameters:,} parameters; wrote {out}")


@main.command()
@click.argument("graph", type=click.Path(dir_okay=False, path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Default: GRAPH with .mlet.")
def pack(graph, out):
    """Plan the memory of a quantized graph and write it as an `.mlet` file."""
    from host_sdk import mlet_file, planner
    from host_sdk.graph import load_graph

    loaded = load_graph(graph)
    plan = planner.plan(loaded)
    data = mlet_file.pack(loaded, plan)
    out = out or graph.with_suffix(".mlet")
    _write(out, data)
    console.print(
        f"{len(data):,} bytes, arena {plan.arena_bytes:,}, state {plan.state_bytes:,}; wrote {out}"
    )


@main.command()
@model_argument
@json_option
def inspect(model, as_json):
    """Show a model's layers: shape, MACs, weights, place in the arena, state."""
    from host_sdk.layer_table import describe, print_table

    data, _ = _model(model)
    description = describe(data)
    if as_json:
        print(json.dumps(description))
    else:
        print_table(console, description)


@main.command()
@json_option
def devices(as_json):
    """List the boards attached, and what else can be used as a device."""
    from host_sdk.devices import find_bootsel_drives, list_devices

    boards = list_devices()
    drives = [str(drive) for drive in find_bootsel_drives()]
    built = paths.build() / "firmware"
    programs = {
        "virtual": (built / "MOTIONLET_PICO/firmware.uf2").exists(),
        "unix": (built / "unix/micropython").exists(),
    }
    if as_json:
        records = [dataclasses.asdict(board) for board in boards]
        print(json.dumps({"boards": records, "bootloaders": drives, "built": programs}))
        return
    for board in boards:
        console.print(f"{board.path}  {board.vid_pid}  {board.kind or board.description}")
    for drive in drives:
        console.print(f"{drive}  RP2040 in its bootloader: `host_sdk firmware flash`")
    if not boards and not drives:
        console.print("no board attached; the virtual Pico is the default")
    commands = {"virtual": "make firmware", "unix": "host_sdk firmware build --board unix"}
    for name, ready in programs.items():
        console.print(f"{name}  {'ready' if ready else f'not built yet: `{commands[name]}`'}")


def _open(spec):
    from host_sdk.devices import open_device

    return open_device(spec)


@main.command()
@model_argument
@device_option
@click.option("--name", help="File name on the device; default: MODEL's own.")
@click.option(
    "--to",
    "where",
    type=click.Choice(["auto", "rom", "files"]),
    default="auto",
    show_default=True,
    help="ROMFS, where the model is used in flash, or the filesystem.",
)
@click.option("--erase", is_flag=True, help="Forget all that is in ROMFS first.")
@json_option
def deploy(model, spec, name, where, erase, as_json):
    """Put a model on a device. The old one stays until the new one is whole and checked."""
    from host_sdk import deploy as deploying

    data, _ = _model(model)
    with _open(spec) as device, _progress(f"deploying to {device.name}") as progress:
        done = deploying.deploy(device, data, name or model.name, where, erase, progress)
    if as_json:
        print(json.dumps(dataclasses.asdict(done)))
    else:
        console.print(f'{done.bytes:,} bytes on {done.device}: motionlet.load("{done.path}")')


def _clip(path, graph, frames):
    """Return the clip of a command as the graph's input tensor [T, H, W, C]."""
    from host_sdk import clips

    if path is None:
        shape = graph.tensors[graph.inputs[0]].shape
        return clips.to_tensor(graph, clips.noise_clip(shape, frames or 8))
    clip = clips.load_clip(path)
    return clips.to_tensor(graph, clip[:frames] if frames else clip)


@contextlib.contextmanager
def _deployed(spec, model, data, graph, path):
    """Yield the model's RemoteStream on a device, deployed first unless `path` says where it is."""
    from host_sdk import deploy as deploying
    from host_sdk.remote import RemoteStream

    with _open(spec) as device:
        if path is None:
            with _progress(f"deploying to {device.name}") as progress:
                path = deploying.deploy(device, data, model.name, progress=progress).path
        yield RemoteStream(device, path, graph)


clip_option = click.option(
    "--clip",
    type=click.Path(dir_okay=False, path_type=Path),
    help="`.npy` or `.npz`, uint8 [frames, height, width(, channels)]; default: noise.",
)
path_option = click.option("--path", help="The model on the device, when it is deployed already.")
frames_option = click.option("--frames", type=click.IntRange(1), help="At most so many frames.")


@main.command()
@model_argument
@device_option
@clip_option
@frames_option
@path_option
@json_option
def verify(model, spec, clip, frames, path, as_json):
    """Compare a device with the golden model, bit for bit, on every layer of every frame.

    The model is deployed first unless --path says where it is. `--device cffi` checks the C core
    on this machine. Exits with 1 when a single byte differs, and shows where.
    """
    from host_sdk import verify as verifying

    data, graph = _model(model)
    inputs = _clip(clip, graph, frames)
    with contextlib.ExitStack() as stack:
        if spec == "cffi":
            target = verifying.NativeTarget(data)
        else:
            target = stack.enter_context(_deployed(spec, model, data, graph, path))
        with _progress(f"verifying {target.name}") as progress:
            report = verifying.verify(target, graph, inputs, progress)
    if as_json:
        summary = {name: getattr(report, name) for name in ("target", "frames", "layers", "bytes")}
        summary["differing_bytes"] = report.differing_bytes
        if report.difference:
            summary["frame"], summary["op"] = report.difference.frame, report.difference.name
        print(json.dumps(summary))
    else:
        _print_report(report)
    if report.difference:
        sys.exit(1)


def _print_report(report):
    if report.difference is None:
        console.print(
            f"{report.target}: {report.frames} frames, {report.layers} tensors, "
            f"{report.bytes:,} bytes: all equal to the golden model"
        )
        return
    d = report.difference
    console.print(
        f"{report.target}: frame {d.frame}, layer {d.name}: {d.differing_bytes} of "
        f"{d.golden.size} bytes differ"
    )
    for title, tensor in (("golden", d.golden), (report.target, d.target)):
        console.print(f"{title} {list(tensor.shape)}:\n{tensor}")


@main.command()
@model_argument
@device_option
@clip_option
@frames_option
@path_option
@json_option
def run(model, spec, clip, frames, path, as_json):
    """Stream a clip to a device and print its answer to every frame."""
    data, graph = _model(model)
    inputs = _clip(clip, graph, frames)
    labels = graph.labels or [str(i) for i in range(graph.tensors[graph.outputs[0]].channels)]
    with _deployed(spec, model, data, graph, path) as stream:
        for index, frame in enumerate(inputs):
            logits, microseconds = stream.push(frame)
            answer = labels[max(range(len(logits)), key=logits.__getitem__)]
            if as_json:
                fields = {"frame": index, "label": answer, "logits": logits}
                print(json.dumps({**fields, "microseconds": microseconds}), flush=True)
            else:
                console.print(f"frame {index:3}  {microseconds / 1000:8.2f} ms  {answer}")


@main.command()
@device_option
@json_option
def bench(spec, as_json):
    """Measure kernels and the demo's network on a device; rewrite BENCHMARKS.md.

    Cycles of the virtual Pico are exact and repeatable; a change of more than 2% against the
    stored table is reported.
    """
    from host_sdk import bench as benching

    if spec in ("auto", "virtual"):
        _build("MOTIONLET_PICO")
    root = paths.repository()
    with _progress("measuring") as progress:
        rows = benching.run(spec, progress)
    old = benching.read_rows(root / "benchmarks.json")
    text = json.dumps(rows, indent=1) + "\n"
    (paths.build() / "bench").mkdir(parents=True, exist_ok=True)
    _write(paths.build() / "bench/bench.json", text.encode())
    _write(root / "benchmarks.json", text.encode())
    _write(root / "BENCHMARKS.md", benching.markdown(rows).encode())
    if as_json:
        print(text)
        return
    click.echo(benching.markdown(rows))
    for row, before in benching.changes(old, rows):
        word = "SLOWER" if row["cycles"] > before else "faster"
        change = row["cycles"] / before - 1
        console.print(f"{word}: {row['case']}: {before:,} → {row['cycles']:,} ({change:+.1%})")


@main.group()
def firmware():
    """Build MicroPython with Motionlet in it, and put it on a board."""


def _build(board, user_modules=(), clean=False):
    tool = paths.repository() / "tools/build_firmware.py"
    command = [sys.executable, str(tool), board]
    for module in user_modules:
        command += ["--user-module", str(module)]
    if clean:
        command.append("--clean")
    if subprocess.run(command).returncode:
        raise MotionletError(f"the firmware {board} was not built; the reason is above")


@firmware.command()
@click.option("--board", default="MOTIONLET_PICO", show_default=True, help="Or `unix`.")
@click.option(
    "--user-module",
    "user_modules",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A further user C module, such as ulab/code; may be repeated.",
)
@click.option("--clean", is_flag=True, help="Build everything again.")
def build(board, user_modules, clean):
    """Build firmware into `build/firmware/BOARD`; its sources are fetched when missing."""
    _build(board, user_modules, clean)


@firmware.command()
@click.option("--board", default="MOTIONLET_PICO", show_default=True)
@click.option("--image", type=click.Path(path_type=Path), help="Default: what `build` made.")
@click.option("--drive", type=click.Path(path_type=Path), help="Drive of a Pico in BOOTSEL mode.")
@click.option("--port", help="Serial port (ESP32).")
def flash(board, image, drive, port):
    """Write firmware to a board: a UF2 copy or picotool (RP2040), esptool (ESP32)."""
    from host_sdk import flash as flashing

    description = flashing.board_description(board)
    chip = description["mcu"]
    folder = paths.build() / "firmware" / board
    if chip.startswith("rp2"):
        image = image or folder / "firmware.uf2"
        console.print(f"{image}: {flashing.flash_uf2(image, drive)}")
        return
    if port is None:
        raise MotionletError(f"{board} has an {chip}: say which --port it is on")
    image = image or folder / "firmware.bin"
    console.print(f"{image}: {flashing.flash_esp32(chip, port, image, 0)}")


@main.command()
@click.option("--fresh", is_flag=True, help="Train again, even if a trained network is there.")
def demo(fresh):
    """Train, quantize, pack, deploy, stream and verify on the virtual Pico; then show it."""
    from host_sdk import demo as demonstrating

    demonstrating.run(console, _build, fresh)


if __name__ == "__main__":
    main()
