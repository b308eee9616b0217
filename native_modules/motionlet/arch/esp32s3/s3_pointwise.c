#include "s3.h"
#include "s3_matmul.h"
#include "s3_spread.h"

mlet_status_t s3_pointwise(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || x == NULL || y == NULL || scratch == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t channels = layer->in.channels;
    const s3_matmul_t matmul = s3_matmul_begin(layer, channels, scratch);
    uint32_t left = (uint32_t)layer->in.height * layer->in.width;
    for (uint32_t n; left > 0; left -= n, y += n * layer->out.channels) {
        n = left < matmul.positions ? left : matmul.positions;
        if (matmul.padded == channels) {
            s3_widen(x, n * channels, layer->in_zero, matmul.x);
            x += n * channels;
        } else {
            int16_t *row = matmul.x;
            for (uint32_t p = 0; p < n; p++, x += channels, row += matmul.padded) {
                s3_widen(x, channels, layer->in_zero, row);
            }
        }
        s3_matmul_run(layer, &matmul, n, y);
    }
    return MLET_OK;
}
