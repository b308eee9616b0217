#include "mlet_int4.h"
#include "mlet_requantize.h"
#include "mlet_window.h"

mlet_status_t mlet_conv2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (layer == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const int32_t width = layer->in.width;
    const int32_t zero = layer->in_zero;
    const int32_t kernel_row = layer->kernel_w * channels;
    const bool int4 = layer->weight_bits == 4;
    const uint32_t kernel_taps = (uint32_t)(layer->kernel_h * kernel_row);
    const uint32_t kernel_bytes = int4 ? mlet_int4_bytes(kernel_taps) : kernel_taps;

    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_window(
            i, layer->stride_h, layer->pad_top, layer->kernel_h, layer->dilation_h, layer->in.height);
        for (int32_t j = 0; j < layer->out.width; j++) {
            const mlet_window_t columns = mlet_window(
                j, layer->stride_w, layer->pad_left, layer->kernel_w, layer->dilation_w, width);
            // Neighbouring taps of a row are one run of bytes, in x as in the weights.
            const bool joined = layer->dilation_w == 1;
            const int32_t taps = columns.end - columns.first;
            const int32_t run = (joined ? taps : 1) * channels;
            const int32_t runs = joined ? 1 : taps;
            const int32_t column = columns.origin + columns.first * layer->dilation_w;

            const int8_t *kernel = layer->weights;
            for (uint32_t o = 0; o < layer->out.channels; o++, kernel += kernel_bytes) {
                int32_t acc = layer->bias[o];
                for (int32_t a = rows.first; a < rows.end; a++) {
                    const int32_t row = rows.origin + a * layer->dilation_h;
                    int32_t tap = a * kernel_row + columns.first * channels;
                    for (int32_t r = 0; r < runs; r++, tap += run) {
                        const int32_t at = row * width + column + r * layer->dilation_w;
                        const int8_t *px = x + at * channels;
                        if (int4) {
                            for (int32_t e = 0; e < run; e++) {
                                acc += mlet_int4(kernel, (uint32_t)(tap + e)) * (*px++ - zero);
                            }
                            continue;
                        }
                        const int8_t *pw = kernel + tap;
                        for (int32_t e = 0; e < run; e++) {
                            acc += *pw++ * (*px++ - zero);
                        }
                    }
                }
                *y++ = mlet_requantize(layer, acc, o);
            }
        }
    }
    return MLET_OK;
}
