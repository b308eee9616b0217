// What m0_conv2d() and m0_scratch_bytes() share.
#ifndef M0_CONV2D_H
#define M0_CONV2D_H

#include "m0.h"

// Taps of a window.
static inline uint32_t m0_conv2d_taps(const mlet_layer_t *layer) {
    return (uint32_t)layer->kernel_h * layer->kernel_w * layer->in.channels;
}

// The same convolution tap by tap: quicker where packing windows does not pay. scratch: a byte for
// each tap.
void m0_conv2d_direct(const mlet_layer_t *layer, const int8_t *x, int8_t *y, int8_t *scratch);

#endif
