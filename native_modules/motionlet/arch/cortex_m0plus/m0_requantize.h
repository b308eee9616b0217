// Requantization of the exact kind, for every accumulator and multiplier.
#ifndef M0_REQUANTIZE_H
#define M0_REQUANTIZE_H

#include <stdint.h>

// floor((acc * multiplier + 2^(n-1)) / 2^n), saturated to +-2^30, for multiplier >= 0 and n from 1
// to 62. The caller adds the zero point and clamps. The assembly changes only r0 to r3.
int32_t m0_requantize(int32_t acc, int32_t multiplier, uint32_t n);

#endif
