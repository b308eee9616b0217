// C twins of m0_keep_shifted.S, for machines that cannot run it.
#ifndef __ARM_ARCH_6M__

#include "m0_keep_shifted.h"
#include "mlet_count.h"

static void keep(const int8_t *x, int8_t *past, uint32_t step, uint32_t bytes, uint32_t each) {
    const int8_t *const end = past + bytes;
    MLET_COUNT(kept_words, bytes / 4);
    do {
        for (uint32_t e = 0; e < each; e++) {
            *past++ = x[e];
        }
        x += step;
    } while (past != end);
}

void m0_keep_words(
    const int8_t *x, int8_t *past, uint32_t step, uint32_t bytes, uint32_t each) {
    MLET_COUNT(kept_positions, bytes / each);
    keep(x, past, step, bytes, each);
}

void m0_keep8(const int8_t *x, int8_t *past, uint32_t step, uint32_t bytes, uint32_t each) {
    keep(x, past, step, bytes, each);
}

#endif
