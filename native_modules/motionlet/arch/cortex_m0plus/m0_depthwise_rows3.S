// void m0_depthwise_rows3(m0_rows3_t *job)
// void m0_depthwise_rows3_apart(m0_rows3_t *job): see m0_depthwise2d.h.
//
// In the first, the window slides along a row. Each column of three x is read once and multiplied
// with all nine weights: it is the last column of output a, the middle one of b, the first one of
// c. Then a is done, b becomes a, and c becomes b. The weights come fresh by LDM, three in 4
// cycles, because MULS destroys them. About 60 cycles an output.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"
#include "m0_depthwise2d.h"

JOB     .req r0 // walks through the weights and parameters, and back
X       .req r1 // one tap_row above the tap to read
TAP_ROW .req r2
T0      .req r3
T1      .req r4
V       .req r5 // x
T2      .req r6
Y       .req r7
OUT_A   .req r8
OUT_B   .req r9
OUT_C   .req r10
COLUMN  .req r11 // from the last tap of a column to the first of the next one
Y_STEP  .req r12
MAX     .req lr

// Multiply a column of x with the weights. Of it, the last `outputs` of a, b, c count: the first
// column of a row belongs to one output only, which will be a; the second to two, a and b.
    .macro ONE_COLUMN outputs
    .irp row, 0, 1, 2
    ldrsb   V, [X, TAP_ROW]
    ldmia   JOB!, {T0, T1, T2}
    muls    T0, V
    .if \outputs >= 2
    muls    T1, V
    .endif
    .if \outputs == 3
    muls    T2, V
    .endif
    .if \row < 2
    adds    X, X, TAP_ROW
    .else
    add     X, COLUMN
    .endif
    .if \outputs == 1 // a = w0 * x
    .if \row == 0
    mov     OUT_A, T0
    .else
    add     OUT_A, T0
    .endif
    .endif
    .if \outputs == 2 // a += w1 * x, b = w0 * x
    add     OUT_A, T1
    .if \row == 0
    mov     OUT_B, T0
    .else
    add     OUT_B, T0
    .endif
    .endif
    .if \outputs == 3
    .if \row == 0
    add     OUT_A, T2
    add     OUT_B, T1
    mov     OUT_C, T0
    .endif
    .if \row == 1
    add     OUT_A, T2
    add     OUT_B, T1
    add     OUT_C, T0
    .endif
    .if \row == 2 // T2 = a done, a = b, b = c
    add     T2, OUT_A
    add     T1, OUT_B
    mov     OUT_A, T1
    add     T0, OUT_C
    mov     OUT_B, T0
    .endif
    .endif
    .endr
    .endm

// Store an output, and go on with the next one of the row.
    .macro STORE value, next
    strb    \value, [Y]
    add     Y, Y_STEP
    ldr     T0, [JOB] // row_end
    subs    JOB, #M0_ROWS3_ROW_END
    cmp     Y, T0
    bne     \next
    .endm

// After a row, with its end in T0. Rows of y follow each other, so Y is right already.
    .macro NEXT_ROW next
    ldr     T1, [JOB, #M0_ROWS3_Y_ROW]
    adds    T0, T0, T1
    str     T0, [JOB, #M0_ROWS3_ROW_END]
    ldr     T1, [JOB, #M0_ROWS3_END]
    cmp     Y, T1
    bne     \next
    .endm

    FUNCTION m0_depthwise_rows3
    PUSH_ALL

    ldr     TAP_ROW, [JOB, #M0_ROWS3_TAP_ROW]
    lsls    T0, TAP_ROW, #1
    movs    T1, #4
    subs    T1, T1, T0
    mov     COLUMN, T1
    ldr     T0, [JOB, #M0_ROWS3_Y_COLUMN]
    mov     Y_STEP, T0
    ldr     T0, [JOB, #M0_ROWS3_ACT_MAX]
    mov     MAX, T0
    ldr     Y, [JOB, #M0_ROWS3_Y]

.Lrow:
    ldr     X, [JOB, #M0_ROWS3_X]
    ldr     T0, [JOB, #M0_ROWS3_X_ROW]
    adds    T0, X, T0
    str     T0, [JOB, #M0_ROWS3_X]
    subs    X, X, TAP_ROW
    ONE_COLUMN 1
    subs    JOB, #M0_ROWS3_BIAS
    ONE_COLUMN 2
    subs    JOB, #M0_ROWS3_BIAS

.Loutput:
    ONE_COLUMN 3
    ldmia   JOB!, {T0, T1, V} // bias, shift, act_min
    adds    T2, T2, T0
    asrs    T2, T2, T1
    cmp     T2, V
    blt     .Lmin
    cmp     T2, MAX
    bgt     .Lmax
.Lstore:
    STORE   T2, .Loutput
.Lrow_end:
    NEXT_ROW .Lrow

    POP_ALL

.Lmin: // with a fused ReLU as common as the other way
    STORE   V, .Loutput
    b       .Lrow_end
.Lmax:
    mov     T2, MAX
    b       .Lstore
    END_FUNCTION m0_depthwise_rows3

// Windows that move by more than a cell: each reads its own nine x. About 81 cycles an output.

    .unreq  TAP_ROW
    .unreq  OUT_A
    .unreq  OUT_B
    .unreq  OUT_C
ACC     .req r2
TAP_ROW .req r8

    FUNCTION m0_depthwise_rows3_apart
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r11
    push    {r4, r5}

    ldr     T0, [JOB, #M0_ROWS3_TAP_ROW]
    mov     TAP_ROW, T0
    lsls    T0, T0, #1
    ldr     T1, [JOB, #M0_ROWS3_X_COLUMN]
    subs    T1, T1, T0
    mov     COLUMN, T1 // from the last row of a window to the first of the next one
    ldr     T0, [JOB, #M0_ROWS3_Y_COLUMN]
    mov     Y_STEP, T0
    ldr     T0, [JOB, #M0_ROWS3_ACT_MAX]
    mov     MAX, T0
    ldr     Y, [JOB, #M0_ROWS3_Y]

.Lrow_apart:
    ldr     X, [JOB, #M0_ROWS3_X]
    ldr     T0, [JOB, #M0_ROWS3_X_ROW]
    adds    T0, X, T0
    str     T0, [JOB, #M0_ROWS3_X]

.Loutput_apart:
    .irp row, 0, 1, 2
    ldmia   JOB!, {T0, T1, T2}
    ldrb    V, [X]
    sxtb    V, V
    muls    T0, V
    .if \row == 0
    mov     ACC, T0
    .else
    adds    ACC, ACC, T0
    .endif
    ldrb    V, [X, #4]
    sxtb    V, V
    muls    T1, V
    adds    ACC, ACC, T1
    ldrb    V, [X, #8]
    sxtb    V, V
    muls    T2, V
    adds    ACC, ACC, T2
    .if \row < 2
    add     X, TAP_ROW
    .else
    add     X, COLUMN
    .endif
    .endr

    ldmia   JOB!, {T0, T1, V} // bias, shift, act_min
    adds    ACC, ACC, T0
    asrs    ACC, ACC, T1
    cmp     ACC, V
    blt     .Lmin_apart
    cmp     ACC, MAX
    bgt     .Lmax_apart
.Lstore_apart:
    STORE   ACC, .Loutput_apart
.Lrow_end_apart:
    NEXT_ROW .Lrow_apart

    pop     {r4, r5}
    mov     r8, r4
    mov     r11, r5
    pop     {r4-r7, pc}

.Lmin_apart:
    STORE   V, .Loutput_apart
    b       .Lrow_end_apart
.Lmax_apart:
    mov     ACC, MAX
    b       .Lstore_apart
    END_FUNCTION m0_depthwise_rows3_apart

#endif
