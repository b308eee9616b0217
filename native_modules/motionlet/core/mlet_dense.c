#include "mlet.h"

mlet_status_t mlet_dense(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer)) {
        return MLET_E_ARGUMENT;
    }
    // A pointwise layer with one position; the taps of a checked layer fit in 16 bits.
    mlet_layer_t vector = *layer;
    vector.in = (mlet_shape_t) {1, 1, (uint16_t)mlet_shape_bytes(layer->in)};
    vector.shift_channels = 0; // which dense does not have
    return mlet_pointwise(&vector, NULL, x, y, scratch);
}
