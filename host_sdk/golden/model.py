"""A whole graph in numpy, twice: over a clip at once, and frame by frame.

`run_clip` is the meaning of a model: every op sees the whole clip. `Stream` computes the same
from what earlier frames left behind, with temporal code of its own, so that each checks the other.
"""

from collections import deque

import numpy as np

from host_sdk.golden import ops
from host_sdk.golden.inputs import check_due, checked, clip_frames, in_order, is_samples


def run_clip(graph, clips):
    """Run `graph` over a clip and return each op's output, a list of int8 [T, H, W, C].

    `clips`: int8 [T, H, W, C]; for a graph of several inputs, a list of such arrays or a dict by
    the inputs' names. An input of period p gets ceil(T / p) frames, those of frames 0, p, 2p, ...
    Samples of an input's type (uint8 or int16) are normalized first.

    An op of period p sees every p-th frame, and its output is repeated for those in between.
    """
    clips = in_order(graph.input_names, clips)
    length = clip_frames(graph.input_names, graph.input_periods, clips)

    def spread(values, period):
        return np.repeat(values, period, axis=0)[:length] if period > 1 else values

    values = []
    for given, clip in zip(graph.inputs, clips, strict=True):
        clip = checked(graph, given, clip, leading=1)
        if is_samples(given, clip):
            clip = given.normalization.run(clip)
        values.append(spread(clip, given.period))
    for op in graph.ops:
        xs = [values[i][:: op.period] for i in op.inputs]
        values.append(spread(run_op(graph, op, xs), op.period))
    return values[len(graph.inputs) :]


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
    """One video through `graph`, frame by frame. `frames`: how many since the reset."""

    def __init__(self, graph):
        self.graph = graph
        self.reset()

    def reset(self):
        """Forget all frames: the past is the zero point of each op's input."""
        self.frames = 0
        self._values = {}
        self._backgrounds = [None] * len(self.graph.inputs)
        self._past = []
        for op in self.graph.ops:
            source = self.graph.tensors[op.inputs[0]]
            nothing = np.full(source.shape, source.zero_point, np.int8)
            depth = frames_kept(op)
            self._past.append(deque([nothing] * depth, maxlen=depth))

    def push(self, frame):
        """Run one frame, int8 [H, W, C]; return the first output.

        Several inputs take a list of frames or a dict by name. An input that is not due (of period
        n, it is at frames 0, n, 2n, ...) gets None, or is left out of the dict. A frame of samples
        (uint8 or int16) is normalized first.
        """
        self.push_trace(frame)
        return self.output(0)

    def normalize(self, frame):
        """Turn the next frame of samples [H, W, C] into the input tensor, int8 [H, W, C].

        What is not samples, but int8 already, stays as it is. What push takes for several inputs
        becomes a list.
        """
        frames = self._checked(frame)
        for index, (given, x) in enumerate(zip(self.graph.inputs, frames, strict=True)):
            if is_samples(given, x):
                frames[index], self._backgrounds[index] = given.normalization.step(
                    x, self._backgrounds[index]
                )
        return frames if isinstance(frame, list | tuple | dict) else frames[0]

    def push_trace(self, frame):
        """As push, but return the output of every op, a list of int8 [H, W, C].

        Of an op that does not run at this frame, it is what it was.
        """
        frames = self._checked(self.normalize(frame))
        for given, x in zip(self.graph.inputs, frames, strict=True):
            if x is not None:
                self._values[given.tensor] = x
        for op, past in zip(self.graph.ops, self._past, strict=True):
            if self.frames % op.period == 0:
                xs = [self._values[i] for i in op.inputs]
                self._values[op.output] = self._step(op, past, xs)
        self.frames += 1
        return [self._values[op.output] for op in self.graph.ops]

    def output(self, index=0):
        """Return output `index` of the last push, int8 [H, W, C]."""
        return self._values[self.graph.outputs[index]]

    def _checked(self, frame):
        """Return the frames given as a list, after checking that they are due and fit."""
        frames = in_order(self.graph.input_names, frame)
        for index, (given, x) in enumerate(zip(self.graph.inputs, frames, strict=True)):
            name = self.graph.tensors[given.tensor].name
            check_due(name, given.period, self.frames, x)
            if x is not None:
                frames[index] = checked(self.graph, given, x, leading=0)
        return frames

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
