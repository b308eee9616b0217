#include "m0_matmul.h"
#include "m0_output.h"
#include "mlet_count.h"
#include "mlet_dot.h"
#include "mlet_part.h"

MLET_PART mlet_status_t m0_matmul_one(
    const mlet_layer_t *layer, const int8_t *x, uint32_t taps, int8_t *y) {
    MLET_TAKE(m0_matmul_one);
    const bool int4 = MLET_HAS_INT4(layer);
    const uint32_t row_bytes = m0_row_bytes(layer, taps);
    const int8_t *w = layer->weights;
    MLET_COUNT(dot_rows, layer->out.channels);
    MLET_COUNT(dot_taps, int4 ? 0 : layer->out.channels * taps);
    MLET_COUNT(dot_taps_int4, int4 ? layer->out.channels * taps : 0);
    for (uint32_t o = 0; o < layer->out.channels; o++, w += row_bytes) {
        const int32_t sum = int4 ? mlet_dot_int4(w, x, taps) : mlet_dot(w, x, taps);
        y[o] = m0_output(layer, sum, (int32_t)o);
    }
    return MLET_OK;
}
