#include "s3_copy.h"

// void s3_copy_blocks(const s3_copy_t *job). Two instructions 16 bytes, and 9 a row.
    .text
    .p2align 2
    .global s3_copy_blocks
    .type s3_copy_blocks, @function
s3_copy_blocks:
    entry   a1, 32
    l32i    a3, a2, S3_COPY_FROM
    l32i    a4, a2, S3_COPY_TO
    l32i    a5, a2, S3_COPY_N
    l32i    a6, a2, S3_COPY_ROWS
    l32i    a7, a2, S3_COPY_FROM_ROW
    l32i    a8, a2, S3_COPY_TO_ROW
    srli    a5, a5, 4
    extui   a9, a5, 0, 1
    srli    a5, a5, 1
.Lrow:
    mov.n   a10, a3
    mov.n   a11, a4
    loopgtz a5, .Lpairs
    ee.vld.128.ip q0, a10, 16
    ee.vld.128.ip q1, a10, 16
    ee.vst.128.ip q0, a11, 16
    ee.vst.128.ip q1, a11, 16
.Lpairs:
    beqz    a9, 1f
    ee.vld.128.ip q0, a10, 16
    add     a3, a3, a7
    ee.vst.128.ip q0, a11, 16
    j       2f
1:  add     a3, a3, a7
2:  add     a4, a4, a8
    addi    a6, a6, -1
    bnez    a6, .Lrow
    retw.n
    .size s3_copy_blocks, . - s3_copy_blocks
