// The inner loops of m0_keep_shifted.c.
#ifndef M0_KEEP_SHIFTED_H
#define M0_KEEP_SHIFTED_H

#include "mlet.h"

// Copy `each` bytes at x, x + step ... to past, where they lie in a row, `bytes` in all. Everything
// is a multiple of 4, 4 <= each <= bytes. m0_keep8 is for each = 8 and `bytes` a multiple of 16.
typedef void m0_keep_t(
    const int8_t *x, int8_t *past, uint32_t step, uint32_t bytes, uint32_t each);
m0_keep_t m0_keep8, m0_keep_words;

#endif
