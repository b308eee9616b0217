// void m0_add_elements(const m0_add_t *job): see m0_add.h. 21 cycles an element, from the last to
// the first: one index serves all three maps.
#ifdef __ARM_ARCH_6M__

#include "m0_add.h"
#include "m0_asm.h"

MAP_A   .req r0
MAP_B   .req r1
M_A     .req r2
M_B     .req r3
Y       .req r4
AT      .req r5
SUM     .req r6
T       .req r7
OFFSET  .req r8
ZERO    .req r9
MIN     .req r10
MAX     .req r11
SHIFT   .req r12

    FUNCTION m0_add_elements
    PUSH_ALL

    mov     T, r0
    adds    T, #M0_ADD_OFFSET
    ldmia   T!, {r1-r6} // offset, out_zero, act_min, act_max, shift, count
    mov     OFFSET, r1
    mov     ZERO, r2
    mov     MIN, r3
    mov     MAX, r4
    mov     SHIFT, r5
    mov     T, r6
    ldmia   r0, {r0-r4}
    subs    AT, T, #1

1:  ldrsb   SUM, [MAP_A, AT]
    muls    SUM, M_A
    ldrsb   T, [MAP_B, AT]
    muls    T, M_B
    adds    SUM, SUM, T
    add     SUM, OFFSET
    mov     T, SHIFT
    asrs    SUM, SUM, T
    add     SUM, ZERO
    cmp     SUM, MIN
    blt     3f
    cmp     SUM, MAX
    bgt     4f
2:  strb    SUM, [Y, AT]
    subs    AT, #1
    bpl     1b

    POP_ALL

3:  mov     SUM, MIN
    b       2b
4:  mov     SUM, MAX
    b       2b
    END_FUNCTION m0_add_elements

#endif
