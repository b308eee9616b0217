#include "mlet_requantize.h"

mlet_status_t mlet_add(const mlet_layer_t *layer, const int8_t *a, const int8_t *b, int8_t *y) {
    if (MLET_MISSING(layer) || MLET_MISSING(a) || MLET_MISSING(b) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t m_a = layer->multiplier[0];
    const int32_t m_b = layer->multiplier[1];
    const uint8_t n = layer->shift[0];
    // The terms that are the same for all elements, gathered; the sum stays within int32.
    const int32_t offset = ((int32_t)1 << (n - 1)) - layer->in_zero * m_a - layer->in1_zero * m_b;
    for (uint32_t left = mlet_shape_bytes(layer->out); left > 0; left--) {
        const int32_t value = (*a++ * m_a + *b++ * m_b + offset) >> n;
        *y++ = mlet_clamp(layer->out_zero + value, layer->act_min, layer->act_max);
    }
    return MLET_OK;
}
