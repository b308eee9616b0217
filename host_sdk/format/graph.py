"""The quantized graph: what every stage after the quantizer works on.

A `Graph` lists tensors and ops in the order they run. It is all integers but for the scales,
which only people and `dequantize` read. SPEC.md says what each op computes.
"""

import json
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


@dataclass
class Graph:
    """A whole model. `inputs` and `outputs` are tensor indices."""

    tensors: list = field(default_factory=list)
    ops: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    pixel_format: str = "gray8"  # of the first input
    normalization: Normalization = PIXELS  # of its samples; a raw input has none
    frames_per_second: float = 0.0

    def macs(self, op):
        """Multiply-accumulates of one op on one frame (averages count their additions as 0)."""
        out = self.tensors[op.output]
        if "weights" in OPS[op.kind].has:
            per_channel = op.weights.size // out.channels
            return out.size * per_channel
        return 0

    @property
    def macs_per_frame(self):
        return sum(self.macs(op) for op in self.ops)

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
        graph = Graph(**json.loads(str(arrays["graph"])))
        if not isinstance(graph.normalization, Normalization):
            graph.normalization = Normalization.from_dict(graph.normalization)
        graph.tensors = [Tensor(**tensor) for tensor in graph.tensors]
        graph.ops = [Op(**op) for op in graph.ops]
        for index, op in enumerate(graph.ops):
            for name in ("kernel", "stride", "dilation", "padding"):
                setattr(op, name, tuple(getattr(op, name)))
            for name in ARRAYS:
                setattr(op, name, arrays.get(f"{index}/{name}"))
    except (ValueError, KeyError, TypeError):
        raise MotionletError(f"{path}: not {kind}") from None
    return graph
