// C twins of m0_depthwise_rows3.S, m0_taps.S, m0_temporal_taps.S, m0_add_elements.S and
// m0_mean_words.S, for machines that cannot run those.
#ifndef __ARM_ARCH_6M__

#include "m0_add.h"
#include "m0_depthwise2d.h"
#include "m0_mean.h"
#include "m0_taps.h"
#include "m0_temporal_depthwise.h"
#include "mlet_count.h"

static int8_t output(uint32_t sum, uint32_t shift, int32_t act_min, int32_t act_max) {
    const int32_t value = (int32_t)sum >> shift;
    MLET_COUNT(clamped_low, value < act_min);
    MLET_COUNT(clamped_high, value > act_max);
    return (int8_t)(value < act_min ? act_min : value > act_max ? act_max : value);
}

static uint32_t product(int32_t weight, int8_t x) {
    return (uint32_t)weight * (uint32_t)x;
}

static void run_rows3(m0_rows3_t *job) {
    int8_t *y = job->y;
    while (y != job->end) {
        const int8_t *x = job->x;
        for (; y != job->row_end; y += job->y_column, x += job->x_column) {
            uint32_t sum = (uint32_t)job->bias;
            for (int32_t tap = 0; tap < 9; tap++) {
                sum += product(job->weights[tap], x[tap / 3 * job->tap_row + tap % 3 * 4]);
            }
            *y = output(sum, job->shift, job->act_min, job->act_max);
        }
        job->x += job->x_row;
        job->row_end += job->y_row;
    }
}

// The two differ in how they read x, which does not show here.
void m0_depthwise_rows3_apart(m0_rows3_t *job) {
    MLET_COUNT(apart_rows, (job->end - job->y) / job->y_row);
    MLET_COUNT(apart_outputs, (job->end - job->y) / job->y_column);
    run_rows3(job);
}

void m0_depthwise_rows3(m0_rows3_t *job) {
    MLET_COUNT(rows3_rows, (job->end - job->y) / job->y_row);
    MLET_COUNT(rows3_outputs, (job->end - job->y) / job->y_column);
    run_rows3(job);
}

void m0_taps(const m0_taps_t *job) {
    MLET_COUNT(tap_calls, 1);
    MLET_COUNT(tap_outputs, (job->x_end - job->x_at) / job->x_step);
    MLET_COUNT(
        tap_products, (job->x_end - job->x_at) / job->x_step * (job->taps_end - job->taps));
    int8_t *y = job->y;
    for (int32_t at = job->x_at; at != job->x_end; at += job->x_step, y += job->y_step) {
        uint32_t sum = (uint32_t)job->bias;
        for (const m0_tap_t *tap = job->taps; tap != job->taps_end; tap++) {
            sum += product(tap->weight, tap->x[at]);
        }
        *y = output(sum, job->shift, job->act_min, job->act_max);
    }
}

static void temporal(const m0_temporal_t *job, bool three) {
    MLET_COUNT(temporal2_outputs, three ? 0 : job->last / job->step + 1);
    MLET_COUNT(temporal3_outputs, three ? job->last / job->step + 1 : 0);
    for (int32_t at = job->last; at >= 0; at -= job->step) {
        uint32_t sum = product(job->weights[0], job->oldest[at]);
        if (three) {
            sum += product(job->weights[1], job->middle[at]);
        }
        sum += product(job->weights[2], job->x[at]);
        job->oldest[at] = job->x[at];
        sum += (uint32_t)job->bias;
        job->y[at] = output(sum, (uint32_t)job->shift, job->act_min, job->act_max);
    }
}

void m0_temporal_taps2(const m0_temporal_t *job) {
    temporal(job, false);
}

void m0_temporal_taps3(const m0_temporal_t *job) {
    temporal(job, true);
}

void m0_add_elements(const m0_add_t *job) {
    MLET_COUNT(added, job->count);
    for (uint32_t at = job->count; at-- > 0;) {
        const int32_t sum =
            job->a[at] * job->multiplier_a + job->b[at] * job->multiplier_b + job->offset;
        const int32_t value = job->out_zero + (sum >> job->shift);
        job->y[at] = output((uint32_t)value, 0, job->act_min, job->act_max);
    }
}

void m0_mean_words(m0_mean_t *job) {
    MLET_COUNT(mean_calls, 1);
    MLET_COUNT(mean_fours, job->count / 4);
    MLET_COUNT(mean_rows, job->count / 4 * (uint32_t)job->rows);
    MLET_COUNT(mean_taps, job->count / 4 * (uint32_t)(job->rows * job->columns));
    for (uint32_t left = job->count / 4 * 4; left > 0; left--, job->count--) {
        int32_t acc = job->zeros;
        const int8_t *row = job->x++;
        for (int32_t a = 0; a < job->rows; a++, row += job->next_row) {
            for (int32_t b = 0; b < job->columns; b++) {
                acc += row[b * job->next_column] + 128;
            }
        }
        if (job->present != NULL) {
            acc += *job->present + 128;
            *job->kept++ = *job->present++;
        }
        const int32_t scaled = acc * job->high + ((acc * job->low) >> 16) + job->offset;
        *job->y++ = output((uint32_t)scaled, job->shift, job->act_min, job->act_max);
    }
}

#endif
