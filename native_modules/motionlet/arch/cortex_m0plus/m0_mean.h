// Means of neighbouring elements over taps that lie apart: the windows of a map, the frames of a
// ring.
#ifndef M0_MEAN_H
#define M0_MEAN_H

// Offsets into m0_mean_t, for the assembly.
#define M0_MEAN_NEXT_COLUMN 0
#define M0_MEAN_HIGH 20
#define M0_MEAN_LOW 24
#define M0_MEAN_SHIFT 28
#define M0_MEAN_X 32
#define M0_MEAN_ROWS 36
#define M0_MEAN_COLUMNS 40
#define M0_MEAN_NEXT_ROW 44
#define M0_MEAN_PRESENT 48
#define M0_MEAN_KEPT 52
#define M0_MEAN_Y 56
#define M0_MEAN_COUNT 60

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// What moves on with the elements is set anew for each call.
typedef struct m0_mean {
    int32_t next_column; // bytes from a tap to the one beside it
    int32_t zeros, offset, act_min, act_max, high, low; // m0_mean_start()'s own
    uint32_t shift;
    const int8_t *x;       // the first of rows * columns taps; moves on
    int32_t rows, columns; // >= 1
    int32_t next_row;      // bytes from a row of taps to the next one
    const int8_t *present; // one tap more, or NULL; moves on
    int8_t *kept;          // where `present` goes when all taps have been read; moves on
    int8_t *y;             // may be `present`; moves on
    uint32_t count;        // elements; counts down
} m0_mean_t;

MLET_LAYOUT(m0_mean_t, next_column, M0_MEAN_NEXT_COLUMN);
MLET_LAYOUT(m0_mean_t, zeros, M0_MEAN_NEXT_COLUMN + 4);
MLET_LAYOUT(m0_mean_t, offset, M0_MEAN_NEXT_COLUMN + 8);
MLET_LAYOUT(m0_mean_t, act_min, M0_MEAN_NEXT_COLUMN + 12);
MLET_LAYOUT(m0_mean_t, act_max, M0_MEAN_NEXT_COLUMN + 16);
MLET_LAYOUT(m0_mean_t, high, M0_MEAN_HIGH);
MLET_LAYOUT(m0_mean_t, low, M0_MEAN_LOW);
MLET_LAYOUT(m0_mean_t, shift, M0_MEAN_SHIFT);
MLET_LAYOUT(m0_mean_t, x, M0_MEAN_X);
MLET_LAYOUT(m0_mean_t, rows, M0_MEAN_ROWS);
MLET_LAYOUT(m0_mean_t, columns, M0_MEAN_COLUMNS);
MLET_LAYOUT(m0_mean_t, next_row, M0_MEAN_NEXT_ROW);
MLET_LAYOUT(m0_mean_t, present, M0_MEAN_PRESENT);
MLET_LAYOUT(m0_mean_t, kept, M0_MEAN_KEPT);
MLET_LAYOUT(m0_mean_t, y, M0_MEAN_Y);
MLET_LAYOUT(m0_mean_t, count, M0_MEAN_COUNT);

// Prepare for m0_mean_words() on this x, and others that differ by multiples of next_column. False
// where it is not to be used: a tap is not on a multiple of 4, there are more than 128 of them, or
// the layer's shift is out of the range in which 32 bits suffice.
bool m0_mean_start(m0_mean_t *job, const mlet_layer_t *layer);

// y = requantize(sum over all taps of (x - z_x)) with the layer's one multiplier, four neighbouring
// elements at a time, as many as there are:
//   y = clamp((acc * high + floor(acc * low / 2^16) + offset) >> shift),
//   acc = zeros + sum over all taps of (x + 128)
void m0_mean_words(m0_mean_t *job);

// The same for any layer, one element at a time; in x they are x_step apart (with a `present`, 1).
// It needs no m0_mean_start().
mlet_status_t m0_mean_bytes(m0_mean_t *job, const mlet_layer_t *layer, int32_t x_step);

#endif // __ASSEMBLER__
#endif
