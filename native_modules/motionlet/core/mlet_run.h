// Inside the runner: the buffers of ops, and chains of ops that run row by row.
#ifndef MLET_RUN_H
#define MLET_RUN_H

#include "mlet_kernels.h"

// The buffers of op `index` of a stream, on whole maps.
mlet_buffers_t mlet_stream_buffers(
    const mlet_stream_t *stream, const mlet_op_t *op, uint16_t index);

// Tell of multiply-accumulates that are done, and poll when it is time.
mlet_status_t mlet_stream_poll(mlet_stream_t *stream, uint32_t macs);

// Run the chain that begins with op `first` on one frame; *last is set to its last op.
mlet_status_t mlet_run_chain(
    mlet_stream_t *stream, uint16_t first, uint16_t *last, mlet_hook_t hook, void *context);

#endif
