// Weights of 4 bits: a row of them, two to a byte, the first in the low half.
#ifndef MLET_INT4_H
#define MLET_INT4_H

#include "mlet.h"

// Whether an op of this code may have such weights: its weights are rows, one to an output channel.
static inline bool mlet_may_be_int4(uint8_t code) {
    return code == MLET_OP_CONV2D || code == MLET_OP_POINTWISE || code == MLET_OP_DENSE;
}

// Whether a layer has.
static inline bool mlet_is_int4(uint8_t code, const mlet_layer_t *layer) {
    return mlet_may_be_int4(code) && layer->weight_bits == 4;
}

// Bytes of a row.
static inline uint32_t mlet_int4_bytes(uint32_t count) {
    return (count + 1) / 2;
}

// Weight i of a row, -8 to 7.
static inline int32_t mlet_int4(const int8_t *row, uint32_t i) {
    const uint32_t pair = (uint8_t)row[i / 2];
    return (int32_t)(pair << (28 - i % 2 * 4)) >> 28;
}

#endif
