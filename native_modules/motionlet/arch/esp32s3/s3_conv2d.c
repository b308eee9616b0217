// Convolution: the window of every position becomes a row, the rest is as in pointwise.
#include <string.h>

#include "mlet_window.h"
#include "s3.h"
#include "s3_matmul.h"

// Write the window of position (i, j), less the zero point, to a row of zeros.
static void gather(const mlet_layer_t *layer, const int8_t *x, mlet_window_t rows,
    mlet_window_t columns, int16_t *row) {
    const int32_t channels = layer->in.channels;
    // Neighbouring taps are one run of bytes.
    const bool joined = layer->dilation_w == 1;
    const int32_t taps = columns.end - columns.first;
    const int32_t run = (joined ? taps : 1) * channels;
    const int32_t runs = joined ? 1 : taps;
    const int32_t column = columns.origin + columns.first * layer->dilation_w;
    for (int32_t a = rows.first; a < rows.end; a++) {
        const int32_t at = (rows.origin + a * layer->dilation_h) * layer->in.width + column;
        const int8_t *px = x + at * channels;
        int16_t *to = row + (a * layer->kernel_w + columns.first) * channels;
        for (int32_t r = 0; r < runs; r++, px += layer->dilation_w * channels, to += run) {
            s3_widen(px, (uint32_t)run, layer->in_zero, to);
        }
    }
}

mlet_status_t s3_conv2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || x == NULL || y == NULL || scratch == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t taps = (uint32_t)layer->kernel_h * layer->kernel_w * layer->in.channels;
    const uint32_t padded = s3_padded(taps);
    const s3_matmul_t matmul = s3_matmul_begin(layer, taps, scratch);
    uint32_t filled = 0;
    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_window(
            i, layer->stride_h, layer->pad_top, layer->kernel_h, layer->dilation_h, layer->in.height);
        for (int32_t j = 0; j < layer->out.width; j++) {
            const mlet_window_t columns = mlet_window(j, layer->stride_w, layer->pad_left,
                layer->kernel_w, layer->dilation_w, layer->in.width);
            int16_t *row = matmul.x + filled * padded;
            memset(row, 0, padded * sizeof(int16_t));
            gather(layer, x, rows, columns, row);
            filled++;
            const bool last = i == layer->out.height - 1 && j == layer->out.width - 1;
            if (filled == matmul.positions || last) {
                s3_matmul_run(layer, &matmul, filled, y);
                y += filled * layer->out.channels;
                filled = 0;
            }
        }
    }
    return MLET_OK;
}
