// The inner loop of m0_temporal_shift.c.
#ifndef M0_TEMPORAL_SHIFT_H
#define M0_TEMPORAL_SHIFT_H

#include "mlet.h"

// Exchange 4, 8 or 16 bytes at x, x + step ... with those that lie in a row at past, 16 * count
// bytes in all, count >= 1. Everything is a multiple of 4.
void m0_swap4(int8_t *x, int8_t *past, uint32_t step, uint32_t count);
void m0_swap8(int8_t *x, int8_t *past, uint32_t step, uint32_t count);
void m0_swap16(int8_t *x, int8_t *past, uint32_t step, uint32_t count);

#endif
