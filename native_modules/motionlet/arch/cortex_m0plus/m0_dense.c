// Fully connected. Several outputs at a time share each x. The inner loops take groups of taps;
// what is left of a row is done here.
#include "m0.h"
#include "m0_dense.h"
#include "m0_output.h"
#include "mlet_count.h"
#include "mlet_int4.h"

// The taps that the loops in words can take: x may start anywhere.
static uint32_t taps_in_words(const int8_t *x, uint32_t taps, uint32_t group) {
    return ((uintptr_t)x & 3) == 0 ? taps / group * group : 0;
}

static void dense_int8(const mlet_layer_t *layer, const int8_t *x, int8_t *y, uint32_t taps) {
    const int32_t outputs = layer->out.channels;
    const uint32_t words = taps_in_words(x, taps, 4);
    const int8_t *w = layer->weights;
    for (int32_t o = 0; o < outputs; o += 4, w += 4 * taps) {
        int32_t sums[4] = {0};
        if (words > 0) {
            m0_dot4_int8(sums, x, w, words / 4);
        }
        MLET_COUNT(dense_products, 4 * (taps - words));
        for (uint32_t k = words; k < taps; k++) {
            for (uint32_t e = 0; e < 4; e++) {
                sums[e] += w[4 * k + e] * x[k];
            }
        }
        for (int32_t e = 0; e < 4 && o + e < outputs; e++) {
            y[o + e] = m0_output(layer, sums[e], o + e);
        }
    }
}

static void dense_int4(const mlet_layer_t *layer, const int8_t *x, int8_t *y, uint32_t taps) {
    const int32_t outputs = layer->out.channels;
    const uint32_t words = taps_in_words(x, taps, 8);
    const uint32_t row_bytes = m0_row_bytes(layer, taps);
    const int8_t *row = layer->weights;
    for (int32_t o = 0; o < outputs; o += 2, row += 2 * row_bytes) {
        // The last of an odd number of rows goes twice.
        const int32_t n = outputs - o < 2 ? 1 : 2;
        const int8_t *const rows[2] = {row, n == 2 ? row + row_bytes : row};
        int32_t sums[2] = {0};
        if (words > 0) {
            m0_dot2_int4(sums, x, rows, words / 8);
        }
        for (int32_t e = 0; e < n; e++) {
            MLET_COUNT(dense_products, taps - words);
            for (uint32_t k = words; k < taps; k++) {
                sums[e] += mlet_int4(rows[e], k) * x[k];
            }
            y[o + e] = m0_output(layer, sums[e], o + e);
        }
    }
}

mlet_status_t m0_dense(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t taps = mlet_shape_bytes(layer->in);
    if (MLET_HAS_INT4(layer)) {
        dense_int4(layer, x, y, taps);
    } else {
        dense_int8(layer, x, y, taps);
    }
    return MLET_OK;
}
