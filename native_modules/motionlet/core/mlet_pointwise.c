#include "mlet_dot.h"
#include "mlet_requantize.h"

mlet_status_t mlet_pointwise(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (layer == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t in_channels = layer->in.channels;
    const uint32_t out_channels = layer->out.channels;
    const int8_t *weights = layer->weights;

    // One output channel at a time: the zero point's share of its sums is the same everywhere.
    for (uint32_t o = 0; o < out_channels; o++, weights += in_channels) {
        const int32_t bias = layer->bias[o] - layer->in_zero * mlet_sum(weights, in_channels);
        const int8_t *px = x;
        int8_t *py = y + o;
        for (uint32_t p = 0; p < positions; p++, px += in_channels, py += out_channels) {
            *py = mlet_requantize(layer, bias + mlet_dot(weights, px, in_channels), o);
        }
    }
    return MLET_OK;
}
