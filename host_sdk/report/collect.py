"""What the report shows, read from run folders."""

import shlex
from pathlib import Path

from host_sdk.errors import MotionletError
from host_sdk.evaluation.evaluate import FILE_NAME, VERSION, hashes
from host_sdk.files import read_json
from host_sdk.train.run_folder import open_runs


def collect(folders):
    """Return [{name, run, result, target, memory, cycles, …}] of the runs in `folders`, in order.

    `seeds_of` is the folder that a run is one seed of, else None.
    `result` is evaluate.json; `target` the kernels whose memory is shown, those of the device
    that the run was evaluated on. `cycles` (of a frame) and `layer_cycles` are `measured` on it
    if it tells its clock, else what the benchmarks let expect, or None.
    """
    found = []
    for folder in map(Path, folders):
        for run in open_runs(folder):
            inside = run.folder.relative_to(folder)
            name = str(folder.resolve().name / inside) if inside.parts else folder.resolve().name
            found.append({"seeds_of": str(folder) if inside.parts else None, **_entry(name, run)})
    names = [entry["name"] for entry in found]
    for entry in found:
        if names.count(entry["name"]) > 1:
            entry["name"] = str(entry["run"].folder)
    return found


def _entry(name, run):
    path = run.folder / FILE_NAME
    if not path.exists():
        raise MotionletError(f"no {path}: `host_sdk evaluate {run.folder}` writes it")
    result = read_json(path, "host_sdk evaluate", version=int)
    version = result["version"]
    if version != VERSION:
        raise MotionletError(
            f"{path} is of version {version}, this is {VERSION}: `host_sdk evaluate {run.folder}`"
        )
    for file, digest in hashes(run).items():
        if result["sha256"].get(file) != digest:
            raise MotionletError(
                f"{run.folder / file} has changed since {path} was written: "
                f"`host_sdk evaluate {run.folder}`"
            )
    targets, device = result["cost"]["targets"], result["device"]
    clock = device["clock_hz"] if device else 0  # 0 of what is no board
    target = device["target"] if clock else next(name for name in targets if name != "portable")
    layers = targets[target]["cycles"]
    cycles = layers and round(sum(layers))
    if clock:
        layers = [round(us * clock / 1e6) for us in device["layers"]]
        cycles = round(device["microseconds_per_frame"] * clock / 1e6)
    return {
        "name": name,
        "run": run,
        "result": result,
        "target": target,
        "memory": targets[target],
        "ram_bytes": targets[target]["arena_bytes"] + targets[target]["state_bytes"],
        "cycles": cycles,
        "layer_cycles": layers,
        "measured": bool(clock),
        "state_of": {place["name"]: place["bytes"] for place in targets[target]["state"]},
        "quantize": _optional_json(run.folder / "quantize.json", "host_sdk quantize"),
    }


def _optional_json(path, writer):
    return read_json(path, writer) if path.exists() else None


def reproduce(entry):
    """Return the commands that make a run once more, as text."""
    config = "\n".join(f"    {name}={value!r}," for name, value in entry["run"].config.items())
    options = entry["result"]["options"]
    rule = options["rule"]
    words = [
        f"host_sdk evaluate RUN --smooth {rule['smooth']} --threshold {rule['threshold']}",
        f"--hold {rule['hold']} --minutes {options['background_minutes']:g}",
        f"--seed {options['seed']}",
    ]
    for name in ("clips", "background", "device"):
        if options[name]:
            words.append(f"--{name} {shlex.quote(str(options[name]))}")
    return (
        "# Python\n"
        "from host_sdk.train import TrainConfig, train\n\n"
        f"config = TrainConfig(\n{config}\n)\ntrain(config, 'RUN')\n\n"
        "# Shell\n"
        f"host_sdk quantize RUN{'  # as quantize.json says' if entry['quantize'] else ''}\n"
        "host_sdk pack RUN/model.graph\n" + " ".join(words)
    )
