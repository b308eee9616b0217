#include "mlet_record.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "A model's arrays are used where they lie: the core needs a little-endian machine."
#endif

static const char *string_at(const mlet_model_t *model, const uint8_t *offset) {
    return (const char *)model->strings + mlet_read_u16(offset);
}

mlet_tensor_t mlet_model_tensor(const mlet_model_t *model, uint16_t index) {
    const uint8_t *record = mlet_tensor_record(model, index);
    mlet_tensor_t tensor = {
        .shape = mlet_read_shape(record),
        .zero_point = (int8_t)record[MLET_TENSOR_ZERO_POINT],
        .arena_offset = mlet_arena_offset(model, index),
        .name = string_at(model, record + MLET_TENSOR_NAME),
    };
    const uint32_t scale = mlet_read_u32(record + MLET_TENSOR_SCALE);
    memcpy(&tensor.scale, &scale, sizeof(scale));
    return tensor;
}

// Runs of fields that lie in memory as they lie in an op record, in words.
enum {
    LAYER_RUN = MLET_RUN_BYTES(mlet_layer_t, kernel_h, frame_dilation),
    MEMORY_RUN = MLET_RUN_BYTES(mlet_op_t, state_offset, scratch_bytes),
};
typedef char layer_run_is_of_a_file[
    LAYER_RUN == MLET_OP_SHIFT_CHANNELS - MLET_OP_KERNEL_H ? 1 : -1];
typedef char memory_run_is_of_a_file[MEMORY_RUN == MLET_OP_ROWS - MLET_OP_STATE_OFFSET ? 1 : -1];

mlet_op_t mlet_read_op(const mlet_model_t *model, uint16_t index) {
    const uint8_t *record = mlet_op_record(model, index);
    mlet_op_t op = {
        .code = record[MLET_OP_CODE],
        .group = record[MLET_OP_GROUP],
        .period = mlet_read_u16(record + MLET_OP_PERIOD),
        .input0 = mlet_read_u16(record + MLET_OP_INPUT0),
        .input1 = mlet_read_u16(record + MLET_OP_INPUT1),
        .output = mlet_read_u16(record + MLET_OP_OUTPUT),
        .rows = mlet_read_u16(record + MLET_OP_ROWS),
        .name = string_at(model, record + MLET_OP_NAME),
    };
    const void *memory = __builtin_assume_aligned(record + MLET_OP_STATE_OFFSET, 4);
    memcpy(&op.state_offset, memory, MEMORY_RUN);
    mlet_layer_t *layer = &op.layer;
    const void *window = __builtin_assume_aligned(record + MLET_OP_KERNEL_H, 4);
    memcpy(&layer->kernel_h, window, LAYER_RUN);
    layer->act_min = (int8_t)record[MLET_OP_ACT_MIN];
    layer->act_max = (int8_t)record[MLET_OP_ACT_MAX];
    layer->weight_bits = record[MLET_OP_WEIGHT_FORMAT] == MLET_WEIGHTS_INT4 ? 4 : 8;
    if (mlet_may_shift(op.code)) {
        layer->shift_channels = mlet_read_u16(record + MLET_OP_SHIFT_CHANNELS);
    }
    const uint8_t *in = mlet_tensor_record(model, op.input0);
    const uint8_t *out = mlet_tensor_record(model, op.output);
    layer->in = mlet_read_shape(in);
    layer->out = mlet_read_shape(out);
    layer->in_zero = (int8_t)in[MLET_TENSOR_ZERO_POINT];
    layer->out_zero = (int8_t)out[MLET_TENSOR_ZERO_POINT];
    if (op.input1 != MLET_NO_TENSOR) {
        const uint8_t *in1 = mlet_tensor_record(model, op.input1);
        layer->in1_zero = (int8_t)in1[MLET_TENSOR_ZERO_POINT];
    }
    return op;
}

void mlet_point_to_arrays(const mlet_model_t *model, uint16_t index, mlet_layer_t *layer) {
    // Offsets are multiples of 4 from a start that is a multiple of 16: int32 arrays are aligned.
    const uint8_t *record = mlet_op_record(model, index), *data = model->data;
    const void *bias = data + mlet_read_u32(record + MLET_OP_BIAS_OFFSET);
    const void *multiplier = data + mlet_read_u32(record + MLET_OP_MULTIPLIER_OFFSET);
    layer->weights = (const int8_t *)data + mlet_read_u32(record + MLET_OP_WEIGHTS_OFFSET);
    layer->bias = bias;
    layer->multiplier = multiplier;
    layer->shift = data + mlet_read_u32(record + MLET_OP_SHIFT_OFFSET);
}

mlet_op_t mlet_model_op(const mlet_model_t *model, uint16_t index) {
    mlet_op_t op = mlet_read_op(model, index);
    mlet_point_to_arrays(model, index, &op.layer);
    return op;
}

uint16_t mlet_model_input(const mlet_model_t *model, uint16_t index) {
    return mlet_read_u16(mlet_input_record(model, index) + MLET_INPUT_TENSOR);
}

uint8_t mlet_model_pixel_format(const mlet_model_t *model, uint16_t input) {
    return mlet_input_record(model, input)[MLET_INPUT_PIXEL_FORMAT];
}

uint16_t mlet_model_period(const mlet_model_t *model, uint16_t input) {
    const uint8_t *record = mlet_input_record(model, input);
    const bool may = MLET_WITH_INPUTS && model->format_version >= 4;
    return may ? mlet_read_u16(record + MLET_INPUT4_PERIOD) : 1;
}

const mlet_normalization_t *mlet_model_normalization(const mlet_model_t *model, uint16_t input) {
    const void *record = input == 0 ? model->normalization : NULL; // as up to version 3
    if (model->format_version >= 4) {
        const uint8_t *in_place = mlet_input_record(model, input) + MLET_INPUT4_KIND;
        record = *in_place == 0 ? NULL : in_place;
    }
    return record;
}

uint32_t mlet_model_background_bytes(const mlet_model_t *model, uint16_t input) {
    const mlet_normalization_t *n = mlet_model_normalization(model, input);
    if (n == NULL || !mlet_is_background(n)) {
        return 0;
    }
    const uint8_t *tensor = mlet_tensor_record(model, mlet_model_input(model, input));
    return mlet_shape_bytes(mlet_read_shape(tensor)) * (uint32_t)sizeof(int32_t);
}

uint16_t mlet_model_output(const mlet_model_t *model, uint16_t index) {
    return mlet_read_u16(model->outputs + index * MLET_OUTPUT_BYTES + MLET_OUTPUT_TENSOR);
}

const char *mlet_model_label(const mlet_model_t *model, uint16_t index) {
    return string_at(model, model->labels + index * 2);
}
