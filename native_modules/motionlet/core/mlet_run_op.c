#include "mlet_count.h"
#include "mlet_kernels.h"

mlet_status_t mlet_run_op(const mlet_kernels_t *kernels, uint8_t code, const mlet_layer_t *layer,
    mlet_buffers_t *buffers) {
    if (code >= MLET_CODES || kernels->operators[code].traits == 0) {
        return MLET_E_BUILD; // not in an open model
    }
    const mlet_operator_t *op = &kernels->operators[code];
    const int8_t *x = buffers->a;
    int8_t *y = buffers->y;
    void *scratch = buffers->scratch;
    MLET_COUNT(kernel_calls, 1);
    // The forms, in the order in which OPS has them.
    if (MLET_IS(op->traits, TWO_INPUTS)) {
        return op->run.two_inputs(layer, x, buffers->b, y);
    }
    if (MLET_IS(op->traits, SLOTS)) {
        return op->run.slots(layer, &buffers->ring, x, y, scratch);
    }
    if (MLET_IS(op->traits, SHIFT)) {
        const mlet_status_t status = op->run.shift(layer, buffers->state, x, y, scratch);
        if (status != MLET_OK || layer->shift_channels == 0) {
            return status;
        }
        return kernels->keep_shifted(layer, buffers->state, x, buffers->rows_done);
    }
    if (MLET_IS(op->traits, CHANNELS)) {
        return op->run.channels(layer, buffers->state, x, y);
    }
    return op->run.plain(layer, x, y, scratch);
}
