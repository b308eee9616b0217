# Whatever a kernel is called with, it works or raises; it writes only to its output.
import random
import sys

sys.path.append(VECTORS)
from array import array

import motionlet
from testlib import int4_rows, need_kernels

need_kernels()

CALLS = 20000 if sys.platform == "linux" else 100
GUARD = 16
KINDS = (
    ("conv2d", "window pad weights"),
    ("depthwise2d", "window pad weights"),
    ("average_pool", "window"),
    ("max_pool2d", "window pad"),
    ("pointwise", "weights"),
    ("dense", "weights"),
    ("add", ""),
    ("temporal_depthwise", "weights ring"),
    ("temporal_average", "ring"),
    ("temporal_shift", ""),
)
number = random.randint


def odd_number(low, high):
    """Mostly a number in the range, sometimes one that is far out of it."""
    if number(0, 40) == 0:
        return random.choice((-1, 0, 255, 256, 4096, 65535, 65536, 1 << 31))
    return number(low, high)


def odd_count(count):
    return max(0, count + number(-1, 1)) if number(0, 30) == 0 else count


def numbers(count, low, high):
    return array("i", [number(low, high) for _ in range(odd_count(count))])


def byte_values(count):
    return bytearray(number(0, 255) for _ in range(odd_count(count)))


def call(kind, needs):
    """Call a kernel in a random way. None if it worked, else whether its error is a good one."""
    shape = tuple(number(1, 5) for _ in range(3))
    height, width, channels = shape
    size = height * width * channels
    kernel, stride = (number(1, 3), number(1, 3)), (number(1, 3), number(1, 3))
    channels_out = channels
    taps = kernel[0] * kernel[1]
    given = {"shape": tuple(odd_number(n, n) for n in shape)}
    if kind in ("conv2d", "pointwise", "dense"):
        channels_out = number(1, 5)
        taps = {"conv2d": taps * channels, "pointwise": channels, "dense": size}[kind]
    if "window" in needs:
        given["kernel"] = tuple(odd_number(n, n) for n in kernel)
        given["stride"] = stride
    if "pad" in needs:
        given["pad"] = odd_number(0, 1), odd_number(0, 1)
        given["dilation"] = number(1, 2)
    if number(0, 3) == 0 and "window" in needs:
        given["out_shape"] = (
            odd_number(1, 5),
            odd_number(1, 5),
            odd_number(channels_out, channels_out),
        )
    frames = number(1, 4)
    if "ring" in needs:
        taps = frames
        ring = motionlet.FrameRing(odd_count(frames - 1), max(1, odd_count(size)))
        given["past"] = ring
    if kind == "temporal_shift":
        given["past"] = byte_values(height * width * number(1, channels))
    elif kind == "add":
        given["x1"] = byte_values(size)
        given["multiplier"] = numbers(2, 0, 1 << 22)
        given["shift"] = bytes([odd_number(1, 23) & 255])
    elif kind != "max_pool2d":
        scales = channels_out if "weights" in needs else 1
        given["multiplier"] = numbers(scales, (1 << 30) - number(0, 1), (1 << 30) + 99)
        given["shift"] = bytes([odd_number(1, 62) & 255] * scales)
    if "weights" in needs:
        given["weights"] = byte_values(taps * channels_out)
        if kind in ("conv2d", "pointwise", "dense") and number(0, 3) == 0:
            weights = [number(-7, 7) for _ in range(taps * channels_out)]
            given["weights"] = int4_rows(weights, channels_out)[: odd_number(999, 999)]
            given["weight_bits"] = odd_number(4, 4)
        given["bias"] = numbers(channels_out, -(1 << 30), 1 << 29)
    x = byte_values(size)
    before = bytes(x)
    function = getattr(motionlet, kind)
    try:
        result = function(x, **given)
    except (ValueError, TypeError) as error:
        text = str(error)
        return kind in text and not text.endswith(" ")
    assert bytes(x) == before

    # Once more into a buffer with guards around it, and from a fresh past if there is one.
    guarded = bytearray(byte_values(len(result) + 2 * GUARD) + bytes(2))
    end = GUARD + len(result)
    low, high = guarded[:GUARD], guarded[end:]
    given["out"] = memoryview(guarded)[GUARD:end]
    if "ring" in needs:
        ring.reset()
    function(x, **given)
    assert guarded[:GUARD] == low
    assert guarded[end:] == high
    if "past" not in given:
        assert bytes(result) == guarded[GUARD:end]
    return None


random.seed(1)
worked = refused = 0
for _ in range(CALLS):
    said = call(*random.choice(KINDS))
    if said is None:
        worked += 1
    else:
        assert said
        refused += 1
assert worked > CALLS // 10, worked
assert refused > CALLS // 10, refused
print("OK")
