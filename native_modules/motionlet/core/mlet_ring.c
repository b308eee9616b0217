#include <string.h>

#include "mlet.h"

int8_t *mlet_ring_frame(const mlet_ring_t *ring, uint16_t age) {
    uint32_t slot = (uint32_t)ring->head + ring->count - age;
    if (slot >= ring->count) {
        slot -= ring->count;
    }
    return ring->slots + slot * ring->slot_bytes;
}

void mlet_ring_rotate(mlet_ring_t *ring) {
    uint16_t next = (uint16_t)(ring->head + 1);
    ring->head = next < ring->count ? next : 0;
}

void mlet_ring_push(mlet_ring_t *ring, const int8_t *map, uint32_t bytes) {
    if (ring->count > 0) {
        memcpy(mlet_ring_frame(ring, ring->count), map, bytes);
        mlet_ring_rotate(ring);
    }
}

void mlet_ring_reset(mlet_ring_t *ring, int8_t zero) {
    memset(ring->slots, zero, (size_t)ring->count * ring->slot_bytes);
    ring->head = 0;
}
