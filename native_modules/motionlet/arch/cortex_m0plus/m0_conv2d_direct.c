#include <string.h>

#include "m0_conv2d.h"
#include "m0_output.h"
#include "mlet_conv2d.h"
#include "mlet_count.h"
#include "mlet_part.h"

// Sum of the int8 or int4 weights in a row of words: padding counts nothing.
static int32_t row_sum(const int8_t *row, uint32_t bytes, bool int4) {
    int32_t sum = 0;
    MLET_COUNT(summed_words, bytes / 4);
    for (; bytes > 0; bytes -= 4, row += 4) {
        uint32_t word;
        memcpy(&word, __builtin_assume_aligned(row, 4), 4); // one load
        if (int4) {
            word ^= 0x88888888; // each plus 8; then bytes, the sums of two, and all four of these
            word = (word & 0x0f0f0f0f) + (word >> 4 & 0x0f0f0f0f);
            sum += (int32_t)(word * 0x01010101 >> 24) - 64;
        } else {
            sum += (int8_t)word + ((int32_t)(word << 16) >> 24) + ((int32_t)(word << 8) >> 24)
                   + ((int32_t)word >> 24);
        }
    }
    return sum;
}

// What mlet_window_sum() does.
static inline void count_window(const mlet_layer_t *layer, int32_t rows, int32_t columns) {
    (void)layer, (void)rows, (void)columns;
    MLET_COUNT(window_runs, rows * (layer->dilation_w == 1 ? 1 : columns));
    if (layer->weight_bits == 4) {
        MLET_COUNT(window_products_int4, rows * columns * layer->in.channels);
    } else {
        MLET_COUNT(window_products, rows * columns * layer->in.channels);
    }
}

// Taps outside the image count as z_x: all taps count z_x, and those inside what they have more. If
// none lies outside, x counts as it is.
MLET_PART mlet_status_t m0_conv2d_direct(
    mlet_layer_t *group, const int8_t *x, int8_t *y, uint32_t y_step, int32_t *zeros) {
    MLET_TAKE(m0_conv2d_direct);
    const bool int4 = MLET_HAS_INT4(group);
    const uint32_t row_bytes = m0_row_bytes(group, m0_conv2d_taps(group));
    if (!m0_has_border(group)) {
        group->in_zero = 0;
    }
    const int8_t *row = group->weights;
    for (uint32_t o = 0; o < group->out.channels; o++, row += row_bytes) {
        zeros[o] = group->in_zero == 0 ? 0 : group->in_zero * row_sum(row, row_bytes, int4);
    }
    for (int32_t i = 0; i < group->out.height; i++) {
        const mlet_window_t rows = mlet_row_window(group, i);
        for (int32_t j = 0; j < group->out.width; j++, y += y_step) {
            const mlet_window_t columns = mlet_column_window(group, j);
            MLET_COUNT(windows, 1);
            row = group->weights;
            for (int32_t o = 0; o < group->out.channels; o++, row += row_bytes) {
                const int32_t sum = int4 ? mlet_window_sum(group, x, row, rows, columns, true)
                                         : mlet_window_sum(group, x, row, rows, columns, false);
                count_window(group, rows.end - rows.first, columns.end - columns.first);
                y[o] = m0_output(group, zeros[o] + sum, o);
            }
        }
    }
    return MLET_OK;
}
