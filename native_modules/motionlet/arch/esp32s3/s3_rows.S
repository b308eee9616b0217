#include "s3_rows.h"

// void s3_rows(s3_rows_t *job). Rows of up to 4 blocks: 12 instructions an output, 1 a block. Longer
// ones: 23 an output, 2 a block but for the last 4, which take 1.
    .text
    .p2align 2
    .global s3_rows
    .type s3_rows, @function

    // On the stack, beside a0.
    #define S3_ONE 4
    #define S3_BIAS 8 // of 64 bits, as ACCX wants it

    .macro finish // the sum in ACCX becomes a byte at a6
    rur.accx_0 a2
    requantize a2, a12, a13, a14, a15
    s8i     a2, a6, 0
    .endm

s3_rows:
    entry   a1, 48
    s32i    a0, a1, 0
    mov.n   a0, a2 // the job, as all other registers have a use
    l32i    a9, a0, S3_ROWS_Y_STEP
    l32i    a14, a0, S3_ROWS_OUTPUT + S3_OUTPUT_ACT_MIN
    l32i    a15, a0, S3_ROWS_OUTPUT + S3_OUTPUT_ACT_MAX

.Lchannel:
    l32i    a3, a0, S3_ROWS_OUTPUT + S3_OUTPUT_SHIFT
    l8ui    a2, a3, 0
    addi    a3, a3, 1
    s32i    a3, a0, S3_ROWS_OUTPUT + S3_OUTPUT_SHIFT
    l32i    a13, a0, S3_ROWS_OUTPUT + S3_OUTPUT_ZERO_TWICE
    begin_channel a13, a2, a13
    l32i    a3, a0, S3_ROWS_OUTPUT + S3_OUTPUT_MULTIPLIER
    l32i    a12, a3, 0
    addi    a3, a3, 4
    s32i    a3, a0, S3_ROWS_OUTPUT + S3_OUTPUT_MULTIPLIER
    l32i    a3, a0, S3_ROWS_OUTPUT + S3_OUTPUT_BIAS
    l32i    a11, a3, 0
    addi    a3, a3, 4
    s32i    a3, a0, S3_ROWS_OUTPUT + S3_OUTPUT_BIAS
    l32i    a6, a0, S3_ROWS_Y
    addi    a2, a6, 1
    s32i    a2, a0, S3_ROWS_Y
    l32i    a10, a0, S3_ROWS_BLOCKS
    l32i    a5, a0, S3_ROWS_WEIGHTS
    mov.n   a3, a5

    // The zero point's share of the sum goes to the bias: the sum of the weights, times ones.
    movi    a2, 1
    s32i    a2, a1, S3_ONE
    addi    a2, a1, S3_ONE
    ee.vldbc.8 q3, a2
    ee.zero.accx
    ee.vld.128.ip q0, a3, 16
    addi    a2, a10, -2
    bltz    a2, .Lsummed
    ee.vld.128.ip q1, a3, 16
    srli    a2, a2, 1
    loopgtz a2, .Lweights
    ee.vmulas.s8.accx.ld.ip q0, a3, 16, q0, q3
    ee.vmulas.s8.accx.ld.ip q1, a3, 16, q1, q3
.Lweights:
    bbci    a10, 0, 1f
    ee.vmulas.s8.accx q0, q3
    ee.vld.128.ip q0, a3, 16
1:  ee.vmulas.s8.accx q1, q3
.Lsummed:
    s32i    a3, a0, S3_ROWS_WEIGHTS
    ee.vmulas.s8.accx q0, q3
    l32i    a3, a0, S3_ROWS_IN_ZERO
    rur.accx_0 a2
    mull    a2, a2, a3
    sub     a2, a11, a2
    s32i    a2, a1, S3_BIAS
    srai    a2, a2, 31
    s32i    a2, a1, S3_BIAS + 4
    addi    a11, a1, S3_BIAS

    l32i    a4, a0, S3_ROWS_X
    l32i    a7, a0, S3_ROWS_OUTPUTS
    bgeui   a10, S3_ROWS_KEPT + 1, .Llong
    beqi    a10, 1, .Lone
    beqi    a10, 2, .Ltwo
    beqi    a10, 3, .Lthree

    // All of a row in registers: the weights from q4 on, x from q0 on. As a block of x is used, that
    // of the next output takes its place.
    .macro short blocks
    .irp    n, 4, 5, 6, 7
    .if     \n - 4 < \blocks
    ee.vld.128.ip q\n, a5, 16
    .endif
    .endr
    .irp    n, 0, 1, 2, 3
    .if     \n < \blocks
    ee.vld.128.ip q\n, a4, 16
    .endif
    .endr
    loop    a7, .Lend\blocks
    ee.ld.accx.ip a11, 0
    ee.vmulas.s8.accx.ld.ip q0, a4, 16, q0, q4
    .if     \blocks > 1
    ee.vmulas.s8.accx.ld.ip q1, a4, 16, q1, q5
    .endif
    .if     \blocks > 2
    ee.vmulas.s8.accx.ld.ip q2, a4, 16, q2, q6
    .endif
    .if     \blocks > 3
    ee.vmulas.s8.accx.ld.ip q3, a4, 16, q3, q7
    .endif
    addi    a7, a7, -1 // nothing: the sum is not there yet
    finish
    add     a6, a6, a9
.Lend\blocks:
    j       .Lnext
    .endm

    short   4
.Lthree:
    short   3
.Ltwo:
    short   2
.Lone:
    short   1

    // The last 4 blocks of the weights in q4 to q7; those before in q2 and q3, as they come.
.Llong:
    addi    a10, a10, -S3_ROWS_KEPT
    slli    a2, a10, 4
    add     a3, a5, a2
    ee.vld.128.ip q4, a3, 16
    ee.vld.128.ip q5, a3, 16
    ee.vld.128.ip q6, a3, 16
    ee.vld.128.ip q7, a3, 16
    srli    a10, a10, 1 // pairs
.Loutput:
    mov.n   a3, a5
    ee.vld.128.ip q0, a4, 16
    ee.vld.128.ip q2, a3, 16
    ee.ld.accx.ip a11, 0
    loop    a10, .Lpairs
    ee.vld.128.ip q1, a4, 16
    ee.vld.128.ip q3, a3, 16
    ee.vmulas.s8.accx.ld.ip q0, a4, 16, q0, q2
    ee.vmulas.s8.accx.ld.ip q2, a3, 16, q1, q3
.Lpairs:
    ee.vld.128.ip q1, a4, 16
    ee.vmulas.s8.accx.ld.ip q2, a4, 16, q0, q4
    ee.vmulas.s8.accx.ld.ip q3, a4, 16, q1, q5
    ee.vmulas.s8.accx q2, q6
    ee.vmulas.s8.accx q3, q7
    addi    a7, a7, -1
    finish
    add     a6, a6, a9
    bnez    a7, .Loutput

.Lnext:
    l32i    a2, a0, S3_ROWS_CHANNELS
    addi    a2, a2, -1
    s32i    a2, a0, S3_ROWS_CHANNELS
    beqz    a2, .Ldone
    j       .Lchannel
.Ldone:
    l32i    a0, a1, 0
    retw.n
    .size s3_rows, . - s3_rows
