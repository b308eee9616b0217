// What mlet_temporal_shift() and tuned kernels share.
#ifndef MLET_TEMPORAL_SHIFT_H
#define MLET_TEMPORAL_SHIFT_H

#include <string.h>

#include "mlet.h"

// The shift, byte by byte. y may be x.
static inline void mlet_shift_bytes(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y) {
    const uint32_t channels = layer->in.channels;
    const uint32_t shifted = layer->shift_channels;
    uint32_t left = (uint32_t)layer->in.height * layer->in.width;
    for (; left > 0; left--, x += channels, y += channels, past += shifted) {
        for (uint32_t c = 0; c < shifted; c++) {
            const int8_t present = x[c];
            y[c] = past[c];
            past[c] = present;
        }
        if (y != x) {
            memcpy(y + shifted, x + shifted, channels - shifted);
        }
    }
}

#endif
