#include "s3.h"
#include "s3_depthwise2d.h"
#include "s3_matmul.h"
#include "s3_temporal_depthwise.h"

uint32_t s3_scratch_bytes(uint8_t code, const mlet_layer_t *layer) {
    switch (code) {
        case MLET_OP_CONV2D:
        case MLET_OP_POINTWISE:
        case MLET_OP_DENSE:
            return s3_matmul_bytes(layer, mlet_layer_taps(code, layer));
        case MLET_OP_DEPTHWISE2D:
            return s3_depthwise2d_bytes(layer);
        case MLET_OP_TEMPORAL_DEPTHWISE:
            return s3_temporal_depthwise_bytes(layer);
        default:
            return 0;
    }
}
