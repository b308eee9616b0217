// void m0_taps(const m0_taps_t *job): see m0_taps.h. 7 cycles a tap and about 33 an output.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"
#include "m0_taps.h"

TAP     .req r0
AT      .req r1 // what every tap's x has moved
X0      .req r2
W0      .req r3
X1      .req r4
W1      .req r5
ACC     .req r6
Y       .req r7
TAPS    .req r8
END     .req r9
BIAS    .req r10
MIN     .req r11
MAX     .req r12
SHIFT   .req lr

    FUNCTION m0_taps
    PUSH_ALL

    ldmia   r0!, {r1-r6}
    mov     TAPS, r1
    mov     END, r2
    mov     BIAS, r3
    mov     MIN, r4
    mov     MAX, r5
    mov     SHIFT, r6
    ldmia   r0!, {r2-r6} // y, y_step, x_at, x_step, x_end
    mov     Y, r2
    mov     AT, r4
    mov     r4, r3
    push    {r4-r6}

.Loutput:
    mov     TAP, TAPS
    mov     ACC, BIAS
.Ltaps:
    ldmia   TAP!, {X0, W0, X1, W1}
    ldrsb   X0, [X0, AT]
    muls    W0, X0
    adds    ACC, ACC, W0
    ldrsb   X1, [X1, AT]
    muls    W1, X1
    adds    ACC, ACC, W1
    cmp     TAP, END
    bne     .Ltaps

    mov     W0, SHIFT
    asrs    ACC, ACC, W0
    cmp     ACC, MIN
    blt     .Lmin
    cmp     ACC, MAX
    bgt     .Lmax
.Lstore:
    strb    ACC, [Y]
    ldr     W0, [sp] // y_step
    adds    Y, Y, W0
    ldr     W0, [sp, #4] // x_step
    adds    AT, AT, W0
    ldr     W0, [sp, #8] // x_end
    cmp     AT, W0
    bne     .Loutput

    add     sp, #12
    POP_ALL

.Lmin:
    mov     ACC, MIN
    b       .Lstore
.Lmax:
    mov     ACC, MAX
    b       .Lstore
    END_FUNCTION m0_taps

#endif
