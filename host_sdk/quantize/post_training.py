"""Quantization without training: `quantize`, and `post_training` for what may follow it."""

from dataclasses import dataclass, replace

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.check import check_graph
from host_sdk.format.graph import Graph, Input, Tensor
from host_sdk.format.normalization import PIXELS
from host_sdk.networks.float_ops import form_of, trace
from host_sdk.quantize.adjust import correct_bias, equalize
from host_sdk.quantize.integers import check_int4, make_graph, make_tensors
from host_sdk.quantize.ranges import calibrate
from host_sdk.quantize.simulation import Simulation


@dataclass
class Quantized:
    """A graph, what it was made of, and how far its answers are from the float network's."""

    graph: Graph
    ops: list  # rounded, they are the graph: with biases corrected, later with weights trained
    float_ops: list  # the network as it was, but for equalization, which changes no answer
    error: float  # mean square of the difference of the logits, per mean square of the logits
    equalized: bool = False
    bias_corrected: bool = False
    trained: bool = False  # with the rounding in place


def quantize(
    model,
    clips,
    labels=(),
    frames_per_second=0.0,
    method="mse",
    int4=(),
    equalize=None,
    correct_bias=None,
    normalization=PIXELS,
):
    """Return the int8 `Graph` of a Keras model.

    `model` takes clips [B, T, H, W, C] (or images [B, H, W, C]) of samples that went through
    `normalization`, and is built of the layers listed in `trace`. `clips`, samples [N, T, H, W, C]
    (or [N, H, W, C]), should be like those it will meet: some dozens. `method` chooses the ranges
    of activations: "mse" (least squared error), "percentile" or "minmax". `int4` names the ops
    that get weights of 4 bits instead of 8, or is "all" for every op that can. `equalize` and
    `correct_bias` (see adjust.py) are True, False, or None for whichever brings the logits over
    `clips` nearer to the float ones. Raises MotionletError for what cannot be exported.
    """
    quantized = post_training(
        trace(model),
        input_tensor(model, normalization),
        real_input(model, clips, normalization),
        method,
        int4,
        equalize,
        correct_bias,
    )
    return describe(quantized.graph, labels, frames_per_second, normalization)


def post_training(ops, frames, clips, method="mse", int4=(), equalize=None, correct_bias=None):
    """Return float ops, quantized: `Quantized`.

    `frames` is the input's tensor and `clips`, [N, T, H, W, C], hold its real values. The rest as
    in `quantize`.
    """
    int4 = check_int4(ops, int4)
    wanted = Simulation(ops).all_logits(clips)
    found = []
    for equalized in (False, True) if equalize is None else (equalize,):
        found += _both_biases(ops, frames, clips, wanted, method, int4, equalized, correct_bias)
    return min(found, key=lambda quantized: quantized.error)


def _both_biases(ops, frames, clips, wanted, method, int4, equalized, corrected):
    if equalized:
        ops = equalize(ops, clips)
    tensors = make_tensors(ops, frames, calibrate(ops, clips, method))
    graph = make_graph(ops, tensors, int4)
    if corrected is not True:
        error = logit_error(ops, graph, clips, wanted)
        yield Quantized(graph, ops, ops, error, equalized)
    if corrected is not False:
        better = correct_bias(ops, graph, clips)
        graph = make_graph(better, tensors, int4)
        error = logit_error(better, graph, clips, wanted)
        yield Quantized(graph, better, ops, error, equalized, bias_corrected=True)


def logit_error(ops, graph, clips, wanted):
    """Return the mean square of what the graph's logits are off, by that of those `wanted`."""
    got = Simulation(ops, graph).all_logits(clips)
    return float(np.mean((got - wanted) ** 2) / max(np.mean(wanted**2), 1e-30))


def describe(graph, labels, frames_per_second, normalization=PIXELS):
    """Return the graph with labels, frame rate, and what its input takes."""
    outputs = graph.tensors[graph.outputs[0]].channels
    if labels and len(labels) != outputs:
        raise MotionletError(f"{len(labels)} labels for {outputs} outputs")
    pixel_format = {1: "gray8", 3: "rgb888"}.get(graph.input_tensor.channels, "raw")
    if normalization.sample_type == "int16":
        pixel_format = "int16"
    graph = replace(
        graph,
        labels=list(labels),
        frames_per_second=float(frames_per_second),
        inputs=[Input(0, pixel_format, normalization)],
    )
    check_graph(graph)
    return graph


def input_tensor(model, normalization=PIXELS):
    """Return the tensor of the frames that a Keras model takes."""
    shape = form_of(model).shape
    return Tensor("frames", *shape, normalization.scale, normalization.zero_point)


def real_input(model, samples, normalization=PIXELS):
    """Return what samples are to the network: real values [N, T, H, W, C], float32.

    Images [N, H, W, C], for a model of images, become clips of one frame; vectors become frames of
    one pixel.
    """
    check_samples(model, samples, normalization.sample_type)
    return normalization.real(normalization.run(as_clips(model, samples)))


def check_samples(model, samples, sample_type):
    """Raise MotionletError unless `samples` [N, ...] are what a Keras model takes."""
    expected = model.inputs[0].shape
    if samples.dtype != sample_type or samples.ndim != len(expected) or 0 in samples.shape:
        raise MotionletError(
            f"calibration needs {sample_type} clips of {len(expected)} dimensions, "
            f"not {samples.dtype} {samples.shape}"
        )
    last = min(3, len(expected) - 1)
    for axes in (slice(-last, None), slice(1, None)):
        got, wanted = samples.shape[axes], tuple(expected[axes])
        if any(want not in (None, have) for have, want in zip(got, wanted, strict=True)):
            raise MotionletError(f"frames for calibration are {got}, the network takes {wanted}")


def as_clips(model, samples):
    """Return what a Keras model takes, [N, ...], as clips [N, T, H, W, C]."""
    form = form_of(model)
    return samples.reshape(len(samples), samples.shape[1] if form.clips else 1, *form.shape)
