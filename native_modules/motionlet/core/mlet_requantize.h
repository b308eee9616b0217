// Requantization, as SPEC.md 1 defines it.
#ifndef MLET_REQUANTIZE_H
#define MLET_REQUANTIZE_H

#include "mlet.h"

static inline int8_t mlet_clamp(int32_t value, int8_t low, int8_t high) {
    return (int8_t)(value < low ? low : value > high ? high : value);
}

// clamp(zero + floor((acc * m + 2^(n-1)) / 2^n), act_min, act_max). The sum is below 2^63 for any
// int32 acc, and >> of a negative number is arithmetic on every compiler we know.
static inline int8_t mlet_requantize(const mlet_layer_t *layer, int32_t acc, uint32_t channel) {
    uint8_t n = layer->shift[channel];
    int64_t sum = (int64_t)acc * layer->multiplier[channel] + ((int64_t)1 << (n - 1));
    int32_t value;
    if (n >= 32) {
        // Only the high word counts: cheap where a 64-bit shift is a library call.
        value = (int32_t)(sum >> 32) >> (n - 32);
    } else {
        int64_t wide = sum >> n;
        value = wide < -1024 ? -1024 : wide > 1024 ? 1024 : (int32_t)wide;
    }
    return mlet_clamp(layer->out_zero + value, layer->act_min, layer->act_max);
}

#endif
