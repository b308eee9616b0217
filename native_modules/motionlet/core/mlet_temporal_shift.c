#include "mlet_temporal_shift.h"

mlet_status_t mlet_temporal_shift(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y) {
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    mlet_shift_bytes(layer, past, x, y);
    return MLET_OK;
}
