// A chain of ops that runs row by row: what lies between its ops is a few rows, not whole maps.
//
// The last op asks for the rows its window needs, and each op before it likewise, so every row is
// made once and as late as possible. Each call of a kernel makes one row: to the kernel, the map
// is as high as the rows it needs.
#include <string.h>

#include "mlet_count.h"
#include "mlet_run.h"

typedef struct step {
    mlet_op_t op;
    mlet_buffers_t buffers; // for whole maps; y is where the rows that are kept begin
    uint32_t in_row_bytes, out_row_bytes;
    uint32_t row_macs;
    int32_t base; // the row at buffers.y
    int32_t made; // rows made so far
} step_t;

typedef struct chain {
    step_t steps[MLET_LIMIT_MAX_CHAIN];
    mlet_stream_t *stream;
    const mlet_kernels_t *kernels;
    uint16_t first;
    mlet_hook_t hook;
    void *context;
} chain_t;

// Forget the kept rows of a step before `row`.
static void discard(step_t *step, int32_t row) {
    if (row <= step->base) {
        return;
    }
    if (row < step->made) {
        const uint32_t dropped = (uint32_t)(row - step->base) * step->out_row_bytes;
        const uint32_t kept = (uint32_t)(step->made - row) * step->out_row_bytes;
        memmove(step->buffers.y, step->buffers.y + dropped, kept);
        MLET_COUNT(moves, 1);
        MLET_COUNT(moved_bytes, kept);
    }
    step->base = row;
}

// Make the next row of step `index`, after the rows of the steps before it that it needs.
static mlet_status_t make_row(chain_t *chain, uint16_t index) {
    step_t *step = &chain->steps[index];
    const int32_t row = step->made;
    int32_t first, end, above;
    mlet_window_rows(step->op.code, &step->op.layer, row, &first, &end, &above);

    mlet_buffers_t buffers = step->buffers;
    if (index == 0) {
        buffers.a += (uint32_t)first * step->in_row_bytes;
    } else {
        step_t *before = &chain->steps[index - 1];
        while (before->made < end) {
            discard(before, first < before->made ? first : before->made);
            const mlet_status_t status = make_row(chain, (uint16_t)(index - 1));
            if (status != MLET_OK) {
                return status;
            }
        }
        discard(before, first);
        buffers.a = before->buffers.y + (uint32_t)(first - before->base) * step->in_row_bytes;
    }
    buffers.y += (uint32_t)(row - step->base) * step->out_row_bytes;
    buffers.state += (uint32_t)first * step->op.layer.in.width * step->op.layer.shift_channels;
    int32_t next = step->op.layer.in.height, ignored; // the first input row that a later row needs
    if (row + 1 < step->op.layer.out.height) {
        mlet_window_rows(step->op.code, &step->op.layer, row + 1, &next, &ignored, &ignored);
    }
    buffers.rows_done = (uint32_t)(next - first);
    if (buffers.ring.count > 0) {
        buffers.ring.slots += (uint32_t)row * step->in_row_bytes;
    }

    mlet_layer_t layer = step->op.layer;
    layer.in.height = (uint16_t)(end - first);
    layer.out.height = 1;
    layer.pad_top = (uint8_t)above;
    MLET_COUNT(chain_rows, 1);
    const mlet_status_t status = mlet_run_op(chain->kernels, step->op.code, &layer, &buffers);
    if (status != MLET_OK) {
        chain->stream->op = (uint16_t)(chain->first + index);
        return status;
    }
    step->made = row + 1;
    if (chain->hook != NULL) {
        const uint16_t op = (uint16_t)(chain->first + index);
        const mlet_status_t stop = chain->hook(chain->context, op, buffers.y, step->out_row_bytes);
        if (stop != MLET_OK) {
            return stop;
        }
    }
    return mlet_stream_poll(chain->stream, step->row_macs);
}

mlet_status_t mlet_run_chain(
    mlet_stream_t *stream, uint16_t first, uint16_t *last, mlet_hook_t hook, void *context) {
    chain_t chain = {
        .stream = stream,
        .kernels = mlet_kernels(stream->model->target),
        .first = first,
        .hook = hook,
        .context = context,
    };
    uint16_t count = 0;
    do {
        step_t *step = &chain.steps[count];
        step->op = mlet_model_op(stream->model, (uint16_t)(first + count));
        step->buffers = mlet_stream_buffers(stream, &step->op, (uint16_t)(first + count));
        const mlet_shape_t in = step->op.layer.in, out = step->op.layer.out;
        step->in_row_bytes = (uint32_t)in.width * in.channels;
        step->out_row_bytes = (uint32_t)out.width * out.channels;
        step->op.layer.out.height = 1; // for now: what a row takes
        step->row_macs = mlet_macs_capped(step->op.code, &step->op.layer);
        step->op.layer.out.height = out.height;
        MLET_COUNT(chain_steps, 1);
        count++;
    } while (chain.steps[count - 1].op.rows > 0);

    // The last op pulls the others; rows that it does not need are made too, for their state.
    for (uint16_t index = count; index-- > 0;) {
        step_t *step = &chain.steps[index];
        while (step->made < step->op.layer.out.height) {
            if (index + 1 < count) {
                discard(step, step->made);
            }
            const mlet_status_t status = make_row(&chain, index);
            if (status != MLET_OK) {
                return status;
            }
        }
    }
    // Each row turned a copy of its ring; now the ring turns, once.
    for (uint16_t index = 0; index < count; index++) {
        mlet_ring_rotate(&chain.steps[index].buffers.ring);
        stream->heads[first + index] = chain.steps[index].buffers.ring.head;
    }
    *last = (uint16_t)(first + count - 1);
    return MLET_OK;
}
