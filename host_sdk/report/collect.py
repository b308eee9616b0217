"""What the report shows, read from run folders."""

import dataclasses
from pathlib import Path
from shlex import quote

from host_sdk.errors import MotionletError
from host_sdk.evaluation.evaluate import FILE_NAME, VERSION, hashes
from host_sdk.files import read_json
from host_sdk.train.config import TrainConfig
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
    again = f"`host_sdk evaluate {quote(str(run.folder))}`"
    if not path.exists():
        raise MotionletError(f"no {path}: {again} writes it")
    result = read_json(path, "host_sdk evaluate", version=int)
    version = result["version"]
    if version != VERSION:
        raise MotionletError(f"{path} is of version {version}, this is {VERSION}: {again}")
    for file, digest in hashes(run).items():
        if result["sha256"].get(file) != digest:
            raise MotionletError(
                f"{run.folder / file} has changed since {path} was written: {again}"
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
        "ram_bytes": targets[target].get(
            "stream_bytes", targets[target]["arena_bytes"] + targets[target]["state_bytes"]
        ),
        "cycles": cycles,
        "layer_cycles": layers,
        "measured": bool(clock),
        "state_of": {place["name"]: place["bytes"] for place in targets[target]["state"]},
        "quantize": _optional_json(run.folder / "quantize.json", "host_sdk quantize"),
    }


def _optional_json(path, writer):
    return read_json(path, writer) if path.exists() else None


def reproduce(entry):
    """Return the commands that make a run once more, as text.

    It is pasted, and what it is made of may come from elsewhere: names are those that are known,
    values are quoted.
    """
    config = entry["run"].config
    known = [f.name for f in dataclasses.fields(TrainConfig) if f.name in config]
    lines = "\n".join(f"    {name}={config[name]!r}," for name in known)
    options = entry["result"]["options"]
    given = {name: options["rule"][name] for name in ("smooth", "threshold", "hold")}
    given |= {"minutes": options["background_minutes"], "seed": options["seed"]}
    given |= {n: options[n] for n in ("clips", "background", "device") if options[n]}
    words = " ".join(f"--{name} {quote(str(value))}" for name, value in given.items())
    return (
        "# Python\n"
        "from host_sdk.train import TrainConfig, train\n\n"
        f"config = TrainConfig(\n{lines}\n)\ntrain(config, 'RUN')\n\n"
        "# Shell\n"
        f"host_sdk quantize RUN{'  # as quantize.json says' if entry['quantize'] else ''}\n"
        f"host_sdk pack RUN/model.graph\nhost_sdk evaluate RUN {words}"
    )
