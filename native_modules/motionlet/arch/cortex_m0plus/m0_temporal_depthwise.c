// Temporal depthwise convolution, channel by channel: the weights stay in registers while one
// offset walks through the maps of all frames.
#include "m0.h"
#include "m0_output.h"
#include "m0_temporal_depthwise.h"
#include "m0_taps.h"
#include "mlet_count.h"
#include "mlet_part.h"

// Channels that the plain loop takes at once: enough that finding each tap's map costs little.
#define M0_CHANNELS 16

// Outputs that wait until x has gone to the ring: y may be x.
#define M0_BLOCK 32

uint32_t m0_temporal_depthwise_scratch_bytes(const mlet_layer_t *layer) {
    return layer->frames == 2 || layer->frames == 3 ? 0 : m0_taps_bytes(layer->frames);
}

// The map that tap a meets.
static const int8_t *tap_map(
    const mlet_layer_t *layer, const mlet_ring_t *past, const int8_t *x, uint32_t a) {
    const uint32_t age = (layer->frames - 1u - a) * layer->frame_dilation;
    return age == 0 ? x : mlet_ring_frame(past, (uint16_t)age);
}

// Two or three taps.
static void run_few(const mlet_layer_t *layer, const mlet_ring_t *past, int8_t *oldest,
    const int8_t *x, int8_t *y, int32_t positions, int32_t c) {
    const int32_t channels = layer->in.channels;
    const int32_t m = layer->multiplier[c];
    const int8_t *w = layer->weights + c;
    MLET_COUNT(temporal_channels, 1);
    m0_temporal_t job;
    job.oldest = oldest + c;
    job.x = x + c;
    job.shift = layer->shift[c] & M0_SHIFT_SINGLE;
    job.weights[0] = m0_scaled(w[0], m);
    job.bias = layer->bias[c];
    job.act_min = layer->act_min;
    job.act_max = layer->act_max;
    job.last = (positions - 1) * channels;
    job.y = y + c;
    job.step = channels;
    if (layer->frames == 2) {
        job.middle = NULL;
        job.weights[1] = 0;
        job.weights[2] = m0_scaled(w[channels], m);
        m0_temporal_taps2(&job);
    } else {
        job.middle = tap_map(layer, past, x, 1) + c;
        job.weights[1] = m0_scaled(w[channels], m);
        job.weights[2] = m0_scaled(w[2 * channels], m);
        m0_temporal_taps3(&job);
    }
}

// Any number of taps, in blocks.
MLET_PART static mlet_status_t m0_temporal_many(const mlet_layer_t *layer, const mlet_ring_t *past,
    int8_t *oldest, const int8_t *x, int8_t *y, int32_t positions, int32_t c, m0_tap_t *taps) {
    MLET_TAKE(m0_temporal_many);
    const int32_t channels = layer->in.channels;
    const int8_t *w = layer->weights + c;
    MLET_COUNT(tap_setups, layer->frames);
    MLET_COUNT(temporal_maps, layer->frames);
    MLET_COUNT(temporal_stored, positions);
    for (uint32_t a = 0; a < layer->frames; a++, w += channels) {
        const int8_t *map = tap_map(layer, past, x, a);
        taps[a] = (m0_tap_t) {map + c, m0_scaled(*w, layer->multiplier[c])};
    }
    int8_t block[M0_BLOCK];
    m0_taps_t job = {
        .taps = taps,
        .taps_end = m0_taps_even(taps, layer->frames),
        .bias = layer->bias[c],
        .act_min = layer->act_min,
        .act_max = layer->act_max,
        .shift = layer->shift[c] & M0_SHIFT_SINGLE,
        .y = block,
        .y_step = 1,
        .x_step = channels,
    };
    int32_t at = c;
    for (int32_t n; positions > 0; positions -= n) {
        n = positions < M0_BLOCK ? positions : M0_BLOCK;
        job.x_end = job.x_at + n * channels;
        m0_taps(&job);
        job.x_at = job.x_end;
        for (int32_t e = 0; e < n; e++, at += channels) {
            if (oldest != NULL) {
                oldest[at] = x[at];
            }
            y[at] = block[e];
        }
    }
    return MLET_OK;
}

// Does channel c need the plain loop? So few positions are not worth setting up the others.
static inline bool is_plain(const mlet_layer_t *layer, int32_t positions, int32_t c) {
    return positions <= (layer->frames > 3 ? 4 : 1) || m0_is_exact(layer, c);
}

// n <= M0_CHANNELS channels of either kind.
MLET_PART static mlet_status_t m0_temporal_plain(const mlet_layer_t *layer, const mlet_ring_t *past,
    int8_t *oldest, const int8_t *x, int8_t *y, int32_t positions, int32_t c, int32_t n) {
    MLET_TAKE(m0_temporal_plain);
    const int32_t channels = layer->in.channels;
    for (int32_t p = 0, at = c; p < positions; p++, at += channels) {
        int32_t sums[M0_CHANNELS] = {0};
        MLET_COUNT(temporal_maps, layer->frames);
        MLET_COUNT(temporal_products, layer->frames * n);
        const int8_t *w = layer->weights + c;
        for (uint32_t a = 0; a < layer->frames; a++, w += channels) {
            const int8_t *px = tap_map(layer, past, x, a) + at;
            for (int32_t e = 0; e < n; e++) {
                sums[e] += w[e] * px[e];
            }
        }
        for (int32_t e = 0; e < n; e++) {
            if (oldest != NULL) {
                oldest[at + e] = x[at + e];
            }
            y[at + e] = m0_output(layer, sums[e], c + e);
        }
    }
    return MLET_OK;
}

mlet_status_t m0_temporal_depthwise(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    if (MLET_MISSING(scratch) && m0_temporal_depthwise_scratch_bytes(layer) != 0) {
        return MLET_E_ARGUMENT;
    }
    const int32_t positions = layer->in.height * layer->in.width;
    const int32_t channels = layer->in.channels;
    int8_t *oldest = past->count > 0 ? mlet_ring_frame(past, past->count) : NULL;
    const bool few = layer->frames == 2 || layer->frames == 3;

    mlet_status_t status = MLET_OK;
    for (int32_t c = 0, n; c < channels && status == MLET_OK; c += n) {
        n = 0;
        while (n < M0_CHANNELS && c + n < channels && is_plain(layer, positions, c + n)) {
            n++;
        }
        if (n > 0) {
            status = m0_temporal_plain(layer, past, oldest, x, y, positions, c, n);
            continue;
        }
        n = 1;
        if (few) {
            run_few(layer, past, oldest, x, y, positions, c);
        } else {
            status = m0_temporal_many(layer, past, oldest, x, y, positions, c, scratch);
        }
    }
    mlet_ring_rotate(past);
    return status;
}
