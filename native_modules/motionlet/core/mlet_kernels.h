// The sets of kernels in a build: the portable ones, and those of the target it is built for.
//
// A model file names its target (SPEC.md, "Targets"): its arrays have the form that the target's
// kernels want. The runner and the loader take everything that depends on the form from here.
#ifndef MLET_KERNELS_H
#define MLET_KERNELS_H

#include "mlet.h"

typedef mlet_status_t (*mlet_kernel_t)(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch);
typedef mlet_status_t (*mlet_shifting_kernel_t)(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch);
typedef mlet_status_t (*mlet_temporal_kernel_t)(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch);

typedef struct mlet_kernels {
    mlet_kernel_t conv2d, average_pool, dense;
    mlet_shifting_kernel_t depthwise2d, pointwise;
    mlet_status_t (*keep_shifted)(
        const mlet_layer_t *layer, int8_t *past, const int8_t *x, uint32_t rows);
    mlet_temporal_kernel_t temporal_depthwise, temporal_average;
    mlet_status_t (*temporal_shift)(
        const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y);
    mlet_status_t (*add)(const mlet_layer_t *layer, const int8_t *a, const int8_t *b, int8_t *y);
    uint32_t (*scratch_bytes)(uint8_t code, const mlet_layer_t *layer);
    mlet_counts_t (*counts)(uint8_t code, const mlet_layer_t *layer);
    mlet_status_t (*check_arrays)(uint8_t code, const mlet_layer_t *layer, const char **field);
} mlet_kernels_t;

// The kernels for files of a target, or NULL if this build has none.
const mlet_kernels_t *mlet_kernels(uint16_t target);

// Parts of the checks of a layer, for those of the targets: mlet_layer_check_shape()'s of one
// shape, and mlet_layer_check_arrays()'s of the pointers and of the multipliers and shifts.
mlet_status_t mlet_shape_check(mlet_shape_t shape, const char **field);
mlet_status_t mlet_layer_check_given(
    mlet_counts_t counts, const mlet_layer_t *layer, const char **field);
bool mlet_has_lowest(const int8_t *weights, uint32_t bytes, uint32_t bits); // -128, or -8 of 4 bits
mlet_status_t mlet_layer_check_scales(uint8_t code, const mlet_layer_t *layer, const char **field);

// Those of the targets, from arch/. A build has the ones of MLET_TARGET, and the portable ones
// unless it defines MLET_LEAN; a host that defines MLET_ALL_TARGETS has all.
extern const mlet_kernels_t mlet_kernels_cortex_m0plus;
extern const mlet_kernels_t mlet_kernels_esp32s3;

#endif
