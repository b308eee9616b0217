#include "mlet_requantize.h"

mlet_status_t mlet_average_pool(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const int32_t row_bytes = layer->in.width * channels;
    const int32_t zeros = layer->kernel_h * layer->kernel_w * layer->in_zero;

    for (int32_t i = 0; i < layer->out.height; i++) {
        for (int32_t j = 0; j < layer->out.width; j++) {
            const int8_t *corner =
                x + i * layer->stride_h * row_bytes + j * layer->stride_w * channels;
            for (int32_t c = 0; c < channels; c++, corner++) {
                int32_t acc = -zeros;
                const int8_t *row = corner;
                for (int32_t a = 0; a < layer->kernel_h; a++, row += row_bytes) {
                    const int8_t *px = row;
                    for (int32_t b = 0; b < layer->kernel_w; b++, px += channels) {
                        acc += *px;
                    }
                }
                *y++ = mlet_requantize(layer, acc, 0);
            }
        }
    }
    return MLET_OK;
}
