"""A whole graph in numpy, twice: over a clip at once, and frame by frame.

`run_clip` is the meaning of a model: every op sees the whole clip. `Stream` computes the same
from what earlier frames left behind, with temporal code of its own, so that each checks the other.
"""

from collections import deque

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.golden import ops


def run_clip(graph, clip):
    """Run `graph` over a clip and return each op's output, a list of int8 [T, H, W, C].

    `clip`: int8 [T, H, W, C]; for a graph of several inputs, a list of such arrays. Samples of the
    graph's type (uint8 or int16) are normalized first.
    """
    if is_samples(graph, clip):
        clip = graph.normalization.run(clip)
    values = _inputs(graph, clip, leading=1)
    outputs = []
    for op in graph.ops:
        xs = [values[i] for i in op.inputs]
        values[op.output] = run_op(graph, op, xs)
        outputs.append(values[op.output])
    return outputs


def run_op(graph, op, xs):
    """Run one op over a clip: `xs`, one int8 [T, H, W, C] to an input; returns the same."""
    sources = [graph.tensors[i] for i in op.inputs]
    target = graph.tensors[op.output]
    if op.kind == "add":
        return ops.add(op, sources, target, *xs)
    if op.shift_channels and op.kind != "temporal_shift":
        xs = [ops.temporal_shift(op, sources[0], target, xs[0])]
    return getattr(ops, op.kind)(op, sources[0], target, xs[0])


class Stream:
    """One video through `graph`, frame by frame."""

    def __init__(self, graph):
        self.graph = graph
        self.reset()

    def reset(self):
        """Forget all frames: the past is the zero point of each op's input."""
        self._values = {}
        self._background = None
        self._past = []
        for op in self.graph.ops:
            source = self.graph.tensors[op.inputs[0]]
            nothing = np.full(source.shape, source.zero_point, np.int8)
            depth = frames_kept(op)
            self._past.append(deque([nothing] * depth, maxlen=depth))

    def push(self, frame):
        """Run one frame, int8 [H, W, C] (a list for several inputs); return the first output.

        A frame of samples (uint8 or int16) is normalized first.
        """
        self.push_trace(frame)
        return self.output(0)

    def normalize(self, frame):
        """Turn the next frame of samples [H, W, C] into the input tensor, int8 [H, W, C].

        What is not samples, but int8 already, stays as it is.
        """
        if not is_samples(self.graph, frame):
            return frame
        q, self._background = self.graph.normalization.step(frame, self._background)
        return q

    def push_trace(self, frame):
        """As push, but return the output of every op, a list of int8 [H, W, C]."""
        frame = self.normalize(frame)
        values = _inputs(self.graph, frame, leading=0)
        outputs = []
        for op, past in zip(self.graph.ops, self._past, strict=True):
            values[op.output] = self._step(op, past, [values[i] for i in op.inputs])
            outputs.append(values[op.output])
        self._values = values
        return outputs

    def output(self, index=0):
        """Return output `index` of the last push, int8 [H, W, C]."""
        return self._values[self.graph.outputs[index]]

    def _step(self, op, past, xs):
        """Run one op on one frame. `past` holds the frames before, oldest first."""
        if not (op.kind.startswith("temporal") or op.shift_channels):
            return run_op(self.graph, op, xs)
        source = self.graph.tensors[op.inputs[0]]
        target = self.graph.tensors[op.output]
        history = np.stack([*past, xs[0]])  # [depth + 1, H, W, C]
        past.append(xs[0])
        if op.shift_channels:
            keep = np.arange(source.channels) >= op.shift_channels
            shifted = np.where(keep, history[1], history[0])
            if op.kind == "temporal_shift":
                return shifted
            return getattr(ops, op.kind)(op, source, target, shifted)
        centred = history.astype(np.int64) - source.zero_point
        if op.kind == "temporal_average":
            acc = centred.sum(axis=0)
        else:
            acc = np.einsum("thwc,tc->hwc", centred[:: op.frame_dilation], op.weights) + op.bias
        return ops.requantize(
            acc, op.multiplier, op.shift, target.zero_point, op.act_min, op.act_max
        )


def frames_kept(op):
    """Return how many earlier frames of its input an op needs."""
    if op.kind == "temporal_depthwise":
        return (op.frames - 1) * op.frame_dilation
    if op.kind == "temporal_average":
        return op.frames - 1
    return 1 if op.shift_channels else 0


def is_samples(graph, frames):
    """Whether `frames` are samples that the graph's normalization takes, and not yet int8."""
    if graph.pixel_format == "raw" or not isinstance(frames, np.ndarray):
        return False
    return frames.dtype == graph.normalization.sample_type


def _inputs(graph, given, leading):
    """Return {tensor index: int8 array} of the graph's inputs, checked."""
    arrays = given if isinstance(given, list | tuple) else [given]
    if len(arrays) != len(graph.inputs):
        raise MotionletError(f"{len(arrays)} inputs given, the graph has {len(graph.inputs)}")
    values = {}
    for index, array in zip(graph.inputs, arrays, strict=True):
        tensor, array = graph.tensors[index], np.asarray(array)
        if array.dtype != np.int8 or array.ndim != 3 + leading:
            raise MotionletError(
                f"input {tensor.name!r} is int8 of {3 + leading} dimensions, "
                f"not {array.dtype} of {array.ndim}"
            )
        if array.shape[leading:] != tensor.shape:
            raise MotionletError(
                f"input {tensor.name!r} is {tensor.shape}, not {array.shape[leading:]}"
            )
        values[index] = array
    return values
