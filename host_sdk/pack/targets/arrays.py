"""An op's arrays in the form that a target's kernels read: `relayout`."""

from host_sdk.errors import MotionletError
from host_sdk.pack.targets import cortex_m0plus, portable

MODULES = {
    "portable": portable,
    "cortex_m0plus": cortex_m0plus,
    "esp32s3": portable,  # the same arrays; its kernels only want scratch
}


def check_target(target):
    """Raise MotionletError for a name that is not a target's."""
    if target not in MODULES:
        known = ", ".join(MODULES)
        raise MotionletError(f"target {target!r} is not known; there are {known}")


def relayout(op, source, output, target):
    """Return {"weights", "bias", "multiplier", "shift": array or None} of an op, for `target`.

    `source` and `output` are the tensors that the op reads (the first one) and writes.
    """
    check_target(target)
    return MODULES[target].relayout(op, source, output)
