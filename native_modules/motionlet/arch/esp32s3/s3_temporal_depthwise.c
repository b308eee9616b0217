#include <string.h>

#include "s3.h"
#include "s3_dots.h"
#include "s3_spread.h"
#include "s3_taps.h"
#include "s3_temporal_depthwise.h"

#define S3_UNIT ((int32_t)sizeof(int16_t))

// Numbers of a block of positions when there are many taps; one position may take more.
#define S3_INPUTS 2048u

static bool are_few(const mlet_layer_t *layer) {
    return layer->frames == 2 || layer->frames == 3;
}

// Positions of a block.
static uint32_t block_positions(const mlet_layer_t *layer) {
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t one = layer->in.channels * s3_padded(layer->frames);
    const uint32_t fit = one < S3_INPUTS ? S3_INPUTS / one : 1;
    return positions < fit ? positions : fit;
}

// Bytes of the inputs of a block, and of all weights.
static uint32_t inputs_bytes(const mlet_layer_t *layer) {
    return s3_bytes(block_positions(layer) * layer->in.channels * s3_padded(layer->frames));
}

static uint32_t weights_bytes(const mlet_layer_t *layer) {
    return s3_bytes(layer->in.channels * s3_padded(layer->frames));
}

uint32_t s3_temporal_depthwise_scratch_bytes(const mlet_layer_t *layer) {
    return are_few(layer) ? 0 : inputs_bytes(layer) + weights_bytes(layer); // few: where they lie
}

// The map that tap a meets.
static const int8_t *tap_map(
    const mlet_layer_t *layer, const mlet_ring_t *past, const int8_t *x, uint32_t a) {
    const uint32_t age = (layer->frames - 1u - a) * layer->frame_dilation;
    return age == 0 ? x : mlet_ring_frame(past, (uint16_t)age);
}

#ifndef __XTENSA__
// The twin of s3_temporal_taps.S.
void s3_temporal_taps(const s3_temporal_t *job) {
    const uint32_t end = job->positions * job->channels;
    for (uint32_t at = 0; at < end; at++) {
        const uint32_t c = at % job->channels;
        const int32_t first = job->weights[c], last = job->last_weights[c];
        const int32_t middle = job->middle_weights[c] & job->middle_mask;
        const int32_t sum =
            first * job->oldest[at] + middle * job->middle[at] + last * job->x[at];
        const int32_t bias = job->output.bias[c] - job->in_zero * (first + middle + last);
        job->oldest[at] = job->x[at];
        job->y[at] = s3_requantize(&job->output, c, bias + sum);
    }
}
#endif

static void run_few(const mlet_layer_t *layer, const mlet_ring_t *past, const s3_output_t *output,
    const int8_t *x, int8_t *y) {
    const uint32_t channels = layer->in.channels;
    const bool three = layer->frames == 3;
    const s3_temporal_t job = {
        .oldest = mlet_ring_frame(past, past->count),
        .middle = tap_map(layer, past, x, three),
        .x = x,
        .y = y,
        .positions = (uint32_t)layer->in.height * layer->in.width,
        .channels = channels,
        .weights = layer->weights,
        .middle_weights = layer->weights + three * channels,
        .middle_mask = three ? -1 : 0,
        .last_weights = layer->weights + (layer->frames - 1u) * channels,
        .in_zero = layer->in_zero,
        .output = *output,
    };
    s3_temporal_taps(&job);
}

// Gather the taps of each element in a row, [channels][positions][taps], block by block.
static void run_many(const mlet_layer_t *layer, const mlet_ring_t *past, const int8_t *x, int8_t *y,
    void *scratch) {
    const uint32_t channels = layer->in.channels, padded = s3_padded(layer->frames);
    const uint32_t block = block_positions(layer), row = block * padded;
    int16_t *inputs = scratch;
    int16_t *weights = inputs + inputs_bytes(layer) / S3_UNIT;
    memset(scratch, 0, inputs_bytes(layer) + weights_bytes(layer)); // the padding stays 0
    s3_spread_t spread = {
        .from = layer->weights,
        .to = weights,
        .n = channels,
        .rows = layer->frames,
        .from_row = (int32_t)channels,
        .to_row = S3_UNIT,
        .to_step = (int32_t)padded * S3_UNIT,
    };
    s3_spread(&spread);
    spread.to_row = (int32_t)padded * S3_UNIT;
    spread.to_step = (int32_t)row * S3_UNIT;
    spread.zero = layer->in_zero;
    uint32_t left = (uint32_t)layer->in.height * layer->in.width;
    for (uint32_t n, at = 0; left > 0; left -= n, at += n * channels) {
        n = left < block ? left : block;
        spread.rows = n;
        for (uint32_t a = 0; a < layer->frames; a++) {
            spread.from = tap_map(layer, past, x, a) + at;
            spread.to = inputs + a;
            s3_spread(&spread);
        }
        // The oldest frame has served its last; x goes there before y may overwrite it.
        if (past->count > 0) {
            memcpy(mlet_ring_frame(past, past->count) + at, x + at, n * channels);
        }
        s3_dots_t dots = {
            .x = inputs,
            .weights = weights,
            .y = y + at,
            .channels = channels,
            .outputs = n,
            .x_step = (int32_t)padded * S3_UNIT,
            .y_step = (int32_t)channels,
            .x_channel = (int32_t)row * S3_UNIT,
            .weights_channel = (int32_t)padded * S3_UNIT,
            .quads = padded / 4,
        };
        s3_run(&dots, layer, 0);
    }
}

// Groups of 16 channels in the vector unit, all frames where they lie.
static void run_groups(const mlet_layer_t *layer, const mlet_ring_t *past, const int8_t *x,
    int8_t *y) {
    const uint32_t channels = layer->in.channels;
    int8_t nowhere[2 * MLET_ALIGN];
    int8_t *oldest = past->count > 0 ? mlet_ring_frame(past, past->count) : NULL;
    for (uint32_t first = 0; first < channels; first += S3_TAPS_LANES) {
        const int8_t *rows[S3_TAPS_MOST];
        s3_tap_channel_t table[S3_TAPS_LANES];
        for (uint32_t a = 0; a < layer->frames; a++) {
            rows[a] = tap_map(layer, past, x, a) + first;
        }
        s3_tap_channels(layer, layer->frames, first, table);
        s3_taps_t job = {
            .x = rows,
            .rows = layer->frames,
            .columns = 1,
            .weights = layer->weights + first,
            .weights_step = (int32_t)channels,
            .outputs = (uint32_t)layer->in.height * layer->in.width,
            .x_step = (int32_t)channels,
            .y = y + first,
            .y_step = (int32_t)channels,
            .channels = table,
            .keep = oldest != NULL ? oldest + first : s3_aligned(nowhere),
            .keep_step = oldest != NULL ? (int32_t)channels : 0,
            .act_min = layer->act_min,
            .act_max = layer->act_max,
        };
        s3_taps(&job);
    }
}

mlet_status_t s3_temporal_depthwise(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const uintptr_t places = (uintptr_t)x | (uintptr_t)y | (uintptr_t)past->slots;
    if (s3_taps_can(layer, layer->frames) && (places & 15) == 0) {
        run_groups(layer, past, x, y);
    } else if (are_few(layer)) {
        const s3_output_t output = s3_output(layer, 0);
        if (!s3_is_high(&output, layer->in.channels)) {
            return mlet_temporal_depthwise(layer, past, x, y, NULL);
        }
        run_few(layer, past, &output, x, y);
    } else if (scratch != NULL) {
        run_many(layer, past, x, y, scratch);
    } else {
        return MLET_E_ARGUMENT;
    }
    mlet_ring_rotate(past);
    return MLET_OK;
}
