#include "m0_add.h"
#include "m0.h"

mlet_status_t m0_add(const mlet_layer_t *layer, const int8_t *a, const int8_t *b, int8_t *y) {
    if (MLET_MISSING(layer) || MLET_MISSING(a) || MLET_MISSING(b) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t m_a = layer->multiplier[0];
    const int32_t m_b = layer->multiplier[1];
    const uint8_t n = layer->shift[0];
    const m0_add_t job = {
        .a = a,
        .b = b,
        .multiplier_a = m_a,
        .multiplier_b = m_b,
        .y = y,
        .offset = ((int32_t)1 << (n - 1)) - layer->in_zero * m_a - layer->in1_zero * m_b,
        .out_zero = layer->out_zero,
        .act_min = layer->act_min,
        .act_max = layer->act_max,
        .shift = n,
        .count = mlet_shape_bytes(layer->out),
    };
    m0_add_elements(&job);
    return MLET_OK;
}
