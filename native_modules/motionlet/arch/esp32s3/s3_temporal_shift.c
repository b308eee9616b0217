// Temporal shift, words at a time.
#include "mlet_temporal_shift.h"
#include "s3.h"

// Copy n words.
static inline void copy(uint32_t *to, const uint32_t *from, uint32_t n) {
    for (uint32_t pairs = n / 2; pairs > 0; pairs--, to += 2, from += 2) {
        const uint32_t a = from[0], b = from[1];
        to[0] = a;
        to[1] = b;
    }
    if ((n & 1) != 0) {
        *to = *from;
    }
}

mlet_status_t s3_temporal_shift(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y) {
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t places = (uint32_t)((uintptr_t)past | (uintptr_t)x | (uintptr_t)y);
    if (((places | layer->in.channels | layer->shift_channels) & 3) != 0) {
        mlet_shift_bytes(layer, past, x, y);
        return MLET_OK;
    }
    const uint32_t words = layer->in.channels / 4u, shifted = layer->shift_channels / 4u;
    uint32_t *kept = (uint32_t *)(void *)past, *to = (uint32_t *)(void *)y;
    const uint32_t *from = (const uint32_t *)(const void *)x;
    for (uint32_t left = (uint32_t)layer->in.height * layer->in.width; left > 0; left--) {
        for (uint32_t c = shifted; c > 0; c--, kept++, from++, to++) {
            const uint32_t present = *from;
            *to = *kept;
            *kept = present;
        }
        if (y != x) {
            copy(to, from, words - shifted);
        }
        from += words - shifted;
        to += words - shifted;
    }
    return MLET_OK;
}
