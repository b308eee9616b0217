#include "mlet.h"

// The portable kernels need none. A tuned build replaces this file with its own.
uint32_t mlet_layer_scratch_bytes(uint8_t code, const mlet_layer_t *layer) {
    (void)code;
    (void)layer;
    return 0;
}
