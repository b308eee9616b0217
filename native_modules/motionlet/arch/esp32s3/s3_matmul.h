// Positions times output channels: what pointwise, conv2d and dense come down to.
#ifndef MLET_S3_MATMUL_H
#define MLET_S3_MATMUL_H

#include "s3_dots.h"

// Positions that are gathered at once: each widened row of weights serves all of them. As many as
// fit in S3_BLOCK_BYTES, but some even of the longest rows.
#define S3_BLOCK_BYTES 4096u
#define S3_BLOCK_LEAST 4u

// In scratch: inputs less their zero point, [positions][s3_padded(taps)], then one row of weights.
typedef struct s3_matmul {
    uint32_t taps, positions; // of a block
    int16_t *x, *weights;
} s3_matmul_t;

s3_matmul_t s3_matmul_begin(const mlet_layer_t *layer, uint32_t taps, void *scratch);

// Bytes of scratch of such a layer.
uint32_t s3_matmul_bytes(const mlet_layer_t *layer, uint32_t taps);

// Compute all channels of the first `positions` gathered, into y [positions][out channels].
void s3_matmul_run(
    const mlet_layer_t *layer, const s3_matmul_t *matmul, uint32_t positions, int8_t *y);

// to[e] = from[e] - zero.
void s3_widen(const int8_t *from, uint32_t n, int32_t zero, int16_t *to);

#endif
