// Residual addition.
#ifndef MLET_S3_ADD_H
#define MLET_S3_ADD_H

// Offsets into s3_add_t, for the assembly.
#define S3_ADD_A 0
#define S3_ADD_B 4
#define S3_ADD_Y 8
#define S3_ADD_N 12
#define S3_ADD_MULTIPLIER_A 16
#define S3_ADD_MULTIPLIER_B 20
#define S3_ADD_OFFSET 24
#define S3_ADD_SHIFT 28
#define S3_ADD_ZERO 32
#define S3_ADD_ACT_MIN 36
#define S3_ADD_ACT_MAX 40

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// y[i] = clamp(((a[i] * multiplier_a + b[i] * multiplier_b + offset) >> shift) + zero,
// act_min, act_max) for i < n. y may be a or b.
typedef struct s3_add {
    const int8_t *a, *b;
    int8_t *y;
    uint32_t n; // at least 1
    int32_t multiplier_a, multiplier_b, offset, shift, zero;
    int32_t act_min, act_max;
} s3_add_t;

MLET_LAYOUT(s3_add_t, a, S3_ADD_A);
MLET_LAYOUT(s3_add_t, b, S3_ADD_B);
MLET_LAYOUT(s3_add_t, y, S3_ADD_Y);
MLET_LAYOUT(s3_add_t, n, S3_ADD_N);
MLET_LAYOUT(s3_add_t, multiplier_a, S3_ADD_MULTIPLIER_A);
MLET_LAYOUT(s3_add_t, multiplier_b, S3_ADD_MULTIPLIER_B);
MLET_LAYOUT(s3_add_t, offset, S3_ADD_OFFSET);
MLET_LAYOUT(s3_add_t, shift, S3_ADD_SHIFT);
MLET_LAYOUT(s3_add_t, zero, S3_ADD_ZERO);
MLET_LAYOUT(s3_add_t, act_min, S3_ADD_ACT_MIN);
MLET_LAYOUT(s3_add_t, act_max, S3_ADD_ACT_MAX);

void s3_add_elements(const s3_add_t *job);

#endif // __ASSEMBLER__
#endif
