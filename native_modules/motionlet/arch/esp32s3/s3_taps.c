#include "s3_output.h"
#include "s3_taps.h"

#ifndef __XTENSA__
#include <string.h>

// The twin of s3_taps.S.
void s3_taps(s3_taps_t *job) {
    for (uint32_t i = 0; i < job->outputs; i++) {
        int32_t sums[S3_TAPS_LANES] = {0};
        const int8_t *weights = job->weights, *x = NULL;
        for (uint32_t a = 0; a < job->rows; a++) {
            x = job->x[a] + (int32_t)i * job->x_step;
            for (uint32_t b = 0; b < job->columns; b++, weights += job->weights_step) {
                for (uint32_t c = 0; c < S3_TAPS_LANES; c++) {
                    sums[c] += x[c] * weights[c];
                }
                x += job->x_column;
            }
        }
        int8_t last[S3_TAPS_LANES];
        memcpy(last, x - job->x_column, sizeof(last));
        memcpy(job->keep, last, sizeof(last));
        job->keep += job->keep_step;
        for (uint32_t c = 0; c < S3_TAPS_LANES; c++) {
            const s3_tap_channel_t *channel = &job->channels[c];
            const int64_t product = (int64_t)(sums[c] + channel->bias) * channel->multiplier;
            const int32_t value = ((int32_t)(product >> 32) + channel->rounding) >> channel->shift;
            job->y[c] = (int8_t)(value < job->act_min ? job->act_min
                                 : value > job->act_max ? job->act_max : value);
        }
        job->y += job->y_step;
    }
}
#endif

bool s3_taps_can(const mlet_layer_t *layer, uint32_t taps) {
    const s3_output_t output = s3_output(layer, 0);
    return layer->in.channels % S3_TAPS_LANES == 0 && taps <= S3_TAPS_MOST
           && ((uintptr_t)layer->weights & 15) == 0 && s3_is_high(&output, layer->in.channels);
}

void s3_tap_channels(const mlet_layer_t *layer, uint32_t taps, uint32_t first,
    s3_tap_channel_t channels[S3_TAPS_LANES]) {
    const int32_t zero_twice = 2 * layer->out_zero + 1;
    for (uint32_t c = 0; c < S3_TAPS_LANES; c++) {
        const int8_t *weight = layer->weights + first + c;
        const int32_t n = layer->shift[first + c];
        int32_t sum = 0;
        for (uint32_t a = 0; a < taps; a++, weight += layer->in.channels) {
            sum += *weight;
        }
        channels[c] = (s3_tap_channel_t) {
            .bias = layer->bias[first + c] - layer->in_zero * sum,
            .multiplier = layer->multiplier[first + c],
            .rounding = zero_twice * (1 << (n - S3_SHIFT_LEAST)),
            .shift = n - 32,
        };
    }
}
