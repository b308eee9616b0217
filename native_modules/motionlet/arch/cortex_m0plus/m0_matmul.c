#include "m0_matmul.h"
#include "mlet_count.h"

static uint32_t rows_bytes(uint32_t rows) {
    return MLET_ROUND_UP(rows * (uint32_t)sizeof(m0_row_t));
}

// Taps of a block's words, padded.
static uint32_t padded_taps(uint32_t taps) {
    return (taps + 3u) & ~3u;
}

uint32_t m0_matmul_scratch_bytes(const mlet_layer_t *layer, uint32_t taps) {
    // One row more than channels marks the end; a word holds two positions.
    const uint32_t words = padded_taps(taps) * m0_matmul_block(layer) / 2;
    const uint32_t channels = layer->out.channels;
    return rows_bytes((channels < M0_GROUP ? channels : M0_GROUP) + 1u) + words * 4;
}

mlet_layer_t m0_matmul_group(const mlet_layer_t *layer, uint32_t taps, uint32_t first) {
    const uint32_t row_bytes = m0_row_bytes(layer, taps);
    const uint32_t left = layer->out.channels - first;
    mlet_layer_t group = *layer;
    group.out.channels = (uint16_t)(left < M0_GROUP ? left : M0_GROUP);
    group.weights += first * row_bytes;
    group.bias += first;
    group.multiplier += first;
    group.shift += first;
    return group;
}

uint32_t *m0_matmul_begin(
    m0_matmul_t *job, const mlet_layer_t *group, uint32_t taps, uint32_t y_step, void *scratch) {
    const uint32_t channels = group->out.channels;
    MLET_COUNT(matmul_groups, 1);
    MLET_COUNT(matmul_channels, channels);
    m0_row_t *row = scratch;
    uint32_t *words = (uint32_t *)(void *)((uint8_t *)scratch + rows_bytes(channels + 1));

    *job = (m0_matmul_t) {
        .x = words,
        .rows = row,
        .rows_end = row + channels,
        .act_min = group->act_min,
        .act_max = group->act_max,
        .out_zero = group->out_zero,
        .y_step = y_step,
        .weights = group->weights,
    };
    // int8: groups of four taps; one or two more make a tail, for which x_end lies a word before
    // the groups' end.
    const uint32_t groups = (taps + 1) / 4;
    const uint32_t tail = taps > groups * 4 ? 1 : 0;
    if (MLET_HAS_INT4(group)) {
        job->x_end = words + padded_taps(taps) * 4;
    } else {
        job->x_end = words + groups * 8 - tail;
    }
    const uint32_t starts[] = {m0_matmul_int8_start(0, groups), m0_matmul_int8_start(1, groups)};
    for (uint32_t o = 0; o < channels; o++, row++) {
        const uint8_t shift = group->shift[o];
        const bool four = (shift & M0_RUN_OF_FOUR) != 0;
        const uint32_t splits = (four ? groups : groups * 2) + tail;
        row->start = starts[four];
        row->lanes = -0x8000 * (int32_t)splits;
        row->multiplier = group->multiplier[o];
        row->shift = (shift & M0_SINGLE) != 0 ? (uint32_t)(shift & M0_SHIFT_SINGLE)
                                              : M0_ROW_EXACT + (uint32_t)(shift & M0_SHIFT_EXACT);
        row->bias = group->bias[o];
    }
    row->start = m0_matmul_int8_end();
    row->lanes = 0;
    return words;
}
