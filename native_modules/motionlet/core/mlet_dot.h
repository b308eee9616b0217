// Sums of products of a row of weights with as many values.
#ifndef MLET_DOT_H
#define MLET_DOT_H

#include "mlet_int4.h"

// sum of w[i] * x[i] over n elements.
static inline int32_t mlet_dot(const int8_t *w, const int8_t *x, uint32_t n) {
    int32_t sum = 0;
    for (; n >= 4; n -= 4, w += 4, x += 4) {
        sum += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
    }
    for (; n > 0; n--) {
        sum += *w++ * *x++;
    }
    return sum;
}

// The same with weights of 4 bits.
static inline int32_t mlet_dot_int4(const int8_t *w, const int8_t *x, uint32_t n) {
    int32_t sum = 0;
    for (; n >= 2; n -= 2, w++, x += 2) {
        sum += mlet_int4(w, 0) * x[0] + mlet_int4(w, 1) * x[1];
    }
    return n > 0 ? sum + mlet_int4(w, 0) * x[0] : sum;
}

#endif
