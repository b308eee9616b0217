// How a convolution is best run, and in what scratch: asked once a call, so it had better be small.
#include "m0_conv2d.h"
#include "m0_matmul.h"

bool m0_has_border(const mlet_layer_t *layer) {
    const int32_t last_row = (layer->out.height - 1) * layer->stride_h - layer->pad_top
        + (layer->kernel_h - 1) * layer->dilation_h;
    const int32_t last_column = (layer->out.width - 1) * layer->stride_w - layer->pad_left
        + (layer->kernel_w - 1) * layer->dilation_w;
    return layer->pad_top > 0 || layer->pad_left > 0 || last_row >= layer->in.height
        || last_column >= layer->in.width;
}

bool m0_conv2d_is_dot(const mlet_layer_t *layer) {
    return layer->out.height * layer->out.width == 1 && layer->kernel_h == layer->in.height
        && layer->kernel_w == layer->in.width && !m0_has_border(layer);
}

// About how many taps of a window lie inside the image along an axis, times 4: a small image lies
// inside most windows, a larger one has borders.
static uint32_t inside(uint32_t kernel, uint32_t size) {
    return size < kernel ? 4 * size : 3 * kernel;
}

// Packing serves all output channels of a block at once, but takes taps outside the image, too.
// Does it pay? The numbers are cycles: of a tap to pack it, which borders make slow, and to
// multiply it; of a tap without packing, and of the output besides.
bool m0_conv2d_is_packed(const mlet_layer_t *layer) {
    const uint32_t block = m0_matmul_block(layer);
    const uint32_t positions = (uint32_t)layer->out.height * layer->out.width;
    const uint32_t channels = layer->out.channels;
    const uint32_t group = channels < M0_GROUP ? channels : M0_GROUP;
    if (positions < block && (uint32_t)layer->kernel_w * layer->in.channels < group) {
        return false; // no room for outputs that are dropped
    }
    const uint32_t pack = layer->out.width < 4 * block ? 14 : 8;
    const uint32_t direct = MLET_HAS_INT4(layer) ? 20 : 12;
    const uint32_t taps_inside = inside(layer->kernel_h, layer->in.height)
        * inside(layer->kernel_w, layer->in.width) * layer->in.channels / 16;
    uint32_t packed_tap = pack + 3 * channels, one = channels * (direct * taps_inside + 50);
    if (positions < block) { // outputs that are dropped
        packed_tap *= block;
        one *= positions;
    }
    return m0_conv2d_taps(layer) * packed_tap < one;
}

uint32_t m0_conv2d_scratch_bytes(const mlet_layer_t *layer) {
    // A row of taps for each position of a block, too, and one outside the image.
    const uint32_t rows = m0_matmul_block(layer) + 1;
    return m0_matmul_scratch_bytes(layer, m0_conv2d_taps(layer))
        + MLET_ROUND_UP((uint32_t)layer->kernel_w * layer->in.channels * rows);
}
