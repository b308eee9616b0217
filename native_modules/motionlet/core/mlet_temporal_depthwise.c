#include "mlet_requantize.h"

// Elements summed at once: enough that finding each tap's frame costs little.
#define MLET_BLOCK 16

mlet_status_t mlet_temporal_depthwise(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t channels = layer->in.channels;
    const int32_t zero = layer->in_zero;
    const uint32_t last = layer->frames - 1u; // the tap of the present frame
    int8_t *oldest = past->count > 0 ? mlet_ring_frame(past, past->count) : NULL;

    for (uint32_t p = 0, at = 0; p < positions; p++) {
        for (uint32_t c = 0; c < channels; c += MLET_BLOCK) {
            const uint32_t n = channels - c < MLET_BLOCK ? channels - c : MLET_BLOCK;
            int32_t acc[MLET_BLOCK];
            for (uint32_t e = 0; e < n; e++) {
                acc[e] = layer->bias[c + e];
            }
            const int8_t *w = layer->weights + c;
            for (uint32_t a = 0; a <= last; a++, w += channels) {
                const uint32_t age = (last - a) * layer->frame_dilation;
                const int8_t *px = (a == last ? x : mlet_ring_frame(past, (uint16_t)age)) + at;
                for (uint32_t e = 0; e < n; e++) {
                    acc[e] += w[e] * (px[e] - zero);
                }
            }
            // The oldest frame has served its last; x goes there before y may overwrite it.
            for (uint32_t e = 0; e < n; e++, at++) {
                if (oldest != NULL) {
                    oldest[at] = x[at];
                }
                y[at] = mlet_requantize(layer, acc[e], c + e);
            }
        }
    }
    mlet_ring_rotate(past);
    return MLET_OK;
}
