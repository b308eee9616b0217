#include "s3_add.h"

// void s3_add_elements(const s3_add_t *job). 16 instructions an element.
    .text
    .p2align 2
    .global s3_add_elements
    .type s3_add_elements, @function
s3_add_elements:
    entry   a1, 32
    l32i    a13, a2, S3_ADD_SHIFT
    l32i    a3, a2, S3_ADD_A
    l32i    a4, a2, S3_ADD_B
    l32i    a5, a2, S3_ADD_Y
    l32i    a6, a2, S3_ADD_N
    l32i    a7, a2, S3_ADD_MULTIPLIER_A
    l32i    a8, a2, S3_ADD_MULTIPLIER_B
    l32i    a9, a2, S3_ADD_OFFSET
    l32i    a10, a2, S3_ADD_ZERO
    l32i    a11, a2, S3_ADD_ACT_MIN
    j       .Lbegin

    .p2align 2
.Lbegin: // 8 bytes before the loop, whose first instruction must not straddle two words
    l32i.n  a12, a2, S3_ADD_ACT_MAX
    ssr     a13
    loop    a6, .Lend
    l8ui    a13, a3, 0
    l8ui    a14, a4, 0
    sext    a13, a13, 7
    mull    a13, a13, a7
    sext    a14, a14, 7
    mull    a14, a14, a8
    addi    a3, a3, 1
    add     a13, a13, a9
    addi    a4, a4, 1
    add     a13, a13, a14
    sra     a13, a13
    add     a13, a13, a10
    max     a13, a13, a11
    min     a13, a13, a12
    s8i     a13, a5, 0
    addi    a5, a5, 1
.Lend:
    retw.n
    .size s3_add_elements, . - s3_add_elements
