// What m0_conv2d() is made of.
#ifndef M0_CONV2D_H
#define M0_CONV2D_H

#include "m0.h"

// Taps of a window.
static inline uint32_t m0_conv2d_taps(const mlet_layer_t *layer) {
    return (uint32_t)layer->kernel_h * layer->kernel_w * layer->in.channels;
}

// Is there one window, which is the image? Then its taps are those of a row of weights.
bool m0_conv2d_is_dot(const mlet_layer_t *layer);

// Does it pay to pack windows?
bool m0_conv2d_is_packed(const mlet_layer_t *layer);

// The same convolution, for a group of output channels, tap by tap: quicker where packing windows
// does not pay. Positions of y are `y_step` apart. zeros: room for a number for each channel. It
// changes the group.
mlet_status_t m0_conv2d_direct(
    mlet_layer_t *group, const int8_t *x, int8_t *y, uint32_t y_step, int32_t *zeros);

#endif
