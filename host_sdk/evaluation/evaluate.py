"""Evaluate a run folder: all figures of evaluate.json."""

import contextlib
import hashlib
import itertools
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

import host_sdk
from host_sdk.data import fingerprint
from host_sdk.errors import MotionletError
from host_sdk.evaluation import background, leaks, metrics
from host_sdk.evaluation.alarms import (
    FEW_MINUTES,
    THRESHOLDS,
    Rule,
    background_classes,
    events,
    false_alarms,
    false_alarms_seen,
)
from host_sdk.evaluation.controls import CONTROLS
from host_sdk.evaluation.costs import costs
from host_sdk.evaluation.inference import Int8Network
from host_sdk.evaluation.summary import percent
from host_sdk.files import read, read_json, write_json
from host_sdk.pack import mlet_file, planner
from host_sdk.pack.pipeline import model_of
from host_sdk.train.run_folder import open_runs

FILE_NAME = "evaluate.json"
VERSION = 2  # of that file
EVERY = (1, 2, 3, 4)  # push every n-th frame
FEW_CLIPS = 30  # of which an accuracy tells little
FEW = 20  # groups of clips that tell little of others
SURE = 0.001  # a control counts as worse when that is this unlikely to be by chance


@dataclass(frozen=True)
class Options:
    """What to evaluate, and on how much."""

    clips: int | None = None  # of the test split; None is all
    rule: Rule = field(default_factory=Rule)
    background: Path | None = None  # a folder of clips in which nothing happens
    background_minutes: float = 30  # where the task can make as much as one likes
    device: str | None = None  # what devices.open_device takes
    sample: int = 3  # test clips that the device gets
    seed: int = 0  # of the controls and of the cross-validation

    def __post_init__(self):
        for name in ("clips", "background_minutes", "sample"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise MotionletError(f"{name} must be a number above 0, not {value}")


@contextlib.contextmanager
def _silent(_title):
    yield None


def evaluate_folder(folder, options=Options(), stage=_silent):
    """Evaluate a run folder, or each of its seeds; write evaluate.json into every folder.

    One of other clips that is there stays, as evaluate.1.json, evaluate.2.json …
    `stage(title)` is a context manager that gives a callback (done, total), or None. Returns the
    content of FOLDER/evaluate.json: what `evaluate` returns; with seeds {version, labels, seeds:
    [folder names], spread: {"int8": …, "float": …, each control: …}}, where each is a
    `metrics.spread` of accuracies.
    """
    runs, results = open_runs(folder), []
    for run in runs:
        results.append(evaluate(run, options, stage))
        _keep_other(run.folder, results[-1]["test_sha256"])
        write_json(run.folder / FILE_NAME, results[-1])
    if runs[0].folder == Path(folder):
        return results[0]
    summary = {
        "version": VERSION,
        "labels": runs[0].labels,
        "seeds": [run.folder.name for run in runs],
        "spread": _spread(results),
    }
    write_json(Path(folder) / FILE_NAME, summary)
    return summary


def _keep_other(folder, test_sha256):
    """Give the evaluation in a folder another name, unless it is of these clips."""
    path = folder / FILE_NAME
    if not path.exists():
        return
    with contextlib.suppress(MotionletError):
        if read_json(path, "host_sdk evaluate").get("test_sha256") == test_sha256:
            return
    numbers = (path.with_name(f"evaluate.{number}.json") for number in itertools.count(1))
    path.rename(next(place for place in numbers if not place.exists()))


def _spread(results):
    figures = {name: [r["accuracy"][name]["value"] for r in results] for name in ("int8", "float")}
    for name in CONTROLS:
        figures[name] = [r["controls"][name]["accuracy"]["value"] for r in results]
    return {name: metrics.spread(values) for name, values in figures.items()}


def evaluate(run, options=Options(), stage=_silent):
    """Evaluate one run; return what its evaluate.json holds.

    What the folder lacks of model.graph and model.mlet is made. Everything but the device's
    times is the same whenever it is repeated.
    """
    with stage("making clips"):
        task = run.task
        quiet = options.background and background.folder_streams(options.background, task)
        test, labels, groups = run.make_grouped_clips("test", options.clips)
        validation, validation_labels = run.make_clips("validation", options.clips)
        keras_model = run.load_network()
        data = model_of(run)
    network = _Networks(run, keras_model, data)
    rate = task.FRAMES_PER_SECOND

    device = None
    if options.device:
        from host_sdk.evaluation.on_device import run_sample

        with stage(f"on the device: {options.device}") as progress:
            name = f"{run.folder.resolve().name}.mlet"
            sample = test[: options.sample]
            device = run_sample(options.device, name, data, sample, progress)

    with stage("int8 in C") as progress:
        frame_logits = network.frame_logits(test, progress)
        logits = network.answers(frame_logits)
    with stage("float"):
        float_logits = network.float32(test)
    answers, float_answers = logits.argmax(-1), float_logits.argmax(-1)
    last, last_logits = answers[:, -1], logits[:, -1]
    with stage("calibration") as progress:
        temperature = metrics.fit_temperature(
            validation_labels, network.packed(validation, progress)[:, -1]
        )
    result = {
        "version": VERSION,
        "motionlet": host_sdk.__version__,
        "config": run.config,
        "options": {**asdict(options), "background": str(options.background or "") or None},
        "sha256": hashes(run),
        "data_changed": None if options.clips else _data_changed(run, test, labels),
        "test_sha256": fingerprint(test, labels),
        "labels": run.labels,
        "clips": {
            "test": len(test),
            "validation": len(validation),
            "test_groups": len(np.unique(groups)),
        },
        "frames": test.shape[1],
        "frames_per_second": rate,
        "chance": metrics.chance(labels),
        "accuracy": {
            "int8": metrics.accuracy(labels, last, groups),
            "float": metrics.accuracy(labels, float_answers[:, -1], groups),
            "same_answer": metrics.accuracy(float_answers[:, -1], last, groups),
        },
        "classes": metrics.by_class(labels, last, run.labels),
        "confusion": metrics.confusion(labels, last, len(run.labels)),
        "by_frame": {
            "int8": metrics.by_frame(labels, answers, groups),
            "float": metrics.by_frame(labels, float_answers, groups),
        },
        "decision": _decision(labels, answers, 1, rate, device),
        "calibration": {
            "temperature": temperature,
            "before": metrics.calibration(labels, metrics.softmax(last_logits)),
            "after": metrics.calibration(labels, metrics.softmax(last_logits, temperature)),
        },
        "cost": costs(network.graph),
        "device": device,
    }
    known = labels, groups
    result["controls"] = _controls(run, network, test, known, last, options, stage)
    result["dropped"] = _dropped(network, test, known, rate, device, stage)
    with stage("false alarms") as progress:
        what, streams = quiet or background.task_streams(
            task, background_classes(task.LABELS), test, labels, options.background_minutes
        )
        stream_logits = network.frame_logits(streams, progress)
        result["alarms"] = {
            "background": what,
            **_alarms(task, options.rule, stream_logits, labels, frame_logits),
        }
    with stage("leaks"):
        everything = np.concatenate([test, validation])
        clues = leaks.clues(task, everything, np.concatenate([labels, validation_labels]))
        result["leaks"] = leaks.find_leaks(*clues, seed=options.seed)
    result["warnings"] = _warnings(result)
    return result


def _data_changed(run, test, labels):
    """Whether all the test clips are others than at the training; None if that is not known."""
    trained = run.record.get("data_sha256")
    return fingerprint(test, labels) != trained["test"] if trained else None


def hashes(run):
    """Return {name: SHA-256} of the files that an evaluation is of, those that are there."""
    paths = [run.folder / name for name in ("model.keras", "model.graph", "model.mlet")]
    return {p.name: hashlib.sha256(read(p)).hexdigest() for p in paths if p.exists()}


class _Networks:
    """One network in several precisions.

    Each method takes clips and returns logits, float [N, T, classes].
    """

    def __init__(self, run, keras_model, data):
        self._run, self._keras = run, keras_model
        self._packed = Int8Network(data)
        self.graph = self._packed.graph

    def answers(self, logits):
        """Return what the network answers after each frame; see `host_sdk.networks.answers`."""
        from host_sdk.networks import answers

        return np.asarray(answers(self._run.config["network"], logits))

    def frame_logits(self, clips, progress=None):
        """model.mlet in C, each frame's own logits; a list where clips differ in length."""
        return self._packed.logits(clips, progress)

    def packed(self, clips, progress=None):
        """Answers of model.mlet in C."""
        return self.answers(self.frame_logits(clips, progress))

    def float32(self, clips, progress=None):
        """Answers of the Keras network."""
        from host_sdk.train import float_logits

        normalization = self._run.normalization
        return self.answers(float_logits(self._keras, clips, normalization=normalization))

    def narrow(self):
        """Return the network with 4-bit weights wherever that can be, as (method, graph)."""
        from host_sdk.pack.pipeline import quantize_run
        from host_sdk.quantize.recipe import Recipe

        graph, _ = quantize_run(self._run, Recipe(int4="all"))
        data = mlet_file.pack(graph, planner.plan(graph, chains=False))
        int4 = Int8Network(data)
        return lambda clips, progress=None: self.answers(int4.logits(clips, progress)), graph


def _decision(labels, answers, every, rate, device):
    """How soon the answers are right for good; `every`: only each such frame was pushed.

    A frame is answered when it has been computed; a device too slow for the camera computes one
    after the other. Without a device its time counts as 0.
    """
    frames = metrics.frames_to_decide(labels, answers)
    decided = frames[~np.isnan(frames)]
    computing = device["microseconds_per_frame"] / 1000 if device else 0.0
    period = max(1000 / rate, computing / every)
    found = {
        "frames": None,
        "milliseconds": None,
        "computing_milliseconds": computing if device else None,
    }
    if len(decided):
        quantiles = np.quantile(decided, (0.5, 0.9), method="inverted_cdf")
        names = ("median", "most")  # of clips; 90% are as fast as "most"
        found["frames"] = dict(zip(names, quantiles.tolist(), strict=True))
        shown = ((quantiles - 1) * every + 1) * period + computing
        found["milliseconds"] = dict(zip(names, shown.tolist(), strict=True))
    return found


def _controls(run, network, clips, known, answers, options, stage):
    (labels, groups), found = known, {}
    for name, change in CONTROLS.items():
        with stage(f"control: {name}") as progress:
            others = network.packed(change(clips, options.seed), progress)[:, -1].argmax(-1)
        found[name] = {
            "accuracy": metrics.accuracy(labels, others, groups),
            "same_answer": metrics.accuracy(answers, others, groups),
            "p_not_worse": metrics.fewer_right(labels, answers, others, groups),
            "confusion": metrics.confusion(labels, others, len(run.labels)),
        }
    return found


def _dropped(network, clips, known, rate, device, stage):
    """Accuracy when the device is given every n-th frame only, in several precisions."""
    from host_sdk.quantize.bit_widths import weight_bytes

    (labels, groups), (int4, int4_graph) = known, network.narrow()
    precisions = {
        "float32": (network.float32, None),
        "model.mlet": (network.packed, network.graph),
        "4-bit weights": (int4, int4_graph),
    }
    rows = []
    for precision, (run, graph) in precisions.items():
        for every in EVERY:
            kept = clips[:, ::every]
            with stage(f"{precision}, every {every}. frame") as progress:
                answers = run(kept, progress).argmax(-1)
            rows.append(
                {
                    "precision": precision,
                    "every": every,
                    "frames": kept.shape[1],
                    "accuracy": metrics.accuracy(labels, answers[:, -1], groups),
                    "decision": _decision(labels, answers, every, rate, device),
                    "macs_per_second": network.graph.macs_per_frame * rate / every,
                    "weight_bytes": weight_bytes(graph) if graph else None,
                }
            )
    return rows


def _alarms(task, rule, stream_logits, labels, frame_logits):
    """What `rule` says on streams of background and on clips, at several thresholds."""
    quiet = background_classes(task.LABELS)
    streams = [metrics.softmax(logits) for logits in stream_logits]
    probabilities = metrics.softmax(frame_logits)
    found = []
    for threshold in sorted({*THRESHOLDS, rule.threshold}):
        other = replace(rule, threshold=threshold)
        at_events = events(other, labels, probabilities, quiet)
        frames = at_events.pop("frames")
        found.append(
            {
                "threshold": threshold,
                "false_alarms": false_alarms(other, streams, quiet, task.FRAMES_PER_SECOND),
                "events": {
                    **at_events,
                    "median_frames": float(np.median(frames)) if frames else None,
                },
            }
        )
    return {
        "rule": asdict(rule),
        "quiet": [task.LABELS[c] for c in quiet],
        "thresholds": found,
    }


def _warnings(result):
    """Return what a reader must know before believing the accuracy, in sentences."""
    warnings = []
    accuracy, chance = result["accuracy"]["int8"], result["chance"]
    if result["data_changed"]:
        warnings.append(
            "The clips are not those that it was trained with: some that count as unseen here may "
            "have been trained on."
        )
    if accuracy["low"] <= chance:
        warnings.append(
            f"It is not shown to be better than chance: {percent(accuracy)}, where always the same "
            f"answer gives {chance:.1%}."
        )
    clips, groups = result["clips"]["test"], result["clips"]["test_groups"]
    if groups < min(clips, FEW):
        warnings.append(
            f"The {clips} unseen clips are of {groups} group{'s' * (groups > 1)} only (files, or "
            "the groups of splits.csv): the intervals reckon with that, and are wide."
        )
    if clips < FEW_CLIPS and groups == clips:
        warnings.append(
            f"There are {clips} unseen clips only: what is so for them may be far from what is so "
            "for others; the intervals say how far."
        )
    false = result["alarms"]["thresholds"][0]["false_alarms"]
    if 60 * false["hours"] < FEW_MINUTES:
        none = false_alarms_seen(0, false["hours"])["high"]
        warnings.append(
            f"False alarms were counted in {60 * false['hours']:.1f} minutes only: up to "
            f"{none:,.0f} an hour may not show at all in so short a time. Give hours of film in "
            "which nothing happens with --background DIR."
        )
    shuffled, frozen = (result["controls"][name] for name in ("shuffled", "frozen"))
    if shuffled["p_not_worse"] > SURE:
        warnings.append(
            "It is not shown that the order of the frames matters to this network: with the frames "
            f"shuffled it is right on {shuffled['accuracy']['value']:.1%} of the clips, and "
            f"{shuffled['same_answer']['value']:.1%} of its answers stay the same."
        )
    if frozen["accuracy"]["low"] > chance:
        warnings.append(
            "Single frames tell something of the label: with one frame repeated the network gets "
            f"{frozen['accuracy']['value']:.1%} right, chance is {chance:.1%}."
        )
    warnings += [
        f"The {leak['clue']} of a clip tells something of its label: from that alone one gets "
        f"{leak['accuracy']['value']:.1%} of all {leak['accuracy']['of']:,} clips compared right; "
        f"always the same answer gets {leak['chance']:.1%} of those."
        for leak in result["leaks"]
        if leak["leak"]
    ]
    gap = result["accuracy"]["float"]["value"] - accuracy["value"]
    if gap > 0.01:
        warnings.append(f"int8 is {100 * gap:.1f} points below float.")
    if result["device"] and result["device"]["differing_bytes"]:
        warnings.append(f"{result['device']['device']} differs from the golden model.")
    return warnings
