"""The quantized graph: what every stage after the quantizer works on.

A `Graph` lists tensors and ops in the order they run. It is all integers but for the scales,
which only people and `dequantize` read. SPEC.md says what each op computes.
"""

import json
import math
from dataclasses import asdict, dataclass, field

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.files import read_arrays, replacing
from host_sdk.format.normalization import PIXELS, Normalization
from host_sdk.format.operators import OPS


@dataclass
class Tensor:
    """An int8 feature map [height, width, channels]: real value = scale * (q - zero_point)."""

    name: str
    height: int
    width: int
    channels: int
    scale: float
    zero_point: int

    @property
    def shape(self):
        return (self.height, self.width, self.channels)

    @property
    def size(self):
        """Elements, which are bytes."""
        return self.height * self.width * self.channels


@dataclass
class Op:
    """One operator. `kind` is a key of `operators.OPS`; unused fields keep their defaults.

    Layouts of `weights` (int8): conv2d [C_out, k_h, k_w, C_in]; depthwise2d [k_h, k_w, C];
    pointwise and dense [C_out, C_in]; temporal_depthwise [k_t, C], oldest tap first.
    `bias` int32 [C_out]. `multiplier` int32 and `shift` uint8: [C_out] for ops with weights,
    [1] for the averages; add has `multiplier` [2] and `shift` [1].
    """

    kind: str
    name: str
    inputs: list  # indices of tensors
    output: int
    weights: np.ndarray | None = None
    bias: np.ndarray | None = None
    multiplier: np.ndarray | None = None
    shift: np.ndarray | None = None
    act_min: int = -128
    act_max: int = 127
    kernel: tuple = (1, 1)  # height, width
    stride: tuple = (1, 1)
    dilation: tuple = (1, 1)
    padding: tuple = (0, 0)  # top, left; bottom and right follow from the output's shape
    frames: int = 1  # temporal_depthwise: k_t; temporal_average: frames averaged
    frame_dilation: int = 1
    shift_channels: int = 0  # of the ops that shift
    weight_bits: int = 8  # 4: weights in -7 to 7, for the ops whose weights are rows
    period: int = 1  # runs at frames 0, n, 2n, ...; its output stays as it is in between
    group: int = 0  # a label

    @property
    def runs_back(self):
        """The oldest of its runs, counted from this one, of whose input it makes use."""
        return runs_back(self.frames, self.frame_dilation, self.shift_channels)


def runs_back(frames=1, frame_dilation=1, shift_channels=0, **_):
    """Return how many frames an op of these fields looks back."""
    return (frames - 1) * frame_dilation + bool(shift_channels)


@dataclass
class Input:
    """What a network takes. `tensor` is an index; input i has tensor i."""

    tensor: int
    pixel_format: str = "gray8"
    normalization: Normalization = PIXELS  # of its samples; a raw input has none
    period: int = 1  # a frame is given at frames 0, n, 2n, ...


@dataclass
class Graph:
    """A whole model. `inputs` are `Input`s, `outputs` indices of tensors.

    Tensors are in the order they are written: those of the inputs first, then one of each op.
    """

    tensors: list = field(default_factory=list)
    ops: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    frames_per_second: float = 0.0

    @property
    def input(self):
        """The only `Input`. Raises MotionletError when there are several."""
        if len(self.inputs) != 1:
            names = ", ".join(self.input_names)
            raise MotionletError(
                f"the model has {len(self.inputs)} inputs ({names}); only one can be used here"
            )
        return self.inputs[0]

    @property
    def input_tensor(self):
        """The `Tensor` of the only input."""
        return self.tensors[self.input.tensor]

    @property
    def input_names(self):
        return [self.tensors[given.tensor].name for given in self.inputs]

    @property
    def input_periods(self):
        return [given.period for given in self.inputs]

    def macs(self, op):
        """Multiply-accumulates of one op on one frame (averages count their additions as 0)."""
        out = self.tensors[op.output]
        if "weights" in OPS[op.kind].has:
            per_channel = op.weights.size // out.channels
            return out.size * per_channel
        return 0

    @property
    def macs_per_frame(self):
        """The mean of all frames: an op of period n counts for an n-th."""
        return round(sum(self.macs(op) / op.period for op in self.ops))

    @property
    def most_macs(self):
        """What `MACS_LIMIT` bounds: those of a frame at which all ops run, and what others read."""
        total = 0
        for op in self.ops:
            out = self.tensors[op.output]
            taps = op.frames * op.kernel[0] * op.kernel[1]
            total += self.macs(op) or out.size * taps
        return total

    @property
    def reach(self):
        """How many frames an answer may depend on, the newest included.

        Backgrounds are left out: they depend on all frames, if on the older ones little.
        """
        periods = [*self.input_periods, *(op.period for op in self.ops)]
        back = [0] * len(self.tensors)
        for op in self.ops:
            # What is read may be as old as the time since a tensor of another period was written.
            held = (back[i] + periods[i] - math.gcd(periods[i], op.period) for i in op.inputs)
            back[op.output] = max(held) + op.runs_back * op.period
        return max(back[i] + periods[i] for i in self.outputs)

    @property
    def parameters(self):
        """Weights and biases."""
        return sum(
            array.size for op in self.ops for array in (op.weights, op.bias) if array is not None
        )


ARRAYS = ("weights", "bias", "multiplier", "shift")


def save_graph(graph, path):
    """Write a graph, not yet planned, to `path`: a numpy .npz archive with a JSON description."""
    description = asdict(graph)
    arrays = {}
    for index, op in enumerate(description["ops"]):
        for name in ARRAYS:
            if op[name] is not None:
                arrays[f"{index}/{name}"] = op[name]
            del op[name]
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, graph=json.dumps(description), **arrays)


def load_graph(path):
    """Read what `save_graph` wrote. Raises MotionletError when `path` is something else."""
    kind = "a quantized graph (`host_sdk quantize`)"
    arrays = read_arrays(path, kind)
    try:
        graph = Graph(**_with_inputs(json.loads(str(arrays["graph"]))))
        for given in graph.inputs:
            given.normalization = Normalization.from_dict(given.normalization)
        graph.tensors = [Tensor(**tensor) for tensor in graph.tensors]
        graph.ops = [Op(**op) for op in graph.ops]
        for index, op in enumerate(graph.ops):
            for name in ("kernel", "stride", "dilation", "padding"):
                setattr(op, name, tuple(getattr(op, name)))
            for name in ARRAYS:
                setattr(op, name, arrays.get(f"{index}/{name}"))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MotionletError(f"{path}: not {kind}") from None
    return graph


def _with_inputs(description):
    """Return a graph's description with `Input`s.

    Older files have indices of tensors in their place, and beside them what the first one takes.
    """
    inputs = description["inputs"]
    if "pixel_format" in description:
        first = {name: description.pop(name) for name in ("pixel_format", "normalization")}
        raw = {"pixel_format": "raw", "normalization": asdict(PIXELS)}
        inputs = [{"tensor": i, **(raw if n else first)} for n, i in enumerate(inputs)]
    return {**description, "inputs": [Input(**given) for given in inputs]}
