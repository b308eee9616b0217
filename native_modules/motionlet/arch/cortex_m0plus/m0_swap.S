// void m0_swap4, m0_swap8, m0_swap16(int8_t *x, int8_t *past, uint32_t step, uint32_t count)
// See m0_temporal_shift.h.
//
// A swap loads and stores each byte on both sides: four transfers of a cycle each for a word. LDM
// and STM cost one more each, and x must be read without moving on, to be written at the same
// place. So 16 bytes take 35, 28 and 27 cycles, and half of a loop's 3: 2.3, 1.8 and 1.8 a byte,
// where no code could take less than 1.
#include "m0.h"

#ifdef __ARM_ARCH_6M__

    .syntax unified
    .thumb
    .cpu cortex-m0plus

// r4 to r7 hold 16 bytes of the past; r1 is back at where they came from.
    .macro SWAP_16_BYTES bytes
    ldmia   r1!, {r4-r7}
    subs    r1, #16
    .if \bytes == 4
    .irp from, r4, r5, r6, r7
    ldr     r3, [r0]
    str     \from, [r0]
    mov     \from, r3
    adds    r0, r0, r2
    .endr
    stmia   r1!, {r4-r7}
    .else
    ldr     r2, [r0]
    ldr     r3, [r0, #4]
    stmia   r0!, {r4, r5}
    stmia   r1!, {r2, r3}
    .if \bytes == 8
    add     r0, r12
    .endif
    ldr     r2, [r0]
    ldr     r3, [r0, #4]
    stmia   r0!, {r6, r7}
    stmia   r1!, {r2, r3}
    add     r0, r12
    .endif
    .endm

    .macro SWAP bytes
    .balign 4
    .global m0_swap\bytes
    .type m0_swap\bytes, %function
    .thumb_func
m0_swap\bytes:
    push    {r4-r7, lr}
    .if \bytes != 4
    subs    r2, #\bytes
    .endif
    mov     r12, r2 // from behind the bytes at one x to the next x
    lsls    r4, r3, #4
    adds    r4, r1, r4
    mov     lr, r4 // end of past
    lsrs    r3, r3, #1
    bcc     1f
    SWAP_16_BYTES \bytes
    cmp     r1, lr
    beq     2f
1:  SWAP_16_BYTES \bytes
    SWAP_16_BYTES \bytes
    cmp     r1, lr
    bne     1b
2:  pop     {r4-r7, pc}
    .size m0_swap\bytes, . - m0_swap\bytes
    .endm

    M0_RAM_CODE
    SWAP 4
    SWAP 8
    SWAP 16

#endif
