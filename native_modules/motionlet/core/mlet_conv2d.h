// One window of a convolution, in the inner loop: what mlet_conv2d() and tuned kernels share.
#ifndef MLET_CONV2D_H
#define MLET_CONV2D_H

#include "mlet_int4.h"
#include "mlet_window.h"

// sum of w * (x - z_x) over the taps inside the image of one window of one output channel, whose
// weights are at `kernel`. Inlined for each width of weights, so that the inner loop does not ask.
__attribute__((always_inline)) static inline int32_t mlet_window_sum(const mlet_layer_t *layer,
    const int8_t *x, const int8_t *kernel, mlet_window_t rows, mlet_window_t columns, bool int4) {
    const int32_t channels = layer->in.channels;
    const int32_t zero = layer->in_zero;
    // Neighbouring taps of a row are one run of bytes, in x as in the weights.
    const bool joined = layer->dilation_w == 1;
    const int32_t taps = columns.end - columns.first;
    const int32_t run = (joined ? taps : 1) * channels;
    const int32_t runs = joined ? 1 : taps;
    const int32_t column = columns.origin + columns.first * layer->dilation_w;
    int32_t sum = 0;
    for (int32_t a = rows.first; a < rows.end; a++) {
        const int32_t row = rows.origin + a * layer->dilation_h;
        int32_t tap = (a * layer->kernel_w + columns.first) * channels;
        for (int32_t r = 0; r < runs; r++, tap += run) {
            const int32_t at = row * layer->in.width + column + r * layer->dilation_w;
            const int8_t *px = x + at * channels;
            const int8_t *pw = kernel + tap;
            for (int32_t e = 0; e < run; e++) {
                const int32_t w = int4 ? mlet_int4(kernel, (uint32_t)(tap + e)) : pw[e];
                sum += w * (px[e] - zero);
            }
        }
    }
    return sum;
}

#endif
