// C twin of m0_temporal_shift.S, for machines that cannot run it.
#ifndef __ARM_ARCH_6M__

#include "m0_temporal_shift.h"
#include "mlet_count.h"

void m0_swap8(int8_t *x, int8_t *past, uint32_t step, uint32_t bytes) {
    const int8_t *const end = past + bytes;
    MLET_COUNT(swapped_eights, bytes / 8);
    do {
        for (uint32_t e = 0; e < 8; e++, past++) {
            const int8_t present = x[e];
            x[e] = *past;
            *past = present;
        }
        x += step;
    } while (past != end);
}

#endif
