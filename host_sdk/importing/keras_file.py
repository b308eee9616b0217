"""From a Keras model and some data to a graph or a run folder."""

import contextlib
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from host_sdk.data import fingerprint
from host_sdk.data.clips import load_array
from host_sdk.data.folder import FolderTask
from host_sdk.errors import MotionletError
from host_sdk.files import check_folder, write_json
from host_sdk.format.check import check_graph
from host_sdk.format.graph import save_graph
from host_sdk.format.normalization import PIXELS
from host_sdk.networks import import_keras
from host_sdk.networks.float_ops import form_of, trace
from host_sdk.pack.pipeline import quantize_run
from host_sdk.quantize.integers import scale_and_zero_point
from host_sdk.quantize.post_training import (
    as_clips,
    check_samples,
    describe,
    input_tensor,
    post_training,
    real_input,
)
from host_sdk.quantize.recipe import Recipe
from host_sdk.train import accuracy, float_logits
from host_sdk.train.config import TrainConfig
from host_sdk.train.run_folder import CALIBRATION_CLIPS, COUNTS, Run, versions, write_run

NETWORK = "imported"  # what a run folder's record names the network
FRAMES = 16  # of a clip, for a model that does not say


@dataclass
class Imported:
    """A graph of integers; `notes` say what was left out or taken for granted.

    `places`: of each tensor, its number in the `.tflite` file that it is from.
    """

    graph: object
    notes: list
    places: list = field(default_factory=list)


def import_model(
    model, samples, labels=(), frames_per_second=0.0, ends=None, clips=CALIBRATION_CLIPS
):
    """Return a Keras model as an `Imported` graph.

    `samples` [N, ...] are like what the model will meet, as the model takes them: uint8 pixels, or
    floats. Of pixels, `ends` are the numbers that black and white are to the model: those that its
    first layer, a Rescaling, makes of them, or else 0 and 1. With `ends`, floats are pixels too.
    The input of a model that is given floats, without `ends`, is raw int8, of a range as wide as
    theirs. `clips`: how many samples to calibrate with, at most.
    """
    samples = _chosen(_with_channels(model, np.asarray(samples)), clips)
    if samples.dtype.kind == "f" and ends is None:
        return _import_raw(model, samples, labels, frames_per_second)
    model, normalization = pixels_of(model, ends)
    if samples.dtype.kind == "f":
        samples = _to_pixels(samples, normalization)
    result = post_training(
        trace(model),
        input_tensor(model, normalization),
        real_input(model, samples, normalization),
    )
    graph = describe(result.graph, labels, frames_per_second, normalization)
    return Imported(graph, [*form_of(model).notes, _pixels_note(normalization)])


def import_to_run(model, folder, out, ends=None, frames=None, fps=None):
    """Calibrate a Keras model on a folder of clips and write the run folder `out`.

    The clips are resized to what the model takes. A model of images answers to each frame. Returns
    an `Imported`. Nothing is written when anything is wrong.
    """
    check_folder(out)
    form = form_of(model)
    height, width, channels = form.shape
    if len(model.inputs[0].shape) < 4 or channels not in (1, 3):
        raise MotionletError(
            f"the model takes {tuple(model.inputs[0].shape[1:])}, which clips of {folder} are not; "
            "give --data an array of samples"
        )
    if form.clips and not form.answers:
        raise MotionletError(
            "the model answers once to a whole clip; give --data an array of clips, which makes a "
            "graph, or let it answer to each frame to get a run folder"
        )
    known = model.inputs[0].shape[1] if form.clips else None
    if None not in (known, frames) and known != frames:
        raise MotionletError(f"the model takes clips of {known} frames, not {frames}")
    options = {"size": f"{width}x{height}", "color": {1: "gray", 3: "rgb"}[channels], "fps": fps}
    task = FolderTask(folder, options)
    if math.prod(model.outputs[0].shape[2 if form.clips else 1 :]) != len(task.LABELS):
        count = math.prod(model.outputs[0].shape[2 if form.clips else 1 :])
        raise MotionletError(
            f"the model has {count} outputs, {folder} has {len(task.LABELS)} classes: "
            f"{', '.join(task.LABELS)}"
        )
    model, normalization = pixels_of(model, ends)
    if task.thermal:
        raise MotionletError(f"{folder} holds temperatures; import takes pictures")
    model = model if form.clips else _of_clips(model)
    config = TrainConfig(
        task=str(Path(folder).resolve()),
        data=asdict(task.options),
        network=NETWORK,
        frames=known or frames or FRAMES,
        **dict.fromkeys(COUNTS.values()),
    )
    record = {
        "config": asdict(config),
        "data_sha256": {},
        "labels": list(task.LABELS),
        "normalization": normalization.to_dict(),
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_weights),
        "accuracy": {},
        "versions": versions("tensorflow", "keras", "numpy"),
    }
    run = _Unsaved(Path(out), record, model)
    for split in ("train", "validation", "test"):
        samples, labels = run.make_clips(split)
        record["data_sha256"][split] = fingerprint(samples, labels)
        if split != "train":
            logits = float_logits(model, samples, normalization=normalization)
            record["accuracy"][split] = accuracy(NETWORK, logits, labels)
    graph, made = quantize_run(run, Recipe())
    write_run(out, model, record)
    save_graph(graph, Path(out) / "model.graph")
    write_json(Path(out) / "quantize.json", made)
    return Imported(graph, [*form.notes, _pixels_note(normalization)])


def load_samples(path):
    """Return the array of samples in a `.npy` or `.npz` file: uint8 or float32, finite."""
    samples = load_array(path)
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float32)
        if not np.isfinite(samples).all():
            raise MotionletError(f"{path} holds values that are not finite numbers")
    elif samples.dtype != np.uint8:
        raise MotionletError(f"{path} holds {samples.dtype}; want uint8 pixels, or floats")
    return samples


def pixels_of(model, ends=None):
    """Return (model, `Normalization`) with which a model takes pixels.

    `ends`: what black and white are to it; a Rescaling in front says so too, and is taken away.
    """
    keras = import_keras()
    first = next((x for x in model.layers if type(x).__name__ != "InputLayer"), None)
    if ends is None and type(first) is keras.layers.Rescaling:
        scale, offset = np.unique(first.scale), np.unique(first.offset)
        ends = 0.0, 255.0
        if scale.size == offset.size == 1 and first.input is model.inputs[0]:
            with contextlib.suppress(ValueError):  # others read the input too
                model = keras.Model(first.output, model.outputs[0], name=model.name)
                ends = float(offset[0]), float(offset[0] + 255 * scale[0])
    low, high = ends or (0.0, 1.0)
    if not (math.isfinite(low) and math.isfinite(high) and low <= 0 <= high and low < high):
        raise MotionletError(
            f"black and white as {low:g} and {high:g}: want the first at most 0, the second at "
            "least 0, not both"
        )
    scale, zero_point = scale_and_zero_point(low, high)
    # A pixel v enters as v - 128, whatever that stands for.
    return model, replace(PIXELS, scale=scale, zero_point=zero_point, offset=128 + zero_point)


class _Unsaved(Run):
    """A run whose folder is not written yet."""

    def __init__(self, folder, record, model):
        super().__init__(folder, record)
        object.__setattr__(self, "model", model)

    def load_network(self):
        return self.model


def _import_raw(model, samples, labels, frames_per_second):
    check_samples(model, samples, samples.dtype)
    clips, form = as_clips(model, samples), form_of(model)
    low, high = float(samples.min()), float(samples.max())
    scale, zero_point = scale_and_zero_point(low, high)
    frames = replace(input_tensor(model), scale=scale, zero_point=zero_point)
    graph = post_training(trace(model), frames, clips.astype(np.float32)).graph
    outputs = graph.tensors[graph.outputs[0]].channels
    if labels and len(labels) != outputs:
        raise MotionletError(f"{len(labels)} labels for {outputs} outputs")
    graph = replace(graph, labels=list(labels), frames_per_second=float(frames_per_second))
    check_graph(graph)
    note = (
        f"the input is raw int8, q = x / {scale:.6g} + {zero_point}, for x of {low:g} to {high:g}"
    )
    return Imported(graph, [*form.notes, note])


def _pixels_note(normalization):
    black, white = normalization.real(np.array([-128, 127]))
    return f"the input is pixels: to the network, black is {black:.4g} and white {white:.4g}"


def _of_clips(model):
    """Return a model of images as one of clips, which answers to each frame."""
    from host_sdk.networks.layers import EachFrame

    keras = import_keras()
    clip = keras.Input((None, *model.inputs[0].shape[1:]), name="frames")
    return keras.Model(clip, EachFrame(model, name=model.name)(clip), name=model.name)


def _with_channels(model, samples):
    """Return samples with an axis for the one channel, should they lack it."""
    shape = model.inputs[0].shape if getattr(model, "inputs", None) else ()
    if samples.ndim == len(shape) - 1 and shape[-1] == 1:
        return samples[..., None]
    return samples


def _chosen(samples, most):
    """Return `most` of the samples at most, from all over."""
    places = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    return samples[places] if len(samples) else samples


def _to_pixels(samples, normalization):
    """Return the pixels that real values come from."""
    q = np.rint(samples / normalization.scale) + normalization.zero_point
    return (np.clip(q, -128, 127) + 128).astype(np.uint8)
