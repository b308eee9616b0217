"""Every operator of SPEC.md in numpy integers, written for reading.

Each function takes the op, the `graph.Tensor` of its input and output, and int8 data; it returns
int8. Spatial operators work on [..., H, W, C], so a frame and a clip are the same to them.
Temporal operators work on a whole clip [T, H, W, C] whose past, before frame 0, is the zero point.
Those that may shift as they read get x already shifted.
"""

import numpy as np


def requantize(acc, m, n, zero, lo, hi):
    """Return clamp(zero + floor((acc * m + 2^(n-1)) / 2^n), lo, hi) as int8.

    `acc` within int32, `m` below 2^31 and `n` of 1 to 62, so that the sum fits in int64.
    """
    m = np.asarray(m, np.int64)
    n = np.asarray(n, np.int64)
    scaled = (np.asarray(acc, np.int64) * m + (np.int64(1) << (n - 1))) >> n
    return np.clip(zero + scaled, lo, hi).astype(np.int8)


def conv2d(op, source, target, x):
    """Convolve [..., H, W, C] with weights [C', k_h, k_w, C]; return [..., H', W', C']."""
    acc = np.zeros((*x.shape[:-3], *target.shape), np.int64)
    for (a, b), taps in _windows(op, source, target, x):
        acc += _dot(taps, op.weights[:, a, b, :])
    return _finish(op, target, acc + op.bias)


def depthwise2d(op, source, target, x):
    """Convolve each channel of [..., H, W, C] with its own weights [k_h, k_w, C]."""
    acc = np.zeros((*x.shape[:-3], *target.shape), np.int64)
    for (a, b), taps in _windows(op, source, target, x):
        acc += taps * op.weights[a, b]
    return _finish(op, target, acc + op.bias)


def pointwise(op, source, target, x):
    """Mix the channels of every pixel with weights [C', C]."""
    return _finish(op, target, _dot(_centred(source, x), op.weights) + op.bias)


def dense(op, source, target, x):
    """Multiply the map, in memory order, by weights [C', H * W * C]; return [..., 1, 1, C']."""
    vector = _centred(source, x).reshape(*x.shape[:-3], 1, 1, source.size)
    return _finish(op, target, _dot(vector, op.weights) + op.bias)


def average_pool(op, source, target, x):
    """Average windows of [..., H, W, C]; the divisor is in the multiplier."""
    acc = np.zeros((*x.shape[:-3], *target.shape), np.int64)
    for _, taps in _windows(op, source, target, x):
        acc += taps
    return _finish(op, target, acc)


def max_pool2d(op, source, target, x):
    """Take the largest value of each window of [..., H, W, C]; -128 where all taps are outside."""
    lowest = -128 - source.zero_point
    most = np.full((*x.shape[:-3], *target.shape), lowest)
    for _, taps in _windows(op, source, target, x, outside=lowest):
        most = np.maximum(most, taps)
    return np.clip(most + source.zero_point, op.act_min, op.act_max).astype(np.int8)


def add(op, sources, target, a, b):
    """Add two maps of one shape, each with its own multiplier, under one shift."""
    first, second = op.multiplier.astype(np.int64)
    acc = _centred(sources[0], a) * first + _centred(sources[1], b) * second
    return requantize(acc, 1, op.shift[0], target.zero_point, op.act_min, op.act_max)


def temporal_depthwise(op, source, target, x):
    """Convolve every element of a clip [T, H, W, C] along time with weights [k_t, C]."""
    acc = np.zeros(x.shape, np.int64)
    for tap, weights in enumerate(op.weights):
        delay = (op.frames - 1 - tap) * op.frame_dilation
        acc += _centred(source, delayed(x, delay, source.zero_point)) * weights
    return _finish(op, target, acc + op.bias)


def temporal_average(op, source, target, x):
    """Average every element of a clip [T, H, W, C] over the last `frames` frames."""
    acc = np.zeros(x.shape, np.int64)
    for delay in range(op.frames):
        acc += _centred(source, delayed(x, delay, source.zero_point))
    return _finish(op, target, acc)


def temporal_shift(op, source, target, x):
    """Take the first `shift_channels` channels of every frame from the frame before."""
    y = x.copy()
    past = delayed(x, 1, source.zero_point)
    y[..., : op.shift_channels] = past[..., : op.shift_channels]
    return y


def argmax(x):
    """Return the lowest index among the largest values, counted in memory order."""
    return int(np.argmax(np.asarray(x).reshape(-1)))


def delayed(x, frames, zero):
    """Return clip `x` [T, ...] `frames` frames later; what comes before it is `zero`."""
    y = np.full_like(x, zero)
    if frames < len(x):
        y[frames:] = x[: len(x) - frames]
    return y


def _centred(tensor, x):
    return x.astype(np.int64) - tensor.zero_point


def _dot(x, weights):
    """Sum over the channels: [..., C] and [C', C] give [..., C'].

    Every partial sum is an integer below 2^53, so float64, which is fast, is exact.
    """
    return (x.astype(np.float64) @ weights.astype(np.float64).T).astype(np.int64)


def _windows(op, source, target, x, outside=0):
    """Yield ((a, b), x - z_x at tap (a, b) of all windows [..., H', W', C]).

    Taps outside the image are `outside`; 0 leaves them out of a sum.
    """
    padding = [(0, 0)] * (x.ndim - 3)
    spans = []
    for axis in (0, 1):
        before = op.padding[axis]
        span = (target.shape[axis] - 1) * op.stride[axis] + 1
        last = span - 1 + (op.kernel[axis] - 1) * op.dilation[axis] - before
        padding.append((before, max(0, last - (source.shape[axis] - 1))))
        spans.append(span)
    image = np.pad(_centred(source, x), [*padding, (0, 0)], constant_values=outside)
    for a in range(op.kernel[0]):
        for b in range(op.kernel[1]):
            top, left = a * op.dilation[0], b * op.dilation[1]
            rows = slice(top, top + spans[0], op.stride[0])
            columns = slice(left, left + spans[1], op.stride[1])
            yield (a, b), image[..., rows, columns, :]


def _finish(op, target, acc):
    return requantize(acc, op.multiplier, op.shift, target.zero_point, op.act_min, op.act_max)
