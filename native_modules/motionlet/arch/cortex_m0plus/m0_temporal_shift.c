// Temporal shift by itself: the shifted channels of the map and of the past are exchanged where
// they lie, word by word where their number and their addresses allow it. Most shifts are done by
// the op that reads what they give: m0_keep_shifted.c.
#include <string.h>

#include "m0.h"
#include "m0_temporal_shift.h"
#include "mlet_count.h"

// Exchange n elements of a type.
#define M0_SWAP(type, map, past, n)                   \
    do {                                              \
        type *a = (type *)(void *)(map);              \
        type *b = (type *)(void *)(past);             \
        for (uint32_t left = (n); left > 0; left--) { \
            const type present = *a;                  \
            *a++ = *b;                                \
            *b++ = present;                           \
        }                                             \
    } while (0)

mlet_status_t m0_temporal_shift(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y) {
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t channels = layer->in.channels;
    const uint32_t shifted = layer->shift_channels;
    if (y != x) {
        memcpy(y, x, positions * channels);
        MLET_COUNT(moves, 1);
        MLET_COUNT(moved_bytes, positions * channels);
    }
    const bool words = (((uintptr_t)y | (uintptr_t)past | channels | shifted) & 3) == 0;
    if (words && shifted == 8 && positions % 2 == 0) {
        m0_swap8(y, past, channels, positions * shifted);
        return MLET_OK;
    }
    MLET_COUNT(swapped_positions, positions);
    MLET_COUNT(swapped_words, words ? positions * shifted / 4 : 0);
    MLET_COUNT(swapped_bytes, words ? 0 : positions * shifted);
    for (; positions > 0; positions--, y += channels, past += shifted) {
        if (words) {
            M0_SWAP(uint32_t, y, past, shifted / 4);
        } else {
            M0_SWAP(int8_t, y, past, shifted);
        }
    }
    return MLET_OK;
}
