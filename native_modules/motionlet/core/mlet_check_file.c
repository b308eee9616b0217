#include "mlet_check.h"
#include "mlet_kernels.h"

#define MLET_MAGIC 0x54454c4d // "MLET"

// Floats, by their bits.
#define MLET_LEAST_RATE 0x37000000 // 2^-17
#define MLET_LEAST_SCALE 0x00800000 // 2^-126

// What is known of the records before the one that is checked.
typedef struct checker {
    mlet_model_t *model;
    mlet_status_t status; // of the arrays of an op
    uint32_t state_end;   // where their regions in the state end
    uint32_t array_bytes; // that arrays may still have, those counted again that several ops share
} checker_t;

// Each function returns the name of the first field that is wrong, or NULL.

// Finite and at least the number of these bits, so positive.
static bool is_float(const uint8_t *p, uint32_t least) {
    const uint32_t bits = mlet_read_u32(p);
    return bits >= least && bits < 0x7f800000;
}

// Whether all up to `end`, which is behind a zero byte, is UTF-8.
static bool is_utf8(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        uint32_t c = *p++;
        if (c < 0x80) {
            continue;
        }
        const uint32_t more = 1u + (c >= 0xe0) + (c >= 0xf0);
        if (c < 0xc2) {
            return false;
        }
        c &= 0x7fu >> more; // from 0xf8 on, too large
        for (uint32_t i = 0; i < more; i++, p++) {
            if (*p >> 6 != 2) {
                return false;
            }
            c = c << 6 | (*p & 0x3f);
        }
        // Not longer than needed, and no surrogate.
        if (c >> (5 * more + 1) == 0 || c > 0x10ffff || c >> 11 == 0x1b) {
            return false;
        }
    }
    return true;
}

// Runs of fields that lie in a model as they lie in the header.
enum {
    COUNTS_RUN = MLET_RUN_BYTES(mlet_model_t, tensor_count, label_count),
    BYTES_RUN = MLET_RUN_BYTES(mlet_model_t, data_bytes, state_bytes),
};
typedef char counts_run_is_of_a_file[
    COUNTS_RUN == MLET_HEADER_RESERVED0 - MLET_HEADER_TENSOR_COUNT ? 1 : -1];
typedef char bytes_run_is_of_a_file[
    BYTES_RUN == MLET_HEADER_NORMALIZATION_OFFSET - MLET_HEADER_DATA_BYTES ? 1 : -1];

static const char *check_header(mlet_model_t *model) {
    const uint8_t *file = model->file;
    const uint32_t bytes = model->file_bytes;
    if (bytes < 4 || mlet_read_u32(file + MLET_HEADER_MAGIC) != MLET_MAGIC) {
        return MLET_FIELD(magic);
    }
    if (bytes < MLET_HEADER_FORMAT_VERSION + 2) {
        return MLET_FIELD(total_bytes);
    }
    const uint16_t version = mlet_read_u16(file + MLET_HEADER_FORMAT_VERSION);
    if (version < MLET_OLDEST_VERSION || version > MLET_FORMAT_VERSION) {
        return MLET_FIELD(format_version);
    }
    model->format_version = version;
    if (bytes < MLET_HEADER_BYTES || mlet_read_u32(file + MLET_HEADER_TOTAL_BYTES) != bytes) {
        return MLET_FIELD(total_bytes);
    }
    const uint32_t crc = mlet_crc32(0, file + MLET_CRC_START, bytes - MLET_CRC_START);
    if (mlet_read_u32(file + MLET_HEADER_CRC32) != crc) {
        return MLET_FIELD(crc32);
    }
    model->target = mlet_read_u16(file + MLET_HEADER_TARGET);
    // Version 1 knew only the portable target.
    const bool possible = model->target == MLET_TARGET_PORTABLE || version >= 2;
    if (!possible || mlet_kernels(model->target) == NULL || !mlet_runs_here(model->target)) {
        return MLET_FIELD(target);
    }
    if (mlet_read_u16(file + MLET_HEADER_RESERVED0) != 0) {
        return MLET_FIELD(reserved0);
    }
    if (version != 3 && mlet_read_u32(file + MLET_HEADER_NORMALIZATION_OFFSET) != 0) {
        return MLET_FIELD(normalization_offset);
    }
    const uint32_t rate = mlet_read_u32(file + MLET_HEADER_FRAMES_PER_SECOND);
    if (rate != 0 && !is_float(file + MLET_HEADER_FRAMES_PER_SECOND, MLET_LEAST_RATE)) {
        return MLET_FIELD(frames_per_second);
    }
    memcpy(&model->frames_per_second, &rate, sizeof(rate));

    static const struct {
        uint16_t limit;
        uint8_t at, least;
        const char *field;
    } counts[] = {
        {MLET_LIMIT_MAX_TENSORS, MLET_HEADER_TENSOR_COUNT, 1, MLET_FIELD(tensor_count)},
        {MLET_LIMIT_MAX_OPS, MLET_HEADER_OP_COUNT, 1, MLET_FIELD(op_count)},
        {MLET_LIMIT_MAX_INPUTS, MLET_HEADER_INPUT_COUNT, 1, MLET_FIELD(input_count)},
        {MLET_LIMIT_MAX_OUTPUTS, MLET_HEADER_OUTPUT_COUNT, 1, MLET_FIELD(output_count)},
        {MLET_LIMIT_MAX_LABELS, MLET_HEADER_LABEL_COUNT, 0, MLET_FIELD(label_count)},
    };
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        const uint16_t count = mlet_read_u16(file + counts[i].at);
        if (count < counts[i].least || count > counts[i].limit) {
            return counts[i].field;
        }
    }
    memcpy(&model->tensor_count, file + MLET_HEADER_TENSOR_COUNT, COUNTS_RUN);
    memcpy(&model->data_bytes, file + MLET_HEADER_DATA_BYTES, BYTES_RUN);
    if (model->arena_bytes > MLET_LIMIT_MAX_ARENA_BYTES) {
        return MLET_FIELD(arena_bytes);
    }
    if (model->state_bytes > MLET_LIMIT_MAX_STATE_BYTES) {
        return MLET_FIELD(state_bytes);
    }
    return NULL;
}

static const char *check_sections(mlet_model_t *model) {
    const uint8_t *file = model->file;
    const uint32_t strings_bytes = mlet_read_u32(file + MLET_HEADER_STRINGS_BYTES);
    static const struct {
        uint8_t at, align, start; // start: in mlet_model_t
        const char *field;
    } sections[] = {
        {MLET_HEADER_TENSORS_OFFSET, 4, offsetof(mlet_model_t, tensors), MLET_FIELD(tensors_offset)},
        {MLET_HEADER_OPS_OFFSET, 4, offsetof(mlet_model_t, ops), MLET_FIELD(ops_offset)},
        {MLET_HEADER_INPUTS_OFFSET, 4, offsetof(mlet_model_t, inputs), MLET_FIELD(inputs_offset)},
        {MLET_HEADER_OUTPUTS_OFFSET, 4, offsetof(mlet_model_t, outputs), MLET_FIELD(outputs_offset)},
        {MLET_HEADER_LABELS_OFFSET, 4, offsetof(mlet_model_t, labels), MLET_FIELD(labels_offset)},
        {MLET_HEADER_STRINGS_OFFSET, 4, offsetof(mlet_model_t, strings), MLET_FIELD(strings_offset)},
        {MLET_HEADER_DATA_OFFSET, MLET_ALIGN, offsetof(mlet_model_t, data), MLET_FIELD(data_offset)},
        {MLET_HEADER_NORMALIZATION_OFFSET, 4, offsetof(mlet_model_t, normalization),
            MLET_FIELD(normalization_offset)},
    };
    uint32_t count = sizeof(sections) / sizeof(sections[0]);
    const uint32_t bytes[sizeof(sections) / sizeof(sections[0])] = {
        (uint32_t)model->tensor_count * MLET_TENSOR_BYTES,
        (uint32_t)model->op_count * MLET_OP_BYTES,
        model->input_count * mlet_input_bytes(model),
        (uint32_t)model->output_count * MLET_OUTPUT_BYTES,
        (uint32_t)model->label_count * 2,
        strings_bytes,
        model->data_bytes,
        MLET_NORMALIZATION_BYTES,
    };
    if (mlet_read_u32(file + MLET_HEADER_NORMALIZATION_OFFSET) == 0) {
        count--;
    }
    if (strings_bytes < 1 || strings_bytes > MLET_LIMIT_MAX_STRINGS_BYTES) {
        return MLET_FIELD(strings_bytes);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t offset = mlet_read_u32(file + sections[i].at);
        if (offset % sections[i].align != 0 || offset < MLET_HEADER_BYTES ||
            !mlet_inside(offset, bytes[i], model->file_bytes)) {
            return sections[i].field;
        }
        for (uint32_t k = 0; k < i; k++) {
            const uint32_t other = mlet_read_u32(file + sections[k].at);
            if (mlet_overlap(offset, bytes[i], other, bytes[k])) {
                return sections[i].field;
            }
        }
        const uint8_t *start = file + offset;
        memcpy((uint8_t *)model + sections[i].start, &start, sizeof(start));
    }
    if (model->strings[0] != 0 || model->strings[strings_bytes - 1] != 0) {
        return MLET_FIELD(strings_bytes);
    }
    if (!is_utf8(model->strings, model->strings + strings_bytes)) {
        return MLET_FIELD(strings_offset);
    }
    // So that what writes a tensor can be found: an input, or else an op.
    if (model->tensor_count != model->input_count + model->op_count) {
        return MLET_FIELD(tensor_count);
    }
    return NULL;
}

// Whether an offset is that of a character in the strings.
static bool is_string(const mlet_model_t *model, const uint8_t *offset) {
    const uint32_t at = mlet_read_u16(offset);
    return at < mlet_read_u32(model->file + MLET_HEADER_STRINGS_BYTES) && model->strings[at] >> 6 != 2;
}

// Whether an input can be told by its name: it has one, and none before it begins alike.
static bool is_told_by_name(const mlet_model_t *model, uint16_t input) {
    const char *name = mlet_model_tensor(model, input).name;
    for (uint16_t i = 0; MLET_WITH_INPUTS && i < input; i++) {
        const char *other = mlet_model_tensor(model, i).name;
        uint32_t same = 0;
        while (same < MLET_LIMIT_MAX_INPUT_NAME && name[same] == other[same] && name[same] != 0) {
            same++;
        }
        if (same == MLET_LIMIT_MAX_INPUT_NAME || name[same] == other[same]) {
            return false;
        }
    }
    return *name != 0;
}

static const char *check_tensor(checker_t *checker, uint16_t index) {
    const mlet_model_t *model = checker->model;
    const uint8_t *record = mlet_tensor_record(model, index);
    const char *field = NULL;
    if (mlet_shape_check(mlet_read_shape(record), &field) != MLET_OK) {
        return field;
    }
    if (record[MLET_TENSOR_DTYPE] != MLET_DTYPE_INT8) {
        return MLET_FIELD(dtype);
    }
    if (!is_float(record + MLET_TENSOR_SCALE, MLET_LEAST_SCALE)) {
        return MLET_FIELD(scale);
    }
    if (mlet_arena_offset(model, index) % MLET_ALIGN != 0) {
        return MLET_FIELD(arena_offset);
    }
    if (!is_string(model, record + MLET_TENSOR_NAME) ||
        (index < model->input_count && !is_told_by_name(model, index))) {
        return MLET_FIELD(name);
    }
    return mlet_read_u16(record + MLET_TENSOR_RESERVED) != 0 ? MLET_FIELD(reserved) : NULL;
}

// Whether something may run once in so many frames; the cycle of all is updated.
static bool take_period(mlet_model_t *model, uint16_t period) {
    const bool fits = period >= 1 && period <= MLET_LIMIT_MAX_PERIOD;
    if (!MLET_WITH_INPUTS) {
        return period == 1; // mlet_model_lacks() knows no more
    }
    if (!fits || model->cycle % period == 0) {
        return fits;
    }
    uint32_t divisor = period, rest = model->cycle % period;
    while (rest != 0) {
        const uint32_t next = divisor % rest;
        divisor = rest;
        rest = next;
    }
    const uint32_t cycle = model->cycle / divisor * period; // the least common multiple
    model->cycle = (uint16_t)cycle;
    return cycle <= MLET_LIMIT_MAX_CYCLE;
}

static const char *check_input(checker_t *checker, uint16_t index) {
    mlet_model_t *model = checker->model;
    const uint8_t *record = mlet_input_record(model, index);
    if (mlet_model_input(model, index) != index) {
        return MLET_FIELD(tensor);
    }
    const uint8_t *tensor = mlet_tensor_record(model, index);
    const uint16_t channels = mlet_read_u16(tensor + MLET_TENSOR_CHANNELS);
    const uint8_t format = record[MLET_INPUT_PIXEL_FORMAT];
    const bool gray = format == MLET_PIXELS_GRAY8 && channels == 1;
    const bool rgb = format == MLET_PIXELS_RGB888 && channels == 3;
    const bool normalized = mlet_model_normalization(model, index) != NULL;
    const bool wide = MLET_WITH_INT16 && format == MLET_PIXELS_INT16 && channels == 1 && normalized;
    const bool plain = (int8_t)tensor[MLET_TENSOR_ZERO_POINT] == -128;
    if (format != MLET_PIXELS_RAW && !wide && !((gray || rgb) && (normalized || plain))) {
        return MLET_FIELD(pixel_format);
    }
    if (record[MLET_INPUT_RESERVED] != 0) {
        return MLET_FIELD(reserved);
    }
    if (model->format_version < 4) {
        return NULL;
    }
    if (!take_period(model, mlet_read_u16(record + MLET_INPUT4_PERIOD))) {
        return MLET_FIELD(period);
    }
    return mlet_read_u16(record + MLET_INPUT4_RESERVED2) != 0 ? MLET_FIELD(reserved2) : NULL;
}

// Whether a region of state lies where it may: behind those of the records before.
static bool take_state(checker_t *checker, uint32_t offset, uint32_t bytes) {
    if (offset % MLET_ALIGN != 0 || !mlet_inside(offset, bytes, checker->model->state_bytes)) {
        return false;
    }
    if (bytes == 0) {
        return true;
    }
    const bool behind = offset >= checker->state_end;
    checker->state_end = offset + bytes;
    return behind;
}

static const char *check_normalization(checker_t *checker, uint16_t index) {
    const mlet_model_t *model = checker->model;
    const mlet_normalization_t *n = mlet_model_normalization(model, index);
    if (n == NULL) {
        const uint8_t *record = mlet_input_record(model, index);
        for (uint32_t i = MLET_INPUT4_KIND; i < mlet_input_bytes(model); i++) {
            if (record[i] != 0) {
                return MLET_FIELD(kind);
            }
        }
        return NULL;
    }
    const bool background = mlet_is_background(n);
    if ((!background && n->kind != MLET_NORMALIZE_WINDOW) ||
        mlet_model_pixel_format(model, index) == MLET_PIXELS_RAW) {
        return MLET_FIELD(kind);
    }
    if (n->rate > (background ? MLET_LIMIT_NORMALIZATION_RATE_MAX : 0)) {
        return MLET_FIELD(rate);
    }
    if (n->shift < 1 || n->shift > MLET_LIMIT_NORMALIZATION_SHIFT_MAX) {
        return MLET_FIELD(shift);
    }
    if (n->samples_per_unit < 1) {
        return MLET_FIELD(samples_per_unit);
    }
    if (background && n->offset != 0) {
        return MLET_FIELD(offset);
    }
    if (n->multiplier < 1 || n->multiplier > MLET_LIMIT_NORMALIZATION_MULTIPLIER_MAX) {
        return MLET_FIELD(multiplier);
    }
    const uint32_t bytes = mlet_model_background_bytes(model, index);
    return background && !take_state(checker, n->state_offset, bytes) ? MLET_FIELD(state_offset) : NULL;
}

static const char *check_output(checker_t *checker, uint16_t index) {
    const mlet_model_t *model = checker->model;
    if (mlet_model_output(model, index) >= model->tensor_count) {
        return MLET_FIELD(tensor);
    }
    const uint8_t *record = model->outputs + index * MLET_OUTPUT_BYTES;
    return mlet_read_u16(record + MLET_OUTPUT_RESERVED) != 0 ? MLET_FIELD(reserved) : NULL;
}

// Whether an array of `count` elements of `size` bytes lies where it may not.
static bool astray(const mlet_model_t *model, const uint8_t *field, uint32_t count, uint32_t size,
    uint32_t align) {
    const uint32_t offset = mlet_read_u32(field);
    return offset % align != 0 || !mlet_inside(offset, count * size, model->data_bytes);
}

// Where an op's arrays lie, and what they hold.
static const char *check_arrays(
    checker_t *checker, uint16_t index, uint8_t code, mlet_layer_t *layer) {
    const mlet_model_t *model = checker->model;
    const uint8_t *record = mlet_op_record(model, index);
    const mlet_kernels_t *kernels = mlet_kernels(model->target);
    const mlet_counts_t counts = kernels->counts(code, layer);
    if (astray(model, record + MLET_OP_WEIGHTS_OFFSET, counts.weights, 1, MLET_ALIGN)) {
        return MLET_FIELD(weights_offset);
    }
    if (astray(model, record + MLET_OP_BIAS_OFFSET, counts.bias, 4, 4)) {
        return MLET_FIELD(bias_offset);
    }
    if (astray(model, record + MLET_OP_MULTIPLIER_OFFSET, counts.multiplier, 4, 4)) {
        return MLET_FIELD(multiplier_offset);
    }
    if (astray(model, record + MLET_OP_SHIFT_OFFSET, counts.shift, 1, 1)) {
        return MLET_FIELD(shift_offset);
    }
    // Ops may share arrays, but not so often that reading them takes long.
    const uint32_t bytes = counts.weights + 4 * (counts.bias + counts.multiplier) + counts.shift;
    if (bytes > checker->array_bytes) {
        return MLET_FIELD(arrays);
    }
    checker->array_bytes -= bytes;
    mlet_point_to_arrays(model, index, layer);
    const char *field = NULL;
    checker->status = kernels->check_arrays(code, layer, &field);
    return field;
}

// An op's state, and its scratch in the arena.
static const char *check_memory(checker_t *checker, uint16_t index, const mlet_op_t *op) {
    const mlet_model_t *model = checker->model;
    if (op->state_bytes != mlet_layer_state_bytes(op->code, &op->layer)) {
        return MLET_FIELD(state_bytes);
    }
    if (!take_state(checker, op->state_offset, op->state_bytes)) {
        return MLET_FIELD(state_offset);
    }
    mlet_layer_t at_once = op->layer;
    const bool by_row = op->rows > 0 || (index > 0 && mlet_op_rows(model, (uint16_t)(index - 1)) > 0);
    if (MLET_WITH_CHAINS && by_row) {
        at_once.in.height = (uint16_t)mlet_rows_needed(op->code, &op->layer); // by row, in a chain
        at_once.out.height = 1;
    }
    if (op->scratch_bytes < mlet_scratch_bytes(mlet_kernels(model->target), op->code, &at_once)) {
        return MLET_FIELD(scratch_bytes);
    }
    if (op->scratch_offset % MLET_ALIGN != 0 ||
        !mlet_inside(op->scratch_offset, op->scratch_bytes, model->arena_bytes)) {
        return MLET_FIELD(scratch_offset);
    }
    return NULL;
}

static bool same_shape(mlet_shape_t a, mlet_shape_t b) {
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

// What came with later versions of the format.
static const char *check_version(uint16_t version, const mlet_op_t *op) {
    if (MLET_WITH_INT4 && op->layer.weight_bits == 4 && version < 2) {
        return MLET_FIELD(weight_format);
    }
    if (MLET_WITH_CHAINS && op->rows != 0 && version < 2) {
        return MLET_FIELD(rows);
    }
    if (op->layer.shift_channels != 0 && MLET_IS(mlet_traits(op->code), SHIFT) && version < 3) {
        return MLET_FIELD(shift_channels);
    }
    if (MLET_WITH_INPUTS && op->period != 1 && version < 4) {
        return MLET_FIELD(period);
    }
    return op->group != 0 && version < 4 ? MLET_FIELD(group) : NULL;
}

static const char *check_op(checker_t *checker, uint16_t index) {
    mlet_model_t *model = checker->model;
    const uint8_t *record = mlet_op_record(model, index);
    const uint8_t code = record[MLET_OP_CODE], weights = record[MLET_OP_WEIGHT_FORMAT];
    const uint16_t output = mlet_read_u16(record + MLET_OP_OUTPUT);
    const uint16_t input1 = mlet_read_u16(record + MLET_OP_INPUT1);
    const mlet_operator_t *operator = mlet_operator(code);
    if (operator == NULL || model->format_version < operator->since) {
        return MLET_FIELD(code);
    }
    const uint32_t traits = operator->traits;
    const bool two = MLET_IS(traits, TWO_INPUTS);
    if (weights != MLET_WEIGHTS_INT8 &&
        !(MLET_WITH_INT4 && weights == MLET_WEIGHTS_INT4 && MLET_IS(traits, INT4))) {
        return MLET_FIELD(weight_format);
    }
    if (output != model->input_count + index) {
        return MLET_FIELD(output);
    }
    if (mlet_read_u16(record + MLET_OP_INPUT0) >= output) {
        return MLET_FIELD(input0);
    }
    if (two ? input1 >= output : input1 != MLET_NO_TENSOR) {
        return MLET_FIELD(input1);
    }
    if (!is_string(model, record + MLET_OP_NAME)) {
        return MLET_FIELD(name);
    }
    if (record[MLET_OP_RESERVED] != 0) {
        return MLET_FIELD(reserved);
    }

    mlet_op_t op = mlet_read_op(model, index);
    const char *field = check_version(model->format_version, &op);
    if (field != NULL) {
        return field;
    }
    if (!take_period(model, op.period)) {
        return MLET_FIELD(period);
    }
    if (op.group > MLET_LIMIT_MAX_GROUP) {
        return MLET_FIELD(group);
    }
    if (mlet_layer_check_shape(code, &op.layer, &field) != MLET_OK) {
        return field;
    }
    const uint8_t *in = mlet_tensor_record(model, op.input0);
    const uint8_t *out = mlet_tensor_record(model, output);
    if (two &&
        !same_shape(op.layer.in, mlet_read_shape(mlet_tensor_record(model, input1)))) {
        return MLET_FIELD(input1);
    }
    if (MLET_IS(traits, COPY) &&
        mlet_read_u32(in + MLET_TENSOR_SCALE) != mlet_read_u32(out + MLET_TENSOR_SCALE)) {
        return MLET_FIELD(scale);
    }
    model->macs += mlet_layer_macs(code, &op.layer);
    field = check_arrays(checker, index, code, &op.layer);
    return field != NULL ? field : check_memory(checker, index, &op);
}

static const char *check_label_count(checker_t *checker, uint16_t index) {
    const mlet_model_t *model = checker->model;
    const uint8_t *output = mlet_tensor_record(model, mlet_model_output(model, index));
    const uint16_t channels = mlet_read_u16(output + MLET_TENSOR_CHANNELS);
    return model->label_count == 0 || model->label_count == channels ? NULL : MLET_FIELD(label_count);
}

static const char *check_label(checker_t *checker, uint16_t index) {
    const mlet_model_t *model = checker->model;
    return is_string(model, model->labels + index * 2) ? NULL : MLET_FIELD(labels_offset);
}

mlet_status_t mlet_check_file(mlet_model_t *model, mlet_error_t *error) {
    const char *field = check_header(model);
    if (field == NULL) {
        field = check_sections(model);
    }
    if (field != NULL) {
        return mlet_wrong(error, MLET_FIELD(header), 0, field);
    }
    if (mlet_model_lacks(model, error) != NULL) {
        return MLET_E_BUILD;
    }
    #define MLET_COUNT_AT(name) offsetof(mlet_model_t, name##_count)
    static const struct {
        const char *record;
        const char *(*check)(checker_t *, uint16_t);
        uint8_t count; // where it is in mlet_model_t; 0: 1
    } lists[] = {
        {MLET_FIELD(tensor), check_tensor, MLET_COUNT_AT(tensor)},
        {MLET_FIELD(input), check_input, MLET_COUNT_AT(input)},
        {MLET_FIELD(normalization), check_normalization, MLET_COUNT_AT(input)},
        {MLET_FIELD(output), check_output, MLET_COUNT_AT(output)},
        {MLET_FIELD(op), check_op, MLET_COUNT_AT(op)},
        {MLET_FIELD(header), check_label_count, 0},
        {MLET_FIELD(label), check_label, MLET_COUNT_AT(label)},
    };
    // Nothing that runs here has a gigabyte of arrays: 32 bits are enough.
    const uint32_t most = (UINT32_MAX - MLET_LIMIT_ARRAY_SPARE) / MLET_LIMIT_ARRAY_REUSE;
    const uint32_t data_bytes = model->data_bytes < most ? model->data_bytes : most;
    checker_t checker = {model, MLET_OK, 0, data_bytes * MLET_LIMIT_ARRAY_REUSE + MLET_LIMIT_ARRAY_SPARE};
    model->cycle = 1;
    for (uint32_t list = 0; list < sizeof(lists) / sizeof(lists[0]); list++) {
        uint16_t count = 1;
        if (lists[list].count != 0) {
            memcpy(&count, (uint8_t *)model + lists[list].count, sizeof(count));
        }
        for (uint16_t i = 0; i < count; i++) {
            field = lists[list].check(&checker, i);
            if (field != NULL) {
                const mlet_status_t wrong = mlet_wrong(error, lists[list].record, i, field);
                return checker.status == MLET_E_BUILD ? MLET_E_BUILD : wrong;
            }
        }
    }
    return MLET_OK;
}
