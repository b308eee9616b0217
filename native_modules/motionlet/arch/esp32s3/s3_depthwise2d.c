// Depthwise convolution, some channels at a time.
//
// Scratch holds the rows that a window reaches, less the zero point, side by side:
// [channel][column][slot] with row r of the padded image in slot r % slots. So a window is one run
// of numbers, whatever the kernel and its dilation, in which taps that are not the kernel's have a
// weight of 0. A new row takes the slots of the oldest; the weights are laid out for each of the
// turns that this brings.
#include <string.h>

#include "s3.h"
#include "s3_copy.h"
#include "s3_dots.h"
#include "s3_spread.h"
#include "s3_taps.h"
#include "mlet_source.h"

#define S3_UNIT ((int32_t)sizeof(int16_t))

// The largest window, dilation included, that is still worth its zeros.
#define S3_WINDOW_MOST 64

// Numbers in scratch that a group of channels may take; one channel may take more.
#define S3_GROUP_MOST 2048u

typedef struct shape {
    int32_t span_h, span_w;  // rows and columns that a window reaches over
    int32_t slots;           // span_h, up to an even number, so that windows start on words
    int32_t columns;         // of the padded image that are used
    int32_t turns;           // layouts of the weights
    uint32_t window;         // numbers in a window, with the zeros, up to a whole number of quads
    uint32_t plane;          // numbers of a channel's rows
    uint32_t channels;       // of a group
} shape_t;

static shape_t shape_of(const mlet_layer_t *layer) {
    shape_t shape;
    shape.span_h = (layer->kernel_h - 1) * layer->dilation_h + 1;
    shape.span_w = (layer->kernel_w - 1) * layer->dilation_w + 1;
    shape.slots = (shape.span_h + 1) / 2 * 2;
    shape.columns = (layer->out.width - 1) * layer->stride_w + shape.span_w;
    shape.turns = layer->out.height < shape.slots ? layer->out.height : shape.slots;
    shape.window = s3_padded((uint32_t)(shape.slots * shape.span_w));
    shape.plane = (uint32_t)(shape.columns * shape.slots) + 2; // a window may end 2 behind
    const uint32_t one = shape.plane + (uint32_t)shape.turns * shape.window;
    const uint32_t fit = one < S3_GROUP_MOST ? S3_GROUP_MOST / one : 1;
    shape.channels = fit < layer->in.channels ? fit : layer->in.channels;
    return shape;
}

static bool is_tuned(const shape_t *shape) {
    return shape->window <= S3_WINDOW_MOST;
}

// Bytes of a group's rows, and of its weights.
static uint32_t rows_bytes(const shape_t *shape) {
    return s3_bytes(shape->channels * shape->plane);
}

static uint32_t weights_bytes(const shape_t *shape) {
    return s3_bytes(shape->channels * (uint32_t)shape->turns * shape->window);
}

// ---------------------------------------------------------------------------------------------
// In the vector unit, 16 channels at a time: of them, scratch holds the rows that a window reaches,
// [slot][column][channel], what lies outside the image being the zero point.

// Bytes of scratch that this may take; wider or taller windows are left to the others.
#define S3_PLANE_MOST 8192u

static uint32_t plane_bytes(const shape_t *shape) {
    return (uint32_t)(shape->span_h * shape->columns) * S3_TAPS_LANES;
}

static bool may_group(const mlet_layer_t *layer, const shape_t *shape) {
    return layer->in.channels % S3_TAPS_LANES == 0 && plane_bytes(shape) <= S3_PLANE_MOST
           && (uint32_t)layer->kernel_h * layer->kernel_w <= S3_TAPS_MOST;
}

// Write a row of 16 channels of the source to its slot.
static void lay_vectors(const mlet_layer_t *layer, const shape_t *shape,
    const mlet_source_t *source, int32_t row, int8_t *slot) {
    const int32_t width = layer->in.width, seen = shape->columns - layer->pad_left;
    if (row < 0 || row >= layer->in.height) {
        memset(slot, layer->in_zero, (uint32_t)shape->columns * S3_TAPS_LANES);
        return;
    }
    const s3_copy_t job = {
        .from = source->x + row * width * source->pixel,
        .to = slot + layer->pad_left * S3_TAPS_LANES, // what lies beside the image stays as it is
        .n = S3_TAPS_LANES,
        .rows = (uint32_t)(seen < width ? seen : width),
        .from_row = source->pixel,
        .to_row = S3_TAPS_LANES,
    };
    s3_copy(&job);
}

// 16 channels from `first` on, where the source begins.
static void run_vectors(const mlet_layer_t *layer, const shape_t *shape,
    const mlet_source_t *source, int8_t *y, uint32_t first, int8_t *plane) {
    const int32_t channels = layer->in.channels, taps = layer->kernel_h * layer->kernel_w;
    const int32_t slot_bytes = shape->columns * S3_TAPS_LANES;
    int8_t nowhere[2 * MLET_ALIGN];
    s3_tap_channel_t table[S3_TAPS_LANES];
    const int8_t *rows[S3_TAPS_MOST];
    s3_tap_channels(layer, (uint32_t)taps, first, table);
    memset(plane, layer->in_zero, plane_bytes(shape));
    int32_t row = 0; // the next one to lay, of the padded image
    for (int32_t i = 0; i < layer->out.height; i++, y += layer->out.width * channels) {
        const int32_t top = i * layer->stride_h;
        row = row < top ? top : row;
        for (; row < top + shape->span_h; row++) {
            int8_t *slot = plane + row % shape->span_h * slot_bytes;
            lay_vectors(layer, shape, source, row - layer->pad_top, slot);
        }
        for (int32_t a = 0; a < layer->kernel_h; a++) {
            rows[a] = plane + (top + a * layer->dilation_h) % shape->span_h * slot_bytes;
        }
        s3_taps_t job = {
            .x = rows,
            .rows = layer->kernel_h,
            .columns = layer->kernel_w,
            .x_column = layer->dilation_w * S3_TAPS_LANES,
            .weights = layer->weights + first,
            .weights_step = channels,
            .outputs = layer->out.width,
            .x_step = layer->stride_w * S3_TAPS_LANES,
            .y = y + first,
            .y_step = channels,
            .channels = table,
            .keep = s3_aligned(nowhere),
            .act_min = layer->act_min,
            .act_max = layer->act_max,
        };
        s3_taps(&job);
    }
}

uint32_t s3_depthwise2d_scratch_bytes(const mlet_layer_t *layer) {
    const shape_t shape = shape_of(layer);
    const uint32_t tuned = is_tuned(&shape) ? rows_bytes(&shape) + weights_bytes(&shape) : 0;
    const uint32_t vectors = may_group(layer, &shape) ? plane_bytes(&shape) : 0;
    return vectors > tuned ? vectors : tuned;
}

// Lay out the weights of n channels from w on: to [turn][channel][window].
static void lay_weights(
    const mlet_layer_t *layer, const shape_t *shape, const int8_t *w, uint32_t n, int16_t *to) {
    s3_spread_t job = {
        .n = n,
        .rows = layer->kernel_w,
        .from_row = layer->in.channels,
        .to_row = layer->dilation_w * shape->slots * S3_UNIT,
        .to_step = (int32_t)shape->window * S3_UNIT,
    };
    for (int32_t turn = 0; turn < shape->turns; turn++, to += shape->channels * shape->window) {
        job.from = w;
        for (int32_t a = 0; a < layer->kernel_h; a++) {
            const int32_t row = turn * layer->stride_h + a * layer->dilation_h;
            job.to = to + row % shape->slots;
            s3_spread(&job);
            job.from += layer->kernel_w * layer->in.channels;
        }
    }
}

// Write a row of n channels of the source to its slots; a row outside the image is zeros.
static void lay_row(const mlet_layer_t *layer, const shape_t *shape, const mlet_source_t *source,
    int32_t row, uint32_t n, int16_t *slot) {
    if (row < 0 || row >= layer->in.height) {
        for (uint32_t c = 0; c < n; c++, slot += shape->plane) {
            int16_t *to = slot;
            for (int32_t j = 0; j < shape->columns; j++, to += shape->slots) {
                *to = 0;
            }
        }
        return;
    }
    const int32_t width = layer->in.width;
    const int32_t seen = shape->columns - layer->pad_left; // columns from the image's first
    const s3_spread_t job = {
        .from = source->x + row * width * source->pixel,
        .to = slot + layer->pad_left * shape->slots, // what lies beside the image stays 0
        .n = n,
        .rows = (uint32_t)(seen < width ? seen : width),
        .from_row = source->pixel,
        .to_row = shape->slots * S3_UNIT,
        .to_step = (int32_t)shape->plane * S3_UNIT,
        .zero = layer->in_zero,
    };
    s3_spread(&job);
}

// n channels from `first` on, where the source begins.
static void run_group(const mlet_layer_t *layer, const shape_t *shape,
    const mlet_source_t *source, int8_t *y, uint32_t first, uint32_t n, int16_t *rows,
    int16_t *weights) {
    const int32_t channels = layer->in.channels;
    lay_weights(layer, shape, layer->weights + first, n, weights);
    int32_t row = 0; // the next one to lay, of the padded image
    for (int32_t i = 0, turn = 0; i < layer->out.height; i++, y += layer->out.width * channels) {
        const int32_t top = i * layer->stride_h;
        row = row < top ? top : row;
        for (; row < top + shape->span_h; row++) {
            lay_row(layer, shape, source, row - layer->pad_top, n, rows + row % shape->slots);
        }
        s3_dots_t job = {
            .x = rows,
            .weights = weights + (uint32_t)turn * shape->channels * shape->window,
            .y = y + first,
            .channels = n,
            .outputs = layer->out.width,
            .x_step = layer->stride_w * shape->slots * S3_UNIT,
            .y_step = channels,
            .x_channel = (int32_t)shape->plane * S3_UNIT,
            .weights_channel = (int32_t)shape->window * S3_UNIT,
            .quads = shape->window / 4,
        };
        s3_run(&job, layer, first);
        turn = turn + 1 < shape->turns ? turn + 1 : 0; // the slots are as they were `slots` ago
    }
}

mlet_status_t s3_depthwise2d(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || (MLET_MISSING(past) && layer->shift_channels > 0)) {
        return MLET_E_ARGUMENT;
    }
    const shape_t shape = shape_of(layer);
    const uint32_t channels = layer->in.channels;
    if (may_group(layer, &shape) && layer->shift_channels % S3_TAPS_LANES == 0
        && s3_taps_can(layer, (uint32_t)layer->kernel_h * layer->kernel_w)) {
        if (scratch == NULL) {
            return MLET_E_ARGUMENT;
        }
        for (uint32_t first = 0; first < channels; first += S3_TAPS_LANES) {
            const mlet_source_t source = mlet_source(layer, past, x, (int32_t)first);
            run_vectors(layer, &shape, &source, y, first, scratch);
        }
        return MLET_OK;
    }
    if (!is_tuned(&shape)) {
        return mlet_depthwise2d(layer, past, x, y, NULL);
    }
    if (MLET_MISSING(scratch)) {
        return MLET_E_ARGUMENT;
    }
    int16_t *rows = scratch;
    int16_t *weights = rows + rows_bytes(&shape) / S3_UNIT;
    // What lies beside the image, and between the taps, is 0 for all groups.
    memset(scratch, 0, rows_bytes(&shape) + weights_bytes(&shape));
    for (uint32_t first = 0, n; first < layer->in.channels; first += n) {
        const mlet_source_t source = mlet_source(layer, past, x, (int32_t)first);
        n = (uint32_t)source.channels < shape.channels ? (uint32_t)source.channels : shape.channels;
        run_group(layer, &shape, &source, y, first, n, rows, weights);
    }
    return MLET_OK;
}
