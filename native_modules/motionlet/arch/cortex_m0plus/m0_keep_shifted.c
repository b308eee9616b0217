// What an op that shifts as it reads leaves for the next frame: the shifted channels of the map,
// one position after the other.
#include "m0.h"
#include "m0_keep_shifted.h"
#include "mlet_count.h"
#include "mlet_part.h"

MLET_PART mlet_status_t m0_keep_shifted(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, uint32_t rows) {
    MLET_TAKE(m0_keep_shifted);
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t channels = layer->in.channels;
    const uint32_t shifted = layer->shift_channels;
    const uint32_t bytes = rows * layer->in.width * shifted;
    if ((((uintptr_t)x | (uintptr_t)past | channels | shifted) & 3) != 0) {
        MLET_COUNT(moves, rows * layer->in.width);
        MLET_COUNT(moved_bytes, bytes);
        return mlet_keep_shifted(layer, past, x, rows);
    }
    if (bytes == 0) {
        return MLET_OK; // in a chain, a row may leave nothing
    }
    m0_keep_t *const keep = shifted == 8 && bytes % 16 == 0 ? m0_keep8 : m0_keep_words;
    keep(x, past, channels, bytes, shifted);
    return MLET_OK;
}
