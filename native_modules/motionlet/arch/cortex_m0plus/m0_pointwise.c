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
    const uint32_t block = m0_matmul_block(layer);
    if (positions < block) {
        for (uint32_t p = 0; p < positions; p++, x += in_channels, y += out_channels) {
            m0_matmul_one(layer, x, in_channels, y);
        }
        return MLET_OK;
    }
    for (uint32_t first = 0; first < out_channels; first += M0_GROUP, y += M0_GROUP) {
        const mlet_layer_t group = m0_matmul_group(layer, in_channels, first);
        m0_matmul_t job;
        uint32_t *words = m0_matmul_begin(&job, &group, in_channels, out_channels, scratch);
        for (uint32_t p = 0; p < positions; p += block) {
            if (p > positions - block) {
                p = positions - block; // the last block is whole too: some positions come twice
            }
            const int8_t *inputs[M0_BLOCK_INT4];
            const int8_t *px = x + p * in_channels;
            for (uint32_t i = 0; i < block; i++, px += in_channels) {
                inputs[i] = px;
            }
            m0_matmul_pack(&group, words, inputs, in_channels, 1, 0);
            m0_matmul_run(&group, &job, y + p * out_channels);
        }
    }
    return MLET_OK;
}
