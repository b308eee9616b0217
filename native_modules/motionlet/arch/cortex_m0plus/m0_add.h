// The inner loop of m0_add.c.
#ifndef M0_ADD_H
#define M0_ADD_H

// Offsets into m0_add_t, for the assembly: it loads runs of them at once.
#define M0_ADD_A 0
#define M0_ADD_OFFSET 20

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// Of count elements, count >= 1.
typedef struct m0_add {
    const int8_t *a, *b;
    int32_t multiplier_a, multiplier_b;
    int8_t *y;      // may be a or b
    int32_t offset; // the terms that are the same for all elements
    int32_t out_zero, act_min, act_max;
    uint32_t shift;
    uint32_t count;
} m0_add_t;

MLET_LAYOUT(m0_add_t, a, M0_ADD_A);
MLET_LAYOUT(m0_add_t, b, M0_ADD_A + 4);
MLET_LAYOUT(m0_add_t, multiplier_a, M0_ADD_A + 8);
MLET_LAYOUT(m0_add_t, multiplier_b, M0_ADD_A + 12);
MLET_LAYOUT(m0_add_t, y, M0_ADD_A + 16);
MLET_LAYOUT(m0_add_t, offset, M0_ADD_OFFSET);
MLET_LAYOUT(m0_add_t, out_zero, M0_ADD_OFFSET + 4);
MLET_LAYOUT(m0_add_t, act_min, M0_ADD_OFFSET + 8);
MLET_LAYOUT(m0_add_t, act_max, M0_ADD_OFFSET + 12);
MLET_LAYOUT(m0_add_t, shift, M0_ADD_OFFSET + 16);
MLET_LAYOUT(m0_add_t, count, M0_ADD_OFFSET + 20);

// y = clamp(out_zero + ((a * multiplier_a + b * multiplier_b + offset) >> shift))
void m0_add_elements(const m0_add_t *job);

#endif // __ASSEMBLER__
#endif
