// m0_keep8, m0_keep_words: see m0_keep_shifted.h.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"

    .macro KEEP_16_BYTES
    ldmia   r0!, {r4, r5}
    adds    r0, r0, r2
    ldmia   r0!, {r6, r7}
    adds    r0, r0, r2
    stmia   r1!, {r4-r7}
    .endm

// 32 bytes in 29 cycles.
    FUNCTION m0_keep8
    push    {r4-r7, lr}
    subs    r2, #8 // from behind the bytes at one x to the next x
    lsrs    r3, r3, #5
    bcc     1f
    KEEP_16_BYTES
    cmp     r3, #0
    beq     2f
1:  KEEP_16_BYTES
    KEEP_16_BYTES
    subs    r3, #1
    bne     1b
2:  pop     {r4-r7, pc}
    END_FUNCTION m0_keep8

    FUNCTION m0_keep_words
    push    {r4-r7, lr}
    adds    r3, r1, r3
    mov     lr, r3 // end of past
    ldr     r3, [sp, #20]
    mov     r12, r3
    subs    r2, r2, r3 // from behind the bytes at one x to the next x
1:  mov     r3, r12
    subs    r3, #16
    blo     3f
2:  ldmia   r0!, {r4-r7}
    stmia   r1!, {r4-r7}
    subs    r3, #16
    bhs     2b
3:  lsls    r3, r3, #29 // carry: 8 bytes more; sign: 4
    bcc     4f
    ldmia   r0!, {r4, r5}
    stmia   r1!, {r4, r5}
4:  bpl     5f
    ldmia   r0!, {r4}
    stmia   r1!, {r4}
5:  adds    r0, r0, r2
    cmp     r1, lr
    bne     1b
    pop     {r4-r7, pc}
    END_FUNCTION m0_keep_words

#endif
