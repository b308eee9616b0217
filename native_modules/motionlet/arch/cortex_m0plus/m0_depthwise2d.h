// What m0_depthwise2d.c and its inner loops share.
#ifndef M0_DEPTHWISE2D_H
#define M0_DEPTHWISE2D_H

#include "mlet.h"

// One channel of rows of outputs of a 3 x 3 kernel, single kind. From one tap to the next one of a
// row are 4 bytes. The assembly knows this layout.
typedef struct m0_rows3 {
    int32_t weights[9]; // each times the multiplier
    int32_t bias;
    uint32_t shift;
    int32_t act_min;
    int8_t *row_end;  // of y; moves on with the rows
    const int8_t *x;  // first tap of the row's first window; moves on with the rows
    int32_t x_row;    // bytes of x from one row of outputs to the next
    int32_t y_row;    // bytes of y in a row
    int8_t *end;      // of y
    int32_t tap_row;  // bytes of x from one row of taps to the next
    int32_t y_column; // bytes of y from one output to the next
    int32_t act_max;
    int8_t *y;
    int32_t x_column; // bytes of x from one output to the next
} m0_rows3_t;

void m0_depthwise_rows3(m0_rows3_t *job); // x_column is 4
void m0_depthwise_rows3_apart(m0_rows3_t *job);

#endif
