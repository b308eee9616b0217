# Every kernel, called from Python, gives what the golden model gives.
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import int4_rows, need_kernels, op_cases

need_kernels()

PAD = 1  # bytes before an array that is to lie on an odd address


def arguments(kind, case):
    """The keyword arguments of a kernel for one case, all arrays included."""
    windowed = kind in ("conv2d", "depthwise2d", "max_pool2d")
    given = {"shape": case["shape"]}
    names = "multiplier shift in_zero out_zero act_min act_max"
    if kind == "temporal_shift":
        names = ""
    elif kind == "max_pool2d":
        names = "act_min act_max"
    for name in names.split():
        given[name] = case[name]
    if len(case["weights"]):
        given["weights"], given["bias"] = case["weights"], case["bias"]
    if windowed or kind == "average_pool":
        given["out_shape"] = case["out_shape"]
        given["kernel"] = case["kernel_h"], case["kernel_w"]
        given["stride"] = case["stride_h"], case["stride_w"]
    if windowed:
        given["dilation"] = case["dilation_h"], case["dilation_w"]
        given["pad"] = case["pad_top"], case["pad_left"]
    if kind == "temporal_depthwise":
        given["frame_dilation"] = case["frame_dilation"]
    if kind == "add":
        given["in1_zero"] = case["in1_zero"]
    return given


def fresh_past(kind, case):
    height, width, channels = case["shape"]
    if kind == "temporal_shift":
        past = bytearray(height * width * case["shift_channels"])
        for i in range(len(past)):
            past[i] = case["in_zero"] & 255
        return past
    kept = case["frames"] - 1
    if kind == "temporal_depthwise":
        kept *= case["frame_dilation"]
    return motionlet.FrameRing(kept, height * width * channels, case["in_zero"])


def odd(values):
    """A copy of an array on an odd address."""
    copy = memoryview(bytearray(PAD + len(values)))[PAD:]
    copy[:] = values
    return copy


def run(kind, case, place):
    """Run a case over its clip, with the output in one of several places."""
    kernel = getattr(motionlet, kind)
    given = arguments(kind, case)
    if kind.startswith("temporal"):
        given["past"] = fresh_past(kind, case)
    for xs, wanted in zip(case["x"], case["y"]):
        if kind == "add":
            given["x1"] = xs[1]
        x = xs[0]
        if place == "new":
            given["out"] = None
        elif place == "given":
            given["out"] = bytearray(len(wanted))
        elif place == "odd":
            x = odd(x)
            given["out"] = odd(wanted)
            for name in ("weights", "bias", "multiplier", "shift"):
                if name in given:
                    given[name] = odd(given[name])
        elif place == "in place":
            x = bytearray(x)
            given["out"] = x
        y = kernel(x, **given)
        assert given["out"] is None or y is given["out"]
        assert bytes(y) == bytes(wanted), (kind, case["shape"], place)


KINDS = (
    "conv2d",
    "depthwise2d",
    "pointwise",
    "dense",
    "average_pool",
    "max_pool2d",
    "add",
    "temporal_shift",
    "temporal_depthwise",
    "temporal_average",
)
cases = 0
for kind in KINDS:
    places = ["new", "given", "odd"]
    if kind == "add" or kind.startswith("temporal"):
        places.append("in place")
    for case in op_cases(kind):
        cases += 1
        for place in places:
            run(kind, case, place)
assert cases >= 40, cases

# Weights of 4 bits give what the same weights give in int8.
odd_rows = even_rows = 0
for kind in ("conv2d", "pointwise", "dense"):
    for case in op_cases(kind):
        given = arguments(kind, case)
        channels = case["out_shape"][2]
        # The upper four bits of the weights: sums are 16 times smaller, so the shift is 4 less.
        given["weights"] = array("b", [max(-7, (w ^ 128) // 16 - 8) for w in case["weights"]])
        given["shift"] = bytes(max(1, s - 4) for s in case["shift"])
        taps = len(given["weights"]) // channels
        odd_rows += taps % 2
        even_rows += 1 - taps % 2
        kernel, x = getattr(motionlet, kind), case["x"][0][0]
        wanted = bytes(kernel(x, **given))
        given["weights"] = int4_rows(given["weights"], channels)
        for rows in (given["weights"], odd(given["weights"])):
            given["weights"] = rows
            assert bytes(kernel(x, weight_bits=4, **given)) == wanted, (kind, case["shape"])
assert odd_rows > 5, odd_rows
assert even_rows > 5, even_rows
print("OK")
