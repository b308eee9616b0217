// Products of a block of positions with every row of a weight matrix: what conv2d and pointwise
// share.
//
// A block is M0_BLOCK_INT8 or M0_BLOCK_INT4 positions. The int8 inputs of two positions lie in one
// word, first + (second << 16), so that one multiplication serves both; the low half borrows from
// the high one when it is negative. For each tap the scratch holds the words of all pairs of the
// block, one after the other.
#ifndef M0_MATMUL_H
#define M0_MATMUL_H

#include "m0.h"

#define M0_ROW_EXACT 64 // in m0_row_t.shift

#define M0_RUN_BYTES 12 // of an m0_run_t

// Offsets into m0_row_t, for the assembly: it loads runs of them at once.
#define M0_ROW_START 0
#define M0_ROW_MULTIPLIER 8

// Offsets into m0_matmul_t, for the assembly.
#define M0_MATMUL_X 0
#define M0_MATMUL_X_END 4
#define M0_MATMUL_ROWS 8
#define M0_MATMUL_ROWS_END 12
#define M0_MATMUL_ACT_MIN 16
#define M0_MATMUL_ACT_MAX 20
#define M0_MATMUL_OUT_ZERO 24
#define M0_MATMUL_Y_STEP 28
#define M0_MATMUL_WEIGHTS 32

#ifndef __ASSEMBLER__

#include "mlet_layout.h"

enum { M0_BLOCK_INT8 = 4, M0_BLOCK_INT4 = 8 };

// One output channel, in the order in which m0_matmul.S reads it.
typedef struct m0_row {
    uint32_t start;     // int8: where to enter the loop over taps, m0_matmul_int8_start()
    int32_t lanes;      // int8: takes back what splitting the pairs added to their sum
    int32_t multiplier;
    uint32_t shift;     // single: s; exact: M0_ROW_EXACT + n
    int32_t bias;
} m0_row_t;

MLET_LAYOUT(m0_row_t, start, M0_ROW_START);
MLET_LAYOUT(m0_row_t, lanes, M0_ROW_START + 4);
MLET_LAYOUT(m0_row_t, multiplier, M0_ROW_MULTIPLIER);
MLET_LAYOUT(m0_row_t, shift, M0_ROW_MULTIPLIER + 4);
MLET_LAYOUT(m0_row_t, bias, M0_ROW_MULTIPLIER + 8);

// In the order in which m0_matmul.S reads it.
typedef struct m0_matmul {
    const uint32_t *x;         // words of one block
    const uint32_t *x_end;     // int4: their end, K padded to 4; int8: m0_matmul_begin()
    const m0_row_t *rows;      // int8: after the last one, one whose start is m0_matmul_int8_end()
    const m0_row_t *rows_end;
    int32_t act_min, act_max;
    int32_t out_zero;          // for rows of the exact kind
    uint32_t y_step;           // from one position to the next
    const int8_t *weights;     // rows, K padded to 4 (int4: 8)
} m0_matmul_t;

MLET_LAYOUT(m0_matmul_t, x, M0_MATMUL_X);
MLET_LAYOUT(m0_matmul_t, x_end, M0_MATMUL_X_END);
MLET_LAYOUT(m0_matmul_t, rows, M0_MATMUL_ROWS);
MLET_LAYOUT(m0_matmul_t, rows_end, M0_MATMUL_ROWS_END);
MLET_LAYOUT(m0_matmul_t, act_min, M0_MATMUL_ACT_MIN);
MLET_LAYOUT(m0_matmul_t, act_max, M0_MATMUL_ACT_MAX);
MLET_LAYOUT(m0_matmul_t, out_zero, M0_MATMUL_OUT_ZERO);
MLET_LAYOUT(m0_matmul_t, y_step, M0_MATMUL_Y_STEP);
MLET_LAYOUT(m0_matmul_t, weights, M0_MATMUL_WEIGHTS);

// Output channels that are multiplied at once: more would pack the inputs less often, but every one
// takes 20 bytes of scratch.
enum { M0_GROUP = 32 };

// Positions in a block.
static inline uint32_t m0_matmul_block(const mlet_layer_t *layer) {
    return MLET_HAS_INT4(layer) ? M0_BLOCK_INT4 : M0_BLOCK_INT8;
}

// The layer of the group of at most M0_GROUP output channels that begins with `first`.
mlet_layer_t m0_matmul_group(const mlet_layer_t *layer, uint32_t taps, uint32_t first);

// Bytes of scratch for m0_matmul_begin() on each group of a layer, a multiple of MLET_ALIGN.
uint32_t m0_matmul_scratch_bytes(const mlet_layer_t *layer, uint32_t taps);

// Fill the rows and *job from the layer of a group and its scratch; positions of y are `y_step`
// apart. Returns where to pack the words of a block; those of padded taps may hold anything, as
// their weights are 0.
uint32_t *m0_matmul_begin(
    m0_matmul_t *job, const mlet_layer_t *group, uint32_t taps, uint32_t y_step, void *scratch);

// Pack rows >= 1 of n >= 1 taps (in m0_pack8, n may be 0), `step` apart in x, of 4 or 8 positions,
// one row after the other: words[k * 2 or 4 + i] = x[2i][k] + (x[2i + 1][k] << 16).
void m0_pack4(
    uint32_t *words, const int8_t *const x[4], uint32_t n, uint32_t rows, int32_t step);
void m0_pack8(
    uint32_t *words, const int8_t *const x[8], uint32_t n, uint32_t rows, int32_t step);

// n taps of each position of a block, which are `step` apart.
typedef struct m0_run {
    uint32_t n;
    const int8_t *x;
    uint32_t step;
} m0_run_t;

MLET_LAYOUT(m0_run_t, n, 0);
MLET_LAYOUT(m0_run_t, x, 4);
MLET_LAYOUT(m0_run_t, step, M0_RUN_BYTES - 4);

// Pack two such runs of 4 positions, one after the other; either may have no taps.
void m0_pack4_runs(uint32_t *words, const m0_run_t runs[2]);

// Run a block: for position p and row o, y[p * y_step + o] = requantize(row o times position p).
void m0_matmul_int8(const m0_matmul_t *job, int8_t *y);
void m0_matmul_int4(const m0_matmul_t *job, int8_t *y);

// One position by itself: y[o] = requantize(row o times x[0 ... taps - 1]). For maps smaller than a
// block.
mlet_status_t m0_matmul_one(
    const mlet_layer_t *layer, const int8_t *x, uint32_t taps, int8_t *y);

// Values of m0_row_t.start. `groups` of 4 taps; if 0, one or two taps.
uint32_t m0_matmul_int8_start(uint32_t run_of_four, uint32_t groups);
uint32_t m0_matmul_int8_end(void);

// Pack the taps of a block's m0_matmul_block() inputs; run the block.
static inline void m0_matmul_pack(const mlet_layer_t *layer, uint32_t *words,
    const int8_t *const *x, uint32_t n, uint32_t rows, int32_t step) {
    if (MLET_HAS_INT4(layer)) {
        m0_pack8(words, x, n, rows, step);
    } else {
        m0_pack4(words, x, n, rows, step);
    }
}

static inline void m0_matmul_run(const mlet_layer_t *layer, const m0_matmul_t *job, int8_t *y) {
    if (MLET_HAS_INT4(layer)) {
        m0_matmul_int4(job, y);
    } else {
        m0_matmul_int8(job, y);
    }
}

#endif // __ASSEMBLER__
#endif
