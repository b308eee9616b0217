"""Weights as rows, the sums they can reach, and as the bytes in which SPEC.md stores 4 bits."""

import numpy as np

from host_sdk.format.check import WITH_ROWS


def pack_int4(weights, multiple=2):
    """Return int8 [C_out, bytes] of weights [C_out, ...] in -8 to 7, two to a byte.

    Each row is filled up with zeros to a `multiple` of weights, an even number. Weight 2i of a
    row is the low half of byte i.
    """
    rows = weights.reshape(len(weights), -1)
    rows = np.pad(rows, [(0, 0), (0, -rows.shape[1] % multiple)])
    return (rows[:, 0::2] & 15 | rows[:, 1::2] << 4).astype(np.int8)


def unpack_int4(packed):
    """Return int8 [C_out, 2 * bytes] of what `pack_int4` gives."""
    low = (packed << 4).astype(np.int8) >> 4
    return np.stack([low, packed >> 4], axis=-1).reshape(len(packed), -1)


def weight_rows(op):
    """Return an op's weights as int64 [C_out, K]."""
    channels = op.bias.size
    by_row = op.kind in WITH_ROWS
    rows = op.weights.reshape(channels, -1) if by_row else op.weights.reshape(-1, channels).T
    return rows.astype(np.int64)


def reachable_sums(rows):
    """Return the least and the greatest S of each row, over all x in -128 to 127."""
    ends = rows * -128, rows * 127
    return np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
