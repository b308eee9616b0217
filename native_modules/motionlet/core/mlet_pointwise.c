#include "mlet_dot.h"
#include "mlet_requantize.h"

// The channels of the previous frame: apart, so that a layer that does not shift pays nothing.
__attribute__((noinline)) static int32_t dot_past(
    bool int4, const int8_t *row, const int8_t *past, uint32_t shifted) {
    return int4 ? mlet_dot_int4(row, past, shifted) : mlet_dot(row, past, shifted);
}

static int32_t sum(const int8_t *w, uint32_t n) {
    int32_t total = 0;
    while (n-- > 0) {
        total += *w++;
    }
    return total;
}

static int32_t sum_int4(const int8_t *w, uint32_t n) {
    int32_t total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += mlet_int4(w, i);
    }
    return total;
}

mlet_status_t mlet_pointwise(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || (MLET_MISSING(past) && layer->shift_channels > 0)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t in_channels = layer->in.channels;
    const uint32_t out_channels = layer->out.channels;
    const uint32_t shifted = layer->shift_channels; // a multiple of 4: whole bytes of a row
    const uint32_t own = in_channels - shifted;
    const bool int4 = MLET_HAS_INT4(layer);
    const uint32_t row_bytes = int4 ? mlet_int4_bytes(in_channels) : in_channels;
    const uint32_t shifted_bytes = int4 ? shifted / 2 : shifted;
    const int8_t *row = layer->weights;

    // One output channel at a time: the zero point's share of its sums is the same everywhere.
    for (uint32_t o = 0; o < out_channels; o++, row += row_bytes) {
        const int32_t weight = int4 ? sum_int4(row, in_channels) : sum(row, in_channels);
        const int32_t bias = layer->bias[o] - layer->in_zero * weight;
        const int8_t *own_row = row + shifted_bytes;
        const int8_t *px = x + shifted;
        int8_t *py = y + o;
        for (uint32_t p = 0; p < positions; p++, px += in_channels, py += out_channels) {
            int32_t acc = bias + (int4 ? mlet_dot_int4(own_row, px, own) : mlet_dot(own_row, px, own));
            if (shifted > 0) {
                acc += dot_past(int4, row, past + p * shifted, shifted);
            }
            *py = mlet_requantize(layer, acc, o);
        }
    }
    return MLET_OK;
}
