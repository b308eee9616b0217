#include "s3_dots.h"

// void s3_dots(s3_dots_t *job). One instruction a product, 17 an output, 40 a channel.
    .text
    .p2align 2
    .global s3_dots
    .type s3_dots, @function
s3_dots:
    entry   a1, 32
    s32i    a0, a1, 0
    mov.n   a0, a2 // the job, as all other registers have a use
    l32i    a8, a0, S3_DOTS_X_STEP
    l32i    a9, a0, S3_DOTS_Y_STEP
    l32i    a10, a0, S3_DOTS_QUADS
    l32i    a14, a0, S3_DOTS_OUTPUT + S3_OUTPUT_ACT_MIN
    l32i    a15, a0, S3_DOTS_OUTPUT + S3_OUTPUT_ACT_MAX

.Lchannel:
    l32i    a3, a0, S3_DOTS_OUTPUT + S3_OUTPUT_SHIFT
    l8ui    a2, a3, 0
    addi    a3, a3, 1
    s32i    a3, a0, S3_DOTS_OUTPUT + S3_OUTPUT_SHIFT
    l32i    a13, a0, S3_DOTS_OUTPUT + S3_OUTPUT_ZERO_TWICE
    begin_channel a13, a2, a13
    l32i    a3, a0, S3_DOTS_OUTPUT + S3_OUTPUT_BIAS
    l32i    a11, a3, 0
    addi    a3, a3, 4
    s32i    a3, a0, S3_DOTS_OUTPUT + S3_OUTPUT_BIAS
    l32i    a3, a0, S3_DOTS_OUTPUT + S3_OUTPUT_MULTIPLIER
    l32i    a12, a3, 0
    addi    a3, a3, 4
    s32i    a3, a0, S3_DOTS_OUTPUT + S3_OUTPUT_MULTIPLIER
    l32i    a4, a0, S3_DOTS_X
    l32i    a2, a0, S3_DOTS_X_CHANNEL
    add     a2, a4, a2
    s32i    a2, a0, S3_DOTS_X
    l32i    a5, a0, S3_DOTS_WEIGHTS
    l32i    a2, a0, S3_DOTS_WEIGHTS_CHANNEL
    add     a2, a5, a2
    s32i    a2, a0, S3_DOTS_WEIGHTS
    l32i    a6, a0, S3_DOTS_Y
    addi    a2, a6, 1
    s32i    a2, a0, S3_DOTS_Y
    l32i    a7, a0, S3_DOTS_OUTPUTS
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

    l32i    a2, a0, S3_DOTS_CHANNELS
    addi    a2, a2, -1
    s32i    a2, a0, S3_DOTS_CHANNELS
    bnez    a2, .Lchannel
    l32i    a0, a1, 0
    retw.n
    .size s3_dots, . - s3_dots
