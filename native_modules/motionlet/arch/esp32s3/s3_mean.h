// Requantization of averages: one multiplier for all channels, few taps.
#ifndef MLET_S3_MEAN_H
#define MLET_S3_MEAN_H

#include "mlet_requantize.h"
#include "s3_output.h"

// A sum of at most 65535 differences of bytes has room for so many bits more: with them, shifts from
// 27 on are high enough.
#define S3_MEAN_BITS 6

typedef struct s3_mean {
    const mlet_layer_t *layer;
    bool high; // can the low word of the product be left out?
    int32_t multiplier, rounding, shift;
    int32_t act_min, act_max;
} s3_mean_t;

static inline s3_mean_t s3_mean(const mlet_layer_t *layer) {
    const int32_t n = layer->shift[0] + S3_MEAN_BITS;
    const bool high = n >= S3_SHIFT_LEAST && n <= S3_SHIFT_MOST;
    return (s3_mean_t) {
        .layer = layer,
        .high = high,
        .multiplier = layer->multiplier[0],
        .rounding = high ? (2 * layer->out_zero + 1) * (1 << (n - S3_SHIFT_LEAST)) : 0,
        .shift = high ? n - 32 : 0,
        .act_min = layer->act_min,
        .act_max = layer->act_max,
    };
}

static inline int8_t s3_mean_of(const s3_mean_t *mean, int32_t acc) {
    if (!mean->high) {
        return mlet_requantize(mean->layer, acc, 0);
    }
    const int64_t product = (int64_t)(acc * (1 << S3_MEAN_BITS)) * mean->multiplier;
    int32_t value = ((int32_t)(product >> 32) + mean->rounding) >> mean->shift;
    value = value < mean->act_min ? mean->act_min : value;
    return (int8_t)(value > mean->act_max ? mean->act_max : value);
}

#endif
