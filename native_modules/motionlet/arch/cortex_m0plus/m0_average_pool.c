#include "m0.h"
#include "m0_mean.h"

mlet_status_t m0_average_pool(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (layer == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const int32_t pixel = layer->in.channels;
    const int32_t row = layer->in.width * pixel;
    m0_mean_t job = {
        .next_column = pixel,
        .rows = layer->kernel_h,
        .columns = layer->kernel_w,
        .next_row = row,
        .y = y,
    };
    for (int32_t i = 0; i < layer->out.height; i++) {
        for (int32_t j = 0; j < layer->out.width; j++) {
            job.x = x + i * layer->stride_h * row + j * layer->stride_w * pixel;
            job.count = layer->in.channels;
            m0_mean(layer, &job);
        }
    }
    return MLET_OK;
}
