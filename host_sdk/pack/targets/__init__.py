"""What a packed model looks like on each target: SPEC.md, "Targets".

One module a target; `relayout(op, source, output)` in it gives an op's arrays in the form that
the target's kernels read. `layers` runs single layers in C in that form, and asks the core how
much scratch they need.
"""

from host_sdk.pack.targets.arrays import MODULES, check_target, relayout
from host_sdk.pack.targets.layers import make_layer, run_layer, scratch_bytes

__all__ = ["MODULES", "check_target", "make_layer", "relayout", "run_layer", "scratch_bytes"]
