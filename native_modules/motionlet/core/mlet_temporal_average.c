#include "mlet_requantize.h"

mlet_status_t mlet_temporal_average(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t bytes = mlet_shape_bytes(layer->in);
    const int32_t zeros = layer->frames * layer->in_zero;
    int8_t *oldest = past->count > 0 ? mlet_ring_frame(past, past->count) : NULL;

    for (uint32_t at = 0; at < bytes; at++) {
        int32_t acc = x[at] - zeros;
        for (uint32_t slot = 0; slot < past->count; slot++) { // in any order
            acc += past->slots[slot * past->slot_bytes + at];
        }
        if (oldest != NULL) {
            oldest[at] = x[at];
        }
        y[at] = mlet_requantize(layer, acc, 0);
    }
    mlet_ring_rotate(past);
    return MLET_OK;
}
