"""Single layers in the C core, in the form that a target's kernels read."""

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format import check
from host_sdk.format import mlet as fmt
from host_sdk.native.core_library import library
from host_sdk.native.runner import STATUS, aligned, pointer
from host_sdk.pack.targets.arrays import check_target, relayout


def scratch_bytes(target):
    """Return the function (graph, op) -> bytes that `planner.plan` wants, for `target`.

    It asks the C core, so that host and device cannot disagree. Raises native.NoCompilerError
    where that cannot be compiled.
    """
    check_target(target)
    if target == "portable":  # whose kernels need none
        return lambda graph, op: 0
    _, lib = library()
    kernels = lib.mlet_kernels(fmt.TARGETS[target])

    def ask(graph, op):
        sources = [graph.tensors[i] for i in op.inputs]
        layer, _ = make_layer(op, sources, graph.tensors[op.output])
        return lib.mlet_scratch_bytes(kernels, fmt.OP_CODES[op.kind], layer)

    return ask


def make_layer(op, in_tensors, out_tensor, target="portable"):
    """Return (mlet_layer_t *, arrays to keep alive) of a graph's op, for the target's kernels."""
    ffi, _ = library()
    layer = ffi.new("mlet_layer_t *")
    for name, tensor in (("in", in_tensors[0]), ("out", out_tensor)):
        shape = getattr(layer, name)
        shape.height, shape.width, shape.channels = tensor.shape
    layer.in_zero = in_tensors[0].zero_point
    layer.in1_zero = in_tensors[-1].zero_point
    layer.out_zero = out_tensor.zero_point
    layer.act_min, layer.act_max = op.act_min, op.act_max
    layer.kernel_h, layer.kernel_w = op.kernel
    layer.stride_h, layer.stride_w = op.stride
    layer.dilation_h, layer.dilation_w = op.dilation
    layer.pad_top, layer.pad_left = op.padding
    layer.frames, layer.frame_dilation = op.frames, op.frame_dilation
    layer.shift_channels = op.shift_channels
    layer.weight_bits = op.weight_bits
    keep = []
    for name, values in relayout(op, in_tensors[0], out_tensor, target).items():
        if values is not None:
            dtype = check.ARRAYS[name]
            array = aligned(values.size * np.dtype(dtype).itemsize).view(dtype)
            array[:] = values.reshape(-1)
            keep.append(array)
            setattr(layer, name, pointer(array, f"{np.dtype(dtype).name}_t *"))
    return layer, keep


def run_layer(op, in_tensors, out_tensor, xs, in_place=False, target="portable"):
    """Run one op in C over T frames from fresh state.

    `op` is a graph.Op, `in_tensors` and `out_tensor` graph.Tensors, `xs` one int8 array
    [T, H, W, C] for every input. With `in_place`, the output is written over the first input.
    `target` chooses the kernels. Returns int8 [T, H', W', C']. Raises MotionletError naming the
    field when C refuses the layer.
    """
    ffi, lib = library()
    layer, keep = make_layer(op, in_tensors, out_tensor, target)
    kernels = lib.mlet_kernels(fmt.TARGETS[target])
    code = fmt.OP_CODES[op.kind]
    field = ffi.new("const char **")
    if lib.mlet_layer_check_shape(code, layer, field) or kernels.check_arrays(code, layer, field):
        raise MotionletError(f"{op.kind}: {ffi.string(field[0]).decode()}")
    state = aligned(lib.mlet_layer_state_bytes(code, layer))
    state[:] = in_tensors[0].zero_point
    slot = -(-in_tensors[0].size // fmt.ALIGN) * fmt.ALIGN
    scratch = aligned(lib.mlet_scratch_bytes(kernels, code, layer))
    buffers = ffi.new("mlet_buffers_t *")
    buffers.state, buffers.scratch = pointer(state, "int8_t *"), pointer(scratch, "void *")
    buffers.rows_done = in_tensors[0].height
    if "slots" in fmt.OPS[op.kind].has:
        buffers.ring.slots, buffers.ring.slot_bytes = buffers.state, slot
        buffers.ring.count = len(state) // slot
    outputs = []
    for frames in zip(*xs, strict=True):
        frames = [np.array(frame, np.int8, order="C") for frame in frames]
        y = frames[0] if in_place else np.empty(out_tensor.shape, np.int8)
        buffers.a, buffers.y = pointer(frames[0], "int8_t *"), pointer(y, "int8_t *")
        if len(frames) > 1:
            buffers.b = pointer(frames[1], "int8_t *")
        if status := lib.mlet_run_op(kernels, code, layer, buffers):
            raise MotionletError(f"{op.kind}: {STATUS[status]}")
        outputs.append(y.copy())
    del keep
    return np.stack(outputs)
