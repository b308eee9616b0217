// Requantization, as SPEC.md 1 defines it.
#ifndef MLET_REQUANTIZE_H
#define MLET_REQUANTIZE_H

#include "mlet.h"

static inline int8_t mlet_clamp(int32_t value, int8_t low, int8_t high) {
    return (int8_t)(value < low ? low : value > high ? high : value);
}

// clamp(zero + floor((p + 2^(n-1)) / 2^n), act_min, act_max) with p = acc * m, which is below 2^62
// for any int32 acc. The half comes in last: floor((floor(p / 2^(n-1)) + 1) / 2) is the same, and
// needs no constant of 64 bits. >> of a negative number is arithmetic on every compiler we know.
static inline int8_t mlet_requantize(const mlet_layer_t *layer, int32_t acc, uint32_t channel) {
    const uint8_t n = layer->shift[channel];
    const int64_t product = (int64_t)acc * layer->multiplier[channel];
    int32_t twice; // the result, and a bit behind the point
    if (n >= 33) {
        // Only the high word counts: cheap where a 64-bit shift is a library call.
        twice = (int32_t)(product >> 32) >> (n - 33);
    } else {
        const int64_t wide = product >> (n - 1);
        twice = wide < -1024 ? -1024 : wide > 1024 ? 1024 : (int32_t)wide;
    }
    return mlet_clamp(layer->out_zero + ((twice + 1) >> 1), layer->act_min, layer->act_max);
}

#endif
