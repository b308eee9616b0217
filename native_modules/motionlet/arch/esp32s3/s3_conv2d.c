// Convolution: the window of every position becomes a row, the rest is as in pointwise.
#include <string.h>

#include "mlet_window.h"
#include "s3.h"
#include "s3_copy.h"
#include "s3_matmul.h"

static uint32_t taps_of(const mlet_layer_t *layer) {
    return (uint32_t)layer->kernel_h * layer->kernel_w * layer->in.channels;
}

// Gather the windows of positions (i, j) to (i, j + n - 1), one behind the other.
static void gather(const mlet_layer_t *layer, const s3_matmul_t *matmul, const int8_t *x,
    int32_t i, int32_t j, int32_t n, int8_t *to) {
    const int32_t channels = layer->in.channels, width = layer->in.width;
    const int32_t reach = (layer->kernel_w - 1) * layer->dilation_w;
    const int32_t last = (width - 1 + layer->pad_left - reach) / layer->stride_w; // inside the image
    const bool joined = layer->dilation_w == 1; // neighbouring taps are one run of bytes
    const mlet_window_t rows = mlet_window(
        i, layer->stride_h, layer->pad_top, layer->kernel_h, layer->dilation_h, layer->in.height);
    const bool all_rows = rows.end - rows.first == layer->kernel_h;
    s3_copy_t job = {
        .from_row = layer->stride_w * channels,
        .to_row = (int32_t)matmul->row,
    };
    for (int32_t end = j + n, count; j < end; j += count, to += count * (int32_t)matmul->row) {
        const mlet_window_t columns = mlet_window(
            j, layer->stride_w, layer->pad_left, layer->kernel_w, layer->dilation_w, width);
        const int32_t taps = columns.end - columns.first;
        const bool all_columns = taps == layer->kernel_w;
        count = !all_columns ? 1 : last < end ? last + 1 - j : end - j;
        if (!all_columns || !all_rows) {
            memset(to, layer->in_zero, (uint32_t)count * matmul->row);
        }
        job.n = (uint32_t)((joined ? taps : 1) * channels);
        job.rows = (uint32_t)count;
        for (int32_t a = rows.first; a < rows.end; a++) {
            const int32_t row = rows.origin + a * layer->dilation_h;
            for (int32_t b = columns.first; b < columns.end; b += joined ? taps : 1) {
                job.from = x + (row * width + columns.origin + b * layer->dilation_w) * channels;
                job.to = to + (a * layer->kernel_w + b) * channels;
                s3_copy(&job);
            }
        }
    }
}

mlet_status_t s3_conv2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || MLET_MISSING(scratch)) {
        return MLET_E_ARGUMENT;
    }
    const s3_matmul_t matmul = s3_matmul_begin(layer, taps_of(layer), scratch);
    const int32_t width = layer->out.width, block = (int32_t)matmul.positions;
    int32_t filled = 0;
    for (int32_t i = 0; i < layer->out.height; i++) {
        for (int32_t j = 0, n; j < width; j += n) {
            n = width - j < block - filled ? width - j : block - filled;
            gather(layer, &matmul, x, i, j, n, matmul.x + filled * (int32_t)matmul.row);
            filled += n;
            if (filled == block || (i == layer->out.height - 1 && j + n == width)) {
                s3_matmul_run(layer, &matmul, (uint32_t)filled, y);
                y += filled * layer->out.channels;
                filled = 0;
            }
        }
    }
    return MLET_OK;
}

uint32_t s3_conv2d_scratch_bytes(const mlet_layer_t *layer) {
    return s3_matmul_bytes(layer, taps_of(layer));
}
