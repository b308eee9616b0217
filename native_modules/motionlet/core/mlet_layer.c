#include "mlet.h"
#include "mlet_int4.h"
#include "mlet_kernels.h"
#include "mlet_require.h"

#define REQUIRE(condition, name) MLET_REQUIRE(condition, name, MLET_E_LAYER)

const char *mlet_op_name(uint8_t code) {
    static const char *const names[] = {
        [MLET_OP_CONV2D] = "conv2d",
        [MLET_OP_DEPTHWISE2D] = "depthwise2d",
        [MLET_OP_POINTWISE] = "pointwise",
        [MLET_OP_TEMPORAL_DEPTHWISE] = "temporal_depthwise",
        [MLET_OP_TEMPORAL_SHIFT] = "temporal_shift",
        [MLET_OP_ADD] = "add",
        [MLET_OP_AVERAGE_POOL] = "average_pool",
        [MLET_OP_TEMPORAL_AVERAGE] = "temporal_average",
        [MLET_OP_DENSE] = "dense",
    };
    return code < sizeof(names) / sizeof(names[0]) ? names[code] : NULL;
}

bool mlet_may_shift(uint8_t code) {
    return code == MLET_OP_TEMPORAL_SHIFT || code == MLET_OP_DEPTHWISE2D ||
           code == MLET_OP_POINTWISE;
}

// Products in one accumulator of an op with weights, of a layer whose kernel is not yet checked;
// 0 for an op without weights. Below 2^36.
static uint64_t taps(uint8_t code, const mlet_layer_t *layer) {
    const uint64_t window = (uint64_t)layer->kernel_h * layer->kernel_w;
    switch (code) {
        case MLET_OP_CONV2D:
            return window * layer->in.channels;
        case MLET_OP_DEPTHWISE2D:
            return window;
        case MLET_OP_POINTWISE:
            return layer->in.channels;
        case MLET_OP_TEMPORAL_DEPTHWISE:
            return layer->frames;
        case MLET_OP_DENSE:
            return (uint64_t)layer->in.height * layer->in.width * layer->in.channels;
        default:
            return 0;
    }
}

// Slots of state, one frame of the input each.
static uint32_t state_slots(uint8_t code, const mlet_layer_t *layer) {
    switch (code) {
        case MLET_OP_TEMPORAL_DEPTHWISE:
            return (layer->frames - 1u) * layer->frame_dilation;
        case MLET_OP_TEMPORAL_AVERAGE:
            return layer->frames - 1u;
        default:
            return 0;
    }
}

static bool same_area(const mlet_layer_t *layer) {
    return layer->in.height == layer->out.height && layer->in.width == layer->out.width;
}

mlet_status_t mlet_shape_check(mlet_shape_t shape, const char **field) {
    REQUIRE(shape.height >= 1 && shape.height <= MLET_LIMIT_MAX_DIM, "height");
    REQUIRE(shape.width >= 1 && shape.width <= MLET_LIMIT_MAX_DIM, "width");
    REQUIRE(shape.channels >= 1 && shape.channels <= MLET_LIMIT_MAX_DIM, "channels");
    const uint64_t area = (uint64_t)shape.height * shape.width;
    REQUIRE(area * shape.channels <= MLET_LIMIT_MAX_TENSOR_BYTES, "channels");
    return MLET_OK;
}

// A window of a convolution reaches into the image; one of a pool lies wholly inside.
static mlet_status_t check_window(const mlet_layer_t *layer, bool pool, const char **field) {
    REQUIRE(layer->kernel_h >= 1, "kernel_h");
    REQUIRE(layer->kernel_w >= 1, "kernel_w");
    REQUIRE(layer->stride_h >= 1, "stride_h");
    REQUIRE(layer->stride_w >= 1, "stride_w");
    int32_t last_row = (layer->out.height - 1) * layer->stride_h;
    int32_t last_column = (layer->out.width - 1) * layer->stride_w;
    if (pool) {
        last_row += layer->kernel_h - 1;
        last_column += layer->kernel_w - 1;
    } else {
        REQUIRE(layer->dilation_h >= 1, "dilation_h");
        REQUIRE(layer->dilation_w >= 1, "dilation_w");
        REQUIRE(layer->pad_top <= (layer->kernel_h - 1) * layer->dilation_h, "pad_top");
        REQUIRE(layer->pad_left <= (layer->kernel_w - 1) * layer->dilation_w, "pad_left");
        last_row -= layer->pad_top;
        last_column -= layer->pad_left;
    }
    REQUIRE(last_row < layer->in.height, "height");
    REQUIRE(last_column < layer->in.width, "width");
    return MLET_OK;
}

mlet_status_t mlet_layer_check_shape(uint8_t code, const mlet_layer_t *layer, const char **field) {
    REQUIRE(mlet_op_name(code) != NULL, "code");
    mlet_status_t status = mlet_shape_check(layer->in, field);
    if (status == MLET_OK) {
        status = mlet_shape_check(layer->out, field);
    }
    if (status != MLET_OK) {
        return status;
    }
    REQUIRE(layer->act_min <= layer->act_max, "act_min");
    switch (code) {
        case MLET_OP_CONV2D:
            status = check_window(layer, false, field);
            break;
        case MLET_OP_DEPTHWISE2D:
            REQUIRE(layer->in.channels == layer->out.channels, "channels");
            status = check_window(layer, false, field);
            break;
        case MLET_OP_POINTWISE:
            REQUIRE(layer->in.height == layer->out.height, "height");
            REQUIRE(layer->in.width == layer->out.width, "width");
            break;
        case MLET_OP_DENSE:
            REQUIRE(layer->out.height == 1, "height");
            REQUIRE(layer->out.width == 1, "width");
            break;
        case MLET_OP_AVERAGE_POOL:
            REQUIRE(layer->in.channels == layer->out.channels, "channels");
            status = check_window(layer, true, field);
            break;
        default: // the ops that keep the shape
            REQUIRE(same_area(layer), "height");
            REQUIRE(layer->in.channels == layer->out.channels, "channels");
            break;
    }
    if (status != MLET_OK) {
        return status;
    }
    if (code == MLET_OP_TEMPORAL_DEPTHWISE || code == MLET_OP_TEMPORAL_AVERAGE) {
        REQUIRE(layer->frames >= 1 && layer->frames <= MLET_LIMIT_MAX_FRAMES, "frames");
    }
    if (code == MLET_OP_TEMPORAL_DEPTHWISE) {
        const int32_t span = (layer->frames - 1) * layer->frame_dilation;
        REQUIRE(layer->frame_dilation >= 1, "frame_dilation");
        REQUIRE(span <= MLET_LIMIT_MAX_SPAN, "frame_dilation");
    }
    const uint64_t slots = state_slots(code, layer);
    const uint64_t slot_bytes = MLET_ROUND_UP(mlet_shape_bytes(layer->in));
    REQUIRE(slots * slot_bytes <= MLET_LIMIT_MAX_STATE_BYTES, "frames");
    if (code == MLET_OP_TEMPORAL_SHIFT) {
        REQUIRE(layer->shift_channels >= 1, "shift_channels");
        REQUIRE(layer->shift_channels <= layer->in.channels, "shift_channels");
        REQUIRE(layer->in_zero == layer->out_zero, "zero_point");
    }
    if (code == MLET_OP_DEPTHWISE2D || code == MLET_OP_POINTWISE) {
        REQUIRE(layer->shift_channels <= layer->in.channels, "shift_channels");
        REQUIRE(layer->shift_channels % 4 == 0, "shift_channels");
    }
    REQUIRE(taps(code, layer) <= MLET_LIMIT_MAX_TAPS, "taps");
    if (taps(code, layer) != 0) {
        const uint8_t bits = layer->weight_bits;
        REQUIRE(bits == 0 || bits == 8 || mlet_is_int4(code, layer), "weight_format");
    }
    return MLET_OK;
}

uint32_t mlet_layer_taps(uint8_t code, const mlet_layer_t *layer) {
    return (uint32_t)taps(code, layer);
}

mlet_counts_t mlet_layer_counts(uint8_t code, const mlet_layer_t *layer) {
    const uint32_t channels = layer->out.channels;
    switch (code) {
        case MLET_OP_TEMPORAL_SHIFT:
            return (mlet_counts_t) {0, 0, 0, 0};
        case MLET_OP_ADD:
            return (mlet_counts_t) {0, 0, 2, 1};
        case MLET_OP_AVERAGE_POOL:
        case MLET_OP_TEMPORAL_AVERAGE:
            return (mlet_counts_t) {0, 0, 1, 1};
        default: {
            const uint32_t row = mlet_layer_taps(code, layer);
            const uint32_t row_bytes = mlet_is_int4(code, layer) ? mlet_int4_bytes(row) : row;
            return (mlet_counts_t) {row_bytes * channels, channels, channels, channels};
        }
    }
}

mlet_status_t mlet_layer_check_given(
    mlet_counts_t counts, const mlet_layer_t *layer, const char **field) {
    REQUIRE(counts.weights == 0 || layer->weights != NULL, "weights_offset");
    REQUIRE(counts.bias == 0 || layer->bias != NULL, "bias_offset");
    REQUIRE(counts.multiplier == 0 || layer->multiplier != NULL, "multiplier_offset");
    REQUIRE(counts.shift == 0 || layer->shift != NULL, "shift_offset");
    return MLET_OK;
}

mlet_status_t mlet_layer_check_scales(uint8_t code, const mlet_layer_t *layer, const char **field) {
    const mlet_counts_t counts = mlet_layer_counts(code, layer);
    const bool add = code == MLET_OP_ADD;
    const int32_t multiplier_min = add ? 0 : MLET_LIMIT_MULTIPLIER_MIN;
    const int32_t multiplier_max = add ? MLET_LIMIT_ADD_MULTIPLIER_MAX : MLET_LIMIT_MULTIPLIER_MAX;
    const uint8_t shift_max = add ? MLET_LIMIT_ADD_SHIFT_MAX : MLET_LIMIT_SHIFT_MAX;
    for (uint32_t i = 0; i < counts.multiplier; i++) {
        REQUIRE(layer->multiplier[i] >= multiplier_min, "multiplier");
        REQUIRE(layer->multiplier[i] <= multiplier_max, "multiplier");
    }
    for (uint32_t i = 0; i < counts.shift; i++) {
        REQUIRE(layer->shift[i] >= MLET_LIMIT_SHIFT_MIN && layer->shift[i] <= shift_max, "shift");
    }
    return MLET_OK;
}

mlet_status_t mlet_layer_check_arrays(uint8_t code, const mlet_layer_t *layer, const char **field) {
    const mlet_counts_t counts = mlet_layer_counts(code, layer);
    const mlet_status_t status = mlet_layer_check_given(counts, layer, field);
    if (status != MLET_OK) {
        return status;
    }
    const uint32_t row = mlet_layer_taps(code, layer);
    const bool int4 = mlet_is_int4(code, layer);
    REQUIRE(!mlet_has_lowest(layer->weights, counts.weights, int4 ? 4 : 8), "weights");
    for (uint32_t o = 0; int4 && row % 2 != 0 && o < layer->out.channels; o++) {
        REQUIRE(mlet_int4(layer->weights + o * mlet_int4_bytes(row), row) == 0, "weights");
    }
    const int32_t bias_max = INT32_MAX - 32768 * (int32_t)taps(code, layer);
    for (uint32_t i = 0; i < counts.bias; i++) {
        REQUIRE(layer->bias[i] >= -bias_max && layer->bias[i] <= bias_max, "bias");
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
    return state_slots(code, layer) * MLET_ROUND_UP(mlet_shape_bytes(layer->in));
}
