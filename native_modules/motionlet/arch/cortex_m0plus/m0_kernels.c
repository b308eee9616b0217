// What the runner and the loader use for files whose target is cortex_m0plus.
#include "m0.h"
#include "mlet_kernels.h"

const mlet_kernels_t mlet_kernels_cortex_m0plus = {
    .conv2d = m0_conv2d,
    .depthwise2d = m0_depthwise2d,
    .keep_shifted = m0_keep_shifted,
    .pointwise = m0_pointwise,
    .average_pool = m0_average_pool,
    .dense = m0_dense,
    .temporal_depthwise = m0_temporal_depthwise,
    .temporal_average = m0_temporal_average,
    .temporal_shift = m0_temporal_shift,
    .add = m0_add,
    .scratch_bytes = m0_scratch_bytes,
    .counts = m0_layer_counts,
    .check_arrays = m0_layer_check_arrays,
};
