#include "m0.h"
#include "m0_mean.h"

mlet_status_t m0_temporal_average(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(past) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    m0_mean_t job = {.x = x, .rows = 1, .columns = 1, .y = y, .count = mlet_shape_bytes(layer->in)};
    if (past->count > 0) {
        job.x = past->slots; // in any order
        job.columns = past->count;
        job.next_column = (int32_t)past->slot_bytes;
        job.present = x;
        job.kept = mlet_ring_frame(past, past->count);
    }
    if (m0_mean_start(&job, layer)) {
        m0_mean_words(&job);
    }
    const bool left = job.count > 0; // or that part may be missing
    const mlet_status_t status = m0_mean_bytes(&job, layer, 1);
    mlet_ring_rotate(past);
    return left ? status : MLET_OK;
}
