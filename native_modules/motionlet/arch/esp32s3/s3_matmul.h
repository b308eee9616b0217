// Positions times output channels: what pointwise, conv2d and dense come down to.
#ifndef MLET_S3_MATMUL_H
#define MLET_S3_MATMUL_H

#include "s3_rows.h"

// In scratch: the inputs of a block of positions, [positions][row], and the weights of a group of
// channels, [channels][row], where those of the layer are not rows of whole blocks themselves.
typedef struct s3_matmul {
    uint32_t taps, row; // a row of x may end in anything, one of the weights ends in zeros
    uint32_t positions, channels;
    int8_t *x, *weights; // weights: NULL if the layer's are used where they lie
} s3_matmul_t;

s3_matmul_t s3_matmul_begin(const mlet_layer_t *layer, uint32_t taps, void *scratch);

// Bytes of scratch of such a layer.
uint32_t s3_matmul_bytes(const mlet_layer_t *layer, uint32_t taps);

// Compute all channels of the first `positions` gathered, into y [positions][out channels].
void s3_matmul_run(
    const mlet_layer_t *layer, const s3_matmul_t *matmul, uint32_t positions, int8_t *y);

#endif
