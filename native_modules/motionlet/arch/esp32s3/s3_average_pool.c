#include "s3.h"
#include "s3_mean.h"

mlet_status_t s3_average_pool(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const int32_t row_bytes = layer->in.width * channels;
    const int32_t kernel_h = layer->kernel_h, kernel_w = layer->kernel_w;
    const int32_t zeros = kernel_h * kernel_w * layer->in_zero;
    const s3_mean_t mean = s3_mean(layer);

    for (int32_t i = 0; i < layer->out.height; i++) {
        const int8_t *corner = x + i * layer->stride_h * row_bytes;
        for (int32_t j = 0; j < layer->out.width; j++, corner += layer->stride_w * channels) {
            for (int32_t c = 0; c < channels; c++) {
                int32_t acc = -zeros;
                const int8_t *row = corner + c;
                for (int32_t a = 0; a < kernel_h; a++, row += row_bytes) {
                    const int8_t *px = row;
                    for (int32_t b = 0; b < kernel_w; b++, px += channels) {
                        acc += *px;
                    }
                }
                *y++ = s3_mean_of(&mean, acc);
            }
        }
    }
    return MLET_OK;
}
