// What the runner and the loader use for files whose target is cortex_m0plus.
#include "m0.h"

// Of each operator: its kernel, and the function for its scratch.
#define M0_CONV2D m0_conv2d, m0_conv2d_scratch_bytes
#define M0_DEPTHWISE2D m0_depthwise2d, m0_depthwise2d_scratch_bytes
#define M0_POINTWISE m0_pointwise, m0_pointwise_scratch_bytes
#define M0_TEMPORAL_DEPTHWISE m0_temporal_depthwise, m0_temporal_depthwise_scratch_bytes
#define M0_TEMPORAL_SHIFT m0_temporal_shift, NULL
#define M0_ADD m0_add, NULL
#define M0_AVERAGE_POOL m0_average_pool, NULL
#define M0_TEMPORAL_AVERAGE m0_temporal_average, NULL
#define M0_DENSE m0_dense, NULL
#define M0_MAX_POOL2D m0_max_pool2d, NULL

#define M0_OPERATOR(NAME, name, form) MLET_OPERATOR(NAME, form, M0_##NAME)

static const mlet_operator_t operators[MLET_CODES] = {MLET_BUILT_OPERATORS(M0_OPERATOR)};

const mlet_kernels_t mlet_kernels_cortex_m0plus = {
    .operators = operators,
    .keep_shifted = MLET_IF_SHIFTING(m0_keep_shifted),
    .counts = m0_layer_counts,
    .check_arrays = m0_layer_check_arrays,
};
