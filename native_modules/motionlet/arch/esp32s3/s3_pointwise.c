#include "s3.h"
#include "s3_matmul.h"
#include "s3_spread.h"

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
        if (matmul.padded == channels && shifted == 0) {
            s3_widen(x, n * channels, layer->in_zero, matmul.x);
            x += n * channels;
        } else {
            int16_t *row = matmul.x;
            for (uint32_t p = 0; p < n; p++, x += channels, row += matmul.padded) {
                if (shifted > 0) {
                    s3_widen(past, shifted, layer->in_zero, row);
                    past += shifted;
                }
                s3_widen(x + shifted, channels - shifted, layer->in_zero, row + shifted);
            }
        }
        s3_matmul_run(layer, &matmul, n, y);
    }
    return MLET_OK;
}

uint32_t s3_pointwise_scratch_bytes(const mlet_layer_t *layer) {
    return s3_matmul_bytes(layer, layer->in.channels);
}
