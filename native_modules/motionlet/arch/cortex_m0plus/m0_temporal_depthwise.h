// What m0_temporal_depthwise.c and its inner loops share.
#ifndef M0_TEMPORAL_DEPTHWISE_H
#define M0_TEMPORAL_DEPTHWISE_H

// Offsets into m0_temporal_t, for the assembly: it loads runs of them at once.
#define M0_TEMPORAL_OLDEST 0
#define M0_TEMPORAL_WEIGHTS 16

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// One channel, single kind. Each pointer is that of its map plus `channel`; an element is at
// pointer + at, at = last, last - step ... 0.
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

MLET_LAYOUT(m0_temporal_t, oldest, M0_TEMPORAL_OLDEST);
MLET_LAYOUT(m0_temporal_t, middle, M0_TEMPORAL_OLDEST + 4);
MLET_LAYOUT(m0_temporal_t, x, M0_TEMPORAL_OLDEST + 8);
MLET_LAYOUT(m0_temporal_t, shift, M0_TEMPORAL_OLDEST + 12);
MLET_LAYOUT(m0_temporal_t, weights, M0_TEMPORAL_WEIGHTS);
MLET_LAYOUT(m0_temporal_t, bias, M0_TEMPORAL_WEIGHTS + 12);
MLET_LAYOUT(m0_temporal_t, act_min, M0_TEMPORAL_WEIGHTS + 16);
MLET_LAYOUT(m0_temporal_t, act_max, M0_TEMPORAL_WEIGHTS + 20);
MLET_LAYOUT(m0_temporal_t, last, M0_TEMPORAL_WEIGHTS + 24);
MLET_LAYOUT(m0_temporal_t, y, M0_TEMPORAL_WEIGHTS + 28);
MLET_LAYOUT(m0_temporal_t, step, M0_TEMPORAL_WEIGHTS + 32);

void m0_temporal_taps2(const m0_temporal_t *job);
void m0_temporal_taps3(const m0_temporal_t *job);

#endif // __ASSEMBLER__
#endif
