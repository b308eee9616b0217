"""Arrays as SPEC.md lists them with each op: for the portable kernels."""

from host_sdk.format.weights import pack_int4


def relayout(op, source, output):
    """Return the arrays of an op as they are, weights of 4 bits packed."""
    weights = pack_int4(op.weights) if op.weight_bits == 4 else op.weights
    return {
        "weights": weights,
        "bias": op.bias,
        "multiplier": op.multiplier,
        "shift": op.shift,
    }
