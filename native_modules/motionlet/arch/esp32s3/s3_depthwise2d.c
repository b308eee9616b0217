// Depthwise convolution, channel by channel.
//
// Of one channel, scratch holds the rows that a window reaches, less the zero point, side by side:
// [columns][slots] with row r of the padded image in slot r % slots. So a window is one run of
// numbers, whatever the kernel and its dilation, in which taps that are not the kernel's have a
// weight of 0. A new row takes the slots of the oldest; the weights are laid out for each of the
// turns that this brings.
#include <string.h>

#include "s3.h"
#include "s3_depthwise2d.h"
#include "s3_dots.h"

// The largest window, dilation included, that is still worth its zeros.
#define WINDOW_MOST 64

typedef struct shape {
    int32_t span_h, span_w; // rows and columns that a window reaches over
    int32_t slots;          // span_h, up to an even number, so that windows start on words
    int32_t columns;
    uint32_t taps; // of a window, with the zeros
} shape_t;

static shape_t shape_of(const mlet_layer_t *layer) {
    shape_t shape;
    shape.span_h = (layer->kernel_h - 1) * layer->dilation_h + 1;
    shape.span_w = (layer->kernel_w - 1) * layer->dilation_w + 1;
    shape.slots = (shape.span_h + 1) / 2 * 2;
    shape.columns = (layer->out.width - 1) * layer->stride_w + shape.span_w;
    shape.taps = (uint32_t)(shape.slots * shape.span_w);
    return shape;
}

static uint32_t map_bytes(const shape_t *shape) {
    // A window is read up to a whole number of quads.
    return s3_rows_bytes(1, (uint32_t)(shape->columns * shape->slots) + 2);
}

uint32_t s3_depthwise2d_bytes(const mlet_layer_t *layer) {
    const shape_t shape = shape_of(layer);
    if (shape.taps > WINDOW_MOST) {
        return 0;
    }
    return map_bytes(&shape) + s3_rows_bytes((uint32_t)shape.slots, shape.taps);
}

// Lay out channel c's weights for each slot that a window's first row may have.
static void lay_weights(
    const mlet_layer_t *layer, const shape_t *shape, int32_t c, int16_t *weights) {
    const int32_t channels = layer->in.channels;
    const int32_t step = layer->dilation_w * shape->slots;
    for (int32_t i = 0; i < layer->out.height && i < shape->slots; i++) {
        const int32_t first = i * layer->stride_h % shape->slots;
        int16_t *turn = weights + (uint32_t)first * s3_padded(shape->taps);
        const int8_t *w = layer->weights + c;
        int32_t slot = first;
        for (int32_t a = 0; a < layer->kernel_h; a++) {
            int16_t *to = turn + slot;
            for (int32_t b = 0; b < layer->kernel_w; b++, w += channels, to += step) {
                *to = *w;
            }
            slot += layer->dilation_h;
            slot -= slot >= shape->slots ? shape->slots : 0;
        }
    }
}

// Write row `row` of a channel, at x, to its slot; a row outside the image is zeros.
static void lay_row(
    const mlet_layer_t *layer, const shape_t *shape, const int8_t *x, int32_t row, int16_t *slot) {
    const int32_t width = layer->in.width, channels = layer->in.channels, slots = shape->slots;
    const int32_t zero = layer->in_zero;
    const int32_t seen = shape->columns - layer->pad_left; // columns from the image's first
    int32_t n = seen < width ? seen : width;
    if (row < 0 || row >= layer->in.height) {
        for (int32_t j = 0; j < shape->columns; j++, slot += slots) {
            *slot = 0;
        }
        return;
    }
    slot += layer->pad_left * slots; // what lies beside the image stays 0
    x += row * width * channels;
    for (; n >= 2; n -= 2) {
        slot[0] = (int16_t)(*x - zero);
        x += channels;
        slot[slots] = (int16_t)(*x - zero);
        x += channels;
        slot += 2 * slots;
    }
    if (n > 0) {
        *slot = (int16_t)(*x - zero);
    }
}

mlet_status_t s3_depthwise2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (layer == NULL || x == NULL || y == NULL) {
        return MLET_E_ARGUMENT;
    }
    const shape_t shape = shape_of(layer);
    if (shape.taps > WINDOW_MOST) {
        return mlet_depthwise2d(layer, x, y, NULL);
    }
    if (scratch == NULL) {
        return MLET_E_ARGUMENT;
    }
    int16_t *map = scratch;
    int16_t *weights = map + map_bytes(&shape) / sizeof(int16_t);
    const int32_t channels = layer->in.channels;
    s3_dots_t job = {
        .x = map,
        .outputs = layer->out.width,
        .x_step = layer->stride_w * shape.slots * (int32_t)sizeof(int16_t),
        .y_step = channels,
        .quads = s3_padded(shape.taps) / 4,
    };
    // What lies beside the image, and between the taps, is 0 for all channels.
    memset(scratch, 0, s3_depthwise2d_bytes(layer));
    for (int32_t c = 0; c < channels; c++) {
        lay_weights(layer, &shape, c, weights);
        job.y = y + c;
        int32_t row = 0; // the next one to lay, of the padded image
        for (int32_t i = 0; i < layer->out.height; i++) {
            const int32_t first = i * layer->stride_h;
            row = row < first ? first : row;
            for (; row < first + shape.span_h; row++) {
                lay_row(layer, &shape, x + c, row - layer->pad_top, map + row % shape.slots);
            }
            job.weights = weights + (uint32_t)(first % shape.slots) * s3_padded(shape.taps);
            s3_run_channel(&job, layer, (uint32_t)c);
            job.y += layer->out.width * channels;
        }
    }
    return MLET_OK;
}
