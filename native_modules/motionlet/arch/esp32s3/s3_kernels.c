// What the runner and the loader use for files whose target is esp32s3.
#include "mlet_kernels.h"
#include "s3.h"

const mlet_kernels_t mlet_kernels_esp32s3 = {
    .conv2d = s3_conv2d,
    .depthwise2d = s3_depthwise2d,
    .keep_shifted = mlet_keep_shifted,
    .pointwise = s3_pointwise,
    .average_pool = s3_average_pool,
    .dense = s3_dense,
    .temporal_depthwise = s3_temporal_depthwise,
    .temporal_average = s3_temporal_average,
    .temporal_shift = s3_temporal_shift,
    .add = s3_add,
    .scratch_bytes = s3_scratch_bytes,
    .counts = mlet_layer_counts,
    .check_arrays = mlet_layer_check_arrays,
};
