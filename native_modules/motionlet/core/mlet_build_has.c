#include "mlet_kernels.h"

bool mlet_build_has(const mlet_model_t *model, mlet_error_t *error) {
    const uint8_t *op = model->ops;
    for (uint16_t i = 0; i < model->op_count; i++, op += MLET_OP_BYTES) {
        *error = (mlet_error_t) {"op", i, "code"};
        if (mlet_operator(op[MLET_OP_CODE]) == NULL && mlet_op_name(op[MLET_OP_CODE]) != NULL) {
            return false;
        }
        error->field = "weight_format";
        if (!MLET_WITH_INT4 && op[MLET_OP_WEIGHT_FORMAT] == MLET_WEIGHTS_INT4) {
            return false;
        }
        error->field = "rows";
        if (!MLET_WITH_CHAINS && (op[MLET_OP_ROWS] | op[MLET_OP_ROWS + 1]) != 0) {
            return false;
        }
    }
    const uint8_t *input = model->inputs;
    for (uint16_t i = 0; i < model->input_count; i++, input += MLET_INPUT_BYTES) {
        *error = (mlet_error_t) {"input", i, "pixel_format"};
        if (!MLET_WITH_INT16 && input[MLET_INPUT_PIXEL_FORMAT] == MLET_PIXELS_INT16) {
            return false;
        }
    }
    const uint8_t *normalization = model->normalization;
    *error = (mlet_error_t) {"normalization", 0, "kind"};
    return MLET_WITH_INT16 || normalization == NULL ||
           normalization[MLET_NORMALIZATION_KIND] != MLET_NORMALIZE_BACKGROUND;
}
