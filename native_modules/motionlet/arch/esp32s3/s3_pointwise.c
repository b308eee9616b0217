#include "s3.h"
#include "s3_copy.h"
#include "s3_matmul.h"

mlet_status_t s3_pointwise(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || MLET_MISSING(scratch)
        || (MLET_MISSING(past) && layer->shift_channels > 0)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t channels = layer->in.channels;
    const uint32_t shifted = layer->shift_channels;
    const s3_matmul_t matmul = s3_matmul_begin(layer, channels, scratch);
    uint32_t left = (uint32_t)layer->in.height * layer->in.width;
    for (uint32_t n; left > 0; left -= n, y += n * layer->out.channels) {
        n = left < matmul.positions ? left : matmul.positions;
        s3_copy_t job = {
            .from = x + shifted,
            .to = matmul.x + shifted,
            .n = channels - shifted,
            .rows = n,
            .from_row = (int32_t)channels,
            .to_row = (int32_t)matmul.row,
        };
        if (matmul.row == channels && shifted == 0) { // all in one
            job.n *= n;
            job.rows = 1;
            job.from_row = job.to_row = 0;
        }
        if (job.n > 0) {
            s3_copy(&job);
        }
        x += n * channels;
        if (shifted > 0) {
            job = (s3_copy_t) {past, matmul.x, shifted, n, (int32_t)shifted, (int32_t)matmul.row};
            s3_copy(&job);
            past += n * shifted;
        }
        s3_matmul_run(layer, &matmul, n, y);
    }
    return MLET_OK;
}

uint32_t s3_pointwise_scratch_bytes(const mlet_layer_t *layer) {
    return s3_matmul_bytes(layer, layer->in.channels);
}
