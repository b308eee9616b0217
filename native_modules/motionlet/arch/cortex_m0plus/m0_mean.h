// Means of neighbouring elements over taps that lie apart: the windows of a map, the frames of a
// ring.
#ifndef M0_MEAN_H
#define M0_MEAN_H

#include "mlet.h"

// The assembly knows this layout. What moves on with the elements is set anew for each call.
typedef struct m0_mean {
    int32_t next_column; // bytes from a tap to the one beside it
    int32_t zeros, offset, act_min, act_max, high, low; // m0_mean()'s own
    uint32_t shift;
    const int8_t *x;        // the first of rows * columns taps; moves on
    int32_t rows, columns;  // >= 1
    int32_t next_row;       // bytes from a row of taps to the next one
    const int8_t *present;  // one tap more, or NULL; moves on
    int8_t *kept;           // where `present` goes when all taps have been read; moves on
    int8_t *y;              // may be `present`; moves on
    uint32_t count;         // elements
} m0_mean_t;

// y = requantize(sum over all taps of (x - z_x)), element by element, with the layer's one
// multiplier. For at most 65535 taps.
void m0_mean(const mlet_layer_t *layer, m0_mean_t *job);

// Four elements at a time, as many as there are: x, next_row, next_column, present and kept are
// multiples of 4, taps at most 128.
//   y = clamp((acc * high + floor(acc * low / 2^16) + offset) >> shift),
//   acc = zeros + sum over all taps of (x + 128)
void m0_mean_words(m0_mean_t *job);

#endif
