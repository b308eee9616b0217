#include "s3.h"
#include "s3_add.h"

#ifndef __XTENSA__
// The twin of s3_add_elements.S.
void s3_add_elements(const s3_add_t *job) {
    for (uint32_t i = 0; i < job->n; i++) {
        const int32_t sum =
            job->a[i] * job->multiplier_a + job->offset + job->b[i] * job->multiplier_b;
        const int32_t value = (sum >> job->shift) + job->zero;
        job->y[i] = (int8_t)(value < job->act_min ? job->act_min
                             : value > job->act_max ? job->act_max : value);
    }
}
#endif

mlet_status_t s3_add(const mlet_layer_t *layer, const int8_t *a, const int8_t *b, int8_t *y) {
    if (MLET_MISSING(layer) || MLET_MISSING(a) || MLET_MISSING(b) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t m_a = layer->multiplier[0], m_b = layer->multiplier[1];
    const int32_t half = 1 << (layer->shift[0] - 1);
    const s3_add_t job = {
        .a = a,
        .b = b,
        .y = y,
        .n = mlet_shape_bytes(layer->out),
        .multiplier_a = m_a,
        .multiplier_b = m_b,
        // As in mlet_add(): the terms that are the same for all elements.
        .offset = half - layer->in_zero * m_a - layer->in1_zero * m_b,
        .shift = layer->shift[0],
        .zero = layer->out_zero,
        .act_min = layer->act_min,
        .act_max = layer->act_max,
    };
    s3_add_elements(&job);
    return MLET_OK;
}
