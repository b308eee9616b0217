// Depthwise convolution. Four channels at a time are copied into a strip: cells of 4 bytes, rows
// and columns outside the image filled with its zero point. So the inner loops see no borders,
// whatever the padding. A tall image takes several strips.
#include "m0.h"
#include "m0_depthwise2d.h"
#include "m0_output.h"
#include "m0_taps.h"
#include "mlet_count.h"
#include "mlet_part.h"
#include "mlet_source.h"
#include "mlet_window.h"

#define M0_CELL 4 // bytes, one to a channel

// A strip is as tall as this allows, but at least one row of outputs.
#define M0_STRIP_BYTES 2048


// Channels that are taken at once without a strip.
#define M0_CHANNELS 16

// Not in RAM; and apart, or the compiler runs out of registers where it matters.
#define M0_SELDOM __attribute__((noinline))

typedef struct strip {
    int32_t columns;  // cells in a row
    int32_t out_rows; // rows of outputs that one strip serves
    int32_t rows;     // rows of cells
} strip_t;

static strip_t strip_of(const mlet_layer_t *layer) {
    const int32_t columns =
        (layer->out.width - 1) * layer->stride_w + (layer->kernel_w - 1) * layer->dilation_w + 1;
    const int32_t first = (layer->kernel_h - 1) * layer->dilation_h + 1;
    const int32_t fit = (int32_t)(M0_STRIP_BYTES / (uint32_t)(columns * M0_CELL)); // may be 0
    int32_t out_rows = fit > first ? (int32_t)((uint32_t)(fit - first) / layer->stride_h) + 1 : 1;
    if (out_rows > layer->out.height) {
        out_rows = layer->out.height;
    }
    return (strip_t) {columns, out_rows, (out_rows - 1) * layer->stride_h + first};
}

// The one kernel that has loops of its own.
static bool is_rows3(const mlet_layer_t *layer) {
    return layer->kernel_h == 3 && layer->kernel_w == 3 && layer->dilation_w == 1;
}

uint32_t m0_depthwise2d_scratch_bytes(const mlet_layer_t *layer) {
    const strip_t strip = strip_of(layer);
    const uint32_t taps = (uint32_t)layer->kernel_h * layer->kernel_w;
    return MLET_ROUND_UP((uint32_t)(strip.columns * strip.rows) * M0_CELL)
        + (is_rows3(layer) ? 0 : m0_taps_bytes(taps));
}

// Write `cells` cells of `value` in every byte; returns their end.
static inline uint32_t *blank_cells(uint32_t *cell, int32_t cells, uint32_t value) {
    MLET_COUNT(blank_cells, cells);
    for (; cells > 0; cells--) {
        *cell++ = value;
    }
    return cell;
}

// Copy n <= 4 channels of a row of cells, as words where x allows; from one pixel of x to the next
// are `pixel` bytes. Returns the cells' end.
static inline uint32_t *copy_cells(
    uint32_t *cell, const int8_t *x, int32_t cells, int32_t pixel, int32_t n) {
    MLET_COUNT(copied_cells, cells);
    if (n == M0_CELL && (((uintptr_t)x | (uintptr_t)pixel) & 3) == 0) {
        const uint32_t *from = (const uint32_t *)(const void *)x;
        const int32_t step = pixel / M0_CELL;
        for (; cells >= 4; cells -= 4, cell += 4) {
            cell[0] = *from;
            from += step;
            cell[1] = *from;
            from += step;
            cell[2] = *from;
            from += step;
            cell[3] = *from;
            from += step;
        }
        for (; cells > 0; cells--, from += step) {
            *cell++ = *from;
        }
    } else {
        MLET_COUNT(cell_bytes, cells * n);
        for (; cells > 0; cells--, cell++, x += pixel) {
            int8_t *byte = (int8_t *)(void *)cell;
            for (int32_t e = 0; e < n; e++) {
                byte[e] = x[e];
            }
        }
    }
    return cell;
}

// Fill the strip from the image, of `pixel` bytes a pixel; its first row is of coordinate `row`.
M0_RAM_CODE static void fill(const mlet_layer_t *layer, uint32_t *cell, const strip_t *strip,
    int32_t row, const int8_t *x, int32_t pixel, int32_t n) {
    const int32_t width = layer->in.width;
    const uint32_t zero = (uint8_t)layer->in_zero * 0x01010101u;
    const int32_t left = layer->pad_left < strip->columns ? layer->pad_left : strip->columns;
    const int32_t room = strip->columns - left;
    const int32_t middle = room < width ? room : width;
    MLET_COUNT(strips, 1);
    MLET_COUNT(strip_rows, strip->rows);
    for (int32_t r = 0; r < strip->rows; r++, row++) {
        if (row < 0 || row >= layer->in.height) {
            cell = blank_cells(cell, strip->columns, zero);
        } else {
            cell = blank_cells(cell, left, zero);
            cell = copy_cells(cell, x + row * width * pixel, middle, pixel, n);
            cell = blank_cells(cell, room - middle, zero);
        }
    }
}

// Part of a call: rows of outputs of channel c.
typedef struct part {
    const mlet_layer_t *layer;
    const int8_t *cells; // of channel c in the strip, whose first row serves the first row
    int32_t columns;
    int32_t rows;
    int32_t c;
    int8_t *y; // of channel c in the first row
} part_t;

// What all parts have in common.
static void start_rows3(m0_rows3_t *job, const mlet_layer_t *layer, int32_t columns) {
    const int32_t channels = layer->in.channels;
    const int32_t row = columns * M0_CELL;
    job->act_min = layer->act_min;
    job->act_max = layer->act_max;
    job->x_row = layer->stride_h * row;
    job->tap_row = layer->dilation_h * row;
    job->x_column = layer->stride_w * M0_CELL;
    job->y_column = channels;
    job->y_row = layer->out.width * channels;
}

static void run_rows3(const part_t *part, m0_rows3_t *job) {
    const mlet_layer_t *layer = part->layer;
    const int32_t c = part->c;
    const int32_t multiplier = layer->multiplier[c];
    const int8_t *w = layer->weights + c;
    MLET_COUNT(rows3_parts, 1);
    for (int32_t tap = 0; tap < 9; tap++, w += job->y_column) {
        job->weights[tap] = m0_scaled(*w, multiplier);
    }
    job->bias = layer->bias[c];
    job->shift = layer->shift[c] & M0_SHIFT_SINGLE;
    job->x = part->cells;
    job->y = part->y;
    job->row_end = part->y + job->y_row;
    job->end = part->y + part->rows * job->y_row;
    if (layer->stride_w == 1 && layer->out.width > 3) { // a row is worth beginning
        m0_depthwise_rows3(job);
    } else {
        m0_depthwise_rows3_apart(job);
    }
}

MLET_PART static mlet_status_t m0_depthwise2d_taps(const part_t *part, m0_tap_t *taps) {
    MLET_TAKE(m0_depthwise2d_taps);
    const mlet_layer_t *layer = part->layer;
    const int32_t c = part->c;
    const int32_t channels = layer->in.channels;
    const int32_t row = part->columns * M0_CELL;
    uint32_t count = 0;
    const int8_t *w = layer->weights + c;
    MLET_COUNT(tap_setups, layer->kernel_h * layer->kernel_w);
    for (int32_t a = 0; a < layer->kernel_h; a++) {
        for (int32_t b = 0; b < layer->kernel_w; b++, w += channels) {
            const int8_t *x =
                part->cells + a * layer->dilation_h * row + b * layer->dilation_w * M0_CELL;
            taps[count++] = (m0_tap_t) {x, m0_scaled(*w, layer->multiplier[c])};
        }
    }
    m0_taps_t job = {
        .taps = taps,
        .taps_end = m0_taps_even(taps, count),
        .bias = layer->bias[c],
        .act_min = layer->act_min,
        .act_max = layer->act_max,
        .shift = layer->shift[c] & M0_SHIFT_SINGLE,
        .y = part->y,
        .y_step = channels,
        .x_step = layer->stride_w * M0_CELL,
    };
    for (int32_t i = part->rows; i > 0; i--) {
        job.x_end = job.x_at + layer->out.width * job.x_step;
        m0_taps(&job);
        job.x_at += layer->stride_h * row;
        job.y += layer->out.width * channels;
    }
    return MLET_OK;
}

// Is no strip worth filling? There are few outputs, or their windows find most taps outside.
static bool is_sparse(const mlet_layer_t *layer, bool rows3) {
    const int32_t outputs = layer->out.height * layer->out.width;
    const int32_t taps = layer->kernel_h * layer->kernel_w;
    return outputs == 1
        || (!rows3 && (outputs <= 4 || taps > layer->in.height * layer->in.width));
}

// What all taps of n channels count if each meets z_x. Returns z_x; where no tap lies outside, 0.
M0_SELDOM static int32_t sum_zeros(
    const mlet_layer_t *layer, int32_t first, int32_t n, int32_t *zeros) {
    const int32_t zero = m0_has_border(layer) ? layer->in_zero : 0;
    const int32_t taps = zero == 0 ? 0 : layer->kernel_h * layer->kernel_w;
    const int8_t *start = layer->weights + first;
    MLET_COUNT(sparse_channels, n);
    MLET_COUNT(sparse_zeros, n * taps);
    for (; n > 0; n--, start++) {
        int32_t sum = 0;
        const int8_t *w = start;
        for (int32_t left = taps; left > 0; left--, w += layer->in.channels) {
            sum += *w;
        }
        *zeros++ = sum * zero;
    }
    return zero;
}

// n <= M0_CHANNELS channels of either kind, straight from the image. Where taps lie outside, all count
// z_x, and those inside what they have more.
MLET_PART M0_SELDOM static mlet_status_t m0_depthwise2d_direct(const mlet_layer_t *layer,
    const int8_t *past, const int8_t *x, int8_t *y, int32_t first, int32_t n) {
    MLET_TAKE(m0_depthwise2d_direct);
    int32_t zeros[M0_CHANNELS];
    const int32_t channels = layer->in.channels;
    const int32_t width = layer->in.width;
    const int32_t zero = sum_zeros(layer, first, n, zeros);
    y += first;
    for (int32_t i = 0; i < layer->out.height; i++) {
        const mlet_window_t rows = mlet_row_window(layer, i);
        const int32_t row = rows.origin + rows.first * layer->dilation_h;
        for (int32_t j = 0; j < layer->out.width; j++, y += channels) {
            const mlet_window_t columns = mlet_column_window(layer, j);
            const int32_t run = columns.end - columns.first;
            MLET_COUNT(windows, 1);
            MLET_COUNT(sparse_rows, n * (rows.end - rows.first));
            MLET_COUNT(sparse_products, n * (rows.end - rows.first) * run);
            // In pixels: the first tap inside, and from the end of a row of taps to the next one.
            const int32_t at =
                row * width + columns.origin + columns.first * layer->dilation_w;
            const int32_t next_row = layer->dilation_h * width - run * layer->dilation_w;
            const int32_t tap = rows.first * layer->kernel_w + columns.first;
            const int32_t next_tap = (layer->kernel_w - run) * channels;
            for (int32_t e = 0; e < n; e++) {
                const int32_t c = first + e;
                const mlet_source_t source = mlet_source(layer, past, x, c);
                const int32_t step = layer->dilation_w * source.pixel;
                const int32_t next_line = next_row * source.pixel;
                const int8_t *px = source.x + at * source.pixel;
                const int8_t *w = layer->weights + tap * channels + c;
                int32_t sum = zeros[e];
                for (int32_t a = rows.end - rows.first; a > 0; a--) {
                    for (int32_t b = run; b > 0; b--, px += step, w += channels) {
                        sum += *w * (*px - zero);
                    }
                    px += next_line;
                    w += next_tap;
                }
                y[e] = m0_output(layer, sum, c);
            }
        }
    }
    return MLET_OK;
}

mlet_status_t m0_depthwise2d(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || MLET_MISSING(scratch)
        || (MLET_MISSING(past) && layer->shift_channels > 0)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels;
    const bool rows3 = is_rows3(layer);
    mlet_status_t status = MLET_OK;
    MLET_COUNT(depthwise2d_calls, 1);
    if (is_sparse(layer, rows3)) {
        for (int32_t c = 0; c < channels && status == MLET_OK; c += M0_CHANNELS) {
            const int32_t n = channels - c < M0_CHANNELS ? channels - c : M0_CHANNELS;
            status = m0_depthwise2d_direct(layer, past, x, y, c, n);
        }
        return status;
    }
    const strip_t strip = strip_of(layer);
    int8_t *cells = scratch;
    const uint32_t cell_bytes = (uint32_t)(strip.columns * strip.rows) * M0_CELL;
    m0_tap_t *taps = (m0_tap_t *)(void *)(cells + MLET_ROUND_UP(cell_bytes));
    const int32_t y_row = layer->out.width * channels;
    part_t part = {.layer = layer, .columns = strip.columns};
    m0_rows3_t job;
    start_rows3(&job, layer, strip.columns);

    for (int32_t c = 0, n; c < channels && status == MLET_OK; c += n) {
        const bool exact = m0_is_exact(layer, c);
        const mlet_source_t source = mlet_source(layer, past, x, c);
        const int32_t most = exact ? M0_CHANNELS : M0_CELL;
        for (n = 1; n < most && n < source.channels && m0_is_exact(layer, c + n) == exact; n++) {
        }
        if (exact) {
            status = m0_depthwise2d_direct(layer, past, x, y, c, n);
            continue;
        }
        for (int32_t first = 0; first < layer->out.height; first += strip.out_rows) {
            const int32_t left = layer->out.height - first;
            part.rows = left < strip.out_rows ? left : strip.out_rows;
            fill(layer, scratch, &strip, first * layer->stride_h - layer->pad_top, source.x,
                source.pixel, n);
            part.cells = cells;
            part.y = y + first * y_row + c;
            for (part.c = c; part.c < c + n; part.c++, part.cells++, part.y++) {
                if (rows3) {
                    run_rows3(&part, &job);
                } else {
                    status = m0_depthwise2d_taps(&part, taps);
                }
            }
        }
    }
    return status;
}
