"""Quantization: from a Keras network and some clips to a `Graph` of integers.

1. `trace` (float_ops.py) reads the network layer by layer into float ops, with batch
   normalization and ReLU folded into the op in front of them. What has no counterpart in SPEC.md
   is refused here.
2. `equalize` and `correct_bias` (adjust.py) make the float ops easier to quantize.
3. `calibrate` (ranges.py) picks the range of every tensor from clips.
4. `make_graph` (integers.py) turns ops and ranges into scales, zero points and integers.

`quantize` (post_training.py) does all of this. `Simulation` (simulation.py) runs float ops, as
real numbers or rounded as their graph rounds; `report_layers` (quality.py) says what rounding
cost, layer by layer.
"""

from host_sdk.networks.float_ops import FloatOp, trace
from host_sdk.quantize.adjust import correct_bias, equalize
from host_sdk.quantize.aware import train_rounded
from host_sdk.quantize.integers import make_graph, make_tensors, scale_and_zero_point
from host_sdk.quantize.post_training import (
    Quantized,
    describe,
    input_tensor,
    post_training,
    quantize,
    real_input,
)
from host_sdk.quantize.quality import LayerReport, report_layers
from host_sdk.quantize.ranges import METHODS, calibrate
from host_sdk.quantize.simulation import Simulation

__all__ = [
    "METHODS",
    "FloatOp",
    "LayerReport",
    "Quantized",
    "Simulation",
    "calibrate",
    "correct_bias",
    "describe",
    "equalize",
    "input_tensor",
    "make_graph",
    "make_tensors",
    "post_training",
    "quantize",
    "real_input",
    "report_layers",
    "scale_and_zero_point",
    "trace",
    "train_rounded",
]
