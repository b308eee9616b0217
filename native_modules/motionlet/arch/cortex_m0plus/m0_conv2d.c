#include <string.h>

#include "m0_conv2d.h"
#include "m0_matmul.h"
#include "mlet_count.h"

// An output's window: input coordinates of its first tap, inside the image or not, and where that
// tap lies in x.
typedef struct window {
    int32_t row, column, at;
} window_t;

// Goes through the outputs in memory order.
typedef struct cursor {
    uint32_t i, j;
    window_t window; // of output [i][j]
} cursor_t;

static void cursor_set(cursor_t *cursor, const mlet_layer_t *layer, uint32_t i, uint32_t j) {
    window_t *window = &cursor->window;
    cursor->i = i;
    cursor->j = j;
    window->row = (int32_t)i * layer->stride_h - layer->pad_top;
    window->column = (int32_t)j * layer->stride_w - layer->pad_left;
    window->at = (window->row * layer->in.width + window->column) * layer->in.channels;
}

// Move n outputs on, at most to the first of the next row.
static void cursor_move(cursor_t *cursor, const mlet_layer_t *layer, uint32_t n) {
    const int32_t columns = (int32_t)n * layer->stride_w;
    cursor->j += n;
    cursor->window.column += columns;
    cursor->window.at += columns * layer->in.channels;
    if (cursor->j == layer->out.width) {
        cursor_set(cursor, layer, cursor->i + 1, 0);
    }
}

// How many places there are for `extent` in `size`.
static uint32_t places(int32_t size, int32_t extent) {
    return size < extent ? 0 : (uint32_t)(size - extent + 1);
}

// Copy one row of a window's taps, those outside the image from `zeros`.
M0_RAM_CODE static void copy_taps(const mlet_layer_t *layer, const int8_t *x, int32_t at,
    int32_t column, const int8_t *zeros, int8_t *to) {
    const uint32_t width = layer->in.width;
    const uint32_t channels = layer->in.channels;
    const int32_t dilation = layer->dilation_w;
    const int32_t tap_step = dilation * layer->in.channels;
    MLET_COUNT(copied_taps, layer->kernel_w);
    MLET_COUNT(copied_bytes, layer->kernel_w * channels);
    for (uint32_t b = layer->kernel_w; b > 0; b--, column += dilation, at += tap_step) {
        const int8_t *from = (uint32_t)column < width ? x + at : zeros;
        for (uint32_t c = 0; c < channels; c++) {
            *to++ = from[c];
        }
    }
}

// Pack a block whose windows begin at `cursor`, which moves on. `zeros` is a row of taps outside
// the image, `copies` has room for a row for each position of the block.
M0_RAM_CODE static void pack_clipped(const mlet_layer_t *layer, uint32_t *words, const int8_t *x,
    cursor_t *cursor, const int8_t *zeros, int8_t *copies) {
    const uint32_t block = m0_matmul_block(layer);
    const uint32_t run = (uint32_t)layer->kernel_w * layer->in.channels;
    const int32_t row_step = layer->dilation_h * layer->in.width * layer->in.channels;
    const uint32_t height = layer->in.height;
    // Windows that begin in these columns have rows of taps that are runs of bytes in x.
    const uint32_t run_columns =
        layer->dilation_w == 1 ? places(layer->in.width, layer->kernel_w) : 0;
    window_t windows[M0_BLOCK_INT4];
    MLET_COUNT(clipped_blocks, 1);
    MLET_COUNT(clipped_rows, layer->kernel_h * block);
    for (uint32_t n = 0; n < block; n++) {
        windows[n] = cursor->window;
        cursor_move(cursor, layer, 1);
    }
    int32_t down = 0;   // from the first row of taps, in rows
    int32_t offset = 0; // and in x
    for (uint32_t a = 0; a < layer->kernel_h; a++, words += run * block / 2) {
        const int8_t *inputs[M0_BLOCK_INT4];
        int8_t *copy = copies;
        for (uint32_t n = 0; n < block; n++) {
            const window_t *window = &windows[n];
            if ((uint32_t)(window->row + down) >= height) {
                inputs[n] = zeros;
            } else if ((uint32_t)window->column < run_columns) {
                inputs[n] = x + (window->at + offset);
            } else {
                copy_taps(layer, x, window->at + offset, window->column, zeros, copy);
                inputs[n] = copy;
                copy += run;
            }
        }
        m0_matmul_pack(layer, words, inputs, run, 1, 0);
        down += layer->dilation_h;
        offset += row_step;
    }
}

// Pack a block of neighbours in a row of outputs whose windows, from `px` on, lie wholly inside
// the image.
M0_RAM_CODE static void pack_inside(
    const mlet_layer_t *layer, uint32_t *words, const int8_t *px) {
    const uint32_t block = m0_matmul_block(layer);
    const uint32_t channels = layer->in.channels;
    const uint32_t kernel_h = layer->kernel_h;
    const uint32_t kernel_w = layer->kernel_w;
    const int32_t row_step = layer->dilation_h * layer->in.width * layer->in.channels;
    const uint32_t stride = layer->stride_w * channels;
    const int8_t *inputs[M0_BLOCK_INT4];
    MLET_COUNT(inside_blocks, 1);
    for (uint32_t n = 0; n < block; n++, px += stride) {
        inputs[n] = px;
    }
    if (layer->dilation_w == 1) {
        m0_matmul_pack(layer, words, inputs, kernel_w * channels, kernel_h, row_step);
        return;
    }
    const int32_t tap_step = layer->dilation_w * layer->in.channels;
    for (uint32_t a = 0; a < kernel_h; a++, words += kernel_w * channels * block / 2) {
        m0_matmul_pack(layer, words, inputs, channels, kernel_w, tap_step);
        for (uint32_t n = 0; n < block; n++) {
            inputs[n] += row_step;
        }
    }
}

// Convolve for one group of output channels; positions of y are `y_step` apart. The windows of a
// block are packed into words; from there on it is a matrix product. Taps outside the image count
// as z_x.
M0_RAM_CODE static void run_group(
    const mlet_layer_t *group, const int8_t *x, int8_t *y, uint32_t y_step, void *scratch) {
    const uint32_t positions = (uint32_t)group->out.height * group->out.width;
    const uint32_t block = m0_matmul_block(group);
    const uint32_t taps = m0_conv2d_taps(group);
    const uint32_t run = (uint32_t)group->kernel_w * group->in.channels; // taps in a row
    m0_matmul_t job;
    uint32_t *const words = m0_matmul_begin(&job, group, taps, y_step, scratch);
    int8_t *const zeros = (int8_t *)scratch + m0_matmul_scratch_bytes(group, taps);
    int8_t *copies = zeros + run;
    memset(zeros, group->in_zero, run);
    MLET_COUNT(conv2d_groups, 1);
    MLET_COUNT(moves, 1);
    MLET_COUNT(moved_bytes, run);

    // Blocks whose first window begins in these rows and columns have all windows inside.
    const uint32_t rows_inside =
        places(group->in.height, (group->kernel_h - 1) * group->dilation_h + 1);
    const uint32_t columns_inside = places(group->in.width,
        (group->kernel_w - 1) * group->dilation_w + 1 + ((int32_t)block - 1) * group->stride_w);
    cursor_t cursor;
    cursor_set(&cursor, group, 0, 0);
    // A small map is packed with what comes behind its last position, whose outputs are dropped.
    const bool small = positions < block;
    int8_t *to = y;
    if (small) {
        to = copies;
        job.y_step = group->out.channels;
    }
    for (uint32_t p = 0; p < positions; p += block, to += block * y_step) {
        if (!small && p > positions - block) {
            // The last block is whole too: some positions come twice.
            to -= (p - (positions - block)) * y_step;
            p = positions - block;
            cursor_set(&cursor, group, p / group->out.width, p % group->out.width);
        }
        const window_t *window = &cursor.window;
        if (cursor.j + block <= group->out.width && (uint32_t)window->row < rows_inside
            && (uint32_t)window->column < columns_inside) {
            pack_inside(group, words, x + window->at);
            cursor_move(&cursor, group, block);
        } else {
            pack_clipped(group, words, x, &cursor, zeros, copies);
        }
        m0_matmul_run(group, &job, to);
    }
    for (uint32_t p = small ? positions : 0; p > 0; p--, y += y_step, copies += job.y_step) {
        memcpy(y, copies, job.y_step);
        MLET_COUNT(moves, 1);
        MLET_COUNT(moved_bytes, job.y_step);
    }
}

// weights: SPEC.md, "Targets".
mlet_status_t m0_conv2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y) || MLET_MISSING(scratch)) {
        return MLET_E_ARGUMENT;
    }
    if (m0_conv2d_is_dot(layer)) {
        return m0_matmul_one(layer, x, m0_conv2d_taps(layer), y);
    }
    const uint32_t channels = layer->out.channels;
    const bool packed = m0_conv2d_is_packed(layer);
    mlet_status_t status = MLET_OK;
    for (uint32_t first = 0; first < channels && status == MLET_OK; first += M0_GROUP, y += M0_GROUP) {
        mlet_layer_t group = m0_matmul_group(layer, m0_conv2d_taps(layer), first);
        if (packed) {
            run_group(&group, x, y, channels, scratch);
        } else {
            status = m0_conv2d_direct(&group, x, y, channels, scratch);
        }
    }
    return status;
}
