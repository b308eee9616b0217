// For the assembly: the frame of the routines in m0_matmul.S, and outputs of the exact kind.
#ifndef M0_MATMUL_FRAME_H
#define M0_MATMUL_FRAME_H

// The frame: m0_matmul_t but its weights, y, sums.
    .equ    X, M0_MATMUL_X
    .equ    X_END, M0_MATMUL_X_END
    .equ    ROWS, M0_MATMUL_ROWS
    .equ    ROWS_END, M0_MATMUL_ROWS_END
    .equ    ACT_MIN, M0_MATMUL_ACT_MIN
    .equ    ACT_MAX, M0_MATMUL_ACT_MAX
    .equ    OUT_ZERO, M0_MATMUL_OUT_ZERO
    .equ    Y_STEP, M0_MATMUL_Y_STEP
    .equ    Y, M0_MATMUL_WEIGHTS
    .equ    SUMS, 36
    .equ    FRAME_INT8, SUMS + 4 * 4
    .equ    FIRST_END, SUMS + 8 * 4
    .equ    FRAME_INT4, FIRST_END + 4

// y = clamp(what lies at \sum in the stack, requantized exactly) with r4 = multiplier, r5 = n, r6 =
// bias, r7 = where, r8 = act_min, r10 = act_max, r11 = y_step. m0_requantize leaves all but r0-r3 and
// lr alone.
    .macro EXACT_OUTPUT sum, out_zero
    ldr     r0, [sp, #\sum]
    adds    r0, r0, r6
    movs    r1, r4
    movs    r2, r5
    bl      m0_requantize
    ldr     r1, [sp, #\out_zero]
    adds    r0, r0, r1
    cmp     r0, r8
    bge     1f
    mov     r0, r8
1:  cmp     r0, r10
    ble     1f
    mov     r0, r10
1:  strb    r0, [r7]
    add     r7, r11
    .endm

#endif
