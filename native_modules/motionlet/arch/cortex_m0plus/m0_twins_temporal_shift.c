// C twins of m0_swap.S, for machines that cannot run it.
#ifndef __ARM_ARCH_6M__

#include "m0_temporal_shift.h"

static void swap(int8_t *x, int8_t *past, uint32_t step, uint32_t count, uint32_t bytes) {
    for (const int8_t *end = past + 16 * count; past != end; x += step) {
        for (uint32_t e = 0; e < bytes; e++, past++) {
            const int8_t present = x[e];
            x[e] = *past;
            *past = present;
        }
    }
}

void m0_swap4(int8_t *x, int8_t *past, uint32_t step, uint32_t count) {
    swap(x, past, step, count, 4);
}

void m0_swap8(int8_t *x, int8_t *past, uint32_t step, uint32_t count) {
    swap(x, past, step, count, 8);
}

void m0_swap16(int8_t *x, int8_t *past, uint32_t step, uint32_t count) {
    swap(x, past, step, count, 16);
}

#endif
