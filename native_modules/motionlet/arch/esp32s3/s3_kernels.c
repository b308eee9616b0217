// What the runner and the loader use for files whose target is esp32s3.
#include "s3.h"

// Of each operator: its kernel, and the function for its scratch.
#define S3_CONV2D s3_conv2d, s3_conv2d_scratch_bytes
#define S3_DEPTHWISE2D s3_depthwise2d, s3_depthwise2d_scratch_bytes
#define S3_POINTWISE s3_pointwise, s3_pointwise_scratch_bytes
#define S3_TEMPORAL_DEPTHWISE s3_temporal_depthwise, s3_temporal_depthwise_scratch_bytes
#define S3_TEMPORAL_SHIFT s3_temporal_shift, NULL
#define S3_ADD s3_add, NULL
#define S3_AVERAGE_POOL s3_average_pool, NULL
#define S3_TEMPORAL_AVERAGE s3_temporal_average, NULL
#define S3_DENSE s3_dense, s3_dense_scratch_bytes
#define S3_MAX_POOL2D mlet_max_pool2d, NULL

#define S3_OPERATOR(NAME, name, form) MLET_OPERATOR(NAME, form, S3_##NAME)

static const mlet_operator_t operators[MLET_CODES] = {MLET_BUILT_OPERATORS(S3_OPERATOR)};

// Native modules for this chip load on the ESP32 too, whose core has the same name for MicroPython
// but no vector unit. Its number is in Espressif's core-isa.h for it.
bool s3_has_vector_unit(void) {
    #ifdef __XTENSA__
    uint32_t number;
    __asm__("rsr %0, 208" : "=a"(number)); // CONFIGID1
    return number != 0x1cc5fe96;
    #else
    return true;
    #endif
}

const mlet_kernels_t mlet_kernels_esp32s3 = {
    .operators = operators,
    .keep_shifted = MLET_IF_SHIFTING(mlet_keep_shifted),
    .counts = mlet_layer_counts,
    .check_arrays = mlet_layer_check_arrays,
};
