#include "s3_dots.h"

// void s3_dots(const s3_dots_t *job). 17 instructions an output and one a product.
    .text
    .p2align 2
    .global s3_dots
    .type s3_dots, @function
s3_dots:
    entry   a1, 32
    l32i    a3, a2, S3_DOTS_OUTPUT + S3_OUTPUT_SHIFT
    ssr     a3
    l32i    a4, a2, S3_DOTS_X
    l32i    a5, a2, S3_DOTS_WEIGHTS
    l32i    a6, a2, S3_DOTS_Y
    l32i    a7, a2, S3_DOTS_OUTPUTS
    l32i    a8, a2, S3_DOTS_X_STEP
    l32i    a9, a2, S3_DOTS_Y_STEP
    l32i    a10, a2, S3_DOTS_QUADS
    l32i    a11, a2, S3_DOTS_BIAS
    l32i    a12, a2, S3_DOTS_OUTPUT + S3_OUTPUT_MULTIPLIER
    l32i    a13, a2, S3_DOTS_OUTPUT + S3_OUTPUT_ROUNDING
    l32i    a14, a2, S3_DOTS_OUTPUT + S3_OUTPUT_ACT_MIN
    l32i    a15, a2, S3_DOTS_OUTPUT + S3_OUTPUT_ACT_MAX
    addi    a4, a4, -4 // LDINC adds before it loads
    addi    a5, a5, -4
    j       .Loutput

    .p2align 2
.Loutput: // 16 bytes before the inner loop, whose first instruction must not straddle two words
    wsr     a11, acclo // ACCHI may hold anything: only the low word is used
    mov.n   a2, a4
    mov.n   a3, a5
    ldinc   m0, a2
    ldinc   m2, a3
    loop    a10, .Lsum
    mula.dd.ll.ldinc m1, a2, m0, m2
    mula.dd.hh.ldinc m3, a3, m0, m2
    mula.dd.ll.ldinc m0, a2, m1, m3
    mula.dd.hh.ldinc m2, a3, m1, m3
.Lsum:
    rsr     a2, acclo
    add     a4, a4, a8
    requantize a2, a12, a13, a14, a15
    s8i     a2, a6, 0
    add     a6, a6, a9
    addi    a7, a7, -1
    bnez    a7, .Loutput
    retw.n
    .size s3_dots, . - s3_dots
