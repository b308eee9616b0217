#include "mlet_kernels.h"
#include "mlet_record.h"

static const char *op_lacks(const uint8_t *op, const char **field) {
    *field = MLET_FIELD(code);
    const char *name = mlet_op_name(op[MLET_OP_CODE]);
    if (name != NULL && mlet_operator(op[MLET_OP_CODE]) == NULL) {
        return name;
    }
    *field = MLET_FIELD(weight_format);
    if (!MLET_WITH_INT4 && op[MLET_OP_WEIGHT_FORMAT] == MLET_WEIGHTS_INT4) {
        return "int4 weights";
    }
    *field = MLET_FIELD(rows);
    if (!MLET_WITH_CHAINS && (op[MLET_OP_ROWS] | op[MLET_OP_ROWS + 1]) != 0) {
        return "running in chains";
    }
    *field = MLET_FIELD(period);
    if (!MLET_WITH_INPUTS && mlet_read_u16(op + MLET_OP_PERIOD) > 1) {
        return "a period";
    }
    return NULL;
}

const char *mlet_model_lacks(const mlet_model_t *model, mlet_error_t *error) {
    for (uint16_t i = 0; i < model->op_count; i++) {
        *error = (mlet_error_t) {MLET_FIELD(op), i, NULL};
        const char *what = op_lacks(mlet_op_record(model, i), &error->field);
        if (what != NULL) {
            return what;
        }
    }
    *error = (mlet_error_t) {MLET_FIELD(input), 1, MLET_FIELD(tensor)};
    if (!MLET_WITH_INPUTS && model->input_count > 1) {
        return "a second input";
    }
    *error = (mlet_error_t) {MLET_FIELD(input), 0, MLET_FIELD(period)};
    if (!MLET_WITH_INPUTS && model->format_version >= 4 &&
        mlet_read_u16(mlet_input_record(model, 0) + MLET_INPUT4_PERIOD) > 1) {
        return "a period";
    }
    for (uint16_t i = 0; !MLET_WITH_INT16 && i < model->input_count; i++) {
        *error = (mlet_error_t) {MLET_FIELD(input), i, MLET_FIELD(pixel_format)};
        if (mlet_model_pixel_format(model, i) == MLET_PIXELS_INT16) {
            return "int16 input";
        }
        *error = (mlet_error_t) {MLET_FIELD(normalization), i, MLET_FIELD(kind)};
        const mlet_normalization_t *n = mlet_model_normalization(model, i);
        if (n != NULL && n->kind == MLET_NORMALIZE_BACKGROUND) {
            return "background";
        }
    }
    return NULL;
}
