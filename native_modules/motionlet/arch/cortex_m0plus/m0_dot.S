// void m0_dot4_int8(int32_t sums[4], const int8_t *x, const int8_t *w, uint32_t fours)
// void m0_dot2_int4(int32_t sums[2], const int8_t *x, const int8_t *const rows[2], uint32_t eights)
// See m0_dense.h. 4.6 and 5.3 cycles a tap and output.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"

// The signed byte `index` of a word. The last one may go to the word's own register.
    .macro BYTE to, word, index
    .if \index == 0
    sxtb    \to, \word
    .elseif \index == 3
    asrs    \to, \word, #24
    .else
    lsls    \to, \word, #24 - 8 * \index
    asrs    \to, \to, #24
    .endif
    .endm

// Sums in r8 to r11, end of x in r12.
    FUNCTION m0_dot4_int8
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r0, r4-r7}
    movs    r0, #0
    mov     r8, r0
    mov     r9, r0
    mov     r10, r0
    mov     r11, r0
    lsls    r3, r3, #2
    adds    r3, r1, r3
    mov     r12, r3

// Multiply the byte `index` of x (r3) with the weights in \word.
    .macro TAP index, word
    BYTE    r4, r3, \index
    BYTE    r5, \word, 0
    muls    r5, r4
    add     r8, r5
    BYTE    r5, \word, 1
    muls    r5, r4
    add     r9, r5
    BYTE    r5, \word, 2
    muls    r5, r4
    add     r10, r5
    BYTE    \word, \word, 3
    muls    \word, r4
    add     r11, \word
    .endm

1:  ldmia   r1!, {r3}
    ldmia   r2!, {r0, r6, r7}
    TAP     0, r0
    TAP     1, r6
    TAP     2, r7
    ldmia   r2!, {r0}
    TAP     3, r0
    cmp     r1, r12
    bne     1b

    pop     {r0, r4-r7}
    mov     r1, r8
    mov     r2, r9
    mov     r3, r10
    stmia   r0!, {r1-r3}
    mov     r1, r11
    str     r1, [r0]
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {r4-r7, pc}
    END_FUNCTION m0_dot4_int8

#if MLET_WITH_INT4
// Sums in r8 and r9, end of x in r12.
    FUNCTION m0_dot2_int4
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    push    {r0, r4, r5}
    movs    r0, #0
    mov     r8, r0
    mov     r9, r0
    lsls    r3, r3, #3
    adds    r3, r1, r3
    mov     r12, r3
    ldr     r7, [r2, #4]
    ldr     r2, [r2]

// Multiply the byte `index` of x (r3) with nibble `nibble` of both rows (r5, r6).
    .macro TAP4 index, nibble
    BYTE    r4, r3, \index
    .if \nibble == 7
    asrs    r0, r5, #28
    .else
    lsls    r0, r5, #28 - 4 * \nibble
    asrs    r0, r0, #28
    .endif
    muls    r0, r4
    add     r8, r0
    .if \nibble == 7
    asrs    r0, r6, #28
    .else
    lsls    r0, r6, #28 - 4 * \nibble
    asrs    r0, r0, #28
    .endif
    muls    r0, r4
    add     r9, r0
    .endm

1:  ldmia   r2!, {r5}
    ldmia   r7!, {r6}
    ldmia   r1!, {r3}
    TAP4    0, 0
    TAP4    1, 1
    TAP4    2, 2
    TAP4    3, 3
    ldmia   r1!, {r3}
    TAP4    0, 4
    TAP4    1, 5
    TAP4    2, 6
    TAP4    3, 7
    cmp     r1, r12
    bne     1b

    pop     {r0, r4, r5}
    mov     r1, r8
    mov     r2, r9
    stmia   r0!, {r1, r2}
    mov     r8, r4
    mov     r9, r5
    pop     {r4-r7, pc}
    END_FUNCTION m0_dot2_int4
#endif

#endif
