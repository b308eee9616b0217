// void m0_swap8(int8_t *x, int8_t *past, uint32_t step, uint32_t bytes): see m0_temporal_shift.h.
//
// A swap loads and stores each word on both sides, and x must be read without moving on, to be
// written at the same place: 32 bytes take 59 cycles.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"

// r4 to r7 hold 16 bytes of the past; r1 is back at where they came from.
    .macro SWAP_16_BYTES
    ldmia   r1!, {r4-r7}
    subs    r1, #16
    ldr     r2, [r0]
    ldr     r3, [r0, #4]
    stmia   r0!, {r4, r5}
    stmia   r1!, {r2, r3}
    add     r0, r12
    ldr     r2, [r0]
    ldr     r3, [r0, #4]
    stmia   r0!, {r6, r7}
    stmia   r1!, {r2, r3}
    add     r0, r12
    .endm

    FUNCTION m0_swap8
    push    {r4-r7, lr}
    subs    r2, #8
    mov     r12, r2 // from behind the bytes at one x to the next x
    adds    r4, r1, r3
    mov     lr, r4 // end of past
    lsrs    r3, r3, #5
    bcc     1f
    SWAP_16_BYTES
    cmp     r1, lr
    beq     2f
1:  SWAP_16_BYTES
    SWAP_16_BYTES
    cmp     r1, lr
    bne     1b
2:  pop     {r4-r7, pc}
    END_FUNCTION m0_swap8

#endif
