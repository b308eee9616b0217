// What m0_temporal_depthwise.c and its inner loops share.
#ifndef M0_TEMPORAL_DEPTHWISE_H
#define M0_TEMPORAL_DEPTHWISE_H

#include "mlet.h"

// One channel, single kind. Each pointer is that of its map plus `channel`; an element is at
// pointer + at, at = last, last - step ... 0. The assembly knows this layout.
typedef struct m0_temporal {
    int8_t *oldest;       // tap 0; takes x when it has served
    const int8_t *middle; // tap 1 of three; not used by two
    const int8_t *x;      // last tap
    int32_t shift;
    int32_t weights[3]; // each times the multiplier; those of two taps are the first and the third
    int32_t bias, act_min, act_max;
    int32_t last; // a multiple of step, >= 0
    int8_t *y;    // may be x
    int32_t step;
} m0_temporal_t;

void m0_temporal_taps2(const m0_temporal_t *job);
void m0_temporal_taps3(const m0_temporal_t *job);

#endif
