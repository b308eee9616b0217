#include "mlet_requantize.h"
#include "mlet_window.h"

mlet_status_t mlet_depthwise2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (layer == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const int32_t width = layer->in.width;
    const int32_t zero = layer->in_zero;
    const int32_t step = layer->dilation_w * channels; // from one tap to the next in x

    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_window(
            i, layer->stride_h, layer->pad_top, layer->kernel_h, layer->dilation_h, layer->in.height);
        for (int32_t j = 0; j < layer->out.width; j++) {
            const mlet_window_t columns = mlet_window(
                j, layer->stride_w, layer->pad_left, layer->kernel_w, layer->dilation_w, width);
            const int32_t row = rows.origin + rows.first * layer->dilation_h;
            const int32_t column = columns.origin + columns.first * layer->dilation_w;
            const int8_t *corner = x + (row * width + column) * channels;
            const int8_t *taps =
                layer->weights + (rows.first * layer->kernel_w + columns.first) * channels;

            for (int32_t c = 0; c < channels; c++) {
                int32_t acc = layer->bias[c];
                const int8_t *x_row = corner + c;
                const int8_t *w_row = taps + c;
                for (int32_t a = rows.first; a < rows.end; a++) {
                    const int8_t *px = x_row;
                    const int8_t *pw = w_row;
                    for (int32_t b = columns.first; b < columns.end; b++) {
                        acc += *pw * (*px - zero);
                        px += step;
                        pw += channels;
                    }
                    x_row += layer->dilation_h * width * channels;
                    w_row += layer->kernel_w * channels;
                }
                *y++ = mlet_requantize(layer, acc, (uint32_t)c);
            }
        }
    }
    return MLET_OK;
}
