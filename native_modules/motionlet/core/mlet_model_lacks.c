#include "mlet_kernels.h"

static const char *op_lacks(const uint8_t *op, const char **field) {
    *field = "code";
    const char *name = mlet_op_name(op[MLET_OP_CODE]);
    if (name != NULL && mlet_operator(op[MLET_OP_CODE]) == NULL) {
        return name;
    }
    *field = "weight_format";
    if (!MLET_WITH_INT4 && op[MLET_OP_WEIGHT_FORMAT] == MLET_WEIGHTS_INT4) {
        return "int4 weights";
    }
    *field = "rows";
    if (!MLET_WITH_CHAINS && (op[MLET_OP_ROWS] | op[MLET_OP_ROWS + 1]) != 0) {
        return "running in chains";
    }
    return NULL;
}

const char *mlet_model_lacks(const mlet_model_t *model, mlet_error_t *error) {
    for (uint16_t i = 0; i < model->op_count; i++) {
        *error = (mlet_error_t) {"op", i, NULL};
        const char *what = op_lacks(model->ops + (uint32_t)i * MLET_OP_BYTES, &error->field);
        if (what != NULL) {
            return what;
        }
    }
    for (uint16_t i = 0; !MLET_WITH_INT16 && i < model->input_count; i++) {
        *error = (mlet_error_t) {"input", i, "pixel_format"};
        const uint8_t *input = model->inputs + i * MLET_INPUT_BYTES;
        if (input[MLET_INPUT_PIXEL_FORMAT] == MLET_PIXELS_INT16) {
            return "int16 input";
        }
    }
    const uint8_t *normalization = model->normalization;
    if (!MLET_WITH_INT16 && normalization != NULL &&
        normalization[MLET_NORMALIZATION_KIND] == MLET_NORMALIZE_BACKGROUND) {
        *error = (mlet_error_t) {"normalization", 0, "kind"};
        return "background";
    }
    return NULL;
}
