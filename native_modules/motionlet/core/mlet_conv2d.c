#include "mlet_conv2d.h"
#include "mlet_requantize.h"

mlet_status_t mlet_conv2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const bool int4 = MLET_HAS_INT4(layer);
    const uint32_t taps = (uint32_t)layer->kernel_h * layer->kernel_w * layer->in.channels;
    const uint32_t kernel_bytes = int4 ? mlet_int4_bytes(taps) : taps;

    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_row_window(layer, i);
        for (int32_t j = 0; j < layer->out.width; j++) {
            const mlet_window_t columns = mlet_column_window(layer, j);
            const int8_t *kernel = layer->weights;
            for (uint32_t o = 0; o < layer->out.channels; o++, kernel += kernel_bytes) {
                const int32_t sum = int4 ? mlet_window_sum(layer, x, kernel, rows, columns, true)
                                         : mlet_window_sum(layer, x, kernel, rows, columns, false);
                *y++ = mlet_requantize(layer, layer->bias[o] + sum, o);
            }
        }
    }
    return MLET_OK;
}
