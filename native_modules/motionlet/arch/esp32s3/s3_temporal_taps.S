#include "s3_temporal_depthwise.h"

// void s3_temporal_taps(const s3_temporal_t *job). 22 instructions an output, 47 a channel.
    .text
    .p2align 2
    .global s3_temporal_taps
    .type s3_temporal_taps, @function

    .macro element to, array // of this channel, from an array of bytes
    l32i    \to, a0, \array
    add     \to, \to, a7
    .endm

    .macro weight to, array
    element \to, \array
    l8ui    \to, \to, 0
    sext    \to, \to, 7
    .endm

s3_temporal_taps:
    entry   a1, 32
    s32i    a0, a1, 0
    mov.n   a0, a2
    l32i    a8, a0, S3_TEMPORAL_CHANNELS // which is also the step from position to position
    l32i    a12, a0, S3_TEMPORAL_OUTPUT + S3_OUTPUT_ACT_MIN
    l32i    a13, a0, S3_TEMPORAL_OUTPUT + S3_OUTPUT_ACT_MAX
    movi    a7, 0 // the channel

.Lchannel:
    weight  a2, S3_TEMPORAL_WEIGHTS
    wsr     a2, m0
    weight  a3, S3_TEMPORAL_MIDDLE_WEIGHTS
    l32i    a4, a0, S3_TEMPORAL_MIDDLE_MASK
    and     a3, a3, a4
    wsr     a3, m1
    weight  a4, S3_TEMPORAL_LAST_WEIGHTS
    wsr     a4, m2
    add     a2, a2, a3
    add     a2, a2, a4
    l32i    a3, a0, S3_TEMPORAL_IN_ZERO
    mull    a2, a2, a3
    l32i    a9, a0, S3_TEMPORAL_OUTPUT + S3_OUTPUT_BIAS
    addx4   a9, a7, a9
    l32i    a9, a9, 0
    sub     a9, a9, a2 // the zero point's share of the sums
    l32i    a10, a0, S3_TEMPORAL_OUTPUT + S3_OUTPUT_MULTIPLIER
    addx4   a10, a7, a10
    l32i    a10, a10, 0
    element a2, S3_TEMPORAL_OUTPUT + S3_OUTPUT_SHIFT
    l8ui    a2, a2, 0
    l32i    a11, a0, S3_TEMPORAL_OUTPUT + S3_OUTPUT_ZERO_TWICE
    begin_channel a11, a2, a11
    element a3, S3_TEMPORAL_OLDEST
    element a4, S3_TEMPORAL_MIDDLE
    element a5, S3_TEMPORAL_X
    element a6, S3_TEMPORAL_Y
    j       .Lpositions

    .p2align 2
.Lpositions: // 8 bytes before the loop, whose first instruction must not straddle two words
    l32i.n  a2, a0, S3_TEMPORAL_POSITIONS
    addi    a7, a7, 1
    loop    a2, .Lend
    l8ui    a2, a3, 0
    sext    a2, a2, 7
    wsr     a9, acclo // ACCHI may hold anything: only the low word is used
    l8ui    a14, a4, 0
    mula.da.ll m0, a2
    sext    a14, a14, 7
    l8ui    a15, a5, 0
    mula.da.ll m1, a14
    sext    a2, a15, 7
    s8i     a15, a3, 0 // the oldest frame has served its last
    mula.ad.ll a2, m2
    add     a3, a3, a8
    add     a4, a4, a8
    rsr     a2, acclo
    add     a5, a5, a8
    requantize a2, a10, a11, a12, a13
    s8i     a2, a6, 0
    add     a6, a6, a8
.Lend:
    sub     a2, a7, a8
    bnez    a2, .Lchannel
    l32i    a0, a1, 0
    retw.n
    .size s3_temporal_taps, . - s3_temporal_taps
