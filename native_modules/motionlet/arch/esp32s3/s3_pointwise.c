#include <string.h>

#include "s3.h"
#include "s3_matmul.h"

mlet_status_t s3_pointwise(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || x == NULL || y == NULL || scratch == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t channels = layer->in.channels;
    const uint32_t padded = s3_padded(channels);
    const s3_matmul_t matmul = s3_matmul_begin(layer, channels, scratch);
    if (padded != channels) {
        memset(matmul.x, 0, matmul.positions * padded * sizeof(int16_t));
    }
    uint32_t left = (uint32_t)layer->in.height * layer->in.width;
    for (uint32_t n; left > 0; left -= n, x += n * channels, y += n * layer->out.channels) {
        n = left < matmul.positions ? left : matmul.positions;
        if (padded == channels) {
            s3_widen(x, n * channels, layer->in_zero, matmul.x);
        } else {
            for (uint32_t p = 0; p < n; p++) {
                s3_widen(x + p * channels, channels, layer->in_zero, matmul.x + p * padded);
            }
        }
        s3_matmul_run(layer, &matmul, n, y);
    }
    return MLET_OK;
}
