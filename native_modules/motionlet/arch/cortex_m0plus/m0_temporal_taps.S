// void m0_temporal_taps2(const m0_temporal_t *job)
// void m0_temporal_taps3(const m0_temporal_t *job): see m0_temporal_depthwise.h.
//
// The maps of all frames have one shape, so one offset walks through all of them: from the last
// element of the channel to the first, so that its sign ends the loop. 25 and 31 cycles an output.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"
#include "m0_temporal_depthwise.h"

OLDEST  .req r0
MIDDLE  .req r1
X       .req r2
SHIFT   .req r3
AT      .req r4
ACC     .req r5
V       .req r6
T       .req r7
W0      .req r8
W1      .req r9
W2      .req r10
BIAS    .req r11
MIN     .req r12
MAX     .req lr

    .macro TAPS count
    FUNCTION m0_temporal_taps\count
    PUSH_ALL

    mov     T, r0
    adds    T, #M0_TEMPORAL_WEIGHTS
    ldmia   T!, {r1-r6} // weights, bias, act_min, act_max
    mov     W0, r1
    mov     W1, r2
    mov     W2, r3
    mov     BIAS, r4
    mov     MIN, r5
    mov     MAX, r6
    ldmia   T!, {r4-r6} // last, y, step
    push    {r5, r6}
    ldmia   r0, {r0-r3}

1:
    ldrsb   ACC, [OLDEST, AT]
    mov     T, W0
    muls    ACC, T
    .if \count == 3
    ldrsb   V, [MIDDLE, AT]
    mov     T, W1
    muls    V, T
    adds    ACC, ACC, V
    .endif
    ldrsb   V, [X, AT]
    strb    V, [OLDEST, AT]
    mov     T, W2
    muls    V, T
    adds    ACC, ACC, V
    add     ACC, BIAS
    asrs    ACC, ACC, SHIFT
    cmp     ACC, MIN
    blt     3f
    cmp     ACC, MAX
    bgt     4f
2:
    ldr     T, [sp] // y
    strb    ACC, [T, AT]
    ldr     T, [sp, #4] // step
    subs    AT, AT, T
    bpl     1b

    add     sp, #8
    POP_ALL

3:
    mov     ACC, MIN
    b       2b
4:
    mov     ACC, MAX
    b       2b
    END_FUNCTION m0_temporal_taps\count
    .endm

    TAPS 2
    TAPS 3

#endif
