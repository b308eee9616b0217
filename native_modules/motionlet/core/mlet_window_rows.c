#include "mlet_kernels.h"

// Rows from the first tap of a window to its last.
static int32_t reach(uint32_t traits, const mlet_layer_t *layer) {
    if (!MLET_IS(traits, WINDOW)) {
        return 1;
    }
    const int32_t dilation = MLET_IS(traits, PADDING) ? layer->dilation_h : 1;
    return (layer->kernel_h - 1) * dilation + 1;
}

int32_t mlet_rows_needed(uint8_t code, const mlet_layer_t *layer) {
    const int32_t rows = reach(mlet_traits(code), layer);
    return rows < layer->in.height ? rows : layer->in.height;
}

void mlet_window_rows(uint8_t code, const mlet_layer_t *layer, int32_t row, int32_t *first,
    int32_t *end, int32_t *above) {
    const uint32_t traits = mlet_traits(code);
    *first = row;
    *above = 0;
    if (MLET_IS(traits, WINDOW)) {
        *first = row * layer->stride_h - (MLET_IS(traits, PADDING) ? layer->pad_top : 0);
    }
    *end = *first + reach(traits, layer);
    if (*first < 0) {
        *above = -*first;
        *first = 0;
    }
    if (*end > layer->in.height) {
        *end = layer->in.height;
    }
}
