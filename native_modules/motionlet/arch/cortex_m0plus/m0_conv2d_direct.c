#include <string.h>

#include "m0_conv2d.h"
#include "m0_output.h"
#include "mlet_int4.h"
#include "mlet_window.h"

// Sum of n weights, from a multiple of 4 in memory on.
static int32_t sum(const int8_t *w, uint32_t n) {
    int32_t total = 0;
    for (; n >= 4; n -= 4, w += 4) {
        uint32_t word;
        memcpy(&word, __builtin_assume_aligned(w, 4), 4); // one load
        total += (int8_t)word + ((int32_t)(word << 16) >> 24) + ((int32_t)(word << 8) >> 24)
                 + ((int32_t)word >> 24);
    }
    for (; n > 0; n--) {
        total += *w++;
    }
    return total;
}

// Sum of w * (x - zero) over the taps inside the image.
static int32_t window_sum(const mlet_layer_t *layer, const int8_t *x, const int8_t *w,
    const mlet_window_t *rows, const mlet_window_t *columns) {
    const int32_t channels = layer->in.channels;
    const int32_t zero = layer->in_zero;
    // Neighbouring taps of a row are one run of bytes, in x as in the weights.
    const bool joined = layer->dilation_w == 1;
    const int32_t taps = columns->end - columns->first;
    const int32_t run = (joined ? taps : 1) * channels;
    const int32_t runs = joined ? 1 : taps;
    const int32_t column = columns->origin + columns->first * layer->dilation_w;
    int32_t acc = 0;
    for (int32_t a = rows->first; a < rows->end; a++) {
        const int32_t row = rows->origin + a * layer->dilation_h;
        const int8_t *pw = w + (a * layer->kernel_w + columns->first) * channels;
        const int8_t *px = x + (row * layer->in.width + column) * channels;
        for (int32_t r = 0; r < runs; r++, px += layer->dilation_w * channels) {
            for (int32_t e = 0; e < run; e++) {
                acc += *pw++ * (px[e] - zero);
            }
        }
    }
    return acc;
}

// One channel at a time. Taps outside the image count as z_x, so every tap counts z_x and those
// inside what they have more.
void m0_conv2d_direct(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, int8_t *scratch) {
    const uint32_t taps = m0_conv2d_taps(layer);
    const bool int4 = layer->weight_bits == 4;
    const uint32_t row_bytes = m0_row_bytes(layer, taps);
    const int8_t *row = layer->weights;
    for (int32_t o = 0; o < layer->out.channels; o++, row += row_bytes) {
        const int8_t *w = row;
        if (int4) {
            for (uint32_t k = 0; k < taps; k++) {
                scratch[k] = (int8_t)mlet_int4(row, k);
            }
            w = scratch;
        }
        const int32_t total = sum(w, taps) * layer->in_zero;

        int8_t *py = y + o;
        for (int32_t i = 0; i < layer->out.height; i++) {
            const mlet_window_t rows = mlet_row_window(layer, i);
            for (int32_t j = 0; j < layer->out.width; j++, py += layer->out.channels) {
                const mlet_window_t columns = mlet_column_window(layer, j);
                *py = m0_output(layer, total + window_sum(layer, x, w, &rows, &columns), o);
            }
        }
    }
}
