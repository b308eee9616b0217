// From the sum of an output channel's products to the output: both kinds, one value at a time.
#ifndef M0_OUTPUT_H
#define M0_OUTPUT_H

#include "m0.h"
#include "m0_requantize.h"
#include "mlet_count.h"
#include "mlet_requantize.h"

static inline int8_t m0_output(const mlet_layer_t *layer, int32_t sum, int32_t channel) {
    MLET_COUNT(plain_outputs, 1);
    const uint8_t shift = layer->shift[channel];
    // Unsigned, so that a file that breaks SPEC.md wraps.
    const uint32_t s = (uint32_t)sum;
    const uint32_t bias = (uint32_t)layer->bias[channel];
    int32_t value;
    if (shift & M0_SINGLE) {
        const uint32_t product = s * (uint32_t)layer->multiplier[channel];
        value = (int32_t)(product + bias) >> (shift & M0_SHIFT_SINGLE);
    } else {
        value = layer->out_zero
            + m0_requantize(
                (int32_t)(bias + s), layer->multiplier[channel], shift & M0_SHIFT_EXACT);
    }
    return mlet_clamp(value, layer->act_min, layer->act_max);
}

#endif
