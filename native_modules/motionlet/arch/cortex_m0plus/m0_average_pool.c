#include "m0.h"
#include "m0_mean.h"

mlet_status_t m0_average_pool(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t pixel = layer->in.channels;
    const int32_t row = layer->in.width * pixel;
    m0_mean_t job = {
        .x = x,
        .rows = layer->kernel_h,
        .columns = layer->kernel_w,
        .next_row = row,
        .next_column = pixel,
    };
    mlet_status_t status = MLET_OK;
    const bool words = m0_mean_start(&job, layer);
    const int32_t step = layer->stride_w * pixel; // from one window of a row to the next
    // Windows one by one, or, in a map of one channel, a row of them at once.
    const bool by_row = pixel == 1;
    for (int32_t i = 0; i < layer->out.height; i++) {
        job.x = x + i * layer->stride_h * row;
        for (int32_t left = by_row ? 1 : layer->out.width; left > 0; left--) {
            const int8_t *corner = job.x;
            job.y = y;
            job.count = by_row ? layer->out.width : (uint32_t)pixel;
            y += job.count;
            if (words) {
                m0_mean_words(&job);
            } else {
                status = m0_mean_bytes(&job, layer, by_row ? step : 1);
            }
            job.x = corner + step;
        }
    }
    return status;
}
