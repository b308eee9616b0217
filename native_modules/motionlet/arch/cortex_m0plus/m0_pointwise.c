#include "m0_matmul.h"

// weights: SPEC.md, "Targets".
M0_RAM_CODE mlet_status_t m0_pointwise(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || x == NULL || y == NULL || scratch == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
    const uint32_t in_channels = layer->in.channels;
    const uint32_t out_channels = layer->out.channels;
    m0_matmul_t job;
    uint32_t *words = m0_matmul_begin(&job, layer, in_channels, scratch);

    // The last block begins where it still is whole: some positions are computed twice. A map
    // smaller than a block goes position by position, each filling a block by itself.
    uint32_t block = m0_matmul_block(layer);
    uint32_t step = in_channels; // from one input of a block to the next
    if (positions < block) {
        block = 1;
        step = 0;
        job.y_step = 0;
    }
    for (uint32_t p = 0; p < positions; p += block) {
        if (p > positions - block) {
            p = positions - block;
        }
        const int8_t *inputs[M0_BLOCK_INT4];
        const int8_t *px = x + p * in_channels;
        for (uint32_t i = 0; i < m0_matmul_block(layer); i++, px += step) {
            inputs[i] = px;
        }
        m0_matmul_pack(layer, words, inputs, in_channels);
        m0_matmul_run(layer, &job, y + p * out_channels);
    }
    return MLET_OK;
}
