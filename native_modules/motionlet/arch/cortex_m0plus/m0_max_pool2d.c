// Outputs begin as the least that they can be, and tap by tap take what is larger. So the image's
// border costs nothing, and four outputs of a word go together wherever they come from.
#include <string.h>

#include "m0.h"
#include "mlet_count.h"
#include "mlet_window.h"

// Outputs of one row that a tap meets, and what it meets there.
typedef struct run {
    int8_t *y;
    const int8_t *x;
    int32_t below;  // bytes from what it meets to what the tap below it does
    int32_t pieces; // which lie one behind the other in y
    int32_t bytes;  // of each
    int32_t step;   // from one to the next in x
} run_t;

// Of four int8 in a word each, the larger ones; `signs` is 0x80808080. Below the signs a byte's
// difference has 7 bits, and a guard above them that it may borrow from, which stays where a is no
// smaller. Where the signs are not alike, a is larger if b has one.
static inline uint32_t larger(uint32_t a, uint32_t b, uint32_t signs) {
    const uint32_t unlike = a ^ b;
    const uint32_t guards = (a | signs) - (b & ~signs);
    uint32_t take_a = (guards ^ ((guards ^ b) & unlike)) & signs;
    take_a |= take_a - (take_a >> 7); // all bits of those bytes
    return b ^ (unlike & take_a);
}

static inline uint32_t word_at(const int8_t *x, int32_t offset) {
    return *(const uint32_t *)(const void *)(x + offset);
}

// `run` by value, so that what is written to y does not make it be read again. `two`: the tap below
// as well.
static inline void words_of(const run_t run, const bool two) {
    uint32_t signs = 0x80808080u;
    __asm__("" : "+r"(signs)); // else its complement takes a register, too
    const int8_t *start = run.x;
    int8_t *y = run.y;
    for (int32_t pieces = run.pieces; pieces > 0; pieces--, start += run.step) {
        const int8_t *x = start;
        for (const int8_t *const end = x + run.bytes; x != end; x += 4, y += 4) {
            uint32_t most = larger(word_at(y, 0), word_at(x, 0), signs);
            if (two) {
                most = larger(most, word_at(x, run.below), signs);
            }
            *(uint32_t *)(void *)y = most;
        }
    }
}

static inline void bytes_of(const run_t run, const bool two) {
    const int8_t *start = run.x;
    int8_t *y = run.y;
    for (int32_t pieces = run.pieces; pieces > 0; pieces--, start += run.step) {
        const int8_t *x = start;
        for (const int8_t *const end = x + run.bytes; x != end; x++, y++) {
            int32_t most = *y;
            most = *x > most ? *x : most;
            if (two) {
                most = x[run.below] > most ? x[run.below] : most;
            }
            *y = (int8_t)most;
        }
    }
}

// The taps of one column of the windows, `run.y` being where they begin in a row of outputs, and
// `x` where in a row of the image.
M0_RAM_CODE static void take_column(const mlet_layer_t *layer, const int8_t *x, run_t run) {
    const int32_t row_bytes = layer->in.width * layer->in.channels;
    const int32_t out_bytes = layer->out.width * layer->out.channels;
    const uintptr_t places = (uintptr_t)x | (uintptr_t)run.y
        | (uintptr_t)(row_bytes | out_bytes | run.bytes | run.step);
    for (int32_t i = 0; i < layer->out.height; i++, run.y += out_bytes) {
        const mlet_window_t rows = mlet_row_window(layer, i);
        run.x = x + (rows.origin + rows.first * layer->dilation_h) * row_bytes;
        MLET_COUNT(max_rows, 1);
        for (int32_t left = rows.end - rows.first; left > 0; left -= 2, run.x += 2 * run.below) {
            const uint32_t outputs = (uint32_t)(run.pieces * run.bytes);
            (void)outputs;
            MLET_COUNT(max_runs, 1);
            MLET_COUNT(max_pieces, run.pieces);
            if (places % 4 != 0) {
                if (left > 1) {
                    MLET_COUNT(max_byte_pairs, outputs);
                    bytes_of(run, true);
                } else {
                    MLET_COUNT(max_bytes, outputs);
                    bytes_of(run, false);
                }
            } else if (left > 1) {
                MLET_COUNT(max_word_pairs, outputs / 4);
                words_of(run, true);
            } else {
                MLET_COUNT(max_words, outputs / 4);
                words_of(run, false);
            }
        }
    }
}

mlet_status_t m0_max_pool2d(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch) {
    (void)scratch;
    if (MLET_MISSING(layer) || MLET_MISSING(x) || MLET_MISSING(y)) {
        return MLET_E_ARGUMENT;
    }
    const int32_t channels = layer->in.channels, stride = layer->stride_w;
    const uint32_t bytes = mlet_shape_bytes(layer->out);
    MLET_COUNT(moves, 1);
    MLET_COUNT(moved_bytes, bytes);
    memset(y, layer->act_min, bytes);
    for (int32_t b = 0; b < layer->kernel_w; b++) {
        // The outputs [first, end) of a row for which the tap lies inside.
        const int32_t place = b * layer->dilation_w - layer->pad_left;
        int32_t first = 0, end = layer->out.width;
        while (first < end && first * stride + place < 0) {
            first++;
        }
        while (first < end && (end - 1) * stride + place >= layer->in.width) {
            end--;
        }
        if (first == end) {
            continue;
        }
        run_t run = {
            .y = y + first * channels,
            .below = layer->dilation_h * layer->in.width * channels,
            .pieces = end - first,
            .bytes = channels,
            .step = stride * channels,
        };
        if (stride == 1) { // all in one piece
            run.bytes *= run.pieces;
            run.pieces = 1;
        }
        take_column(layer, x + (first * stride + place) * channels, run);
    }
    for (uint32_t k = 0; layer->act_max < INT8_MAX && k < bytes; k++) {
        y[k] = y[k] < layer->act_max ? y[k] : layer->act_max;
    }
    return MLET_OK;
}
