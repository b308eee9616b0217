// Where the channels lie of a map that an op shifts as it reads.
#ifndef MLET_SOURCE_H
#define MLET_SOURCE_H

#include "mlet.h"

typedef struct mlet_source {
    const int8_t *x;  // channel c of the first pixel
    int32_t pixel;    // bytes from one pixel to the next
    int32_t channels; // that lie there, from c on
} mlet_source_t;

// Channel c is in `past` if it is one of the shift_channels, else in x.
static inline mlet_source_t mlet_source(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int32_t c) {
    const int32_t shifted = layer->shift_channels;
    const int32_t channels = layer->in.channels;
    if (c < shifted) {
        return (mlet_source_t) {past + c, shifted, shifted - c};
    }
    return (mlet_source_t) {x + c, channels, channels - c};
}

#endif
