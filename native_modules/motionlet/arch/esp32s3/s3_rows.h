// Dot products of rows of bytes, each requantized to a byte: what conv2d, pointwise and dense come
// down to. In the vector unit, 16 products at a time.
#ifndef MLET_S3_ROWS_H
#define MLET_S3_ROWS_H

#include "s3_output.h"

// Offsets into s3_rows_t, for the assembly.
#define S3_ROWS_X 0
#define S3_ROWS_WEIGHTS 4
#define S3_ROWS_Y 8
#define S3_ROWS_CHANNELS 12
#define S3_ROWS_OUTPUTS 16
#define S3_ROWS_Y_STEP 20
#define S3_ROWS_BLOCKS 24
#define S3_ROWS_IN_ZERO 28
#define S3_ROWS_ROW 32
#define S3_ROWS_OUTPUT 36

// Weights of a row that stay in registers, in blocks. Shorter rows stay there whole.
#define S3_ROWS_KEPT 4

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// Some channels at some positions. x and weights start on multiples of 16. The routine loads, but
// does not use, up to S3_ROWS_KEPT blocks behind the last row of x.
typedef struct s3_rows {
    const int8_t *x;       // [outputs][row]
    const int8_t *weights; // [channels][row]
    int8_t *y;             // of the first channel; the next one's is beside it
    uint32_t channels, outputs; // at least 1
    int32_t y_step;             // bytes from one output to the next
    uint32_t blocks;            // of 16 bytes: s3_blocks() of the taps
    int32_t in_zero;
    uint32_t row; // bytes: 16 * blocks
    s3_output_t output;
} s3_rows_t;

MLET_LAYOUT(s3_rows_t, x, S3_ROWS_X);
MLET_LAYOUT(s3_rows_t, weights, S3_ROWS_WEIGHTS);
MLET_LAYOUT(s3_rows_t, y, S3_ROWS_Y);
MLET_LAYOUT(s3_rows_t, channels, S3_ROWS_CHANNELS);
MLET_LAYOUT(s3_rows_t, outputs, S3_ROWS_OUTPUTS);
MLET_LAYOUT(s3_rows_t, y_step, S3_ROWS_Y_STEP);
MLET_LAYOUT(s3_rows_t, blocks, S3_ROWS_BLOCKS);
MLET_LAYOUT(s3_rows_t, in_zero, S3_ROWS_IN_ZERO);
MLET_LAYOUT(s3_rows_t, row, S3_ROWS_ROW);
MLET_LAYOUT(s3_rows_t, output, S3_ROWS_OUTPUT);

// y[i][c] from bias[c] and the sum over e of (x[i][e] - in_zero) * weights[c][e]. The channels must
// be s3_is_high(). Changes the job.
void s3_rows(s3_rows_t *job);

// The same for channels from `first` of a layer, of any kind; sets job->output.
void s3_run_rows(s3_rows_t *job, const mlet_layer_t *layer, uint32_t first);

// Blocks of a row of so many taps. Beyond those that are kept, they come in pairs.
static inline uint32_t s3_blocks(uint32_t taps) {
    const uint32_t blocks = (taps + 15) / 16;
    return blocks <= S3_ROWS_KEPT ? blocks : (blocks + 1) / 2 * 2;
}

#endif // __ASSEMBLER__
#endif
