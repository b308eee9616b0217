#include "m0.h"
#include "m0_conv2d.h"
#include "m0_depthwise2d.h"
#include "m0_matmul.h"
#include "m0_temporal_depthwise.h"

uint32_t m0_scratch_bytes(uint8_t code, const mlet_layer_t *layer) {
    switch (code) {
        case MLET_OP_CONV2D:
            // A row of taps for each position of a block, too, and one outside the image.
            return m0_matmul_scratch_bytes(layer, m0_conv2d_taps(layer))
                   + MLET_ROUND_UP((uint32_t)layer->kernel_w * layer->in.channels
                                   * (m0_matmul_block(layer) + 1));
        case MLET_OP_POINTWISE:
            return m0_matmul_scratch_bytes(layer, layer->in.channels);
        case MLET_OP_DEPTHWISE2D:
            return m0_depthwise2d_scratch_bytes(layer);
        case MLET_OP_TEMPORAL_DEPTHWISE:
            return m0_temporal_depthwise_scratch_bytes(layer);
        default:
            return 0;
    }
}
