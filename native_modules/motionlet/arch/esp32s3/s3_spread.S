#include "s3_spread.h"

// void s3_spread(const s3_spread_t *job). Four numbers in 21 instructions, others in 6, and 9 a row.
    .text
    .p2align 2
    .global s3_spread
    .type s3_spread, @function

    .macro number at // the byte at \at behind a11, to a12
    l8ui    a13, a11, \at
    sext    a13, a13, 7
    sub     a13, a13, a10
    s16i    a13, a12, 0
    add     a12, a12, a8
    .endm

s3_spread:
    entry   a1, 32
    l32i    a4, a2, S3_SPREAD_N
    extui   a5, a4, 0, 2
    srli    a4, a4, 2
    l32i    a3, a2, S3_SPREAD_TO
    l32i    a6, a2, S3_SPREAD_ROWS
    l32i    a7, a2, S3_SPREAD_FROM_ROW
    l32i    a8, a2, S3_SPREAD_TO_STEP
    l32i    a9, a2, S3_SPREAD_TO_ROW
    l32i    a10, a2, S3_SPREAD_ZERO
    l32i    a2, a2, S3_SPREAD_FROM
    j       .Lrow

    .p2align 2
.Lrow: // 8 bytes before the first loop, which has 63, and 5 before the second: both start on a word
    or      a11, a2, a2
    mov.n   a12, a3
    loopgtz a4, .Lfours
    number  0
    number  1
    number  2
    number  3
    addi    a11, a11, 4
.Lfours:
    nop.n
    loopgtz a5, .Lones
    number  0
    addi    a11, a11, 1
.Lones:
    add     a2, a2, a7
    add     a3, a3, a9
    addi    a6, a6, -1
    bnez    a6, .Lrow
    retw.n
    .size s3_spread, . - s3_spread
