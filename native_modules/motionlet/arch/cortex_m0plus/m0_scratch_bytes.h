// Sizes that a kernel and m0_scratch_bytes() share.
#ifndef MLET_M0_SCRATCH_BYTES_H
#define MLET_M0_SCRATCH_BYTES_H

#include "m0.h"

// Taps of a window of conv2d.
static inline uint32_t m0_conv2d_taps(const mlet_layer_t *layer) {
    return (uint32_t)layer->kernel_h * layer->kernel_w * layer->in.channels;
}

#endif
