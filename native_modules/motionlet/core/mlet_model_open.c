#include "mlet_check.h"

mlet_status_t mlet_model_open(
    mlet_model_t *model, const void *file, uint32_t bytes, mlet_error_t *error) {
    mlet_error_t ignored;
    if (MLET_MISSING(error)) {
        error = &ignored;
    }
    if (MLET_MISSING(model) || MLET_MISSING(file)) {
        return MLET_E_ARGUMENT;
    }
    if ((uintptr_t)file % MLET_ALIGN != 0) {
        return MLET_E_MEMORY;
    }
    memset(model, 0, sizeof(*model));
    model->file = file;
    model->file_bytes = bytes;
    const mlet_status_t status = mlet_check_file(model, error);
    return status == MLET_OK ? mlet_check_plan(model, error) : status;
}
