#ifndef MLET_S3_DEPTHWISE2D_H
#define MLET_S3_DEPTHWISE2D_H

#include "mlet.h"

// Bytes of scratch; 0 of a layer whose window is too large for the tuned kernel.
uint32_t s3_depthwise2d_bytes(const mlet_layer_t *layer);

#endif
