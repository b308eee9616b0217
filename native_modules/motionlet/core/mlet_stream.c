#include <string.h>

#include "mlet_kernels.h"

uint32_t mlet_stream_bytes(const mlet_model_t *model) {
    const uint32_t heads = (uint32_t)model->op_count * (uint32_t)sizeof(uint16_t);
    return MLET_ROUND_UP(model->arena_bytes) + MLET_ROUND_UP(model->state_bytes) +
           MLET_ROUND_UP(heads);
}

mlet_status_t mlet_stream_init(
    mlet_stream_t *stream, const mlet_model_t *model, void *memory, uint32_t bytes) {
    if (stream == NULL || model == NULL || memory == NULL) {
        return MLET_E_ARGUMENT;
    }
    if ((uintptr_t)memory % MLET_ALIGN != 0 || bytes < mlet_stream_bytes(model)) {
        return MLET_E_MEMORY;
    }
    stream->model = model;
    stream->arena = memory;
    stream->state = stream->arena + MLET_ROUND_UP(model->arena_bytes);
    stream->heads = (void *)(stream->state + MLET_ROUND_UP(model->state_bytes));
    mlet_stream_reset(stream);
    return MLET_OK;
}

void mlet_stream_reset(mlet_stream_t *stream) {
    for (uint16_t i = 0; i < stream->model->op_count; i++) {
        const mlet_op_t op = mlet_model_op(stream->model, i);
        memset(stream->state + op.state_offset, op.layer.in_zero, op.state_bytes);
        stream->heads[i] = 0;
    }
}

static int8_t *tensor(const mlet_stream_t *stream, uint16_t index) {
    return stream->arena + mlet_model_tensor(stream->model, index).arena_offset;
}

int8_t *mlet_stream_input(const mlet_stream_t *stream, uint16_t index) {
    return tensor(stream, mlet_model_input(stream->model, index));
}

const int8_t *mlet_stream_output(const mlet_stream_t *stream, uint16_t index) {
    return tensor(stream, mlet_model_output(stream->model, index));
}

static mlet_status_t run_op(mlet_stream_t *stream, const mlet_op_t *op, uint16_t *head) {
    const mlet_kernels_t *kernels = mlet_kernels(stream->model->target);
    const mlet_layer_t *layer = &op->layer;
    const int8_t *x = tensor(stream, op->input0);
    int8_t *y = tensor(stream, op->output);
    void *scratch = stream->arena + op->scratch_offset;
    int8_t *state = stream->state + op->state_offset;
    const uint32_t slot_bytes = MLET_ROUND_UP(mlet_shape_bytes(layer->in));
    mlet_ring_t ring = {state, slot_bytes, (uint16_t)(op->state_bytes / slot_bytes), *head};
    mlet_status_t status;
    switch (op->code) {
        case MLET_OP_CONV2D:
            return kernels->conv2d(layer, x, y, scratch);
        case MLET_OP_DEPTHWISE2D:
            return kernels->depthwise2d(layer, x, y, scratch);
        case MLET_OP_POINTWISE:
            return kernels->pointwise(layer, x, y, scratch);
        case MLET_OP_TEMPORAL_DEPTHWISE:
            status = kernels->temporal_depthwise(layer, &ring, x, y, scratch);
            break;
        case MLET_OP_TEMPORAL_SHIFT:
            return kernels->temporal_shift(layer, state, x, y);
        case MLET_OP_ADD:
            return kernels->add(layer, x, tensor(stream, op->input1), y);
        case MLET_OP_AVERAGE_POOL:
            return kernels->average_pool(layer, x, y, scratch);
        case MLET_OP_TEMPORAL_AVERAGE:
            status = kernels->temporal_average(layer, &ring, x, y, scratch);
            break;
        case MLET_OP_DENSE:
            return kernels->dense(layer, x, y, scratch);
        default:
            return MLET_E_FILE; // not in an open model
    }
    *head = ring.head;
    return status;
}

mlet_status_t mlet_stream_run(mlet_stream_t *stream, mlet_hook_t hook, void *context) {
    if (stream == NULL) {
        return MLET_E_ARGUMENT;
    }
    mlet_status_t status = MLET_OK;
    for (uint16_t i = 0; i < stream->model->op_count && status == MLET_OK; i++) {
        const mlet_op_t op = mlet_model_op(stream->model, i);
        status = run_op(stream, &op, &stream->heads[i]);
        if (status == MLET_OK && hook != NULL) {
            status = hook(context, i, tensor(stream, op.output), mlet_shape_bytes(op.layer.out));
        }
    }
    return status;
}
