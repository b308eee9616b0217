// Inner product of weights and activations.
#ifndef MLET_DOT_H
#define MLET_DOT_H

#include <stdint.h>

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

// sum of w[i] over n elements.
static inline int32_t mlet_sum(const int8_t *w, uint32_t n) {
    int32_t sum = 0;
    while (n-- > 0) {
        sum += *w++;
    }
    return sum;
}

#endif
