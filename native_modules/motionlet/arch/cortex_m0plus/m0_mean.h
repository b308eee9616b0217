// Means of at most 128 int8 values, four channels or elements at a time.
#ifndef M0_MEAN_H
#define M0_MEAN_H

#include "mlet_requantize.h"

typedef struct m0_mean {
    int32_t high, low; // multiplier = high * 2^16 + low
    int32_t round;
    uint32_t shift;
    int32_t zeros; // what the sum of x + 128 has too much
} m0_mean_t;

// Prepare for sums of `taps` values; false if there are too many or the shift is out of the range
// in which 32 bits suffice. With |acc| < 2^15, acc * high < 2^30 and acc * low < 2^31, and
//   floor((acc * m + 2^(n-1)) / 2^n) =
//   floor((acc * high + 2^(n-17) + floor(acc * low / 2^16)) / 2^(n-16)).
static inline bool m0_mean_start(m0_mean_t *mean, const mlet_layer_t *layer, uint32_t taps) {
    const uint32_t n = layer->shift[0];
    if (taps > 128 || n < 17 || n > 46) {
        return false;
    }
    mean->high = layer->multiplier[0] >> 16;
    mean->low = layer->multiplier[0] & 0xffff;
    mean->round = (int32_t)1 << (n - 17);
    mean->shift = n - 16;
    mean->zeros = (int32_t)taps * (layer->in_zero + 128);
    return true;
}

// The mean, from the sum of x + 128.
static inline int8_t m0_mean(const m0_mean_t *mean, const mlet_layer_t *layer, uint32_t sum) {
    const int32_t acc = (int32_t)sum - mean->zeros;
    const int32_t scaled = acc * mean->high + mean->round + ((acc * mean->low) >> 16);
    const int32_t value = layer->out_zero + (scaled >> mean->shift);
    return mlet_clamp(value, layer->act_min, layer->act_max);
}

// Four sums of x + 128 in two words: 16 bits hold 128 * 255.
typedef struct m0_sums4 {
    uint32_t even, odd;
} m0_sums4_t;

static inline void m0_sums4_add(m0_sums4_t *sums, uint32_t four) {
    const uint32_t x = four ^ 0x80808080u; // x + 128 in every byte
    sums->even += x & 0x00ff00ffu;
    sums->odd += (x >> 8) & 0x00ff00ffu;
}

static inline void m0_mean4(
    int8_t *y, const m0_mean_t *mean, const mlet_layer_t *layer, m0_sums4_t sums) {
    y[0] = m0_mean(mean, layer, sums.even & 0xffff);
    y[1] = m0_mean(mean, layer, sums.odd & 0xffff);
    y[2] = m0_mean(mean, layer, sums.even >> 16);
    y[3] = m0_mean(mean, layer, sums.odd >> 16);
}

#endif
