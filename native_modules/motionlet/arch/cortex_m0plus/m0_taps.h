// Any sum of taps, each with its own pointer: the general case of depthwise2d and
// temporal_depthwise, single kind.
#ifndef M0_TAPS_H
#define M0_TAPS_H

// Offsets into m0_taps_t, for the assembly: it loads runs of them at once.
#define M0_TAPS_TAPS 0

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

typedef struct m0_tap {
    const int8_t *x;
    int32_t weight; // times the multiplier
} m0_tap_t;

MLET_LAYOUT(m0_tap_t, x, 0);
MLET_LAYOUT(m0_tap_t, weight, 4);

typedef struct m0_taps {
    const m0_tap_t *taps, *taps_end; // an even number, at least 2
    int32_t bias, act_min, act_max;
    uint32_t shift;
    int8_t *y;
    int32_t y_step;
    int32_t x_at;   // what to add to each tap's x for the first output
    int32_t x_step; // from one output to the next
    int32_t x_end;  // x_at plus x_step times the number of outputs
} m0_taps_t;

MLET_LAYOUT(m0_taps_t, taps, M0_TAPS_TAPS);
MLET_LAYOUT(m0_taps_t, taps_end, M0_TAPS_TAPS + 4);
MLET_LAYOUT(m0_taps_t, bias, M0_TAPS_TAPS + 8);
MLET_LAYOUT(m0_taps_t, act_min, M0_TAPS_TAPS + 12);
MLET_LAYOUT(m0_taps_t, act_max, M0_TAPS_TAPS + 16);
MLET_LAYOUT(m0_taps_t, shift, M0_TAPS_TAPS + 20);
MLET_LAYOUT(m0_taps_t, y, M0_TAPS_TAPS + 24);
MLET_LAYOUT(m0_taps_t, y_step, M0_TAPS_TAPS + 28);
MLET_LAYOUT(m0_taps_t, x_at, M0_TAPS_TAPS + 32);
MLET_LAYOUT(m0_taps_t, x_step, M0_TAPS_TAPS + 36);
MLET_LAYOUT(m0_taps_t, x_end, M0_TAPS_TAPS + 40);

// y = clamp((bias + sum of taps) >> shift), for every output.
void m0_taps(const m0_taps_t *job);

// The weight of a tap. Wraps only in a file that breaks SPEC.md.
static inline int32_t m0_scaled(int8_t weight, int32_t multiplier) {
    return (int32_t)((uint32_t)weight * (uint32_t)multiplier);
}

// Bytes for the taps of one output: their number made even, and each as large as where pointers
// have 64 bits, because host and device must agree.
static inline uint32_t m0_taps_bytes(uint32_t taps) {
    return (taps + 1) / 2 * 2 * 16;
}

// Fill up to an even number with a tap that adds nothing; returns the end.
static inline m0_tap_t *m0_taps_even(m0_tap_t *taps, uint32_t count) {
    if (count & 1) {
        taps[count] = (m0_tap_t) {taps[0].x, 0};
        count++;
    }
    return taps + count;
}

#endif // __ASSEMBLER__
#endif
