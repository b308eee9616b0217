#include <string.h>

#include "mlet.h"

mlet_status_t mlet_keep_shifted(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, uint32_t rows) {
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t channels = layer->in.channels;
    const uint32_t shifted = layer->shift_channels;
    for (uint32_t p = rows * layer->in.width; p > 0; p--, x += channels, past += shifted) {
        memcpy(past, x, shifted);
    }
    return MLET_OK;
}
