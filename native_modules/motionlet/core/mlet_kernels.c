#include "mlet_kernels.h"

static const mlet_kernels_t portable = {
    .conv2d = mlet_conv2d,
    .depthwise2d = mlet_depthwise2d,
    .pointwise = mlet_pointwise,
    .average_pool = mlet_average_pool,
    .dense = mlet_dense,
    .temporal_depthwise = mlet_temporal_depthwise,
    .temporal_average = mlet_temporal_average,
    .temporal_shift = mlet_temporal_shift,
    .add = mlet_add,
    .scratch_bytes = mlet_layer_scratch_bytes,
    .counts = mlet_layer_counts,
    .check_arrays = mlet_layer_check_arrays,
};

const mlet_kernels_t *mlet_kernels(uint16_t target) {
    if (target == MLET_TARGET_PORTABLE) {
        return &portable;
    }
    #if MLET_TARGET != MLET_TARGET_PORTABLE
    if (target == MLET_TARGET) {
        return &mlet_target_kernels;
    }
    #endif
    return NULL;
}
