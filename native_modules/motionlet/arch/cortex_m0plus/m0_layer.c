// The arrays of a layer in this target's form: how long they are, and whether a kernel can use
// them. A forged file may make a kernel compute nonsense, never leave its buffers.
#include "m0.h"
#include "mlet_part.h"
#include "mlet_require.h"

#define M0_REQUIRE(condition, name) MLET_REQUIRE(condition, name, MLET_E_LAYER)

// dense reads four rows at once, as they are interleaved.
static bool is_interleaved(uint32_t traits, const mlet_layer_t *layer) {
    return MLET_IS(traits, VECTOR) && !MLET_HAS_INT4(layer);
}

mlet_counts_t m0_layer_counts(uint8_t code, const mlet_layer_t *layer) {
    mlet_counts_t counts = mlet_layer_counts(code, layer);
    const uint32_t traits = mlet_traits(code);
    const uint32_t taps = mlet_layer_taps(code, layer);
    const uint32_t channels = layer->out.channels;
    if (!MLET_IS(traits, ROWS)) {
        return counts;
    }
    if (is_interleaved(traits, layer)) {
        counts.weights = taps * ((channels + 3) / 4 * 4);
    } else {
        counts.weights = m0_row_bytes(layer, taps) * channels;
    }
    return counts;
}

MLET_PART mlet_status_t m0_exact(void) {
    MLET_TAKE(m0_exact);
    MLET_TAKE(m0_matmul_exact);
    MLET_TAKE(m0_requantize);
    return MLET_OK;
}

// Whether what fills up rows, or the last four outputs of dense, is 0: kernels multiply it by what
// happens to lie behind the inputs.
static bool has_zero_padding(uint32_t traits, const mlet_layer_t *layer, uint32_t taps) {
    const int8_t *weights = layer->weights;
    const uint32_t channels = layer->out.channels;
    if (is_interleaved(traits, layer)) {
        weights += taps * (channels & ~3u);
        for (uint32_t i = 0; channels % 4 != 0 && i < 4 * taps; i++) {
            if (i % 4 >= channels % 4 && weights[i] != 0) {
                return false;
            }
        }
        return true;
    }
    const bool int4 = MLET_HAS_INT4(layer);
    const uint32_t row_bytes = m0_row_bytes(layer, taps), end = int4 ? 2 * row_bytes : row_bytes;
    for (uint32_t o = 0; o < channels; o++, weights += row_bytes) {
        for (uint32_t i = taps; i < end; i++) {
            if ((int4 ? mlet_int4(weights, i) : weights[i]) != 0) {
                return false;
            }
        }
    }
    return true;
}

// The shift byte of a channel: kind, run of four, and the shift itself.
static bool is_shift(uint8_t shift, bool may_run) {
    if ((shift & M0_RUN_OF_FOUR) != 0 && !may_run) {
        return false;
    }
    if ((shift & M0_SINGLE) != 0) {
        const uint8_t s = shift & M0_SHIFT_EXACT; // 6 bits, so that a stray bit 5 is seen
        return s >= 1 && s <= 30;
    }
    const uint8_t n = shift & M0_SHIFT_EXACT;
    return n >= MLET_LIMIT_SHIFT_MIN && n <= MLET_LIMIT_SHIFT_MAX;
}

mlet_status_t m0_layer_check_arrays(uint8_t code, const mlet_layer_t *layer, const char **field) {
    const uint32_t taps = mlet_layer_taps(code, layer);
    const mlet_counts_t counts = m0_layer_counts(code, layer);
    const mlet_status_t status = mlet_layer_check_given(counts, layer, field);
    if (status != MLET_OK) {
        return status;
    }
    if (taps == 0) {
        return mlet_layer_check_scales(code, layer, field);
    }
    const uint32_t traits = mlet_traits(code);
    const bool int4 = MLET_IS(traits, INT4) && MLET_HAS_INT4(layer);
    M0_REQUIRE(!mlet_has_lowest(layer->weights, counts.weights, int4 ? 4 : 8), weights);
    M0_REQUIRE(!MLET_IS(traits, ROWS) || has_zero_padding(traits, layer, taps), weights);
    // The canonical bound with the zero point's share moved into the bias: |S| <= 16256 K.
    const int32_t bias_max = INT32_MAX - 16512 * (int32_t)taps;
    const bool may_run =
        MLET_IS(traits, ROWS) && !int4 && !is_interleaved(traits, layer);
    for (uint32_t o = 0; o < layer->out.channels; o++) {
        const bool single = (layer->shift[o] & M0_SINGLE) != 0;
        const int32_t bias = layer->bias[o];
        const int32_t least = single ? 1 : MLET_LIMIT_MULTIPLIER_MIN;
        M0_REQUIRE(single || (bias >= -bias_max && bias <= bias_max), bias);
        M0_REQUIRE(layer->multiplier[o] >= least, multiplier);
        M0_REQUIRE(is_shift(layer->shift[o], may_run), shift);
        MLET_REQUIRE(single || m0_exact() == MLET_OK, shift, MLET_E_BUILD);
    }
    return MLET_OK;
}
