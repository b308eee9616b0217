#include <string.h>

#include "mlet_int4.h"
#include "s3_matmul.h"
#include "s3_spread.h"

// Numbers of a block's inputs and of a group's weights: the more, the less often the other is
// walked through. Of the longest rows there are some more.
#define S3_INPUTS 2048u
#define S3_WEIGHTS 1024u
#define S3_POSITIONS_LEAST 4u

static s3_matmul_t shape_of(const mlet_layer_t *layer, uint32_t taps) {
    const uint32_t positions = (uint32_t)layer->out.height * layer->out.width;
    const uint32_t padded = s3_padded(taps);
    const uint32_t fit = S3_INPUTS / padded;
    const uint32_t block = fit < S3_POSITIONS_LEAST ? S3_POSITIONS_LEAST : fit;
    const uint32_t group = S3_WEIGHTS / padded + (S3_WEIGHTS < padded);
    return (s3_matmul_t) {
        .taps = taps,
        .padded = padded,
        .positions = positions < block ? positions : block,
        .channels = layer->out.channels < group ? layer->out.channels : group,
    };
}

uint32_t s3_matmul_bytes(const mlet_layer_t *layer, uint32_t taps) {
    const s3_matmul_t shape = shape_of(layer, taps);
    return s3_bytes(shape.positions * shape.padded) + s3_bytes(shape.channels * shape.padded);
}

s3_matmul_t s3_matmul_begin(const mlet_layer_t *layer, uint32_t taps, void *scratch) {
    s3_matmul_t matmul = shape_of(layer, taps);
    int8_t *weights = (int8_t *)scratch + s3_bytes(matmul.positions * matmul.padded);
    matmul.x = scratch;
    matmul.weights = (int16_t *)(void *)weights;
    if (matmul.padded != taps) { // the padding stays 0
        memset(scratch, 0, s3_matmul_bytes(layer, taps));
    }
    return matmul;
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
    const bool int4 = MLET_HAS_INT4(layer);
    const uint32_t row_bytes = int4 ? mlet_int4_bytes(matmul->taps) : matmul->taps;
    const int32_t padded_bytes = (int32_t)(matmul->padded * sizeof(int16_t));
    const int8_t *row = layer->weights;
    for (uint32_t first = 0, n; first < layer->out.channels; first += n) {
        n = layer->out.channels - first;
        n = n < matmul->channels ? n : matmul->channels;
        if (!int4 && matmul->padded == matmul->taps) {
            s3_widen(row, n * row_bytes, 0, matmul->weights);
            row += n * row_bytes;
        } else {
            int16_t *to = matmul->weights;
            for (uint32_t o = 0; o < n; o++, row += row_bytes, to += matmul->padded) {
                if (int4) {
                    widen_int4(row, matmul->taps, to);
                } else {
                    s3_widen(row, matmul->taps, 0, to);
                }
            }
        }
        s3_dots_t job = {
            .x = matmul->x,
            .weights = matmul->weights,
            .y = y + first,
            .channels = n,
            .outputs = positions,
            .x_step = padded_bytes,
            .y_step = layer->out.channels,
            .weights_channel = padded_bytes,
            .quads = matmul->padded / 4,
        };
        s3_run(&job, layer, first);
    }
}
