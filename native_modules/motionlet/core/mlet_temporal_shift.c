#include <string.h>

#include "mlet.h"

mlet_status_t mlet_temporal_shift(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y) {
    if (layer == NULL || past == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t channels = layer->in.channels;
    const uint32_t shifted = layer->shift_channels;
    for (uint32_t p = 0; p < positions; p++, x += channels, y += channels, past += shifted) {
        for (uint32_t c = 0; c < shifted; c++) {
            const int8_t present = x[c];
            y[c] = past[c];
            past[c] = present;
        }
        if (y != x) {
            memcpy(y + shifted, x + shifted, channels - shifted);
        }
    }
    return MLET_OK;
}
