#include "mlet_requantize.h"
#include "mlet_window.h"

mlet_status_t mlet_max_pool2d(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const int32_t row_bytes = layer->in.width * channels;
    const int32_t next_row = layer->dilation_h * row_bytes; // from one tap to the next
    const int32_t next_column = layer->dilation_w * channels;

    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_row_window(layer, i);
        const int32_t top = rows.origin + rows.first * layer->dilation_h;
        for (int32_t j = 0; j < layer->out.width; j++) {
            const mlet_window_t columns = mlet_column_window(layer, j);
            const int32_t left = columns.origin + columns.first * layer->dilation_w;
            for (int32_t c = 0; c < channels; c++) {
                int32_t most = INT8_MIN;
                const int8_t *row = x + top * row_bytes + left * channels + c;
                for (int32_t a = rows.first; a < rows.end; a++, row += next_row) {
                    const int8_t *px = row;
                    for (int32_t b = columns.first; b < columns.end; b++, px += next_column) {
                        most = *px > most ? *px : most;
                    }
                }
                *y++ = mlet_clamp(most, layer->act_min, layer->act_max);
            }
        }
    }
    return MLET_OK;
}
