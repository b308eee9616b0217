#include "m0_mean.h"
#include "m0.h"
#include "m0_requantize.h"
#include "mlet_count.h"
#include "mlet_part.h"
#include "mlet_requantize.h"

// With m = high * 2^16 + low and |acc| < 2^15, acc * high < 2^30 and acc * low < 2^31, and
//   floor((acc * m + 2^(n-1)) / 2^n) =
//   floor((acc * high + 2^(n-17) + floor(acc * low / 2^16)) / 2^(n-16)).
// The output's zero point goes into the offset as z_y * 2^(n-16), at most 2^29.
bool m0_mean_start(m0_mean_t *job, const mlet_layer_t *layer) {
    const int32_t taps = job->rows * job->columns + (job->present != NULL);
    const uintptr_t places = (uintptr_t)job->x | (uintptr_t)job->present | (uintptr_t)job->kept
        | (uintptr_t)job->next_row | (uintptr_t)job->next_column;
    const uint8_t n = layer->shift[0];
    if (taps > 128 || n < 17 || n > 38) {
        return false;
    }
    job->zeros = -taps * (layer->in_zero + 128);
    job->offset = (2 * layer->out_zero + 1) * (1 << (n - 17));
    job->act_min = layer->act_min;
    job->act_max = layer->act_max;
    job->high = layer->multiplier[0] >> 16;
    job->low = layer->multiplier[0] & 0xffff;
    job->shift = n - 16u;
    return (places & 3) == 0;
}

MLET_PART mlet_status_t m0_mean_bytes(m0_mean_t *job, const mlet_layer_t *layer, int32_t x_step) {
    if (job->count > 0) {
        MLET_TAKE(m0_mean_bytes);
    }
    const int32_t zeros = -(job->rows * job->columns + (job->present != NULL)) * layer->in_zero;
    if (job->shift == 0 && m0_exact() != MLET_OK) {
        return MLET_E_BUILD;
    }
    MLET_COUNT(mean_calls, 1);
    MLET_COUNT(mean_bytes, job->count);
    MLET_COUNT(mean_byte_rows, job->count * (uint32_t)job->rows);
    MLET_COUNT(mean_byte_taps, job->count * (uint32_t)(job->rows * job->columns));
    for (; job->count > 0; job->count--, job->x += x_step, job->y++) {
        int32_t acc = zeros;
        const int8_t *row = job->x;
        for (int32_t a = job->rows; a > 0; a--, row += job->next_row) {
            const int8_t *px = row;
            for (int32_t b = job->columns; b > 0; b--, px += job->next_column) {
                acc += *px;
            }
        }
        if (job->present != NULL) {
            const int8_t present = *job->present++;
            acc += present;
            *job->kept++ = present;
        }
        int32_t value;
        if (job->shift != 0) {
            value = (acc * job->high + (acc * job->low >> 16) + job->offset) >> job->shift;
        } else {
            value = layer->out_zero + m0_requantize(acc, layer->multiplier[0], layer->shift[0]);
        }
        *job->y = mlet_clamp(value, layer->act_min, layer->act_max);
    }
    return MLET_OK;
}
