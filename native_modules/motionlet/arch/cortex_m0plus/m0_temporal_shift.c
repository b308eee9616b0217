// Temporal shift: the shifted channels of the map and of the past are exchanged where they lie, in
// pieces as large as their number and their addresses allow.
#include <string.h>

#include "m0.h"
#include "m0_temporal_shift.h"

// Exchange n elements of a type.
#define SWAP(type, map, past, n)                    \
    do {                                            \
        type *a = (type *)(void *)(map);            \
        type *b = (type *)(void *)(past);           \
        for (uint32_t left = (n); left > 0; left--) { \
            const type present = *a;                \
            *a++ = *b;                              \
            *b++ = present;                         \
        }                                           \
    } while (0)

mlet_status_t m0_temporal_shift(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y) {
    if (layer == NULL || past == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t channels = layer->in.channels;
    const uint32_t shifted = layer->shift_channels;
    if (y != x) {
        memcpy(y, x, positions * channels);
    }

    const uintptr_t all = (uintptr_t)y | (uintptr_t)past | channels | shifted;
    if ((all & 3) == 0) {
        // How many positions have 16 bytes to exchange.
        const uint32_t group = shifted == 4 ? 4 : shifted == 8 ? 2 : shifted == 16 ? 1 : 0;
        if (group > 0 && positions >= group) {
            const uint32_t done = positions & ~(group - 1);
            (group == 4 ? m0_swap4 : group == 2 ? m0_swap8 : m0_swap16)(
                y, past, channels, done * shifted / 16);
            positions -= done;
            y += done * channels;
            past += done * shifted;
        }
        // More channels: 16 after 16 of the same position.
        const uint32_t run = shifted & ~15u;
        for (; positions > 0; positions--, y += channels, past += shifted) {
            if (run > 0) {
                m0_swap16(y, past, 16, run / 16);
            }
            SWAP(uint32_t, y + run, past + run, (shifted - run) / 4);
        }
    } else if ((all & 1) == 0) {
        for (; positions > 0; positions--, y += channels, past += shifted) {
            SWAP(uint16_t, y, past, shifted / 2);
        }
    } else {
        for (; positions > 0; positions--, y += channels, past += shifted) {
            SWAP(int8_t, y, past, shifted);
        }
    }
    return MLET_OK;
}
