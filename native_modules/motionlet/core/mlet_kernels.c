#include "mlet_kernels.h"

#if defined(MLET_ALL_TARGETS)
#define HAS(target) 1
#elif defined(MLET_LEAN)
#define HAS(target) (MLET_TARGET == (target))
#else
#define HAS(target) ((target) == MLET_TARGET_PORTABLE || MLET_TARGET == (target))
#endif

#if HAS(MLET_TARGET_PORTABLE)
static const mlet_kernels_t portable = {
    .conv2d = mlet_conv2d,
    .depthwise2d = mlet_depthwise2d,
    .keep_shifted = mlet_keep_shifted,
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
#endif

const mlet_kernels_t *mlet_kernels(uint16_t target) {
    switch (target) {
        #if HAS(MLET_TARGET_PORTABLE)
        case MLET_TARGET_PORTABLE:
            return &portable;
        #endif
        #if HAS(MLET_TARGET_CORTEX_M0PLUS)
        case MLET_TARGET_CORTEX_M0PLUS:
            return &mlet_kernels_cortex_m0plus;
        #endif
        #if HAS(MLET_TARGET_ESP32S3)
        case MLET_TARGET_ESP32S3:
            return &mlet_kernels_esp32s3;
        #endif
        default:
            return NULL;
    }
}
