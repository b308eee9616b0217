#include <string.h>

#include "m0_matmul.h"
#include "m0_scratch_bytes.h"

// Where the window of one output lies: its first tap, inside the image or not.
typedef struct window {
    int32_t row, column;
    int32_t at; // of that tap's first channel in x
} window_t;

// weights: SPEC.md, "Targets".
//
// The windows of a block are gathered tap by tap into words, taps outside the image from `zeros`,
// which holds z_x; from there on it is a matrix product.
M0_RAM_CODE mlet_status_t m0_conv2d(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || x == NULL || y == NULL || scratch == NULL) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const int32_t height = layer->in.height;
    const int32_t width = layer->in.width;
    const int32_t row_step = layer->dilation_h * width * channels; // from tap to tap in x
    const int32_t tap_step = layer->dilation_w * channels;
    const int32_t span = (layer->kernel_w - 1) * layer->dilation_w;
    const uint32_t taps = m0_conv2d_taps(layer);

    m0_matmul_t job;
    uint32_t *const block_words = m0_matmul_begin(&job, layer, taps, scratch);
    int8_t *const zeros = (int8_t *)scratch + m0_matmul_scratch_bytes(layer, taps);
    memset(zeros, layer->in_zero, (size_t)layer->kernel_w * layer->in.channels);

    // The last block begins where it still is whole: some positions are computed twice. A map
    // smaller than a block goes position by position, each filling a block by itself.
    const uint32_t positions = (uint32_t)layer->out.height * layer->out.width;
    const uint32_t lanes = m0_matmul_block(layer);
    const uint32_t word_step = lanes / 2;
    const bool small = positions < lanes;
    const uint32_t block = small ? 1 : lanes;
    if (small) {
        job.y_step = 0;
    }

    uint32_t i = 0, j = 0; // the position p
    for (uint32_t p = 0; p < positions; p += block) {
        if (p > positions - block) {
            p = positions - block;
            i = p / layer->out.width;
            j = p % layer->out.width;
        }
        window_t windows[M0_BLOCK_INT4];
        bool inside = true; // as to columns
        for (uint32_t lane = 0; lane < lanes; lane++) {
            window_t *window = &windows[lane];
            window->row = (int32_t)i * layer->stride_h - layer->pad_top;
            window->column = (int32_t)j * layer->stride_w - layer->pad_left;
            window->at = (window->row * width + window->column) * channels;
            inside = inside && window->column >= 0 && window->column + span < width;
            if (lane + 1 == lanes || !small) {
                if (++j == layer->out.width) {
                    j = 0;
                    i++;
                }
            }
        }
        // Neighbouring taps of a row inside the image are one run of bytes.
        const bool joined = inside && layer->dilation_w == 1;
        const int32_t runs = joined ? 1 : layer->kernel_w;
        const uint32_t run = (uint32_t)(joined ? layer->kernel_w * channels : channels);
        uint32_t *words = block_words;
        for (int32_t a = 0; a < layer->kernel_h; a++) {
            for (int32_t b = 0; b < runs; b++, words += run * word_step) {
                const int8_t *inputs[M0_BLOCK_INT4];
                for (uint32_t lane = 0; lane < lanes; lane++) {
                    const window_t *window = &windows[lane];
                    const int32_t row = window->row + a * layer->dilation_h;
                    const int32_t column = window->column + b * layer->dilation_w;
                    const bool tap_inside = (uint32_t)row < (uint32_t)height
                                            && (uint32_t)column < (uint32_t)width;
                    inputs[lane] =
                        tap_inside ? x + window->at + a * row_step + b * tap_step : zeros;
                }
                m0_matmul_pack(layer, words, inputs, run);
            }
        }
        m0_matmul_run(layer, &job, y + p * layer->out.channels);
    }
    return MLET_OK;
}
