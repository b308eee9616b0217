"""Compare every layer of every frame with the golden model, bit for bit."""

import zlib
from dataclasses import dataclass, field

import numpy as np

from host_sdk import golden, native


@dataclass
class Difference:
    """The first place where a target disagrees with the golden model."""

    frame: int
    op: int  # -1: the tensor of the first input, -2: of the second, ...
    name: str
    golden: np.ndarray  # int8 [H, W, C]
    target: np.ndarray

    @property
    def differing_bytes(self):
        return int(np.count_nonzero(self.golden != self.target))


@dataclass
class Report:
    """What was compared. `difference` is None when all was equal."""

    target: str
    frames: int = 0
    layers: int = 0  # tensors compared, over all frames
    bytes: int = 0
    difference: Difference | None = None
    logits: list = field(default_factory=list)  # of the golden model, one array a frame

    @property
    def differing_bytes(self):
        return 0 if self.difference is None else self.difference.differing_bytes


class NativeTarget:
    """The C core on this machine, as a target."""

    name = "cffi"

    def __init__(self, data):
        self._stream = native.Stream(native.Model(data))

    def reset(self):
        self._stream.reset()

    def trace(self, frame):
        return [0 if tensor is None else _crc(tensor) for tensor in self._trace(frame)]

    def tap(self, frame, op):
        inputs = len(self._stream.model.inputs)
        return self._trace(frame)[op + inputs if op >= 0 else -1 - op]

    def _trace(self, frame):
        x = self._stream.normalize(frame)
        inputs = x if isinstance(x, list) else [x]
        return [*inputs, *self._stream.push_trace(x)]


def verify(target, graph, clip, progress=None):
    """Stream `clip` through `target` from a reset state; return a Report.

    `clip` [T, H, W, C] holds samples of the input's size (see `clips.to_input`), or int8 for a raw
    input; of several inputs a list, as `golden.run_clip` takes it. The input tensors are compared
    too: they show whether samples were normalized alike. What does not run at a frame has CRC 0.
    `target` has `name`, `reset()`, `trace(frame)` and `tap(frame, op)`: a `NativeTarget` or a
    `remote.RemoteStream`. Stops at the first difference, and fetches both tensors there.
    `progress(done, total)` counts frames.
    """
    report = Report(target.name)
    stream = golden.Stream(graph)
    target.reset()
    writers = [*graph.inputs, *graph.ops]
    places = [*range(-1, -1 - len(graph.inputs), -1), *range(len(graph.ops))]
    frames = golden.frame_by_frame(graph.input_names, graph.input_periods, clip)
    for index, frame in enumerate(frames):
        x = stream.normalize(frame)
        expected = [*(x if isinstance(x, list) else [x]), *stream.push_trace(x)]
        crcs = target.trace(frame)
        for writer, op, tensor, crc in zip(writers, places, expected, crcs, strict=True):
            if index % writer.period:
                continue
            if _crc(tensor) != crc:
                report.difference = _difference(target, graph, frames, index, op, tensor)
                return report
            report.layers += 1
            report.bytes += tensor.size
        report.frames += 1
        report.logits.append(stream.output().copy())
        if progress:
            progress(index + 1, len(frames))
    return report


def _difference(target, graph, frames, index, op, expected):
    """Play what came before frame `index` once more and fetch the tensor that was wrong."""
    target.reset()
    for frame in frames[:index]:
        target.trace(frame)
    found = target.tap(frames[index], op)
    name = graph.input_names[-1 - op] if op < 0 else graph.ops[op].name
    return Difference(index, op, name, expected, np.asarray(found))


def _crc(tensor):
    return zlib.crc32(np.ascontiguousarray(tensor).tobytes())
