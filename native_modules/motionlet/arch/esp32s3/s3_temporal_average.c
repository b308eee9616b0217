#include "s3.h"
#include "s3_mean.h"

mlet_status_t s3_temporal_average(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t bytes = mlet_shape_bytes(layer->in);
    const uint32_t slot_bytes = past->slot_bytes, count = past->count;
    const int32_t zeros = layer->frames * layer->in_zero;
    int8_t *oldest = count > 0 ? mlet_ring_frame(past, past->count) : NULL;
    const s3_mean_t mean = s3_mean(layer);

    for (uint32_t at = 0; at < bytes; at++) {
        const int8_t present = x[at];
        int32_t acc = present - zeros;
        const int8_t *px = past->slots + at;
        for (uint32_t slot = 0; slot < count; slot++, px += slot_bytes) { // in any order
            acc += *px;
        }
        if (oldest != NULL) {
            oldest[at] = present;
        }
        y[at] = s3_mean_of(&mean, acc);
    }
    mlet_ring_rotate(past);
    return MLET_OK;
}
