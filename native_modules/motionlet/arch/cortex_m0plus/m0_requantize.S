// See m0_requantize.h.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"

// int32_t m0_requantize(int32_t acc, int32_t multiplier, uint32_t n)
    FUNCTION m0_requantize
    push    {r4, r5, lr}
// The 64-bit product r1:r0 = acc * multiplier from four of 16 by 16 bits; the upper half of acc
// is signed.
    uxth    r3, r0                  // al
    asrs    r4, r0, #16             // ah
    uxth    r5, r1                  // ml
    lsrs    r1, r1, #16             // mh
    movs    r0, r3
    muls    r0, r5                  // al * ml
    muls    r5, r4                  // ah * ml
    muls    r3, r1                  // al * mh, below 2^31
    muls    r1, r4                  // ah * mh
    lsrs    r4, r0, #16
    adds    r3, r3, r4              // below 2^31 + 2^16
    uxth    r4, r5
    adds    r3, r3, r4              // below 2^32: bits 16 to 47
    asrs    r5, r5, #16
    adds    r1, r1, r5
    lsrs    r5, r3, #16
    adds    r1, r1, r5

    movs    r4, #1
    subs    r2, #33
    bmi     2f
// n >= 33: half of 2^n lies in the upper word, and the lower one does not count. The upper word is
// below 2^30, half of 2^n at most 2^29.
    lsls    r4, r2
    adds    r0, r1, r4
    adds    r2, #1
    asrs    r0, r2
    pop     {r4, r5, pc}

// n <= 32: add half of 2^n to the lower word, then put the quotient together.
2:  push    {r6}
    lsls    r3, r3, #16
    uxth    r0, r0
    orrs    r0, r3
    adds    r2, #32                 // n - 1
    lsls    r4, r2
    movs    r3, #0
    adds    r0, r0, r4
    adcs    r1, r3
    adds    r2, #1                  // n
    movs    r4, r1
    asrs    r4, r2
    asrs    r5, r1, #31
    lsrs    r0, r2                  // 0 for n = 32, as it should be
    movs    r3, #32
    subs    r3, r3, r2
    movs    r6, r1
    lsls    r6, r3
    orrs    r0, r6
    // The quotient is r4:r0. It saturates unless it is below 2^30 either way.
    asrs    r6, r0, #30
    cmp     r6, r5
    bne     3f
    cmp     r4, r5
    beq     4f
3:  movs    r0, #1
    lsls    r0, r0, #30
    eors    r0, r5                  // 2^30, or -2^30 - 1
    subs    r0, r0, r5
4:  pop     {r6}
    pop     {r4, r5, pc}
    END_FUNCTION m0_requantize

#endif
