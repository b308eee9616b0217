#include "mlet_requantize.h"
#include "mlet_source.h"
#include "mlet_window.h"

mlet_status_t mlet_depthwise2d(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || (MLET_MISSING(past) && layer->shift_channels > 0)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const int32_t width = layer->in.width;
    const int32_t zero = layer->in_zero;

    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_row_window(layer, i);
        for (int32_t j = 0; j < layer->out.width; j++) {
            const mlet_window_t columns = mlet_column_window(layer, j);
            const int32_t column = columns.origin + columns.first * layer->dilation_w;

            for (int32_t c = 0; c < channels; c++) {
                const mlet_source_t source = mlet_source(layer, past, x, c);
                const int8_t *const weights = layer->weights + c;
                const int32_t step = layer->dilation_w * source.pixel; // from one tap to the next
                int32_t acc = layer->bias[c];
                for (int32_t a = rows.first; a < rows.end; a++) {
                    const int32_t row = rows.origin + a * layer->dilation_h;
                    const int32_t tap = a * layer->kernel_w + columns.first;
                    const int8_t *px = source.x + (row * width + column) * source.pixel;
                    const int8_t *pw = weights + tap * channels;
                    for (int32_t b = columns.end - columns.first; b > 0; b--) {
                        acc += *pw * (*px - zero);
                        px += step;
                        pw += channels;
                    }
                }
                *y++ = mlet_requantize(layer, acc, (uint32_t)c);
            }
        }
    }
    return MLET_OK;
}
