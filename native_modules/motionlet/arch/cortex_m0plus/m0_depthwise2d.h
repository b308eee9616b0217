// What m0_depthwise2d.c and its inner loops share.
#ifndef M0_DEPTHWISE2D_H
#define M0_DEPTHWISE2D_H

// Offsets into m0_rows3_t, for the assembly.
#define M0_ROWS3_WEIGHTS 0
#define M0_ROWS3_BIAS 36
#define M0_ROWS3_ROW_END 48
#define M0_ROWS3_X 52
#define M0_ROWS3_X_ROW 56
#define M0_ROWS3_Y_ROW 60
#define M0_ROWS3_END 64
#define M0_ROWS3_TAP_ROW 68
#define M0_ROWS3_Y_COLUMN 72
#define M0_ROWS3_ACT_MAX 76
#define M0_ROWS3_Y 80
#define M0_ROWS3_X_COLUMN 84

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// One channel of rows of outputs of a 3 x 3 kernel, single kind. From one tap to the next one of a
// row are 4 bytes.
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

MLET_LAYOUT(m0_rows3_t, weights, M0_ROWS3_WEIGHTS);
MLET_LAYOUT(m0_rows3_t, bias, M0_ROWS3_BIAS);
MLET_LAYOUT(m0_rows3_t, shift, M0_ROWS3_BIAS + 4);
MLET_LAYOUT(m0_rows3_t, act_min, M0_ROWS3_BIAS + 8);
MLET_LAYOUT(m0_rows3_t, row_end, M0_ROWS3_ROW_END);
MLET_LAYOUT(m0_rows3_t, x, M0_ROWS3_X);
MLET_LAYOUT(m0_rows3_t, x_row, M0_ROWS3_X_ROW);
MLET_LAYOUT(m0_rows3_t, y_row, M0_ROWS3_Y_ROW);
MLET_LAYOUT(m0_rows3_t, end, M0_ROWS3_END);
MLET_LAYOUT(m0_rows3_t, tap_row, M0_ROWS3_TAP_ROW);
MLET_LAYOUT(m0_rows3_t, y_column, M0_ROWS3_Y_COLUMN);
MLET_LAYOUT(m0_rows3_t, act_max, M0_ROWS3_ACT_MAX);
MLET_LAYOUT(m0_rows3_t, y, M0_ROWS3_Y);
MLET_LAYOUT(m0_rows3_t, x_column, M0_ROWS3_X_COLUMN);

void m0_depthwise_rows3(m0_rows3_t *job); // x_column is 4
void m0_depthwise_rows3_apart(m0_rows3_t *job);

#endif // __ASSEMBLER__
#endif
