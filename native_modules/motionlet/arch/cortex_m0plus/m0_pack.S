#include "m0.h"

        .syntax unified
        .cpu cortex-m0plus
        .thumb
        M0_RAM_CODE

// words r0, one tap of the inputs r3-r6 at r7: words[0] = r3 + (r4 << 16), words[1] = r5 + (r6 << 16).
.macro PACK_TAP
        ldrsb   r1, [r3, r7]
        ldrsb   r2, [r4, r7]
        lsls    r2, r2, #16
        adds    r1, r1, r2
        stmia   r0!, {r1}
        ldrsb   r1, [r5, r7]
        ldrsb   r2, [r6, r7]
        lsls    r2, r2, #16
        adds    r1, r1, r2
        stmia   r0!, {r1}
.endm

// void m0_pack4(uint32_t *words, const int8_t *const x[4], uint32_t n)
        .align  2
        .global m0_pack4
        .type   m0_pack4, %function
        .thumb_func
m0_pack4:
        push    {r4, r5, r6, r7, lr}
        ldmia   r1!, {r3, r4, r5, r6}
        adds    r3, r3, r2              // the ends, so that one index counts up to 0 for all
        adds    r4, r4, r2
        adds    r5, r5, r2
        adds    r6, r6, r2
        rsbs    r7, r2, #0
        lsrs    r2, r2, #1
        bcs     2f                      // n is odd
1:      PACK_TAP
        adds    r7, #1
2:      PACK_TAP
        adds    r7, #1
        bne     1b
        pop     {r4, r5, r6, r7, pc}
        .size   m0_pack4, . - m0_pack4

// void m0_pack8(uint32_t *words, const int8_t *const x[8], uint32_t n)
        .align  2
        .global m0_pack8
        .type   m0_pack8, %function
        .thumb_func
m0_pack8:
        push    {r0, r1, r2, r4, r5, r6, r7, lr}
        bl      3f                      // the first four inputs
        ldr     r0, [sp, #0]
        ldr     r1, [sp, #4]
        ldr     r2, [sp, #8]
        adds    r0, #8
        adds    r1, #16
        bl      3f
        add     sp, #12
        pop     {r4, r5, r6, r7, pc}

3:      ldmia   r1!, {r3, r4, r5, r6}
        adds    r3, r3, r2
        adds    r4, r4, r2
        adds    r5, r5, r2
        adds    r6, r6, r2
        rsbs    r7, r2, #0
4:      PACK_TAP
        adds    r0, #8                  // over the words of the other four
        adds    r7, #1
        bne     4b
        bx      lr
        .size   m0_pack8, . - m0_pack8
