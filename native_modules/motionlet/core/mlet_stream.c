#include <string.h>

#include "mlet_record.h"
#include "mlet_run.h"

uint32_t mlet_stream_bytes(const mlet_model_t *model) {
    const uint32_t heads = (uint32_t)model->op_count * (uint32_t)sizeof(uint16_t);
    return MLET_ROUND_UP(model->arena_bytes) + MLET_ROUND_UP(model->state_bytes) +
           MLET_ROUND_UP(heads);
}

mlet_status_t mlet_stream_init(
    mlet_stream_t *stream, const mlet_model_t *model, void *memory, uint32_t bytes) {
    if (MLET_MISSING(stream) || MLET_MISSING(model) || MLET_MISSING(memory)) {
        return MLET_E_ARGUMENT;
    }
    if ((uintptr_t)memory % MLET_ALIGN != 0 || bytes < mlet_stream_bytes(model)) {
        return MLET_E_MEMORY;
    }
    stream->model = model;
    stream->macs = 0;
    stream->pace = 1 << 20;
    stream->poll = NULL;
    stream->arena = memory;
    stream->state = stream->arena + MLET_ROUND_UP(model->arena_bytes);
    stream->heads = (void *)(stream->state + MLET_ROUND_UP(model->state_bytes));
    mlet_stream_reset(stream);
    return MLET_OK;
}

void mlet_stream_reset(mlet_stream_t *stream) {
    const mlet_model_t *model = stream->model;
    stream->frame = 0;
    for (uint16_t i = 0; MLET_WITH_INT16 && i < model->input_count; i++) {
        const uint32_t background = mlet_model_background_bytes(model, i);
        if (background != 0) {
            const mlet_normalization_t *n = mlet_model_normalization(model, i);
            memset(stream->state + n->state_offset, 0x80, background);
        }
    }
    for (uint16_t i = 0; i < model->op_count; i++) {
        const mlet_op_t op = mlet_model_op(model, i);
        memset(stream->state + op.state_offset, op.layer.in_zero, op.state_bytes);
        stream->heads[i] = 0;
    }
}

// Whether what runs once in `period` frames does so at the next one.
static bool is_due(const mlet_stream_t *stream, uint16_t period) {
    return !MLET_WITH_INPUTS || period == 1 || stream->frame % period == 0;
}

bool mlet_stream_due(const mlet_stream_t *stream, uint16_t input) {
    return is_due(stream, mlet_model_period(stream->model, input));
}

static int8_t *tensor(const mlet_stream_t *stream, uint16_t index) {
    return stream->arena + mlet_arena_offset(stream->model, index);
}

int8_t *mlet_stream_input(const mlet_stream_t *stream, uint16_t index) {
    return tensor(stream, mlet_model_input(stream->model, index));
}

const int8_t *mlet_stream_output(const mlet_stream_t *stream, uint16_t index) {
    return tensor(stream, mlet_model_output(stream->model, index));
}

mlet_buffers_t mlet_stream_buffers(
    const mlet_stream_t *stream, const mlet_op_t *op, uint16_t index) {
    mlet_buffers_t buffers = {
        .a = tensor(stream, op->input0),
        .b = op->input1 == MLET_NO_TENSOR ? NULL : tensor(stream, op->input1),
        .y = tensor(stream, op->output),
        .state = stream->state + op->state_offset,
        .scratch = stream->arena + op->scratch_offset,
        .rows_done = op->layer.in.height,
    };
    if (MLET_IS(mlet_traits(op->code), SLOTS)) {
        const uint32_t slot_bytes = MLET_ROUND_UP(mlet_shape_bytes(op->layer.in));
        const uint16_t count = (uint16_t)(op->state_bytes / slot_bytes);
        buffers.ring = (mlet_ring_t) {buffers.state, slot_bytes, count, stream->heads[index]};
    }
    return buffers;
}

mlet_status_t mlet_stream_poll(mlet_stream_t *stream, uint32_t macs) {
    stream->macs += macs < stream->pace ? macs : stream->pace;
    if (stream->macs < stream->pace) {
        return MLET_OK;
    }
    stream->macs = 0;
    return stream->poll == NULL ? MLET_OK : stream->poll(stream);
}

#if MLET_WITH_CHAINS
// Run an op, or only see that there is scratch enough to, in bands of rows, with polls in between.
// Bands begin on multiples of 4 bytes, like rows of a chain.
static mlet_status_t run_bands(mlet_stream_t *stream, const mlet_op_t *op,
    const mlet_buffers_t *whole, bool only_look) {
    const mlet_kernels_t *kernels = mlet_kernels(stream->model->target);
    const mlet_shape_t in = op->layer.in, out = op->layer.out;
    const uint32_t in_row = (uint32_t)in.width * in.channels;
    const uint32_t out_row = (uint32_t)out.width * out.channels;
    const uint32_t past_row = (uint32_t)in.width * op->layer.shift_channels; // such a multiple, too
    mlet_layer_t band = op->layer;
    band.out.height = 1;
    const uint32_t row_macs = mlet_macs_capped(op->code, &band);
    const int32_t rows = row_macs < stream->pace ? (int32_t)(stream->pace / row_macs) : 1;
    mlet_status_t status = MLET_OK;
    int32_t first, end, above, next, from, ignored;
    for (int32_t row = 0, stop; row < out.height && status == MLET_OK; row = stop) {
        mlet_window_rows(op->code, &op->layer, row, &first, &end, &above);
        for (stop = row + 1; stop < out.height; stop++) {
            mlet_window_rows(op->code, &op->layer, stop, &next, &ignored, &ignored);
            const uint32_t starts = (uint32_t)next * in_row | (uint32_t)stop * out_row;
            if (stop - row >= rows && starts % 4 == 0) {
                break;
            }
        }
        mlet_window_rows(op->code, &op->layer, stop - 1, &from, &end, &ignored);
        if (stop >= out.height) {
            stop = out.height;
            next = in.height;
        }
        band.in.height = (uint16_t)(end - first);
        band.out.height = (uint16_t)(stop - row);
        band.pad_top = (uint8_t)above;
        if (only_look) {
            const uint32_t needed = mlet_scratch_bytes(kernels, op->code, &band);
            status = needed <= op->scratch_bytes ? MLET_OK : MLET_E_MEMORY;
            continue;
        }
        mlet_buffers_t buffers = *whole;
        buffers.a += (uint32_t)first * in_row;
        buffers.y += (uint32_t)row * out_row;
        buffers.state += (uint32_t)first * past_row;
        buffers.rows_done = (uint32_t)(next - first);
        status = mlet_run_op(kernels, op->code, &band, &buffers);
        if (status == MLET_OK) {
            status = mlet_stream_poll(stream, mlet_macs_capped(op->code, &band));
        }
    }
    return status;
}
#endif

// Run an op, and poll.
static mlet_status_t run_op(
    mlet_stream_t *stream, const mlet_op_t *op, mlet_buffers_t *buffers) {
    const uint32_t macs = mlet_macs_capped(op->code, &op->layer);
    #if MLET_WITH_CHAINS
    const uint32_t traits = mlet_traits(op->code);
    const bool by_row = MLET_IS(traits, WINDOW) || (MLET_IS(traits, ROWS) && !MLET_IS(traits, VECTOR));
    if (by_row && macs > stream->pace && stream->poll != NULL) {
        if (run_bands(stream, op, buffers, true) == MLET_OK) {
            return run_bands(stream, op, buffers, false);
        }
    }
    #endif
    const mlet_status_t status =
        mlet_run_op(mlet_kernels(stream->model->target), op->code, &op->layer, buffers);
    return status == MLET_OK ? mlet_stream_poll(stream, macs) : status;
}

mlet_status_t mlet_stream_run(mlet_stream_t *stream, mlet_hook_t hook, void *context) {
    if (MLET_MISSING(stream)) {
        return MLET_E_ARGUMENT;
    }
    const mlet_model_t *model = stream->model;
    mlet_status_t status = MLET_OK;
    for (uint16_t i = 0; i < model->op_count && status == MLET_OK; i++) {
        if (!is_due(stream, mlet_op_period(model, i))) {
            continue;
        }
        const mlet_op_t op = mlet_model_op(model, i);
        stream->op = i;
        if (MLET_WITH_CHAINS && op.rows > 0) {
            status = mlet_run_chain(stream, i, &i, hook, context);
            continue;
        }
        mlet_buffers_t buffers = mlet_stream_buffers(stream, &op, i);
        status = run_op(stream, &op, &buffers);
        stream->heads[i] = buffers.ring.head;
        if (status == MLET_OK && hook != NULL) {
            status = hook(context, i, buffers.y, mlet_shape_bytes(op.layer.out));
        }
    }
    if (status == MLET_OK) {
        const uint16_t next = (uint16_t)(stream->frame + 1);
        stream->frame = next < model->cycle ? next : 0;
    }
    return status;
}
