#include "s3_temporal_depthwise.h"

// void s3_temporal_taps(const s3_temporal_t *job). 22 instructions an output.
    .text
    .p2align 2
    .global s3_temporal_taps
    .type s3_temporal_taps, @function
s3_temporal_taps:
    entry   a1, 32
    l32i    a3, a2, S3_TEMPORAL_OUTPUT + S3_OUTPUT_SHIFT
    ssr     a3
    l32i    a3, a2, S3_TEMPORAL_WEIGHTS
    wsr     a3, m0
    l32i    a14, a2, S3_TEMPORAL_LAST_WEIGHT
    l32i    a3, a2, S3_TEMPORAL_OLDEST
    l32i    a4, a2, S3_TEMPORAL_MIDDLE
    l32i    a5, a2, S3_TEMPORAL_X
    l32i    a6, a2, S3_TEMPORAL_Y
    l32i    a7, a2, S3_TEMPORAL_POSITIONS
    l32i    a8, a2, S3_TEMPORAL_STEP
    l32i    a9, a2, S3_TEMPORAL_BIAS
    l32i    a10, a2, S3_TEMPORAL_OUTPUT + S3_OUTPUT_MULTIPLIER
    l32i    a11, a2, S3_TEMPORAL_OUTPUT + S3_OUTPUT_ROUNDING
    l32i    a12, a2, S3_TEMPORAL_OUTPUT + S3_OUTPUT_ACT_MIN
    l32i    a13, a2, S3_TEMPORAL_OUTPUT + S3_OUTPUT_ACT_MAX

    j       .Lbegin

    .p2align 2
.Lbegin: // 8 bytes before the loop, whose first instruction must not straddle two words
    wsr     a14, m1
    mov.n   a2, a7
    loop    a2, .Lend
    l8ui    a2, a3, 0
    sext    a2, a2, 7
    wsr     a9, acclo
    l8ui    a14, a4, 0
    mula.da.ll m0, a2
    sext    a14, a14, 7
    l8ui    a15, a5, 0
    mula.da.hl m0, a14
    sext    a2, a15, 7
    s8i     a15, a3, 0 // the oldest frame has served its last
    mula.da.ll m1, a2
    add     a3, a3, a8
    add     a4, a4, a8
    rsr     a2, acclo
    add     a5, a5, a8
    requantize a2, a10, a11, a12, a13
    s8i     a2, a6, 0
    add     a6, a6, a8
.Lend:
    retw.n
    .size s3_temporal_taps, . - s3_temporal_taps
