#include "s3.h"
#include "s3_temporal_depthwise.h"

#ifndef __XTENSA__
// The twin of s3_temporal_taps.S.
void s3_temporal_taps(const s3_temporal_t *job) {
    const int32_t end = (int32_t)job->positions * job->step;
    for (int32_t at = 0; at < end; at += job->step) {
        const int32_t sum = job->weights[0] * job->oldest[at] + job->weights[1] * job->middle[at]
                            + job->weights[2] * job->x[at];
        job->oldest[at] = job->x[at];
        job->y[at] = s3_requantize(&job->output, job->bias + sum);
    }
}
#endif

// Channel c, which has two or three taps, at all positions.
static void run_channel(const mlet_layer_t *layer, const mlet_ring_t *past, const int8_t *x,
    int8_t *y, uint32_t c) {
    const int32_t channels = layer->in.channels;
    const int8_t *w = layer->weights + c;
    const int32_t first = w[0], last = w[(layer->frames - 1) * channels];
    const int32_t middle = layer->frames == 3 ? w[channels] : 0;
    const uint16_t age = layer->frames == 3 ? layer->frame_dilation : past->count;
    const s3_temporal_t job = {
        .oldest = mlet_ring_frame(past, past->count) + c,
        .middle = mlet_ring_frame(past, age) + c,
        .x = x + c,
        .y = y + c,
        .positions = (uint32_t)layer->in.height * layer->in.width,
        .step = channels,
        .weights = {(int16_t)first, (int16_t)middle, (int16_t)last},
        .bias = layer->bias[c] - layer->in_zero * (first + middle + last),
        .output = s3_output(layer, c),
    };
    s3_temporal_taps(&job);
}

mlet_status_t s3_temporal_depthwise(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || past == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t channels = layer->in.channels;
    bool tuned = layer->frames == 2 || layer->frames == 3;
    for (uint32_t c = 0; tuned && c < channels; c++) {
        tuned = s3_is_high(layer, c);
    }
    if (!tuned) {
        return mlet_temporal_depthwise(layer, past, x, y, scratch);
    }
    for (uint32_t c = 0; c < channels; c++) {
        run_channel(layer, past, x, y, c);
    }
    mlet_ring_rotate(past);
    return MLET_OK;
}
