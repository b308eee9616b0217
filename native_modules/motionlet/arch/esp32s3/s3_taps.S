#include "s3_taps.h"

// void s3_taps(s3_taps_t *job). 16 outputs in 280 instructions, 3 a tap and 5 a row of taps.
    .text
    .p2align 2
    .global s3_taps
    .type s3_taps, @function

    // On the stack: 20 bytes of each half of QACC, on multiples of 16.
    #define S3_LOW 16
    #define S3_HIGH 48

    // Lane \n, whose sum is in a2, to its byte at a6.
    .macro  lane n
    l32i    a3, a8, 16 * \n
    l32i    a4, a8, 16 * \n + 4
    add     a2, a2, a3
    l32i    a5, a8, 16 * \n + 12
    mulsh   a2, a2, a4
    l32i    a3, a8, 16 * \n + 8
    ssr     a5
    add     a2, a2, a3
    sra     a2, a2
    max     a2, a2, a10
    min     a2, a2, a11
    s8i     a2, a6, \n
    .endm

    // 20 bits from two words: \low has the lowest ones, above its bit \from, \high the others.
    .macro  joined low, high, from
    slli    a2, \high, 64 - 20 - \from
    srai    a2, a2, 12
    extui   a3, \low, \from, 32 - \from
    or      a2, a2, a3
    .endm

    // The 8 lanes of a half of QACC.
    .macro  half at, n
    l32i    a12, a1, \at
    l32i    a13, a1, \at + 4
    l32i    a14, a1, \at + 8
    l32i    a15, a1, \at + 12
    l32i    a7, a1, \at + 16
    sext    a2, a12, 19
    lane    (\n)
    joined  a12, a13, 20
    lane    (\n + 1)
    slli    a2, a13, 4
    srai    a2, a2, 12
    lane    (\n + 2)
    joined  a13, a14, 28
    lane    (\n + 3)
    joined  a14, a15, 16
    lane    (\n + 4)
    slli    a2, a15, 8
    srai    a2, a2, 12
    lane    (\n + 5)
    joined  a15, a7, 24
    lane    (\n + 6)
    srai    a2, a7, 12
    lane    (\n + 7)
    .endm

s3_taps:
    entry   a1, 112
    s32i    a0, a1, 0
    mov.n   a0, a2 // the job
    movi    a9, 0 // from the first output's x to this one's

.Loutput:
    l32i    a2, a0, S3_TAPS_X
    l32i    a3, a0, S3_TAPS_ROWS
    l32i    a4, a0, S3_TAPS_WEIGHTS
    l32i    a5, a0, S3_TAPS_WEIGHTS_STEP
    l32i    a6, a0, S3_TAPS_X_COLUMN
    l32i    a7, a0, S3_TAPS_COLUMNS
    ee.zero.qacc
.Lrow:
    l32i    a10, a2, 0
    addi    a2, a2, 4
    add     a10, a10, a9
    loop    a7, .Lcolumns
    ee.vld.128.xp q0, a10, a6
    ee.vld.128.xp q1, a4, a5
    ee.vmulas.s8.qacc q0, q1
.Lcolumns:
    addi    a3, a3, -1
    bnez    a3, .Lrow

    l32i    a2, a0, S3_TAPS_KEEP
    l32i    a3, a0, S3_TAPS_KEEP_STEP
    addi    a4, a1, S3_LOW
    ee.vst.128.xp q0, a2, a3
    s32i    a2, a0, S3_TAPS_KEEP
    ee.st.qacc_l.l.128.ip a4, 16
    ee.st.qacc_l.h.32.ip a4, S3_HIGH - S3_LOW - 16
    ee.st.qacc_h.l.128.ip a4, 16
    ee.st.qacc_h.h.32.ip a4, 0
    l32i    a6, a0, S3_TAPS_Y
    l32i    a8, a0, S3_TAPS_CHANNELS
    l32i    a10, a0, S3_TAPS_ACT_MIN
    l32i    a11, a0, S3_TAPS_ACT_MAX
    half    S3_LOW, 0
    half    S3_HIGH, 8

    l32i    a2, a0, S3_TAPS_Y_STEP
    l32i    a3, a0, S3_TAPS_X_STEP
    add     a6, a6, a2
    s32i    a6, a0, S3_TAPS_Y
    add     a9, a9, a3
    l32i    a2, a0, S3_TAPS_OUTPUTS
    addi    a2, a2, -1
    s32i    a2, a0, S3_TAPS_OUTPUTS
    beqz    a2, .Ldone
    j       .Loutput
.Ldone:
    l32i    a0, a1, 0
    retw.n
    .size s3_taps, . - s3_taps
