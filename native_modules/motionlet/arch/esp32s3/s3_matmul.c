#include <string.h>

#include "mlet_int4.h"
#include "s3_matmul.h"

// Positions of a block.
static uint32_t block_positions(const mlet_layer_t *layer, uint32_t taps) {
    const uint32_t positions = (uint32_t)layer->out.height * layer->out.width;
    const uint32_t fit = S3_BLOCK_BYTES / (s3_padded(taps) * (uint32_t)sizeof(int16_t));
    const uint32_t block = fit < S3_BLOCK_LEAST ? S3_BLOCK_LEAST : fit;
    return positions < block ? positions : block;
}

uint32_t s3_matmul_bytes(const mlet_layer_t *layer, uint32_t taps) {
    return s3_rows_bytes(block_positions(layer, taps), taps) + s3_rows_bytes(1, taps);
}

s3_matmul_t s3_matmul_begin(const mlet_layer_t *layer, uint32_t taps, void *scratch) {
    const uint32_t positions = block_positions(layer, taps);
    int8_t *weights = (int8_t *)scratch + s3_rows_bytes(positions, taps);
    s3_matmul_t matmul = {taps, positions, scratch, (int16_t *)(void *)weights};
    memset(weights, 0, s3_rows_bytes(1, taps)); // the padding stays 0
    return matmul;
}

void s3_widen(const int8_t *from, uint32_t n, int32_t zero, int16_t *to) {
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        to[0] = (int16_t)(from[0] - zero);
        to[1] = (int16_t)(from[1] - zero);
        to[2] = (int16_t)(from[2] - zero);
        to[3] = (int16_t)(from[3] - zero);
    }
    while (n-- > 0) {
        *to++ = (int16_t)(*from++ - zero);
    }
}

static void widen_int4(const int8_t *from, uint32_t n, int16_t *to) {
    for (; n >= 2; n -= 2, from++, to += 2) {
        to[0] = (int16_t)mlet_int4(from, 0);
        to[1] = (int16_t)mlet_int4(from, 1);
    }
    if (n > 0) {
        *to = (int16_t)mlet_int4(from, 0);
    }
}

void s3_matmul_run(
    const mlet_layer_t *layer, const s3_matmul_t *matmul, uint32_t positions, int8_t *y) {
    const bool int4 = layer->weight_bits == 4;
    const uint32_t row_bytes = int4 ? mlet_int4_bytes(matmul->taps) : matmul->taps;
    const int8_t *row = layer->weights;
    s3_dots_t job = {
        .x = matmul->x,
        .weights = matmul->weights,
        .outputs = positions,
        .x_step = (int32_t)(s3_padded(matmul->taps) * sizeof(int16_t)),
        .y_step = layer->out.channels,
        .quads = s3_padded(matmul->taps) / 4,
    };
    for (uint32_t o = 0; o < layer->out.channels; o++, row += row_bytes) {
        if (int4) {
            widen_int4(row, matmul->taps, matmul->weights);
        } else {
            s3_widen(row, matmul->taps, 0, matmul->weights);
        }
        job.y = y + o;
        s3_run_channel(&job, layer, o);
    }
}
