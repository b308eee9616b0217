#include "mlet_kernels.h"
#include "mlet_record.h"

static const char *op_lacks(const uint8_t *op, const char **field) {
    const char *name = mlet_op_name(op[MLET_OP_CODE]);
    if (name != NULL && mlet_operator(op[MLET_OP_CODE]) == NULL) {
        *field = MLET_FIELD(code);
        return name;
    }
    if (!MLET_WITH_INT4 && op[MLET_OP_WEIGHT_FORMAT] == MLET_WEIGHTS_INT4) {
        *field = MLET_FIELD(weight_format);
        return "int4 weights";
    }
    if (!MLET_WITH_CHAINS && mlet_read_u16(op + MLET_OP_ROWS) != 0) {
        *field = MLET_FIELD(rows);
        return "running in chains";
    }
    if (!MLET_WITH_INPUTS && mlet_read_u16(op + MLET_OP_PERIOD) > 1) {
        *field = MLET_FIELD(period);
        return "a period";
    }
    return NULL;
}

static const char *input_lacks(const mlet_model_t *model, uint16_t index, mlet_error_t *error) {
    if (!MLET_WITH_INPUTS && model->format_version >= 4 &&
        mlet_read_u16(mlet_input_record(model, index) + MLET_INPUT4_PERIOD) > 1) {
        error->field = MLET_FIELD(period);
        return "a period";
    }
    if (!MLET_WITH_INT16 && mlet_model_pixel_format(model, index) == MLET_PIXELS_INT16) {
        error->field = MLET_FIELD(pixel_format);
        return "int16 input";
    }
    const mlet_normalization_t *n = mlet_model_normalization(model, index);
    if (!MLET_WITH_INT16 && n != NULL && n->kind == MLET_NORMALIZE_BACKGROUND) {
        error->record = MLET_FIELD(normalization);
        error->field = MLET_FIELD(kind);
        return "background";
    }
    return NULL;
}

const char *mlet_model_lacks(const mlet_model_t *model, mlet_error_t *error) {
    const char *what = NULL;
    error->record = MLET_FIELD(op);
    for (uint16_t i = 0; i < model->op_count && what == NULL; i++) {
        error->index = i;
        what = op_lacks(mlet_op_record(model, i), &error->field);
    }
    if (what != NULL) {
        return what;
    }
    error->record = MLET_FIELD(input);
    if (!MLET_WITH_INPUTS && model->input_count > 1) {
        error->index = 1;
        error->field = MLET_FIELD(tensor);
        return "a second input";
    }
    for (uint16_t i = 0; i < model->input_count && what == NULL; i++) {
        error->index = i;
        what = input_lacks(model, i, error);
    }
    return what;
}
