"""Post-training quantization: from a Keras network and some clips to a `Graph` of integers.

1. `trace` (float_ops.py) reads the network layer by layer into float ops, with batch
   normalization and ReLU folded into the op in front of them. What has no counterpart in SPEC.md
   is refused here.
2. `calibrate` (ranges.py) runs clips through the network and picks the range of every tensor. The
   layers are causal and start from zeros, so frame t of a clip meets the states that a stream
   would hold.
3. `quantize` (integers.py) turns both into scales, zero points and integer parameters.

`report_layers` (quality.py) says what it cost, layer by layer.
"""

from host_sdk.quantize.float_ops import FloatOp, trace
from host_sdk.quantize.integers import quantize
from host_sdk.quantize.quality import LayerReport, report_layers
from host_sdk.quantize.ranges import METHODS, activations, calibrate, scale_and_zero_point

__all__ = [
    "METHODS",
    "FloatOp",
    "LayerReport",
    "activations",
    "calibrate",
    "quantize",
    "report_layers",
    "scale_and_zero_point",
    "trace",
]
