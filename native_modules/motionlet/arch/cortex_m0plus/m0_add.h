// The inner loop of m0_add.c.
#ifndef M0_ADD_H
#define M0_ADD_H

#include "mlet.h"

// Of count elements, count >= 1. The assembly knows this layout.
typedef struct m0_add {
    const int8_t *a, *b;
    int32_t multiplier_a, multiplier_b;
    int8_t *y;      // may be a or b
    int32_t offset; // the terms that are the same for all elements
    int32_t out_zero, act_min, act_max;
    uint32_t shift;
    uint32_t count;
} m0_add_t;

// y = clamp(out_zero + ((a * multiplier_a + b * multiplier_b + offset) >> shift))
void m0_add_elements(const m0_add_t *job);

#endif
