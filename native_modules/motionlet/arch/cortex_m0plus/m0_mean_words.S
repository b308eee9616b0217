// void m0_mean_words(m0_mean_t *job): see m0_mean.h. 13 cycles for a tap of four elements, 27 and
// about 15 for each of them.
//
// A word of four x adds to two words of two sums of 16 bits: those of bytes 0 and 2, and those of
// bytes 1 and 3. Of x + 128, which is not below 0, they hold 128 taps: 128 * 255 < 2^15.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"
#include "m0_mean.h"

// In m0_mean_t
    .equ    HIGH, M0_MEAN_HIGH
    .equ    LOW, M0_MEAN_LOW
    .equ    SHIFT, M0_MEAN_SHIFT
    .equ    X, M0_MEAN_X
    .equ    ROWS, M0_MEAN_ROWS
    .equ    COLUMNS, M0_MEAN_COLUMNS
    .equ    NEXT_ROW, M0_MEAN_NEXT_ROW
    .equ    PRESENT, M0_MEAN_PRESENT
    .equ    KEPT, M0_MEAN_KEPT
    .equ    Y, M0_MEAN_Y
    .equ    COUNT, M0_MEAN_COUNT

JOB     .req r0
PX      .req r0
T       .req r1
U       .req r2
EVEN    .req r3
ODD     .req r4
MASK    .req r5
SIGNS   .req r6
LEFT    .req r7
COLUMN  .req r8 // bytes to the next one
ZEROS   .req r9
OFFSET  .req r10
MIN     .req r11
MAX     .req r12
ROW     .req lr

// Add the four x in T to the sums.
    .macro ADD_FOUR
    eors    T, SIGNS
    movs    U, MASK
    ands    U, T
    adds    EVEN, EVEN, U
    lsrs    T, T, #8
    ands    T, MASK
    adds    ODD, ODD, T
    .endm

    FUNCTION m0_mean_words
    PUSH_ALL

    ldr     r6, [JOB, #COLUMNS]
    ldr     r7, [JOB, #NEXT_ROW]
    push    {r0, r6, r7} // job, columns, next_row
    sub     sp, #4       // rows left
    ldmia   r0!, {r1-r5} // next_column, zeros, offset, act_min, act_max
    mov     COLUMN, r1
    mov     ZEROS, r2
    mov     OFFSET, r3
    mov     MIN, r4
    mov     MAX, r5

.Lfour:
    ldr     JOB, [sp, #4]
    ldr     T, [JOB, #COUNT]
    subs    T, #4
    blo     .Ldone
    str     T, [JOB, #COUNT]
    ldr     T, [JOB, #X]
    mov     ROW, T
    adds    T, #4
    str     T, [JOB, #X]
    ldr     MASK, =0x00ff00ff
    ldr     SIGNS, =0x80808080
    movs    EVEN, #0
    movs    ODD, #0
    ldr     T, [JOB, #ROWS]
.Lrow:
    str     T, [sp]
    mov     PX, ROW
    ldr     LEFT, [sp, #8]
.Ltap:
    ldr     T, [PX]
    add     PX, COLUMN
    ADD_FOUR
    subs    LEFT, #1
    bne     .Ltap
    ldr     T, [sp, #12]
    add     ROW, T
    ldr     T, [sp]
    subs    T, #1
    bne     .Lrow

    ldr     JOB, [sp, #4]
    ldr     LEFT, [JOB, #PRESENT]
    cmp     LEFT, #0
    beq     1f
    ldmia   LEFT!, {T}
    str     LEFT, [JOB, #PRESENT]
    ldr     LEFT, [JOB, #KEPT]
    stmia   LEFT!, {T}
    str     LEFT, [JOB, #KEPT]
    ADD_FOUR
1:
    ldr     r7, [JOB, #Y]
    movs    r6, #4
.Loutput:
    uxth    T, EVEN
    add     T, ZEROS
    ldr     r5, [JOB, #HIGH]
    muls    r5, T
    ldr     U, [JOB, #LOW]
    muls    T, U
    asrs    T, T, #16
    adds    T, T, r5
    add     T, OFFSET
    ldr     U, [JOB, #SHIFT]
    asrs    T, T, U
    cmp     T, MIN
    blt     .Lmin
    cmp     T, MAX
    bgt     .Lmax
.Lstore:
    strb    T, [r7]
    adds    r7, #1
    lsrs    U, EVEN, #16 // the next output's sum to the front
    movs    EVEN, ODD
    movs    ODD, U
    subs    r6, #1
    bne     .Loutput
    str     r7, [JOB, #Y]
    b       .Lfour

.Lmin:
    mov     T, MIN
    b       .Lstore
.Lmax:
    mov     T, MAX
    b       .Lstore

.Ldone:
    add     sp, #16
    POP_ALL
    END_FUNCTION m0_mean_words
    .ltorg

#endif
