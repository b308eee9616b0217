#include "mlet.h"
#include "mlet_int4.h"
#include "mlet_kernels.h"
#include "mlet_require.h"

#define MLET_CHECK(condition, name) MLET_REQUIRE(condition, name, MLET_E_LAYER)

bool mlet_may_shift(uint8_t code) {
    return MLET_IS(mlet_traits(code), CHANNELS);
}

static bool is_int4(uint32_t traits, const mlet_layer_t *layer) {
    return MLET_IS(traits, INT4) && MLET_HAS_INT4(layer);
}

// Elements that one output is made of, of a layer whose kernel is not yet checked, but its shapes
// are. Below 2^40.
static uint64_t reads(uint32_t traits, const mlet_layer_t *layer) {
    uint32_t taps = 1, depth = 1; // at most 65535 and 2^24: 32 bits are quick
    if (MLET_IS(traits, WINDOW)) {
        taps = (uint32_t)layer->kernel_h * layer->kernel_w;
    }
    if (MLET_IS(traits, SLOTS)) {
        taps = layer->frames;
    }
    if (MLET_IS(traits, VECTOR)) {
        depth = (uint32_t)layer->in.height * layer->in.width;
    }
    if (MLET_IS(traits, ROWS)) {
        depth *= layer->in.channels;
    }
    return (uint64_t)taps * depth;
}

// Products in one accumulator of an op with weights; 0 for one without.
static uint32_t taps(uint32_t traits, const mlet_layer_t *layer) {
    return MLET_IS(traits, WEIGHTS) ? reads(traits, layer) : 0;
}

// Frames from one slot to the next that an op takes. Only weights can leave out some.
static uint32_t frame_step(uint32_t traits, const mlet_layer_t *layer) {
    return MLET_IS(traits, WEIGHTS) ? layer->frame_dilation : 1u;
}

// Slots of state, one frame of the input each.
static uint32_t state_slots(uint32_t traits, const mlet_layer_t *layer) {
    return !MLET_IS(traits, SLOTS) ? 0 : (layer->frames - 1u) * frame_step(traits, layer);
}

mlet_status_t mlet_shape_check(mlet_shape_t shape, const char **field) {
    MLET_CHECK(shape.height >= 1 && shape.height <= MLET_LIMIT_MAX_DIM, height);
    MLET_CHECK(shape.width >= 1 && shape.width <= MLET_LIMIT_MAX_DIM, width);
    MLET_CHECK(shape.channels >= 1 && shape.channels <= MLET_LIMIT_MAX_DIM, channels);
    const uint32_t area = (uint32_t)shape.height * shape.width;
    MLET_CHECK(area <= (uint32_t)MLET_LIMIT_MAX_TENSOR_BYTES / shape.channels, channels);
    return MLET_OK;
}

// A window reaches into the image; one without padding lies wholly inside.
static mlet_status_t check_window(uint32_t traits, const mlet_layer_t *layer, const char **field) {
    MLET_CHECK(layer->kernel_h >= 1, kernel_h);
    MLET_CHECK(layer->kernel_w >= 1, kernel_w);
    MLET_CHECK(layer->stride_h >= 1, stride_h);
    MLET_CHECK(layer->stride_w >= 1, stride_w);
    int32_t last_row = (layer->out.height - 1) * layer->stride_h;
    int32_t last_column = (layer->out.width - 1) * layer->stride_w;
    if (!MLET_IS(traits, PADDING)) {
        last_row += layer->kernel_h - 1;
        last_column += layer->kernel_w - 1;
    } else {
        MLET_CHECK(layer->dilation_h >= 1, dilation_h);
        MLET_CHECK(layer->dilation_w >= 1, dilation_w);
        MLET_CHECK(layer->pad_top <= (layer->kernel_h - 1) * layer->dilation_h, pad_top);
        MLET_CHECK(layer->pad_left <= (layer->kernel_w - 1) * layer->dilation_w, pad_left);
        last_row -= layer->pad_top;
        last_column -= layer->pad_left;
    }
    MLET_CHECK(last_row < layer->in.height, height);
    MLET_CHECK(last_column < layer->in.width, width);
    return MLET_OK;
}

mlet_status_t mlet_layer_check_shape(uint8_t code, const mlet_layer_t *layer, const char **field) {
    const uint32_t traits = mlet_traits(code);
    MLET_CHECK(traits != 0, code);
    mlet_status_t status = mlet_shape_check(layer->in, field);
    if (status == MLET_OK) {
        status = mlet_shape_check(layer->out, field);
    }
    if (status != MLET_OK) {
        return status;
    }
    MLET_CHECK(layer->act_min <= layer->act_max, act_min);
    if (!MLET_IS(traits, WINDOW)) {
        const bool vector = MLET_IS(traits, VECTOR);
        MLET_CHECK(layer->out.height == (vector ? 1 : layer->in.height), height);
        MLET_CHECK(layer->out.width == (vector ? 1 : layer->in.width), width);
    }
    if (!MLET_IS(traits, ROWS)) {
        MLET_CHECK(layer->in.channels == layer->out.channels, channels);
    }
    if (MLET_IS(traits, WINDOW)) {
        status = check_window(traits, layer, field);
        if (status != MLET_OK) {
            return status;
        }
    }
    if (MLET_IS(traits, SLOTS)) {
        const int32_t step = (int32_t)frame_step(traits, layer);
        MLET_CHECK(layer->frames >= 1 && layer->frames <= MLET_LIMIT_MAX_FRAMES, frames);
        MLET_CHECK(step >= 1, frame_dilation);
        MLET_CHECK((layer->frames - 1) * step <= MLET_LIMIT_MAX_SPAN, frame_dilation);
    }
    const uint32_t slot_bytes = MLET_ROUND_UP(mlet_shape_bytes(layer->in));
    MLET_CHECK(state_slots(traits, layer) <= MLET_LIMIT_MAX_STATE_BYTES / slot_bytes, frames);
    if (MLET_IS(traits, CHANNELS)) {
        const bool may = MLET_IS(traits, SHIFT); // else it must
        MLET_CHECK(may || layer->shift_channels >= 1, shift_channels);
        MLET_CHECK(layer->shift_channels <= layer->in.channels, shift_channels);
        MLET_CHECK(!may || layer->shift_channels % 4 == 0, shift_channels);
    }
    MLET_CHECK(!MLET_IS(traits, COPY) || layer->in_zero == layer->out_zero, zero_point);
    MLET_CHECK(taps(traits, layer) <= MLET_LIMIT_MAX_TAPS, taps);
    if (MLET_IS(traits, WEIGHTS)) {
        const uint8_t bits = layer->weight_bits;
        MLET_CHECK(bits == 0 || bits == 8 || is_int4(traits, layer), weight_format);
    }
    return MLET_OK;
}

uint32_t mlet_layer_taps(uint8_t code, const mlet_layer_t *layer) {
    return taps(mlet_traits(code), layer);
}

uint64_t mlet_layer_macs(uint8_t code, const mlet_layer_t *layer) {
    return (uint64_t)mlet_shape_bytes(layer->out) * reads(mlet_traits(code), layer);
}

uint32_t mlet_macs_capped(uint8_t code, const mlet_layer_t *layer) {
    const uint32_t outputs = mlet_shape_bytes(layer->out);
    const uint32_t each = (uint32_t)reads(mlet_traits(code), layer); // at most 65535
    return outputs >> 16 != 0 && (outputs >> 8) * each >> 24 != 0 ? UINT32_MAX : outputs * each;
}

mlet_counts_t mlet_layer_counts(uint8_t code, const mlet_layer_t *layer) {
    const uint32_t traits = mlet_traits(code);
    if (MLET_IS(traits, WEIGHTS)) {
        const uint32_t channels = layer->out.channels;
        const uint32_t row = taps(traits, layer);
        const uint32_t row_bytes = is_int4(traits, layer) ? mlet_int4_bytes(row) : row;
        return (mlet_counts_t) {row_bytes * channels, channels, channels, channels};
    }
    const bool two = MLET_IS(traits, TWO_INPUTS);
    const uint32_t scale = two || MLET_IS(traits, SCALE);
    return (mlet_counts_t) {0, 0, two ? 2 : scale, scale};
}

mlet_status_t mlet_layer_check_given(
    mlet_counts_t counts, const mlet_layer_t *layer, const char **field) {
    MLET_CHECK(counts.weights == 0 || !MLET_MISSING(layer->weights), weights_offset);
    MLET_CHECK(counts.bias == 0 || !MLET_MISSING(layer->bias), bias_offset);
    MLET_CHECK(counts.multiplier == 0 || !MLET_MISSING(layer->multiplier), multiplier_offset);
    MLET_CHECK(counts.shift == 0 || !MLET_MISSING(layer->shift), shift_offset);
    return MLET_OK;
}

mlet_status_t mlet_layer_check_scales(uint8_t code, const mlet_layer_t *layer, const char **field) {
    const mlet_counts_t counts = mlet_layer_counts(code, layer);
    const bool add = MLET_IS(mlet_traits(code), TWO_INPUTS);
    const int32_t multiplier_min = add ? 0 : MLET_LIMIT_MULTIPLIER_MIN;
    const int32_t multiplier_max = add ? MLET_LIMIT_ADD_MULTIPLIER_MAX : MLET_LIMIT_MULTIPLIER_MAX;
    const uint8_t shift_max = add ? MLET_LIMIT_ADD_SHIFT_MAX : MLET_LIMIT_SHIFT_MAX;
    for (uint32_t i = 0; i < counts.multiplier; i++) {
        MLET_CHECK(layer->multiplier[i] >= multiplier_min, multiplier);
        MLET_CHECK(layer->multiplier[i] <= multiplier_max, multiplier);
    }
    for (uint32_t i = 0; i < counts.shift; i++) {
        MLET_CHECK(layer->shift[i] >= MLET_LIMIT_SHIFT_MIN && layer->shift[i] <= shift_max, shift);
    }
    return MLET_OK;
}

mlet_status_t mlet_layer_check_arrays(uint8_t code, const mlet_layer_t *layer, const char **field) {
    const mlet_counts_t counts = mlet_layer_counts(code, layer);
    const mlet_status_t status = mlet_layer_check_given(counts, layer, field);
    if (status != MLET_OK) {
        return status;
    }
    const uint32_t traits = mlet_traits(code);
    const uint32_t row = taps(traits, layer);
    const bool int4 = is_int4(traits, layer);
    MLET_CHECK(!mlet_has_lowest(layer->weights, counts.weights, int4 ? 4 : 8), weights);
    for (uint32_t o = 0; int4 && row % 2 != 0 && o < layer->out.channels; o++) {
        MLET_CHECK(mlet_int4(layer->weights + o * mlet_int4_bytes(row), row) == 0, weights);
    }
    const int32_t bias_max = INT32_MAX - 32768 * (int32_t)row;
    for (uint32_t i = 0; i < counts.bias; i++) {
        MLET_CHECK(layer->bias[i] >= -bias_max && layer->bias[i] <= bias_max, bias);
    }
    return mlet_layer_check_scales(code, layer, field);
}

mlet_status_t mlet_layer_check(uint8_t code, const mlet_layer_t *layer, const char **field) {
    const mlet_status_t status = mlet_layer_check_shape(code, layer, field);
    return status == MLET_OK ? mlet_layer_check_arrays(code, layer, field) : status;
}

uint32_t mlet_layer_state_bytes(uint8_t code, const mlet_layer_t *layer) {
    if (mlet_may_shift(code)) {
        const uint32_t area = (uint32_t)layer->in.height * layer->in.width;
        return MLET_ROUND_UP(area * layer->shift_channels);
    }
    return state_slots(mlet_traits(code), layer) * MLET_ROUND_UP(mlet_shape_bytes(layer->in));
}
