#include <string.h>

#include "m0_matmul.h"
#include "mlet_count.h"
#include "mlet_part.h"

// Maps of fewer positions than a block.
MLET_PART static mlet_status_t m0_pointwise_tiny(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, int8_t *scratch) {
    MLET_TAKE(m0_pointwise_tiny);
    const uint32_t shifted = layer->shift_channels;
    const uint32_t channels = layer->in.channels;
    mlet_status_t status = MLET_OK;
    const int32_t positions = layer->in.height * layer->in.width;
    for (int32_t left = positions; left > 0 && status == MLET_OK; left--) {
        const int8_t *taps = x;
        if (shifted > 0) {
            taps = memcpy(scratch, x, channels);
            memcpy(scratch, past, shifted);
            MLET_COUNT(moves, 2);
            MLET_COUNT(moved_bytes, channels + shifted);
            past += shifted;
        }
        status = m0_matmul_one(layer, taps, channels, y);
        x += channels;
        y += layer->out.channels;
    }
    return status;
}

M0_RAM_CODE static void pack_int4(uint32_t *words, const m0_run_t *run) {
    const int8_t *inputs[M0_BLOCK_INT4];
    const int8_t *x = run->x;
    for (uint32_t i = 0; i < M0_BLOCK_INT4; i++, x += run->step) {
        inputs[i] = x;
    }
    m0_pack8(words, inputs, run->n, 1, 0);
}

// weights: SPEC.md, "Targets".
M0_RAM_CODE mlet_status_t m0_pointwise(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || MLET_MISSING(scratch)
        || (MLET_MISSING(past) && layer->shift_channels > 0)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t in_channels = layer->in.channels;
    const uint32_t out_channels = layer->out.channels;
    const uint32_t shifted = layer->shift_channels;
    const uint32_t block = m0_matmul_block(layer);
    if (positions < block) {
        return m0_pointwise_tiny(layer, past, x, y, scratch);
    }
    m0_run_t runs[2] = {{shifted, past, shifted}, {in_channels - shifted, x, in_channels}};
    for (uint32_t first = 0; first < out_channels; first += M0_GROUP, y += M0_GROUP) {
        const mlet_layer_t group = m0_matmul_group(layer, in_channels, first);
        m0_matmul_t job;
        uint32_t *words = m0_matmul_begin(&job, &group, in_channels, out_channels, scratch);
        for (uint32_t p = 0; p < positions; p += block) {
            if (p > positions - block) {
                p = positions - block; // the last block is whole too: some positions come twice
            }
            runs[0].x = past + p * shifted;
            runs[1].x = x + p * in_channels + shifted;
            if (block == M0_BLOCK_INT8) {
                m0_pack4_runs(words, runs);
            } else {
                pack_int4(words, &runs[0]);
                pack_int4(words + shifted * (M0_BLOCK_INT4 / 2), &runs[1]);
            }
            m0_matmul_run(&group, &job, y + p * out_channels);
        }
    }
    return MLET_OK;
}

uint32_t m0_pointwise_scratch_bytes(const mlet_layer_t *layer) {
    return m0_matmul_scratch_bytes(layer, layer->in.channels);
}
