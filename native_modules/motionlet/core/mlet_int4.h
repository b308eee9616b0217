// Weights of 4 bits: a row of them, two to a byte, the first in the low half.
#ifndef MLET_INT4_H
#define MLET_INT4_H

#include "mlet.h"

// Whether a layer has them, of an op that may: for the kernels of these ops.
#define MLET_HAS_INT4(layer) (MLET_WITH_INT4_OPERATORS && (layer)->weight_bits == 4)
#define MLET_WITH_INT4_OPERATORS (MLET_WITH_INT4 && (MLET_BUILT_TRAITS & MLET_TRAIT_INT4) != 0)

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
