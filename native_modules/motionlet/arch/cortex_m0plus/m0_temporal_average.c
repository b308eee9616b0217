#include "m0.h"
#include "m0_mean.h"

mlet_status_t m0_temporal_average(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || past == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    m0_mean_t mean;
    if ((((uintptr_t)x | (uintptr_t)past->slots | past->slot_bytes) & 3) != 0
        || !m0_mean_start(&mean, layer, layer->frames)) {
        return mlet_temporal_average(layer, past, x, y, scratch);
    }
    const mlet_layer_t own = *layer; // which no y can change
    const uint32_t bytes = mlet_shape_bytes(own.in);
    const uint32_t words = past->slot_bytes / 4;
    const uint32_t slots = past->count;
    int8_t *oldest = slots > 0 ? mlet_ring_frame(past, (uint16_t)slots) : NULL;

    uint32_t at = 0;
    for (; at + 4 <= bytes; at += 4) {
        const uint32_t present = *(const uint32_t *)(const void *)(x + at);
        m0_sums4_t sums = {0, 0};
        m0_sums4_add(&sums, present);
        const uint32_t *px = (const uint32_t *)(const void *)(past->slots + at);
        for (uint32_t slot = slots; slot > 0; slot--, px += words) { // in any order
            m0_sums4_add(&sums, *px);
        }
        if (oldest != NULL) {
            *(uint32_t *)(void *)(oldest + at) = present;
        }
        m0_mean4(y + at, &mean, &own, sums);
    }
    for (; at < bytes; at++) {
        int32_t sum = x[at] + 128;
        for (uint32_t slot = 0; slot < slots; slot++) {
            sum += past->slots[slot * past->slot_bytes + at] + 128;
        }
        if (oldest != NULL) {
            oldest[at] = x[at];
        }
        y[at] = m0_mean(&mean, &own, (uint32_t)sum);
    }
    mlet_ring_rotate(past);
    return MLET_OK;
}
