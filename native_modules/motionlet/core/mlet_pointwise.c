#include "mlet_int4.h"
#include "mlet_requantize.h"

// sum of w[i] * x[i] over n elements.
static int32_t dot(const int8_t *w, const int8_t *x, uint32_t n) {
    int32_t sum = 0;
    for (; n >= 4; n -= 4, w += 4, x += 4) {
        sum += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
    }
    for (; n > 0; n--) {
        sum += *w++ * *x++;
    }
    return sum;
}

static int32_t dot_int4(const int8_t *w, const int8_t *x, uint32_t n) {
    int32_t sum = 0;
    for (; n >= 2; n -= 2, w++, x += 2) {
        sum += mlet_int4(w, 0) * x[0] + mlet_int4(w, 1) * x[1];
    }
    return n > 0 ? sum + mlet_int4(w, 0) * x[0] : sum;
}

// Of either kind, the first channels in `past`: slower, but small.
__attribute__((noinline)) static int32_t dot_shifted(bool int4, const int8_t *w,
    const int8_t *past, uint32_t shifted, const int8_t *x, uint32_t n) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < shifted; i++) {
        sum += (int4 ? mlet_int4(w, i) : w[i]) * past[i];
    }
    for (uint32_t i = shifted; i < n; i++) {
        sum += (int4 ? mlet_int4(w, i) : w[i]) * x[i];
    }
    return sum;
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
    if (layer == NULL || x == NULL || y == NULL || (past == NULL && layer->shift_channels > 0)) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t in_channels = layer->in.channels;
    const uint32_t out_channels = layer->out.channels;
    const uint32_t shifted = layer->shift_channels;
    const bool int4 = layer->weight_bits == 4;
    const uint32_t row_bytes = int4 ? mlet_int4_bytes(in_channels) : in_channels;
    const int8_t *row = layer->weights;

    // One output channel at a time: the zero point's share of its sums is the same everywhere.
    for (uint32_t o = 0; o < out_channels; o++, row += row_bytes) {
        const int32_t weight = int4 ? sum_int4(row, in_channels) : sum(row, in_channels);
        const int32_t bias = layer->bias[o] - layer->in_zero * weight;
        const int8_t *px = x;
        int8_t *py = y + o;
        for (uint32_t p = 0; p < positions; p++, px += in_channels, py += out_channels) {
            int32_t acc;
            if (shifted > 0) {
                acc = dot_shifted(int4, row, past + p * shifted, shifted, px, in_channels);
            } else {
                acc = int4 ? dot_int4(row, px, in_channels) : dot(row, px, in_channels);
            }
            *py = mlet_requantize(layer, bias + acc, o);
        }
    }
    return MLET_OK;
}
