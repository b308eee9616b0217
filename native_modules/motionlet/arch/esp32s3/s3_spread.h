// Widening: bytes, less a zero point, to numbers of 16 bits that lie otherwise.
#ifndef MLET_S3_SPREAD_H
#define MLET_S3_SPREAD_H

// Offsets into s3_spread_t, for the assembly.
#define S3_SPREAD_FROM 0
#define S3_SPREAD_TO 4
#define S3_SPREAD_N 8
#define S3_SPREAD_ROWS 12
#define S3_SPREAD_FROM_ROW 16
#define S3_SPREAD_TO_ROW 20
#define S3_SPREAD_TO_STEP 24
#define S3_SPREAD_ZERO 28

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// to[r][i] = from[r][i] - zero, for r < rows and i < n.
typedef struct s3_spread {
    const int8_t *from;
    int16_t *to;
    uint32_t n, rows; // at least 1
    int32_t from_row; // bytes from one row to the next, in `from` and in `to`
    int32_t to_row;
    int32_t to_step; // bytes from one number to the next
    int32_t zero;
} s3_spread_t;

MLET_LAYOUT(s3_spread_t, from, S3_SPREAD_FROM);
MLET_LAYOUT(s3_spread_t, to, S3_SPREAD_TO);
MLET_LAYOUT(s3_spread_t, n, S3_SPREAD_N);
MLET_LAYOUT(s3_spread_t, rows, S3_SPREAD_ROWS);
MLET_LAYOUT(s3_spread_t, from_row, S3_SPREAD_FROM_ROW);
MLET_LAYOUT(s3_spread_t, to_row, S3_SPREAD_TO_ROW);
MLET_LAYOUT(s3_spread_t, to_step, S3_SPREAD_TO_STEP);
MLET_LAYOUT(s3_spread_t, zero, S3_SPREAD_ZERO);

void s3_spread(const s3_spread_t *job);

// One row, number beside number.
static inline void s3_widen(const int8_t *from, uint32_t n, int32_t zero, int16_t *to) {
    for (; n >= 4; n -= 4, from += 4, to += 4) {
        const int32_t a = from[0] - zero, b = from[1] - zero, c = from[2] - zero, d = from[3] - zero;
        to[0] = (int16_t)a;
        to[1] = (int16_t)b;
        to[2] = (int16_t)c;
        to[3] = (int16_t)d;
    }
    for (; n > 0; n--) {
        *to++ = (int16_t)(*from++ - zero);
    }
}

#endif // __ASSEMBLER__
#endif
