#include "mlet_int4.h"
#include "mlet_requantize.h"
#include "mlet_window.h"

// sum of w * (x - z_x) over one window of one output channel, whose weights are at `kernel`.
// Inlined for each width of weights, so that the inner loop does not ask.
__attribute__((always_inline)) static inline int32_t window_sum(const mlet_layer_t *layer,
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

mlet_status_t mlet_conv2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (layer == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const bool int4 = layer->weight_bits == 4;
    const uint32_t taps = (uint32_t)layer->kernel_h * layer->kernel_w * layer->in.channels;
    const uint32_t kernel_bytes = int4 ? mlet_int4_bytes(taps) : taps;

    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_row_window(layer, i);
        for (int32_t j = 0; j < layer->out.width; j++) {
            const mlet_window_t columns = mlet_column_window(layer, j);
            const int8_t *kernel = layer->weights;
            for (uint32_t o = 0; o < layer->out.channels; o++, kernel += kernel_bytes) {
                const int32_t sum = int4 ? window_sum(layer, x, kernel, rows, columns, true)
                                         : window_sum(layer, x, kernel, rows, columns, false);
                *y++ = mlet_requantize(layer, layer->bias[o] + sum, o);
            }
        }
    }
    return MLET_OK;
}
