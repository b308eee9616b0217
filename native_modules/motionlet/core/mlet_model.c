#include <string.h>

#include "mlet_run.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "A model's arrays are used where they lie: the core needs a little-endian machine."
#endif

#define MAGIC 0x54454c4d // "MLET"

// Fields lie on multiples of their size, in a file that lies on a multiple of 16: one load each.
static uint16_t read_u16(const uint8_t *p) {
    uint16_t value;
    memcpy(&value, __builtin_assume_aligned(p, sizeof(value)), sizeof(value));
    return value;
}

static uint32_t read_u32(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, __builtin_assume_aligned(p, sizeof(value)), sizeof(value));
    return value;
}

static float read_float(const uint8_t *p) {
    const uint32_t bits = read_u32(p);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

// Finite and not negative (which -0.0 is).
static bool is_rate(const uint8_t *p) {
    return read_u32(p) < 0x7f800000;
}

static uint16_t format_version(const mlet_model_t *model) {
    return read_u16(model->file + MLET_HEADER_FORMAT_VERSION);
}

// ---------------------------------------------------------------------------------------------
// Reading records

static const uint8_t *tensor_record(const mlet_model_t *model, uint16_t index) {
    return model->tensors + (uint32_t)index * MLET_TENSOR_BYTES;
}

static const uint8_t *op_record(const mlet_model_t *model, uint16_t index) {
    return model->ops + (uint32_t)index * MLET_OP_BYTES;
}

static const char *string_at(const mlet_model_t *model, uint16_t offset) {
    return (const char *)model->strings + offset;
}

static mlet_shape_t read_shape(const uint8_t *record) {
    return (mlet_shape_t) {read_u16(record + MLET_TENSOR_HEIGHT),
        read_u16(record + MLET_TENSOR_WIDTH), read_u16(record + MLET_TENSOR_CHANNELS)};
}

mlet_tensor_t mlet_model_tensor(const mlet_model_t *model, uint16_t index) {
    const uint8_t *record = tensor_record(model, index);
    return (mlet_tensor_t) {
        .shape = read_shape(record),
        .zero_point = (int8_t)record[MLET_TENSOR_ZERO_POINT],
        .scale = read_float(record + MLET_TENSOR_SCALE),
        .arena_offset = read_u32(record + MLET_TENSOR_ARENA_OFFSET),
        .name = string_at(model, read_u16(record + MLET_TENSOR_NAME)),
    };
}

static uint16_t rows_of(const mlet_model_t *model, int32_t op) {
    return MLET_WITH_CHAINS ? read_u16(op_record(model, (uint16_t)op) + MLET_OP_ROWS) : 0;
}

uint32_t mlet_model_arena_offset(const mlet_model_t *model, uint16_t tensor) {
    return read_u32(tensor_record(model, tensor) + MLET_TENSOR_ARENA_OFFSET);
}

// Runs of fields that lie in memory as they lie in an op record, in words.
#define RUN_BYTES(type, from, to) \
    (offsetof(type, to) + sizeof(((type *)0)->to) - offsetof(type, from))
enum {
    LAYER_RUN = RUN_BYTES(mlet_layer_t, kernel_h, frame_dilation),
    MEMORY_RUN = RUN_BYTES(mlet_op_t, state_offset, scratch_bytes),
};
typedef char layer_run_is_of_a_file[
    LAYER_RUN == MLET_OP_SHIFT_CHANNELS - MLET_OP_KERNEL_H ? 1 : -1];
typedef char memory_run_is_of_a_file[MEMORY_RUN == MLET_OP_ROWS - MLET_OP_STATE_OFFSET ? 1 : -1];

// Everything but the pointers to arrays, which mean nothing before they are checked.
static mlet_op_t read_op(const mlet_model_t *model, uint16_t index) {
    const uint8_t *record = op_record(model, index);
    mlet_op_t op = {
        .code = record[MLET_OP_CODE],
        .input0 = read_u16(record + MLET_OP_INPUT0),
        .input1 = read_u16(record + MLET_OP_INPUT1),
        .output = read_u16(record + MLET_OP_OUTPUT),
        .rows = read_u16(record + MLET_OP_ROWS),
        .name = string_at(model, read_u16(record + MLET_OP_NAME)),
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
        layer->shift_channels = read_u16(record + MLET_OP_SHIFT_CHANNELS);
    }
    const uint8_t *in = tensor_record(model, op.input0);
    const uint8_t *out = tensor_record(model, op.output);
    layer->in = read_shape(in);
    layer->out = read_shape(out);
    layer->in_zero = (int8_t)in[MLET_TENSOR_ZERO_POINT];
    layer->out_zero = (int8_t)out[MLET_TENSOR_ZERO_POINT];
    if (op.input1 != MLET_NO_TENSOR) {
        const uint8_t *in1 = tensor_record(model, op.input1);
        layer->in1_zero = (int8_t)in1[MLET_TENSOR_ZERO_POINT];
    }
    return op;
}

static void point_to_arrays(const mlet_model_t *model, const uint8_t *record, mlet_layer_t *layer) {
    // Offsets are multiples of 4 from a start that is a multiple of 16: int32 arrays are aligned.
    const uint8_t *data = model->data;
    const void *bias = data + read_u32(record + MLET_OP_BIAS_OFFSET);
    const void *multiplier = data + read_u32(record + MLET_OP_MULTIPLIER_OFFSET);
    layer->weights = (const int8_t *)data + read_u32(record + MLET_OP_WEIGHTS_OFFSET);
    layer->bias = bias;
    layer->multiplier = multiplier;
    layer->shift = data + read_u32(record + MLET_OP_SHIFT_OFFSET);
}

mlet_op_t mlet_model_op(const mlet_model_t *model, uint16_t index) {
    mlet_op_t op = read_op(model, index);
    point_to_arrays(model, op_record(model, index), &op.layer);
    return op;
}

uint16_t mlet_model_input(const mlet_model_t *model, uint16_t index) {
    return read_u16(model->inputs + index * MLET_INPUT_BYTES + MLET_INPUT_TENSOR);
}

uint8_t mlet_model_pixel_format(const mlet_model_t *model, uint16_t input) {
    return model->inputs[input * MLET_INPUT_BYTES + MLET_INPUT_PIXEL_FORMAT];
}

uint32_t mlet_model_background_bytes(const mlet_model_t *model) {
    const mlet_normalization_t *n = mlet_model_normalization(model);
    if (n == NULL || n->kind != MLET_NORMALIZE_BACKGROUND) {
        return 0;
    }
    const mlet_shape_t shape = read_shape(tensor_record(model, mlet_model_input(model, 0)));
    return mlet_shape_bytes(shape) * (uint32_t)sizeof(int32_t);
}

uint16_t mlet_model_output(const mlet_model_t *model, uint16_t index) {
    return read_u16(model->outputs + index * MLET_OUTPUT_BYTES + MLET_OUTPUT_TENSOR);
}

const char *mlet_model_label(const mlet_model_t *model, uint16_t index) {
    return string_at(model, read_u16(model->labels + index * 2));
}

// ---------------------------------------------------------------------------------------------
// Checking a file. Each function returns the name of the first field that is wrong, or NULL.

// An empty region overlaps nothing.
static bool overlap(uint32_t a, uint32_t a_bytes, uint32_t b, uint32_t b_bytes) {
    return a_bytes != 0 && b_bytes != 0 && a < (uint64_t)b + b_bytes && b < (uint64_t)a + a_bytes;
}

static bool inside(uint32_t offset, uint32_t bytes, uint32_t size) {
    return offset <= size && bytes <= size - offset;
}

static const char *check_header(mlet_model_t *model) {
    const uint8_t *file = model->file;
    const uint32_t bytes = model->file_bytes;
    if (bytes < 4 || read_u32(file + MLET_HEADER_MAGIC) != MAGIC) {
        return "magic";
    }
    if (bytes < MLET_HEADER_FORMAT_VERSION + 2) {
        return "total_bytes";
    }
    const uint16_t version = format_version(model);
    if (version < MLET_OLDEST_VERSION || version > MLET_FORMAT_VERSION) {
        return "format_version";
    }
    if (bytes < MLET_HEADER_BYTES || read_u32(file + MLET_HEADER_TOTAL_BYTES) != bytes) {
        return "total_bytes";
    }
    const uint32_t crc = mlet_crc32(0, file + MLET_CRC_START, bytes - MLET_CRC_START);
    if (read_u32(file + MLET_HEADER_CRC32) != crc) {
        return "crc32";
    }
    model->target = read_u16(file + MLET_HEADER_TARGET);
    // Version 1 knew only the portable target.
    const bool possible = model->target == MLET_TARGET_PORTABLE || version >= 2;
    if (!possible || mlet_kernels(model->target) == NULL) {
        return "target";
    }
    if (read_u16(file + MLET_HEADER_RESERVED0) != 0) {
        return "reserved0";
    }
    if (version < 3 && read_u32(file + MLET_HEADER_NORMALIZATION_OFFSET) != 0) {
        return "normalization_offset";
    }
    if (!is_rate(file + MLET_HEADER_FRAMES_PER_SECOND)) {
        return "frames_per_second";
    }
    model->frames_per_second = read_float(file + MLET_HEADER_FRAMES_PER_SECOND);

    static const struct {
        uint16_t limit;
        uint8_t at, least;
        const char *field;
    } counts[] = {
        {MLET_LIMIT_MAX_TENSORS, MLET_HEADER_TENSOR_COUNT, 1, "tensor_count"},
        {MLET_LIMIT_MAX_OPS, MLET_HEADER_OP_COUNT, 1, "op_count"},
        {MLET_LIMIT_MAX_INPUTS, MLET_HEADER_INPUT_COUNT, 1, "input_count"},
        {MLET_LIMIT_MAX_OUTPUTS, MLET_HEADER_OUTPUT_COUNT, 1, "output_count"},
        {MLET_LIMIT_MAX_LABELS, MLET_HEADER_LABEL_COUNT, 0, "label_count"},
    };
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const uint16_t count = read_u16(file + counts[i].at);
        if (count < counts[i].least || count > counts[i].limit) {
            return counts[i].field;
        }
    }
    model->tensor_count = read_u16(file + MLET_HEADER_TENSOR_COUNT);
    model->op_count = read_u16(file + MLET_HEADER_OP_COUNT);
    model->input_count = read_u16(file + MLET_HEADER_INPUT_COUNT);
    model->output_count = read_u16(file + MLET_HEADER_OUTPUT_COUNT);
    model->label_count = read_u16(file + MLET_HEADER_LABEL_COUNT);
    model->data_bytes = read_u32(file + MLET_HEADER_DATA_BYTES);
    model->arena_bytes = read_u32(file + MLET_HEADER_ARENA_BYTES);
    model->state_bytes = read_u32(file + MLET_HEADER_STATE_BYTES);
    if (model->arena_bytes > MLET_LIMIT_MAX_ARENA_BYTES) {
        return "arena_bytes";
    }
    if (model->state_bytes > MLET_LIMIT_MAX_STATE_BYTES) {
        return "state_bytes";
    }
    return NULL;
}

static const char *check_sections(mlet_model_t *model) {
    const uint8_t *file = model->file;
    const uint32_t strings_bytes = read_u32(file + MLET_HEADER_STRINGS_BYTES);
    static const struct {
        uint8_t at, align, start; // start: in mlet_model_t
        const char *field;
    } sections[] = {
        {MLET_HEADER_TENSORS_OFFSET, 4, offsetof(mlet_model_t, tensors), "tensors_offset"},
        {MLET_HEADER_OPS_OFFSET, 4, offsetof(mlet_model_t, ops), "ops_offset"},
        {MLET_HEADER_INPUTS_OFFSET, 4, offsetof(mlet_model_t, inputs), "inputs_offset"},
        {MLET_HEADER_OUTPUTS_OFFSET, 4, offsetof(mlet_model_t, outputs), "outputs_offset"},
        {MLET_HEADER_LABELS_OFFSET, 4, offsetof(mlet_model_t, labels), "labels_offset"},
        {MLET_HEADER_STRINGS_OFFSET, 4, offsetof(mlet_model_t, strings), "strings_offset"},
        {MLET_HEADER_DATA_OFFSET, MLET_ALIGN, offsetof(mlet_model_t, data), "data_offset"},
        {MLET_HEADER_NORMALIZATION_OFFSET, 4, offsetof(mlet_model_t, normalization),
            "normalization_offset"},
    };
    uint32_t count = sizeof(sections) / sizeof(sections[0]);
    const uint32_t bytes[sizeof(sections) / sizeof(sections[0])] = {
        (uint32_t)model->tensor_count * MLET_TENSOR_BYTES,
        (uint32_t)model->op_count * MLET_OP_BYTES,
        (uint32_t)model->input_count * MLET_INPUT_BYTES,
        (uint32_t)model->output_count * MLET_OUTPUT_BYTES,
        (uint32_t)model->label_count * 2,
        strings_bytes,
        model->data_bytes,
        MLET_NORMALIZATION_BYTES,
    };
    if (read_u32(file + MLET_HEADER_NORMALIZATION_OFFSET) == 0) {
        count--;
    }
    if (strings_bytes < 1 || strings_bytes > MLET_LIMIT_MAX_STRINGS_BYTES) {
        return "strings_bytes";
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t offset = read_u32(file + sections[i].at);
        if (offset % sections[i].align != 0 || offset < MLET_HEADER_BYTES ||
            !inside(offset, bytes[i], model->file_bytes)) {
            return sections[i].field;
        }
        for (uint32_t k = 0; k < i; k++) {
            const uint32_t other = read_u32(file + sections[k].at);
            if (overlap(offset, bytes[i], other, bytes[k])) {
                return sections[i].field;
            }
        }
        const uint8_t *start = file + offset;
        memcpy((uint8_t *)model + sections[i].start, &start, sizeof(start));
    }
    if (model->strings[0] != 0 || model->strings[strings_bytes - 1] != 0) {
        return "strings_bytes";
    }
    return NULL;
}

static bool is_string(const mlet_model_t *model, const uint8_t *offset) {
    return read_u16(offset) < read_u32(model->file + MLET_HEADER_STRINGS_BYTES);
}

static const char *check_tensor(const mlet_model_t *model, uint16_t index) {
    const uint8_t *record = tensor_record(model, index);
    const mlet_tensor_t tensor = mlet_model_tensor(model, index);
    const char *field = NULL;
    if (mlet_shape_check(tensor.shape, &field) != MLET_OK) {
        return field;
    }
    if (record[MLET_TENSOR_DTYPE] != MLET_DTYPE_INT8) {
        return "dtype";
    }
    if (!is_rate(record + MLET_TENSOR_SCALE) || read_u32(record + MLET_TENSOR_SCALE) == 0) {
        return "scale";
    }
    if (tensor.arena_offset % MLET_ALIGN != 0) {
        return "arena_offset";
    }
    if (!is_string(model, record + MLET_TENSOR_NAME)) {
        return "name";
    }
    return read_u16(record + MLET_TENSOR_RESERVED) != 0 ? "reserved" : NULL;
}

static const char *check_input(const mlet_model_t *model, uint16_t index) {
    const uint8_t *record = model->inputs + index * MLET_INPUT_BYTES;
    const uint16_t tensor = mlet_model_input(model, index);
    if (tensor >= model->tensor_count) {
        return "tensor";
    }
    const mlet_tensor_t input = mlet_model_tensor(model, tensor);
    const uint8_t format = record[MLET_INPUT_PIXEL_FORMAT];
    const bool gray = format == MLET_PIXELS_GRAY8 && input.shape.channels == 1;
    const bool rgb = format == MLET_PIXELS_RGB888 && input.shape.channels == 3;
    const bool normalized = index == 0 && model->normalization != NULL;
    const bool wide = format == MLET_PIXELS_INT16 && input.shape.channels == 1 && normalized;
    if (format != MLET_PIXELS_RAW && !wide &&
        !((gray || rgb) && (normalized || input.zero_point == -128))) {
        return "pixel_format";
    }
    for (uint16_t other = 0; other < index; other++) {
        if (mlet_model_input(model, other) == tensor) {
            return "tensor";
        }
    }
    return record[MLET_INPUT_RESERVED] != 0 ? "reserved" : NULL;
}

static const char *check_normalization(const mlet_model_t *model, uint16_t index) {
    const mlet_normalization_t *n = mlet_model_normalization(model);
    const bool background = n->kind == MLET_NORMALIZE_BACKGROUND;
    if ((!background && n->kind != MLET_NORMALIZE_WINDOW) ||
        mlet_model_pixel_format(model, index) == MLET_PIXELS_RAW) {
        return "kind";
    }
    if (n->rate > (background ? MLET_LIMIT_NORMALIZATION_RATE_MAX : 0)) {
        return "rate";
    }
    if (n->shift < 1 || n->shift > MLET_LIMIT_NORMALIZATION_SHIFT_MAX) {
        return "shift";
    }
    if (n->samples_per_unit < 1) {
        return "samples_per_unit";
    }
    if (background && n->offset != 0) {
        return "offset";
    }
    if (n->multiplier < 1 || n->multiplier > MLET_LIMIT_NORMALIZATION_MULTIPLIER_MAX) {
        return "multiplier";
    }
    const uint32_t bytes = mlet_model_background_bytes(model);
    if (bytes != 0 && (n->state_offset % MLET_ALIGN != 0 ||
                       !inside(n->state_offset, bytes, model->state_bytes))) {
        return "state_offset";
    }
    return NULL;
}

static const char *check_output(const mlet_model_t *model, uint16_t index) {
    if (mlet_model_output(model, index) >= model->tensor_count) {
        return "tensor";
    }
    const uint8_t *record = model->outputs + index * MLET_OUTPUT_BYTES;
    return read_u16(record + MLET_OUTPUT_RESERVED) != 0 ? "reserved" : NULL;
}

// Whether an array of `count` elements of `size` bytes lies where it may not.
static bool astray(const mlet_model_t *model, const uint8_t *field, uint32_t count, uint32_t size,
    uint32_t align) {
    const uint32_t offset = read_u32(field);
    return offset % align != 0 || !inside(offset, count * size, model->data_bytes);
}

static bool same_shape(mlet_shape_t a, mlet_shape_t b) {
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

// Where an op's arrays lie, and what they hold.
static const char *check_op_arrays(const mlet_model_t *model, uint16_t index, mlet_layer_t *layer) {
    const uint8_t *record = op_record(model, index);
    const uint8_t code = record[MLET_OP_CODE];
    const mlet_kernels_t *kernels = mlet_kernels(model->target);
    const mlet_counts_t counts = kernels->counts(code, layer);
    if (astray(model, record + MLET_OP_WEIGHTS_OFFSET, counts.weights, 1, MLET_ALIGN)) {
        return "weights_offset";
    }
    if (astray(model, record + MLET_OP_BIAS_OFFSET, counts.bias, 4, 4)) {
        return "bias_offset";
    }
    if (astray(model, record + MLET_OP_MULTIPLIER_OFFSET, counts.multiplier, 4, 4)) {
        return "multiplier_offset";
    }
    if (astray(model, record + MLET_OP_SHIFT_OFFSET, counts.shift, 1, 1)) {
        return "shift_offset";
    }
    point_to_arrays(model, record, layer);
    const char *field = NULL;
    kernels->check_arrays(code, layer, &field);
    return field;
}

// An op's state, and its scratch in the arena.
static const char *check_op_memory(const mlet_model_t *model, uint16_t index, const mlet_op_t *op) {
    if (op->state_bytes != mlet_layer_state_bytes(op->code, &op->layer)) {
        return "state_bytes";
    }
    if (op->state_offset % MLET_ALIGN != 0 ||
        !inside(op->state_offset, op->state_bytes, model->state_bytes)) {
        return "state_offset";
    }
    mlet_layer_t at_once = op->layer;
    if (op->rows > 0 || (index > 0 && rows_of(model, index - 1) > 0)) {
        at_once.in.height = (uint16_t)mlet_rows_needed(op->code, &op->layer); // by row, in a chain
        at_once.out.height = 1;
    }
    if (op->scratch_bytes < mlet_scratch_bytes(mlet_kernels(model->target), op->code, &at_once)) {
        return "scratch_bytes";
    }
    if (op->scratch_offset % MLET_ALIGN != 0 ||
        !inside(op->scratch_offset, op->scratch_bytes, model->arena_bytes)) {
        return "scratch_offset";
    }
    const uint32_t background = mlet_model_background_bytes(model);
    if (background != 0 && overlap(op->state_offset, op->state_bytes,
                               mlet_model_normalization(model)->state_offset, background)) {
        return "state_offset";
    }
    for (uint16_t other = 0; other < index; other++) {
        const uint8_t *record2 = op_record(model, other);
        if (overlap(op->state_offset, op->state_bytes, read_u32(record2 + MLET_OP_STATE_OFFSET),
                read_u32(record2 + MLET_OP_STATE_BYTES))) {
            return "state_offset";
        }
    }
    return NULL;
}

static const char *check_op(const mlet_model_t *model, uint16_t index) {
    const uint8_t *record = op_record(model, index);
    const uint8_t code = record[MLET_OP_CODE];
    const uint16_t input1 = read_u16(record + MLET_OP_INPUT1);
    const mlet_operator_t *operator = mlet_operator(code);
    if (operator == NULL || format_version(model) < operator->since) {
        return "code";
    }
    const uint32_t traits = operator->traits;
    // int4 came with version 2, for the ops whose weights are rows.
    const uint8_t weights = record[MLET_OP_WEIGHT_FORMAT];
    const bool int4 = weights == MLET_WEIGHTS_INT4 && MLET_IS(traits, INT4) &&
                      format_version(model) >= 2;
    if (weights != MLET_WEIGHTS_INT8 && !int4) {
        return "weight_format";
    }
    if (read_u16(record + MLET_OP_PERIOD) != 1) {
        return "period";
    }
    if (read_u16(record + MLET_OP_INPUT0) >= model->tensor_count) {
        return "input0";
    }
    const bool two = MLET_IS(traits, TWO_INPUTS);
    if (two ? input1 >= model->tensor_count : input1 != MLET_NO_TENSOR) {
        return "input1";
    }
    if (read_u16(record + MLET_OP_OUTPUT) >= model->tensor_count) {
        return "output";
    }
    if (!is_string(model, record + MLET_OP_NAME)) {
        return "name";
    }
    if (read_u16(record + MLET_OP_RESERVED) != 0) {
        return "reserved";
    }
    if (read_u16(record + MLET_OP_ROWS) != 0 && format_version(model) < 2) {
        return "rows";
    }

    mlet_op_t op = read_op(model, index);
    const char *field = NULL;
    // Up to version 2, only temporal_shift could.
    if (MLET_IS(traits, SHIFT) && op.layer.shift_channels != 0 &&
        format_version(model) < 3) {
        return "shift_channels";
    }
    if (mlet_layer_check_shape(code, &op.layer, &field) != MLET_OK) {
        return field;
    }
    const uint8_t *in = tensor_record(model, op.input0), *out = tensor_record(model, op.output);
    if (two && !same_shape(op.layer.in, read_shape(tensor_record(model, input1)))) {
        return "input1";
    }
    if (MLET_IS(traits, COPY) &&
        read_u32(in + MLET_TENSOR_SCALE) != read_u32(out + MLET_TENSOR_SCALE)) {
        return "scale";
    }
    field = check_op_arrays(model, index, &op.layer);
    return field != NULL ? field : check_op_memory(model, index, &op);
}

// ---------------------------------------------------------------------------------------------
// Checking the order of ops, chains and the arena

static mlet_layer_t layer_of(const mlet_model_t *model, uint16_t op) {
    return read_op(model, op).layer;
}

// The first and the last op of the chain that `op` is in; `op` itself when it is in none.
static int32_t chain_begin(const mlet_model_t *model, int32_t op) {
    while (op > 0 && rows_of(model, op - 1) > 0) {
        op--;
    }
    return op;
}

static int32_t chain_end(const mlet_model_t *model, int32_t op) {
    while (op < model->op_count && rows_of(model, op) > 0) {
        op++;
    }
    return op;
}

// When a tensor is live: from its writer (an op, or -1 for an input) to its last reader (op_count
// for an output). `writers` counts how often it is written, `readers` how often it is read.
typedef struct lifetime {
    int32_t first, last;
    uint32_t writers, readers;
} lifetime_t;

static lifetime_t lifetime(const mlet_model_t *model, uint16_t tensor) {
    lifetime_t life = {-1, -1, 0, 0};
    for (uint16_t i = 0; i < model->input_count; i++) {
        life.writers += mlet_model_input(model, i) == tensor;
    }
    for (uint16_t i = 0; i < model->op_count; i++) {
        const uint8_t *record = op_record(model, i);
        if (read_u16(record + MLET_OP_OUTPUT) == tensor) {
            life.writers++;
            life.first = i;
            life.last = i;
        }
        if (read_u16(record + MLET_OP_INPUT0) == tensor ||
            read_u16(record + MLET_OP_INPUT1) == tensor) {
            life.readers++;
            life.last = i;
        }
    }
    for (uint16_t i = 0; i < model->output_count; i++) {
        if (mlet_model_output(model, i) == tensor) {
            life.readers++;
            life.last = model->op_count;
        }
    }
    return life;
}

// The ops of a chain run at once: what they touch lives from its first op to its last.
static lifetime_t widen(const mlet_model_t *model, lifetime_t life) {
    if (life.first >= 0) {
        life.first = chain_begin(model, life.first);
    }
    if (life.last >= 0 && life.last < model->op_count) {
        life.last = chain_end(model, life.last);
    }
    return life;
}

// Bytes of a tensor in the arena: fewer than its size when only some rows are kept.
static uint32_t arena_bytes(const mlet_model_t *model, uint16_t tensor) {
    const mlet_shape_t shape = mlet_model_tensor(model, tensor).shape;
    for (uint16_t i = 0; i < model->op_count; i++) {
        if (read_u16(op_record(model, i) + MLET_OP_OUTPUT) == tensor && rows_of(model, i) > 0) {
            return (uint32_t)rows_of(model, i) * shape.width * shape.channels;
        }
    }
    return mlet_shape_bytes(shape);
}

static bool runs_in_chains(uint8_t code) {
    return MLET_IS(mlet_traits(code), CHAINS);
}

// Rows begin on multiples of 4, in the input, the output and the state.
static bool rows_are_aligned(const mlet_layer_t *layer) {
    const uint32_t in = (uint32_t)layer->in.width * layer->in.channels;
    const uint32_t out = (uint32_t)layer->out.width * layer->out.channels;
    const uint32_t shifted = (uint32_t)layer->in.width * layer->shift_channels;
    return in % 4 == 0 && out % 4 == 0 && shifted % 4 == 0;
}

// Whether an op that shifts as it reads windows finds every row of its input while it is kept.
static bool finds_every_row(const mlet_op_t *op) {
    const mlet_layer_t *layer = &op->layer;
    if (!MLET_IS(mlet_traits(op->code), WINDOW) || layer->shift_channels == 0) {
        return true;
    }
    int32_t first, end, above;
    mlet_window_rows(op->code, layer, layer->out.height - 1, &first, &end, &above);
    return layer->stride_h <= mlet_rows_needed(op->code, layer) && end == layer->in.height;
}

// Whether op i may run row by row with the next one, and keeps as many rows as that one needs.
static bool chain_is_right(const mlet_model_t *model, uint16_t i) {
    if (i + 1 >= model->op_count) {
        return false;
    }
    const mlet_op_t op = read_op(model, i), next = read_op(model, (uint16_t)(i + 1));
    return runs_in_chains(op.code) && runs_in_chains(next.code) && next.input0 == op.output &&
           lifetime(model, op.output).readers == 1 &&
           op.rows == mlet_rows_needed(next.code, &next.layer) &&
           rows_are_aligned(&op.layer) && rows_are_aligned(&next.layer) && finds_every_row(&next) &&
           chain_end(model, i) - chain_begin(model, i) < MLET_LIMIT_MAX_CHAIN;
}

// Whether the output of a chain may lie over its input: written row by row, it covers only input
// rows that are done with. SPEC.md, "Chains".
static bool may_cover_input(
    const mlet_model_t *model, int32_t begin, int32_t end, int64_t source_at, int64_t target_at) {
    const mlet_layer_t head = layer_of(model, (uint16_t)begin);
    const mlet_layer_t tail = layer_of(model, (uint16_t)end);
    const int64_t source_row = (int64_t)head.in.width * head.in.channels;
    const int64_t target_row = (int64_t)tail.out.width * tail.out.channels;
    for (int32_t row = 0; row < tail.out.height; row++) {
        int32_t first = 0, made = row + 1, above;
        for (int32_t i = end; i > begin; i--) {
            const mlet_op_t op = read_op(model, (uint16_t)i);
            mlet_window_rows(op.code, &op.layer, made - 1, &first, &made, &above);
        }
        if (made >= head.out.height) {
            return true; // all of the input is done with
        }
        const uint8_t code = op_record(model, (uint16_t)begin)[MLET_OP_CODE];
        int32_t past;
        mlet_window_rows(code, &head, made, &first, &past, &above);
        if (target_at + target_row * (row + 1) > source_at + source_row * first) {
            return false;
        }
    }
    return true;
}

// Ops that may write their output exactly over an input.
static bool works_in_place(uint8_t code) {
    return MLET_IS(mlet_traits(code), IN_PLACE);
}

// Whether the op that writes b does so in place of a, and is the last to read a.
static bool written_over(const mlet_model_t *model, uint16_t a, uint16_t b) {
    const lifetime_t first = lifetime(model, a), second = lifetime(model, b);
    if (second.first < 0 || first.last != second.first) {
        return false;
    }
    const uint8_t *op = op_record(model, (uint16_t)second.first);
    const bool reads = read_u16(op + MLET_OP_INPUT0) == a || read_u16(op + MLET_OP_INPUT1) == a;
    const uint16_t rows_a = first.first < 0 ? 0 : rows_of(model, first.first);
    return reads && works_in_place(op[MLET_OP_CODE]) && rows_a <= 1 &&
           rows_a == rows_of(model, second.first) &&
           mlet_model_arena_offset(model, a) == mlet_model_arena_offset(model, b);
}

// Whether b may lie where a lies although both are live: it is written over a in place (in a
// chain, perhaps by way of others that hold the same row), or ends a chain that begins with a.
static bool may_share(const mlet_model_t *model, uint16_t a, uint16_t b) {
    const lifetime_t first = lifetime(model, a), second = lifetime(model, b);
    if (second.first < 0) {
        return false;
    }
    uint16_t over = b;
    for (int32_t op = second.first; op >= 0;) {
        const uint16_t under = read_u16(op_record(model, (uint16_t)op) + MLET_OP_INPUT0);
        if (written_over(model, a, over)) {
            return true;
        }
        if (rows_of(model, op) != 1 || !written_over(model, under, over)) {
            break;
        }
        over = under;
        op = lifetime(model, under).first;
    }
    const int64_t at_a = mlet_model_arena_offset(model, a);
    const int64_t at_b = mlet_model_arena_offset(model, b);
    const int32_t begin = chain_begin(model, second.first);
    return begin < second.first && rows_of(model, second.first) == 0 && first.last == begin &&
           read_u16(op_record(model, (uint16_t)begin) + MLET_OP_INPUT0) == a &&
           may_cover_input(model, begin, second.first, at_a, at_b);
}

// Two tensors share bytes while both are live, and may not.
static bool clash(const mlet_model_t *model, uint16_t a, uint16_t b) {
    const uint32_t at_a = mlet_model_arena_offset(model, a);
    const uint32_t at_b = mlet_model_arena_offset(model, b);
    if (!overlap(at_a, arena_bytes(model, a), at_b, arena_bytes(model, b))) {
        return false;
    }
    const lifetime_t life_a = widen(model, lifetime(model, a));
    const lifetime_t life_b = widen(model, lifetime(model, b));
    if (life_a.first > life_b.last || life_b.first > life_a.last) {
        return false;
    }
    return !may_share(model, a, b) && !may_share(model, b, a);
}

// Check all that depends on the order of ops: fill in *error and return false where it is wrong.
static bool check_plan(const mlet_model_t *model, mlet_error_t *error) {
    for (uint16_t a = 0; a < model->tensor_count; a++) {
        const lifetime_t life = lifetime(model, a);
        *error = (mlet_error_t) {"tensor", a, "writers"};
        if (life.writers != 1) {
            return false;
        }
        for (uint16_t i = 0; life.first >= 0 && i <= life.first; i++) {
            const uint8_t *record = op_record(model, i);
            *error = (mlet_error_t) {"op", i, "input0"};
            if (read_u16(record + MLET_OP_INPUT0) == a) {
                return false;
            }
            error->field = "input1";
            if (read_u16(record + MLET_OP_INPUT1) == a) {
                return false;
            }
        }
    }
    for (uint16_t i = 0; i < model->op_count; i++) {
        *error = (mlet_error_t) {"op", i, "rows"};
        if (rows_of(model, i) > 0 && !chain_is_right(model, i)) {
            return false;
        }
    }
    for (uint16_t a = 0; a < model->tensor_count; a++) {
        const uint32_t at = mlet_model_arena_offset(model, a);
        const uint32_t bytes = arena_bytes(model, a);
        *error = (mlet_error_t) {"tensor", a, "arena_offset"};
        if (!inside(at, bytes, model->arena_bytes)) {
            return false;
        }
        for (uint16_t b = 0; b < a; b++) {
            if (clash(model, a, b)) {
                return false;
            }
        }
        const lifetime_t life = widen(model, lifetime(model, a));
        for (int32_t i = life.first < 0 ? 0 : life.first; i <= life.last; i++) {
            if (i == model->op_count) {
                break;
            }
            const uint8_t *record = op_record(model, (uint16_t)i);
            *error = (mlet_error_t) {"op", (uint16_t)i, "scratch_offset"};
            if (overlap(at, bytes, read_u32(record + MLET_OP_SCRATCH_OFFSET),
                    read_u32(record + MLET_OP_SCRATCH_BYTES))) {
                return false;
            }
        }
    }
    return true;
}

static bool check_frame(mlet_model_t *model, mlet_error_t *error) {
    *error = (mlet_error_t) {"header", 0, check_header(model)};
    if (error->field == NULL) {
        error->field = check_sections(model);
    }
    return error->field == NULL;
}

static bool check_records(const mlet_model_t *model, mlet_error_t *error) {
    const struct {
        const char *record;
        uint16_t count;
        const char *(*check)(const mlet_model_t *, uint16_t);
    } lists[] = {
        {"tensor", model->tensor_count, check_tensor},
        {"input", model->input_count, check_input},
        {"normalization", model->normalization != NULL, check_normalization},
        {"output", model->output_count, check_output},
        {"op", model->op_count, check_op},
    };
    for (uint32_t list = 0; list < sizeof(lists) / sizeof(lists[0]); list++) {
        for (uint16_t i = 0; i < lists[list].count; i++) {
            *error = (mlet_error_t) {lists[list].record, i, lists[list].check(model, i)};
            if (error->field != NULL) {
                return false;
            }
        }
    }
    const mlet_tensor_t output = mlet_model_tensor(model, mlet_model_output(model, 0));
    *error = (mlet_error_t) {"header", 0, "label_count"};
    if (model->label_count != 0 && model->label_count != output.shape.channels) {
        return false;
    }
    for (uint16_t i = 0; i < model->label_count; i++) {
        *error = (mlet_error_t) {"label", i, "labels_offset"};
        if (!is_string(model, model->labels + i * 2)) {
            return false;
        }
    }
    return check_plan(model, error);
}

mlet_status_t mlet_model_open(
    mlet_model_t *model, const void *file, uint32_t bytes, mlet_error_t *error) {
    mlet_error_t ignored;
    error = error != NULL ? error : &ignored;
    if (model == NULL || file == NULL) {
        return MLET_E_ARGUMENT;
    }
    if ((uintptr_t)file % MLET_ALIGN != 0) {
        return MLET_E_MEMORY;
    }
    memset(model, 0, sizeof(*model));
    model->file = file;
    model->file_bytes = bytes;
    if (!check_frame(model, error)) {
        return MLET_E_FILE;
    }
    if (mlet_model_lacks(model, error) != NULL) {
        return MLET_E_BUILD;
    }
    return check_records(model, error) ? MLET_OK : MLET_E_FILE;
}
