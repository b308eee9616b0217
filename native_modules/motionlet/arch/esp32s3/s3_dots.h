// Rows of 16-bit dot products, each requantized to a byte: the inner loops of most kernels.
#ifndef MLET_S3_DOTS_H
#define MLET_S3_DOTS_H

#include "s3_output.h"

// Offsets into s3_dots_t, for the assembly.
#define S3_DOTS_X 0
#define S3_DOTS_WEIGHTS 4
#define S3_DOTS_Y 8
#define S3_DOTS_OUTPUTS 12
#define S3_DOTS_X_STEP 16
#define S3_DOTS_Y_STEP 20
#define S3_DOTS_QUADS 24
#define S3_DOTS_BIAS 28
#define S3_DOTS_OUTPUT 32

#ifndef __ASSEMBLER__

// One output channel. x and weights start on multiples of 4, and x_step is one. The routine loads,
// but does not use, 4 bytes behind the last product's x and weight.
typedef struct s3_dots {
    const int16_t *x, *weights;
    int8_t *y;
    uint32_t outputs;       // at least 1
    int32_t x_step, y_step; // bytes from one output to the next
    uint32_t quads;         // products of a sum, in groups of 4; at least 1
    int32_t bias;           // added to each sum
    s3_output_t output;
} s3_dots_t;

// y[i] from the sum over e of x[i][e] * weights[e].
void s3_dots(const s3_dots_t *job);

// Numbers of 16 bits in a row of `taps`: up to a whole number of quads.
static inline uint32_t s3_padded(uint32_t taps) {
    return (taps + 3) / 4 * 4;
}

// Bytes of scratch for `rows` rows of s3_padded(taps) numbers, with what is loaded behind them.
static inline uint32_t s3_rows_bytes(uint32_t rows, uint32_t taps) {
    return MLET_ROUND_UP(rows * s3_padded(taps) * (uint32_t)sizeof(int16_t) + 4);
}

// Run a job for channel `o` of a layer, which sets `bias` and `output`; for any shift.
void s3_run_channel(s3_dots_t *job, const mlet_layer_t *layer, uint32_t o);

#endif // __ASSEMBLER__
#endif
