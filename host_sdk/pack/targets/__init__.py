"""What a packed model looks like on each target: SPEC.md, "Targets".

One module a target; `relayout(op, source, output)` in it gives an op's arrays in the form that
the target's kernels read.
"""

from host_sdk.errors import MotionletError
from host_sdk.format.mlet import OP_CODES, TARGETS
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


def scratch_bytes(target):
    """Return the function (graph, op) -> bytes that `planner.plan` wants, for `target`.

    It asks the C core, so that host and device cannot disagree. Raises native.NoCompilerError
    where that cannot be compiled.
    """
    from host_sdk import native

    check_target(target)
    if target == "portable":  # whose kernels need none
        return lambda graph, op: 0
    _, lib = native.library()
    kernels = lib.mlet_kernels(TARGETS[target])

    def ask(graph, op):
        sources = [graph.tensors[i] for i in op.inputs]
        layer, _ = native.make_layer(op, sources, graph.tensors[op.output])
        return kernels.scratch_bytes(OP_CODES[op.kind], layer)

    return ask
