// The inner loop of m0_temporal_shift.c.
#ifndef M0_TEMPORAL_SHIFT_H
#define M0_TEMPORAL_SHIFT_H

#include "mlet.h"

// Exchange 8 bytes at x, x + step ... with those that lie in a row at past, `bytes` in all, a
// multiple of 16 above 0. Everything else is a multiple of 4.
void m0_swap8(int8_t *x, int8_t *past, uint32_t step, uint32_t bytes);

#endif
