"""On a device: `devices`, `install`, `deploy`, `models`, `verify`, `run`, `bench`."""

import contextlib
import dataclasses
import json
import sys
from pathlib import Path

import rich_click as click

from host_sdk import paths
from host_sdk.cli.common import (
    build_firmware,
    console,
    device_option,
    json_option,
    messages,
    model_argument,
    model_name,
    print_result,
    progress_bar,
    read_model,
)
from host_sdk.errors import MotionletError, on_one_line, printable
from host_sdk.files import make_folder, write


@click.command()
@json_option
def devices(as_json):
    """List the boards attached, and what else can be used as a device."""
    from host_sdk.board.devices import find_bootsel_drives, list_devices
    from host_sdk.board.images import image_path

    boards = list_devices()
    drives = [str(drive) for drive in find_bootsel_drives()]
    programs = {
        "virtual": image_path("MOTIONLET_PICO").exists(),
        "unix": image_path("unix", name="micropython").exists(),
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
    how = {
        "virtual": "not built yet: `host_sdk firmware build`",
        "unix": "not built yet: `host_sdk firmware build --board unix`",
    }
    if paths.checkout() is None:
        how = dict.fromkeys(how, "not in this package: a checkout of Motionlet builds it")
    for name, ready in programs.items():
        console.print(f"{name}  {'ready' if ready else how[name]}")


def _open(spec):
    from host_sdk.board.devices import open_device

    return open_device(spec)


def _install(device, folder=None, wanted="core", models=()):
    from host_sdk.board import install as installing

    with progress_bar(f"installing on {device.name}") as progress:
        return installing.install(device, folder, progress, wanted, models, messages.print)


@click.command()
@device_option
@click.option(
    "--package",
    type=click.Path(file_okay=False, path_type=Path),
    help="A package's folder, in place of what is made for the device.",
)
@click.option(
    "--for",
    "first",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="MODEL...",
    help="Only what these models need.",
)
@click.argument("more", nargs=-1, type=click.Path(dir_okay=False, path_type=Path), metavar="")
@click.option("--full", is_flag=True, help="All there is: to try kernels, to look into layers.")
@json_option
def install(spec, package, first, more, full, as_json):
    """Add Motionlet to the MicroPython on a device, without flashing it.

    The module for its architecture goes to /lib, where it is loaded from into RAM. By default it
    has what networks of all families need. Nothing is done where the firmware has Motionlet built
    in.
    """
    for word in (first, *more):
        if word is not None and str(word).startswith("-"):
            raise click.UsageError(f"--for wants a model before {word}")
    if more and first is None:
        raise click.UsageError(f"{more[0]}: models come after --for")
    if (package is not None) + (first is not None) + full > 1:
        raise click.UsageError("--package, --for and --full exclude each other")
    models = [] if first is None else [read_model(path)[1] for path in (first, *more)]
    wanted = "full" if full else "models" if models else "core"
    with _open(spec) as device:
        done = _install(device, package, wanted, models)
    if as_json:
        print(json.dumps(dataclasses.asdict(done)))
    elif not done.arch:
        console.print(f"{done.device}: Motionlet {done.version} is part of the firmware")
    else:
        console.print(
            f"{done.device}: Motionlet {done.version} for {done.arch}, {done.bytes:,} bytes "
            f"written; imported, it takes {done.ram_bytes:,} bytes of RAM"
        )


def _ensure_module(device, may_install, graph):
    """Install Motionlet where it is missing, if the user wants it, with what the graph needs."""
    from host_sdk.board.modules import BrokenModule, find_module

    try:
        if find_module(device) is not None:
            return
    except BrokenModule:
        if not may_install:
            raise
    if may_install is None and sys.stdin.isatty():
        question = f"{device.name} has no module motionlet. Install it now?"
        may_install = click.confirm(printable(question), err=True)
    if may_install:
        _install(device, models=[graph])


@click.command()
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
@click.option(
    "--install/--no-install",
    "may_install",
    default=None,
    help="Install Motionlet first where it is missing; default: ask.",
)
@click.option("--slow", is_flag=True, help="Even if a frame takes minutes.")
@json_option
def deploy(model, spec, name, where, erase, may_install, slow, as_json):
    """Put a model on a device. The old one stays until the new one is whole and checked.

    MODEL is an `.mlet` file, or a run folder, which is quantized and packed if it has not been.
    """
    from host_sdk.board import deploy as deploying

    data, graph = read_model(model)
    with _open(spec) as device:
        _ensure_module(device, may_install, graph)
        with progress_bar(f"deploying to {device.name}") as progress:
            limit = {"macs_limit": None} if slow else {}
            name = name or model_name(model)
            done = deploying.deploy(device, data, name, where, erase, progress, **limit)
    print_result(
        as_json,
        dataclasses.asdict(done),
        f"{done.bytes:,} bytes on {done.device}: motionlet.load({json.dumps(done.path)})",
    )


@click.command()
@device_option
@click.option("--remove", metavar="NAME", help="Remove this one, by its name or its path.")
@json_option
def models(spec, remove, as_json):
    """List the models on a device, in its ROMFS and in its file system, or remove one."""
    from host_sdk.board.deploy import remove_model
    from host_sdk.board.models import list_models
    from host_sdk.board.remote import Remote

    with _open(spec) as device:
        removed = remove_model(Remote(device), remove) if remove else []
        found = [] if remove else list_models(device)
    if as_json:
        print(json.dumps({"removed": removed, "models": [dataclasses.asdict(m) for m in found]}))
    for path in () if as_json else removed:
        console.print(f"{device.name}: removed {path}")
    if as_json or remove:
        return
    for model in found:
        words = [model.path, f"{model.bytes:,} bytes"]
        words += [f"for {model.target}, format {model.format_version}"] if model.target else []
        words += [", ".join(model.labels)] if model.target else ["not a whole model"]
        console.print(on_one_line("  ".join(words)))
    if not found:
        console.print(f"{device.name}: no models")


def _clip(path, graph, frames, given=None):
    """Return a clip for an input, by default the only one, as samples of its size [T, H, W, C].

    `frames`: at most so many of the model's, of which an input of period n takes every n-th.
    """
    from host_sdk.data import clip_files, clips

    given = given or graph.input
    if path is None:
        count = -(-(frames or 8) // given.period)
        return clips.to_input(graph, clips.noise_clip(graph, count, given=given), given)
    if path.suffix.lower() in clip_files.VIDEO_SUFFIXES:
        clip = clip_files.read_video(path, graph, given)
    else:
        clip = clips.load_clip(path, given.normalization.samples_per_unit)
    return clips.to_input(graph, clip[: -(-frames // given.period)] if frames else clip, given)


def _clips(words, graph, frames):
    """Return clips for all inputs, cut to one duration; of one input, its clip.

    `words` are the paths of a command, NAME=PATH where there are several inputs. An input without
    one gets noise.
    """
    names = graph.input_names
    paths = dict.fromkeys(names)
    for word in words:
        name, _, path = word.partition("=") if len(names) > 1 else (names[0], "", word)
        # A name may have "=" in it, as a path may: the longest name that fits.
        known = [each for each in names if len(names) > 1 and word.startswith(f"{each}=")]
        if known:
            name = max(known, key=len)
            path = word[len(name) + 1 :]
        if name not in paths:
            wanted = ", ".join(f"{known}=FILE" for known in names)
            raise MotionletError(f"--clip {word}: the model has {len(names)} inputs; give {wanted}")
        if paths[name] is not None:
            raise MotionletError(f"--clip {word}: input {name!r} has one already")
        paths[name] = Path(path)
    if len(names) == 1:
        return _clip(paths[names[0]], graph, frames)
    found = [
        _clip(path, graph, frames, given) if path else None
        for path, given in zip(paths.values(), graph.inputs, strict=True)
    ]
    lasts = [
        len(clip) * period
        for clip, period in zip(found, graph.input_periods, strict=True)
        if clip is not None
    ]
    lasts = min([*lasts, *([frames] if frames else [])], default=8)
    return [
        _clip(None, graph, lasts, given) if clip is None else clip[: -(-lasts // given.period)]
        for clip, given in zip(found, graph.inputs, strict=True)
    ]


@contextlib.contextmanager
def _deployed(spec, model, data, graph, path):
    """Yield the model's RemoteStream on a device, deployed first unless `path` says where it is."""
    from host_sdk.board import deploy as deploying
    from host_sdk.board.remote import RemoteStream, require_module

    with _open(spec) as device:
        if path is not None:
            require_module(device)
        else:
            with progress_bar(f"deploying to {device.name}") as progress:
                path = deploying.deploy(device, data, model_name(model), progress=progress).path
        yield RemoteStream(device, path, graph)


CLIP_HELP = (
    "A video, or an array: `.npy` or `.npz`, [frames, height, width(, channels)], uint8 or "
    "temperatures; default: noise."
)
clips_option = click.option(
    *("--clip", "clips"),
    multiple=True,
    metavar="[NAME=]FILE",
    help=f"{CLIP_HELP} Of several inputs, one to each, by its name.",
)


def streaming_options(clip):
    """Return what gives a command all it takes to stream through a model on a device.

    `clip` is its option for clips.
    """
    options = (
        model_argument,
        device_option,
        clip,
        click.option("--frames", type=click.IntRange(1), help="At most so many frames."),
        click.option("--path", help="The model on the device, when it is deployed already."),
        json_option,
    )

    def with_options(command):
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


@click.command()
@streaming_options(clips_option)
def verify(model, spec, clips, frames, path, as_json):
    """Compare a device with the golden model, bit for bit, on every layer of every frame.

    The model is deployed first unless --path says where it is. `--device cffi` checks the C core
    on this machine. Exits with 1 when a single byte differs, and shows where.
    """
    from host_sdk.board import verify as verifying

    data, graph = read_model(model)
    inputs = _clips(clips, graph, frames)
    with contextlib.ExitStack() as stack:
        if spec == "cffi":
            target = verifying.NativeTarget(data)
        else:
            target = stack.enter_context(_deployed(spec, model, data, graph, path))
        with progress_bar(f"verifying {target.name}") as progress:
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


@click.command("stream")
@streaming_options(clips_option)
def run(model, spec, clips, frames, path, as_json):
    """Stream a clip to a device and print its answer to every frame."""
    from host_sdk.golden import frame_by_frame

    data, graph = read_model(model)
    inputs = _clips(clips, graph, frames)
    inputs = frame_by_frame(graph.input_names, graph.input_periods, inputs)
    labels = graph.labels or [str(i) for i in range(graph.tensors[graph.outputs[0]].channels)]
    with _deployed(spec, model, data, graph, path) as stream:
        for index, frame in enumerate(inputs):
            logits, microseconds = stream.push(frame)
            answer = labels[max(range(len(logits)), key=logits.__getitem__)]
            if as_json:
                fields = {"frame": index, "label": answer, "logits": logits}
                print(json.dumps({**fields, "microseconds": microseconds}), flush=True)
            else:
                console.print(
                    f"frame {index:3}  {microseconds / 1000:8.2f} ms  {on_one_line(answer)}"
                )


@click.command()
@device_option
@json_option
def bench(spec, as_json):
    """Measure kernels and networks on a device; rewrite BENCHMARKS.md, but not from a board.

    `--device xtensa` counts the instructions of the kernels for the ESP32-S3 on an emulated core,
    and estimates their cycles;
    without --device that is done too, where its toolchain can be had, and the sizes of what is
    built of Motionlet are taken. Figures of emulators are exact and repeatable; a change of more
    than 2% against the stored table is reported.
    """
    from host_sdk.bench import measure as benching
    from host_sdk.bench import report as bench_report
    from host_sdk.bench import xtensa as bench_xtensa
    from host_sdk.bench import xtensa_cycles
    from host_sdk.board.devices import list_devices
    from host_sdk.cost.benchmarks import stored_rows

    paths.repository("bench, which rewrites BENCHMARKS.md,")
    rows = []
    if spec not in ("auto", "virtual", "xtensa") or (spec == "auto" and list_devices()):
        _bench_board(spec, as_json)
        return
    if spec in ("auto", "virtual"):
        build_firmware("MOTIONLET_PICO", same_modules=True)
    if spec != "xtensa":
        with progress_bar("measuring") as progress:
            rows += benching.run(spec, progress)
    if spec in ("auto", "xtensa"):
        try:
            rows += bench_xtensa.run()
            rows += xtensa_cycles.run(benching.estimated_cases())
        except MotionletError as error:
            if spec == "xtensa":
                raise
            messages.print(f"the figures of Xtensa stay as they are: {error}")
    if spec == "auto":
        rows += benching.size_rows()
    old = stored_rows()
    table = benching.merge(old, rows)
    text = benching.json_of(table)
    make_folder(paths.build() / "bench")
    write(paths.build() / "bench/bench.json", text.encode())
    tables = bench_report.keep(table)
    if as_json:
        print(text)
        return
    click.echo(tables)
    for line in benching.describe_changes(old, rows):
        console.print(line)


def _bench_board(spec, as_json):
    """Measure on a board; its figures are its owner's, and go into no table of the repository."""
    from host_sdk.bench import measure as benching
    from host_sdk.bench import report as bench_report

    with progress_bar("measuring") as progress:
        rows = benching.run(spec, progress)
    if as_json:
        print(benching.json_of(rows))
        return
    for line in bench_report.of_device(rows[0]["device"], rows):
        console.print(line)
    messages.print("BENCHMARKS.md stays as it is: it is of the virtual Pico")
