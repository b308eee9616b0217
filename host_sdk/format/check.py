"""Whether a graph is one that SPEC.md gives a meaning to.

Every error is a `RecordError` that names the record, its index and the field as the file has them.
"""

import math

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format.mlet import LIMITS, PIXEL_FORMATS
from host_sdk.format.operators import OPS, having

INT32_MAX = 2**31 - 1
LEAST_RATE = 2.0**-17  # frames a second
LEAST_SCALE = 2.0**-126  # smaller ones lose bits, and devices need not know them
WITH_WEIGHTS = having("weights")
WITH_ROWS = having("rows", "int4")  # weights [C_out, ...], of 8 bits or 4
WITH_SCALE = having("scale")
WITH_KERNEL = having("window")
WITH_PADDING = having("padding")
WITH_SLOTS = having("slots")
WITH_DILATED_FRAMES = having("slots", "weights")
IN_PLACE = having("in_place")
VECTOR, ROWS = having("vector"), having("rows")
SHIFTING = having("shift")  # that may shift as they read
SHIFTS = having("channels")
COPIES = having("copy")
SHIFT_MULTIPLE = 4  # of the channels that those shift
PIXEL_CHANNELS = {"gray8": 1, "rgb888": 3, "int16": 1}
DIMENSIONS = ("height", "width", "channels")
ARRAYS = {"weights": np.int8, "bias": np.int32, "multiplier": np.int32, "shift": np.uint8}


class RecordError(MotionletError):
    """A record of a model breaks SPEC.md.

    `record` is "header", "tensor", "input", "normalization", "output", "label" or "op", `index`
    its number among its kind, `field` the field's name in the file. Some rules are about more than
    one field: then `field` is an array ("bias"), a dimension of an op's output ("height"), an op's
    "taps" or "arrays", or "live" of a tensor.
    """

    def __init__(self, record, index, field, message):
        where = record if record == "header" else f"{record} {index}"
        super().__init__(f"{where}: {field}: {message}")
        self.record, self.index, self.field = record, index, field


def check_graph(graph):
    """Raise `RecordError` for the first thing in `graph` that breaks SPEC.md."""
    check_counts(graph)
    for index, tensor in enumerate(graph.tensors):
        check_tensor(index, tensor)
    check_inputs(graph)
    check_order(graph)
    check_periods(graph)
    for index, op in enumerate(graph.ops):
        check_layer(graph, index, op)
        check_parameters(graph, index, op)


def check_counts(graph):
    """Check the lengths of a graph's lists."""
    for name in ("tensors", "ops", "inputs", "outputs", "labels"):
        count, most = len(getattr(graph, name)), LIMITS[f"max_{name}"]
        least = 0 if name == "labels" else 1
        if not least <= count <= most:
            field = f"{name[:-1]}_count"
            raise RecordError("header", 0, field, f"{count} is not in {least} to {most}")
    check_tensor_count(len(graph.tensors), len(graph.inputs), len(graph.ops))
    rate = as_float32(graph.frames_per_second)
    stated = math.isfinite(rate) and rate >= LEAST_RATE
    if not (stated or (rate == 0 and math.copysign(1, rate) > 0)):
        message = f"{rate} is not a rate of {LEAST_RATE:.3g} or more; 0 means not stated"
        raise RecordError("header", 0, "frames_per_second", message)


def check_tensor_count(tensors, inputs, ops):
    """Check that there is one tensor to each input and each op."""
    if tensors != inputs + ops:
        message = f"{tensors}; {inputs} inputs and {ops} ops have {inputs + ops}"
        raise RecordError("header", 0, "tensor_count", message)


def check_tensor(index, tensor):
    """Check one tensor by itself."""

    def wrong(field, message):
        raise RecordError("tensor", index, field, message)

    for field in DIMENSIONS:
        value = getattr(tensor, field)
        if not 1 <= value <= LIMITS["max_dim"]:
            wrong(field, f"{value} is not in 1 to {LIMITS['max_dim']}")
    if tensor.size > LIMITS["max_tensor_bytes"]:
        wrong("channels", f"{tensor.size} bytes, more than {LIMITS['max_tensor_bytes']}")
    if not -128 <= tensor.zero_point <= 127:
        wrong("zero_point", f"{tensor.zero_point} is not in -128 to 127")
    scale = as_float32(tensor.scale)
    if not (math.isfinite(scale) and scale >= LEAST_SCALE):
        wrong("scale", f"{tensor.scale} is not a finite, normal number above 0 in float32")


def check_inputs(graph):
    """Check inputs, outputs and labels."""
    _check_input_names(graph)
    for index, given in enumerate(graph.inputs):
        if given.tensor != index:
            message = f"{given.tensor}; the tensor of input {index} has index {index}"
            raise RecordError("input", index, "tensor", message)
        _check_pixel_format(graph, index)
    count = len(graph.tensors)
    for index, tensor in enumerate(graph.outputs):
        if not 0 <= tensor < count:
            message = f"{tensor} is not the index of one of {count} tensors"
            raise RecordError("output", index, "tensor", message)
    channels = graph.tensors[graph.outputs[0]].channels
    if graph.labels and len(graph.labels) != channels:
        message = f"{len(graph.labels)} labels for {channels} channels of the first output"
        raise RecordError("header", 0, "label_count", message)


def _check_input_names(graph):
    """Check that each input can be told by its name."""
    names, most = {}, LIMITS["max_input_name"]
    for index in range(min(len(graph.inputs), len(graph.tensors))):
        name = graph.tensors[index].name
        if not name:
            raise RecordError("tensor", index, "name", "an input has a name; this one is empty")
        first = names.setdefault(name.encode()[:most], index)
        if first != index:
            message = f"{name!r} is the name of input {first}, too"
            raise RecordError("tensor", index, "name", message)


def _check_pixel_format(graph, index):
    """Check that an input's tensor is what its pixel format and normalization make."""

    def wrong(message):
        raise RecordError("input", index, "pixel_format", message)

    given, tensor = graph.inputs[index], graph.tensors[index]
    if given.pixel_format not in PIXEL_FORMATS:
        known = ", ".join(PIXEL_FORMATS)
        wrong(f"{given.pixel_format!r} is not known; there are {known}")
    if given.pixel_format == "raw":
        return
    wanted = PIXEL_CHANNELS[given.pixel_format], given.normalization.zero_point
    if (tensor.channels, tensor.zero_point) != wanted:
        wrong(
            f"{given.pixel_format} has {wanted[0]} channels and zero point {wanted[1]}, the tensor "
            f"has {tensor.channels} and {tensor.zero_point}"
        )
    if (given.pixel_format == "int16") != (given.normalization.sample_type == "int16"):
        sample_type = given.normalization.sample_type
        wrong(f"{given.pixel_format}, with a normalization of {sample_type}")


def check_order(graph):
    """Check that every op writes the tensor of its place, and reads only earlier ones."""
    for index, op in enumerate(graph.ops):
        if op.kind not in OPS:
            raise RecordError("op", index, "code", f"{op.kind!r} is not an op")
        own = len(graph.inputs) + index
        if op.output != own:
            message = f"{op.output}; behind {len(graph.inputs)} inputs, op {index} writes {own}"
            raise RecordError("op", index, "output", message)
        wanted = OPS[op.kind].inputs
        if len(op.inputs) != wanted:
            message = f"{op.kind} has {wanted} inputs, not {len(op.inputs)}"
            raise RecordError("op", index, "input1", message)
        for place, tensor in enumerate(op.inputs):
            if not 0 <= tensor < own:
                message = f"tensor {tensor} is not one that is written before"
                raise RecordError("op", index, f"input{place}", message)


def check_periods(graph):
    """Check periods, the cycle in which all of them begin anew, and groups."""
    most, cycle = LIMITS["max_period"], 1
    writers = [("input", *pair) for pair in enumerate(graph.inputs)]
    for record, index, writer in writers + [("op", *pair) for pair in enumerate(graph.ops)]:
        if not 1 <= writer.period <= most:
            message = f"{writer.period} is not in 1 to {most}"
            raise RecordError(record, index, "period", message)
        cycle = math.lcm(cycle, writer.period)
        if cycle > LIMITS["max_cycle"]:
            message = (
                f"{writer.period}; with the periods before, all begin anew after {cycle} frames, "
                f"at most {LIMITS['max_cycle']} are possible"
            )
            raise RecordError(record, index, "period", message)
        if record == "op" and not 0 <= writer.group <= LIMITS["max_group"]:
            message = f"{writer.group} is not in 0 to {LIMITS['max_group']}"
            raise RecordError(record, index, "group", message)


def array_shapes(graph, op):
    """Return {array name: shape} of the parameters that an op has."""
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    per_channel = (target.channels,)
    weights = {
        "conv2d": (target.channels, *op.kernel, source.channels),
        "depthwise2d": (*op.kernel, source.channels),
        "pointwise": (target.channels, source.channels),
        "temporal_depthwise": (op.frames, source.channels),
        "dense": (target.channels, source.size),
    }
    if op.kind in weights:
        return {
            "weights": weights[op.kind],
            "bias": per_channel,
            "multiplier": per_channel,
            "shift": per_channel,
        }
    if OPS[op.kind].inputs == 2:
        return {"multiplier": (2,), "shift": (1,)}
    return {"multiplier": (1,), "shift": (1,)} if op.kind in WITH_SCALE else {}


def check_layer(graph, index, op):
    """Check an op's shapes and small fields. The tensors it names must exist."""

    def wrong(field, message):
        raise RecordError("op", index, field, f"{message} ({op.kind} {op.name!r})")

    def within(field, value, low, high):
        if not low <= value <= high:
            wrong(field, f"{value} is not in {low} to {high}")

    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    within("act_min", op.act_min, -128, 127)
    within("act_max", op.act_max, -128, 127)
    if op.act_min > op.act_max:
        wrong("act_min", f"{op.act_min} is above act_max, {op.act_max}")
    _check_shapes(op, graph, wrong)
    if op.kind in WITH_KERNEL:
        for axis, letter in enumerate("hw"):
            within(f"kernel_{letter}", op.kernel[axis], 1, 255)
            within(f"stride_{letter}", op.stride[axis], 1, 255)
            within(f"dilation_{letter}", op.dilation[axis], 1, 255)
            padding = ("pad_top", "pad_left")[axis]
            within(padding, op.padding[axis], 0, 255)
            _check_window(op, axis, source, target, padding, wrong)
        if op.kind not in WITH_PADDING and (op.dilation != (1, 1) or op.padding != (0, 0)):
            wrong("pad_top", f"{op.kind} has no padding and no dilation")
    if op.kind in WITH_SLOTS:
        within("frames", op.frames, 1, LIMITS["max_frames"])
    if op.kind in WITH_DILATED_FRAMES:
        within("frame_dilation", op.frame_dilation, 1, 65535)
        if (op.frames - 1) * op.frame_dilation > LIMITS["max_span"]:
            span = (op.frames - 1) * op.frame_dilation
            wrong("frame_dilation", f"spans {span} frames, more than {LIMITS['max_span']}")
    if op.kind in SHIFTS and op.kind not in SHIFTING:
        within("shift_channels", op.shift_channels, 1, source.channels)
    else:
        most = source.channels if op.kind in SHIFTS else 0
        within("shift_channels", op.shift_channels, 0, most)
        if op.shift_channels % SHIFT_MULTIPLE:
            wrong(
                "shift_channels",
                f"{op.shift_channels} is not a multiple of {SHIFT_MULTIPLE}",
            )
    taps = taps_of(graph, op)
    if taps > LIMITS["max_taps"]:
        wrong("taps", f"{taps} to an output, more than {LIMITS['max_taps']}")
    if op.weight_bits != 8 and not (op.weight_bits == 4 and op.kind in WITH_ROWS):
        bits = "8 or 4" if op.kind in WITH_ROWS else "8"
        wrong("weight_format", f"weights of {op.weight_bits} bits; {bits} is possible")


def taps_of(graph, op):
    """Return K, the products in one accumulator; 0 for ops without weights."""
    if op.kind not in WITH_WEIGHTS:
        return 0
    target = graph.tensors[op.output]
    return math.prod(array_shapes(graph, op)["weights"]) // target.channels


def check_parameters(graph, index, op):
    """Check an op's arrays: types, shapes and ranges."""

    def wrong(field, message):
        raise RecordError("op", index, field, f"{message} ({op.kind} {op.name!r})")

    shapes = array_shapes(graph, op)
    for name, dtype in ARRAYS.items():
        array = getattr(op, name)
        if name not in shapes:
            if array is not None:
                wrong(name, f"{op.kind} has no {name}")
            continue
        if array is None or array.dtype != dtype or array.shape != shapes[name]:
            got = "nothing" if array is None else f"{array.dtype} {array.shape}"
            wrong(name, f"must be {np.dtype(dtype)} {shapes[name]}, not {got}")
    if op.kind in WITH_WEIGHTS:
        most = 2 ** (op.weight_bits - 1) - 1
        if (op.weights < -most).any() or (op.weights > most).any():
            wrong("weights", f"a weight is not in {-most} to {most}")
        most = INT32_MAX - 32768 * taps_of(graph, op)
        worst = int(np.abs(op.bias.astype(np.int64)).max())
        if worst > most:
            wrong("bias", f"a bias of size {worst}, where at most {most} cannot overflow")
    if "multiplier" in shapes:
        low, high = LIMITS["multiplier_min"], LIMITS["multiplier_max"]
        last = LIMITS["shift_max"]
        if op.kind == "add":
            low, high, last = 0, LIMITS["add_multiplier_max"], LIMITS["add_shift_max"]
        if op.multiplier.min() < low or op.multiplier.max() > high:
            wrong("multiplier", f"a multiplier is not in {low} to {high}")
        if op.shift.min() < LIMITS["shift_min"] or op.shift.max() > last:
            wrong("shift", f"a shift is not in {LIMITS['shift_min']} to {last}")


def as_float32(value):
    """Return `value` rounded to float32, as a Python float."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _check_shapes(op, graph, wrong):
    source, target = graph.tensors[op.inputs[0]], graph.tensors[op.output]
    height, width, channels = source.shape
    if op.kind in VECTOR:
        height, width = 1, 1
    elif op.kind in WITH_KERNEL:  # _check_window has the rule
        height, width = target.height, target.width
    if op.kind in ROWS:
        channels = target.channels
    expected = (height, width, channels)
    for name, has, fits in zip(DIMENSIONS, target.shape, expected, strict=True):
        if has != fits:
            message = f"output is {target.shape}, where {expected} fits input {source.shape}"
            wrong(name, message)
    if OPS[op.kind].inputs == 2 and graph.tensors[op.inputs[1]].shape != source.shape:
        second = graph.tensors[op.inputs[1]].shape
        wrong("input1", f"inputs are {source.shape} and {second}, not of one shape")
    if op.kind in COPIES:
        if target.zero_point != source.zero_point:
            wrong("zero_point", f"a copy keeps {source.zero_point}, not {target.zero_point}")
        if as_float32(target.scale) != as_float32(source.scale):
            wrong("scale", f"a copy keeps {source.scale}, not {target.scale}")


def _check_window(op, axis, source, target, padding, wrong):
    """Every window holds a tap inside the image; a pool's windows lie in it wholly."""
    before, reach = op.padding[axis], (op.kernel[axis] - 1) * op.dilation[axis]
    start = (target.shape[axis] - 1) * op.stride[axis] - before
    size = source.shape[axis]
    if op.kind not in WITH_PADDING:
        if start + reach > size - 1:
            wrong(DIMENSIONS[axis], f"the last window ends at {start + reach + 1} of {size}")
    elif before > reach:
        wrong(padding, f"{before} is more than (kernel - 1) * dilation, {reach}")
    elif start > size - 1:
        wrong(DIMENSIONS[axis], f"the last window starts at {start}, outside an image of {size}")
