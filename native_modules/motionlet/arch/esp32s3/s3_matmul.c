#include <string.h>

#include "mlet_int4.h"
#include "s3_matmul.h"

// Bytes of a block's inputs and of a group's weights: the more, the less often the other is walked
// through. Of the longest rows there are some more.
#define S3_INPUTS 4096u
#define S3_WEIGHTS 2048u
#define S3_POSITIONS_LEAST 4u

// Whether the layer's weights are rows of whole blocks themselves.
static bool lie_right(const mlet_layer_t *layer, uint32_t taps) {
    return taps == 16 * s3_blocks(taps) && !MLET_HAS_INT4(layer);
}

static s3_matmul_t shape_of(const mlet_layer_t *layer, uint32_t taps) {
    const uint32_t positions = (uint32_t)layer->out.height * layer->out.width;
    const uint32_t row = 16 * s3_blocks(taps);
    const uint32_t fit = S3_INPUTS / row;
    const uint32_t block = fit < S3_POSITIONS_LEAST ? S3_POSITIONS_LEAST : fit;
    const uint32_t fitting = S3_WEIGHTS / row + (S3_WEIGHTS < row);
    const uint32_t group = lie_right(layer, taps) ? layer->out.channels : fitting;
    return (s3_matmul_t) {
        .taps = taps,
        .row = row,
        .positions = positions < block ? positions : block,
        .channels = layer->out.channels < group ? layer->out.channels : group,
    };
}

// Of the inputs, with what is loaded behind them.
static uint32_t inputs_bytes(const s3_matmul_t *matmul) {
    return matmul->positions * matmul->row + 16 * S3_ROWS_KEPT;
}

uint32_t s3_matmul_bytes(const mlet_layer_t *layer, uint32_t taps) {
    const s3_matmul_t shape = shape_of(layer, taps);
    return inputs_bytes(&shape) + (lie_right(layer, taps) ? 0 : shape.channels * shape.row);
}

s3_matmul_t s3_matmul_begin(const mlet_layer_t *layer, uint32_t taps, void *scratch) {
    s3_matmul_t matmul = shape_of(layer, taps);
    matmul.x = scratch;
    if (!lie_right(layer, taps)) {
        matmul.weights = matmul.x + inputs_bytes(&matmul);
        memset(matmul.weights, 0, matmul.channels * matmul.row); // the padding stays 0
    }
    return matmul;
}

static void unpack_int4(const int8_t *from, uint32_t n, int8_t *to) {
    for (; n >= 2; n -= 2, from++, to += 2) {
        to[0] = (int8_t)mlet_int4(from, 0);
        to[1] = (int8_t)mlet_int4(from, 1);
    }
    if (n > 0) {
        *to = (int8_t)mlet_int4(from, 0);
    }
}

void s3_matmul_run(
    const mlet_layer_t *layer, const s3_matmul_t *matmul, uint32_t positions, int8_t *y) {
    const bool int4 = MLET_HAS_INT4(layer);
    const uint32_t row_bytes = int4 ? mlet_int4_bytes(matmul->taps) : matmul->taps;
    const int8_t *from = layer->weights;
    for (uint32_t first = 0, n; first < layer->out.channels; first += n) {
        n = layer->out.channels - first;
        n = n < matmul->channels ? n : matmul->channels;
        int8_t *to = matmul->weights;
        for (uint32_t o = 0; o < n && to != NULL; o++, from += row_bytes, to += matmul->row) {
            if (int4) {
                unpack_int4(from, matmul->taps, to);
            } else {
                memcpy(to, from, matmul->taps);
            }
        }
        s3_rows_t job = {
            .x = matmul->x,
            .weights = matmul->weights != NULL ? matmul->weights : layer->weights,
            .y = y + first,
            .channels = n,
            .outputs = positions,
            .y_step = layer->out.channels,
            .blocks = matmul->row / 16,
            .in_zero = layer->in_zero,
            .row = matmul->row,
        };
        s3_run_rows(&job, layer, first);
    }
}
