#include "mlet.h"

uint32_t mlet_conv3d_separable_scratch_bytes(
    const mlet_layer_t *spatial, const mlet_layer_t *temporal, const mlet_layer_t *pointwise) {
    const uint32_t a = mlet_layer_scratch_bytes(MLET_OP_DEPTHWISE2D, spatial);
    const uint32_t b = mlet_layer_scratch_bytes(MLET_OP_TEMPORAL_DEPTHWISE, temporal);
    const uint32_t c = mlet_layer_scratch_bytes(MLET_OP_POINTWISE, pointwise);
    const uint32_t most = a > b ? (a > c ? a : c) : (b > c ? b : c);
    return MLET_ROUND_UP(mlet_shape_bytes(spatial->out)) + most;
}

mlet_status_t mlet_conv3d_separable(const mlet_layer_t *spatial, const mlet_layer_t *temporal,
    const mlet_layer_t *pointwise, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(spatial) || MLET_MISSING(temporal) || MLET_MISSING(pointwise) || MLET_MISSING(scratch)) {
        return MLET_E_ARGUMENT;
    }
    // One map between the three: the temporal step works in place.
    int8_t *map = scratch;
    void *rest = map + MLET_ROUND_UP(mlet_shape_bytes(spatial->out));
    mlet_status_t status = mlet_depthwise2d(spatial, NULL, x, map, rest);
    if (status == MLET_OK) {
        status = mlet_temporal_depthwise(temporal, past, map, map, rest);
    }
    if (status == MLET_OK) {
        status = mlet_pointwise(pointwise, NULL, map, y, rest);
    }
    return status;
}
