// C twins of m0_matmul.S, m0_pack.S and m0_requantize.S, for machines that cannot run those. They
// keep two positions in a word just as these do, so a pair that does not fit shows here too.
#ifndef __ARM_ARCH_6M__

#include "m0_matmul.h"
#include "m0_requantize.h"
#include "mlet_count.h"

enum { M0_START_END = 0, M0_START_TWO = 2, M0_START_FOUR = 4 };

int32_t m0_requantize(int32_t acc, int32_t multiplier, uint32_t n) {
    MLET_COUNT(exact_outputs, 1);
    const int64_t sum = (int64_t)acc * multiplier + ((int64_t)1 << (n - 1));
    const int64_t value = sum >> n;
    const int64_t limit = (int64_t)1 << 30;
    return (int32_t)(value < -limit ? -limit : value > limit ? limit : value);
}

static void pack(uint32_t *words, const int8_t *const *x, uint32_t n, uint32_t rows, int32_t step,
    uint32_t block) {
    MLET_COUNT(pack_rows, rows * block / 4);
    MLET_COUNT(pack_taps, rows * n * block / 4);
    for (uint32_t row = 0; row < rows; row++) {
        const ptrdiff_t at = (ptrdiff_t)row * step;
        for (ptrdiff_t k = at; k < at + (ptrdiff_t)n; k++) {
            for (uint32_t i = 0; i < block; i += 2) {
                *words++ = (uint32_t)x[i][k] + ((uint32_t)x[i + 1][k] << 16);
            }
        }
    }
}

void m0_pack4(
    uint32_t *words, const int8_t *const x[4], uint32_t n, uint32_t rows, int32_t step) {
    MLET_COUNT(packs, 1);
    pack(words, x, n, rows, step, 4);
}

void m0_pack4_runs(uint32_t *words, const m0_run_t runs[2]) {
    MLET_COUNT(packs, 1);
    for (const m0_run_t *run = runs; run < runs + 2; words += 2 * run->n, run++) {
        const int8_t *x[4];
        for (uint32_t i = 0; i < 4; i++) {
            x[i] = run->x + i * run->step;
        }
        pack(words, x, run->n, 1, 0, 4);
    }
}

void m0_pack8(
    uint32_t *words, const int8_t *const x[8], uint32_t n, uint32_t rows, int32_t step) {
    MLET_COUNT(packs, 1);
    pack(words, x, n, rows, step, 8);
}

uint32_t m0_matmul_int8_start(uint32_t run_of_four, uint32_t groups) {
    (void)groups;
    return run_of_four ? M0_START_FOUR : M0_START_TWO;
}

uint32_t m0_matmul_int8_end(void) {
    return M0_START_END;
}

// Split first + (second << 16).
static void split(uint32_t word, int32_t *sums) {
    const int32_t first = (int16_t)(uint16_t)word;
    sums[0] += first;
    sums[1] += (int32_t)(word - (uint32_t)first) >> 16;
}

static void output(const m0_matmul_t *job, const m0_row_t *row, uint32_t sum, int8_t *y) {
    const uint32_t multiplier = (uint32_t)row->multiplier;
    int32_t value;
    if (row->shift < M0_ROW_EXACT) {
        value = (int32_t)(sum * multiplier + (uint32_t)row->bias) >> row->shift;
    } else {
        const int32_t acc = (int32_t)(sum + (uint32_t)row->bias);
        value = m0_requantize(acc, row->multiplier, row->shift - M0_ROW_EXACT) + job->out_zero;
    }
    MLET_COUNT(clamped_high, value > job->act_max);
    value = value < job->act_min ? job->act_min : value > job->act_max ? job->act_max : value;
    *y = (int8_t)value;
}

void m0_matmul_int8(const m0_matmul_t *job, int8_t *y) {
    const size_t words = (size_t)(job->x_end - job->x);
    const size_t taps = words % 8 == 0 ? words / 2 : (words + 1) / 2 + 2; // see m0_matmul_begin()
    const int8_t *weights = job->weights;
    MLET_COUNT(blocks, 1);
    for (const m0_row_t *row = job->rows; row->start != M0_START_END; row++, y++) {
        int32_t sums[4] = {0};
        uint32_t a = 0, b = 0;
        MLET_COUNT(block_rows, 1);
        MLET_COUNT(groups_of_two, row->start == M0_START_TWO ? (taps + 1) / 4 : 0);
        MLET_COUNT(groups_of_four, row->start == M0_START_FOUR ? (taps + 1) / 4 : 0);
        MLET_COUNT(tails, words % 8 != 0);
        for (size_t k = 0; k < taps; k++) {
            const uint32_t weight = (uint32_t)(int32_t)weights[k];
            a += job->x[2 * k] * weight;
            b += job->x[2 * k + 1] * weight;
            if ((k + 1) % row->start == 0 || k + 1 == taps) {
                split(a, sums);
                split(b, sums + 2);
                a = b = 0;
            }
        }
        weights += (taps + 3) / 4 * 4;
        for (uint32_t i = 0; i < 4; i++) {
            output(job, row, (uint32_t)sums[i], y + i * job->y_step);
        }
    }
}

void m0_matmul_int4(const m0_matmul_t *job, int8_t *y) {
    const size_t taps = (size_t)(job->x_end - job->x) / 4;
    const int8_t *weights = job->weights;
    MLET_COUNT(blocks_int4, 1);
    for (const m0_row_t *row = job->rows; row < job->rows_end; row++, y++) {
        MLET_COUNT(block_rows_int4, 1);
        MLET_COUNT(taps_int4, taps);
        MLET_COUNT(splits_int4, (taps + 31) / 32);
        int32_t sums[8] = {0};
        uint32_t pairs[4] = {0};
        for (size_t k = 0; k < taps; k++) {
            const int32_t nibble = (k % 2 == 0 ? weights[k / 2] : weights[k / 2] >> 4) & 15;
            const uint32_t weight = (uint32_t)(nibble < 8 ? nibble : nibble - 16);
            for (uint32_t i = 0; i < 4; i++) {
                pairs[i] += job->x[4 * k + i] * weight;
            }
            if ((k + 1) % 32 == 0 || k + 1 == taps) {
                for (uint32_t i = 0; i < 4; i++) {
                    split(pairs[i], sums + 2 * i);
                    pairs[i] = 0;
                }
            }
        }
        weights += (taps + 7) / 8 * 4;
        for (uint32_t i = 0; i < 8; i++) {
            output(job, row, (uint32_t)sums[i], y + i * job->y_step);
        }
    }
}

#endif
