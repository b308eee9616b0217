// The inner loops of m0_dense.c. They set `sums`, reading x as words: it starts on a multiple of 4.
#ifndef M0_DENSE_H
#define M0_DENSE_H

#include "mlet.h"

// Four outputs over 4 * `fours` taps, fours >= 1; w is interleaved: four weights to a tap, on a
// multiple of 4.
void m0_dot4_int8(int32_t sums[4], const int8_t *x, const int8_t *w, uint32_t fours);

// Two outputs over 8 * `eights` taps, eights >= 1; each row on a multiple of 4.
void m0_dot2_int4(int32_t sums[2], const int8_t *x, const int8_t *const rows[2], uint32_t eights);

#endif
