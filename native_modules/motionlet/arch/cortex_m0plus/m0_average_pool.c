#include "m0.h"
#include "m0_mean.h"

mlet_status_t m0_average_pool(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    m0_mean_t mean;
    if ((((uintptr_t)x | (uintptr_t)channels) & 3) != 0
        || !m0_mean_start(&mean, layer, (uint32_t)layer->kernel_h * layer->kernel_w)) {
        return mlet_average_pool(layer, x, y, scratch);
    }
    const mlet_layer_t own = *layer; // which no y can change
    const int32_t pixel = channels / 4; // in words
    const int32_t row = own.in.width * pixel;
    const int32_t next_row = row - own.kernel_w * pixel;

    for (int32_t i = 0; i < own.out.height; i++) {
        for (int32_t j = 0; j < own.out.width; j++) {
            const uint32_t *corner = (const uint32_t *)(const void *)x
                + i * own.stride_h * row + j * own.stride_w * pixel;
            for (int32_t c = 0; c < pixel; c++, y += 4) {
                m0_sums4_t sums = {0, 0};
                const uint32_t *px = corner + c;
                for (int32_t a = own.kernel_h; a > 0; a--, px += next_row) {
                    for (int32_t b = own.kernel_w; b > 0; b--, px += pixel) {
                        m0_sums4_add(&sums, *px);
                    }
                }
                m0_mean4(y, &mean, &own, sums);
            }
        }
    }
    return MLET_OK;
}
