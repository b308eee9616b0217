// Inside the runner: one op on given buffers, and chains of ops that run row by row.
#ifndef MLET_RUN_H
#define MLET_RUN_H

#include "mlet_kernels.h"

// The buffers of one op. `a` and `b` are the inputs; b is NULL but for add. `state` and `ring` are
// for the ops that keep something; a run rotates the ring. `rows_done` is how many rows of `a` an
// op that shifts as it reads needs for the last time: these it keeps.
typedef struct mlet_buffers {
    const int8_t *a, *b;
    int8_t *y, *state;
    mlet_ring_t ring;
    void *scratch;
    uint32_t rows_done;
} mlet_buffers_t;

mlet_status_t mlet_run_op(const mlet_kernels_t *kernels, uint8_t code, const mlet_layer_t *layer,
    mlet_buffers_t *buffers);

// The buffers of op `index` of a stream, on whole maps.
mlet_buffers_t mlet_stream_buffers(
    const mlet_stream_t *stream, const mlet_op_t *op, uint16_t index);

// How many input rows an op needs at once to make one row of output.
int32_t mlet_rows_needed(uint8_t code, const mlet_layer_t *layer);

// The input rows [*first, *end) that row `row` of an op's output is made from, and how many rows of
// its window lie above the image. For ops that run in chains.
void mlet_window_rows(uint8_t code, const mlet_layer_t *layer, int32_t row, int32_t *first,
    int32_t *end, int32_t *above);

// Run the chain that begins with op `first` on one frame; *last is set to its last op.
mlet_status_t mlet_run_chain(
    mlet_stream_t *stream, uint16_t first, uint16_t *last, mlet_hook_t hook, void *context);

#endif
