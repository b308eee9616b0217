#include "m0_matmul.h"
#include "m0_requantize.h"

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

M0_RAM_CODE void m0_matmul_one(
    const mlet_layer_t *layer, const int8_t *x, uint32_t taps, int8_t *y) {
    const bool int4 = layer->weight_bits == 4;
    const uint32_t row_bytes = int4 ? (taps + 7) / 8 * 4 : (taps + 3) / 4 * 4;
    const int8_t *w = layer->weights;
    for (uint32_t o = 0; o < layer->out.channels; o++, w += row_bytes) {
        const int32_t sum = int4 ? dot_int4(w, x, taps) : dot_int8(w, x, taps);
        const uint32_t bias = (uint32_t)layer->bias[o];
        const uint8_t shift = layer->shift[o];
        int32_t value;
        if ((shift & M0_SINGLE) != 0) {
            const uint32_t scaled = (uint32_t)sum * (uint32_t)layer->multiplier[o] + bias;
            value = (int32_t)scaled >> (shift & M0_SHIFT_SINGLE);
        } else {
            const int32_t acc = (int32_t)((uint32_t)sum + bias);
            value = m0_requantize(acc, layer->multiplier[o], shift & M0_SHIFT_EXACT)
                    + layer->out_zero;
        }
        y[o] = (int8_t)(value < layer->act_min   ? layer->act_min
                        : value > layer->act_max ? layer->act_max
                                                 : value);
    }
}
