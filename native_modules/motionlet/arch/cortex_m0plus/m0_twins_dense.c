// C twins of m0_dot.S, for machines that cannot run it.
#ifndef __ARM_ARCH_6M__

#include "m0_dense.h"
#include "mlet_count.h"

void m0_dot4_int8(int32_t sums[4], const int8_t *x, const int8_t *w, uint32_t fours) {
    MLET_COUNT(dot4_calls, 1);
    MLET_COUNT(dot4_words, fours);
    for (uint32_t e = 0; e < 4; e++) {
        sums[e] = 0;
        for (uint32_t k = 0; k < 4 * fours; k++) {
            sums[e] += w[4 * k + e] * x[k];
        }
    }
}

void m0_dot2_int4(int32_t sums[2], const int8_t *x, const int8_t *const rows[2], uint32_t eights) {
    MLET_COUNT(dot2_calls, 1);
    MLET_COUNT(dot2_eights, eights);
    for (uint32_t e = 0; e < 2; e++) {
        sums[e] = 0;
        for (uint32_t k = 0; k < 8 * eights; k++) {
            const int32_t byte = rows[e][k / 2];
            const int32_t low = ((byte & 15) ^ 8) - 8;
            sums[e] += (k & 1 ? byte >> 4 : low) * x[k];
        }
    }
}

#endif
