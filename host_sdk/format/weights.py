"""Weights of 4 bits as bytes, the way SPEC.md stores them."""

import numpy as np


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
