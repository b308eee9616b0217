#include "m0_matmul.h"
#include "m0_output.h"

static int32_t dot_int8(const int8_t *w, const int8_t *x, uint32_t n) {
    int32_t sum = 0;
    for (; n >= 4; n -= 4, w += 4, x += 4) {
        sum += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
    }
    for (; n > 0; n--) {
        sum += *w++ * *x++;
    }
    return sum;
}

// The nibble `up` bits below the top of a word.
static int32_t nibble(uint32_t word, uint32_t up) {
    return (int32_t)(word << up) >> 28;
}

static int32_t dot_int4(const int8_t *w, const int8_t *x, uint32_t n) {
    int32_t sum = 0;
    for (; n >= 2; n -= 2, x += 2) {
        const uint32_t pair = (uint8_t)*w++;
        sum += nibble(pair, 28) * x[0] + nibble(pair, 24) * x[1];
    }
    return n == 0 ? sum : sum + nibble((uint8_t)*w, 28) * x[0];
}

void m0_matmul_one(
    const mlet_layer_t *layer, const int8_t *x, uint32_t taps, int8_t *y) {
    const bool int4 = layer->weight_bits == 4;
    const uint32_t row_bytes = m0_row_bytes(layer, taps);
    const int8_t *w = layer->weights;
    for (uint32_t o = 0; o < layer->out.channels; o++, w += row_bytes) {
        const int32_t sum = int4 ? dot_int4(w, x, taps) : dot_int8(w, x, taps);
        y[o] = m0_output(layer, sum, (int32_t)o);
    }
}
