// The part of a convolution's window that lies inside the image, along one axis.
#ifndef MLET_WINDOW_H
#define MLET_WINDOW_H

#include "mlet.h"

typedef struct mlet_window {
    int32_t origin;     // input coordinate of tap 0; may lie outside
    int32_t first, end; // taps [first, end) lie inside
} mlet_window_t;

static inline mlet_window_t mlet_window(
    int32_t out, int32_t stride, int32_t pad, int32_t kernel, int32_t dilation, int32_t size) {
    mlet_window_t window = {out * stride - pad, 0, kernel};
    while (window.origin + window.first * dilation < 0) {
        window.first++;
    }
    while (window.origin + (window.end - 1) * dilation >= size) {
        window.end--;
    }
    return window;
}

// Of output row i of a layer, and of its output column j.
static inline mlet_window_t mlet_row_window(const mlet_layer_t *layer, int32_t i) {
    return mlet_window(i, layer->stride_h, layer->pad_top, layer->kernel_h, layer->dilation_h,
        layer->in.height);
}

static inline mlet_window_t mlet_column_window(const mlet_layer_t *layer, int32_t j) {
    return mlet_window(j, layer->stride_w, layer->pad_left, layer->kernel_w, layer->dilation_w,
        layer->in.width);
}

#endif
