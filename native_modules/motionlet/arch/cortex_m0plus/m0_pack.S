// m0_pack4, m0_pack4_runs, m0_pack8: see m0_matmul.h.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"
#include "m0_matmul.h"

// One tap, at r7 of the inputs r3-r6, to the words at r0: r3 + (r4 << 16), then r5 + (r6 << 16).
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

// The taps from r7, which is below 0, up to 0; the carry tells that their number is odd.
    .macro PACK_TAPS
    bcs     3f
2:  PACK_TAP
    adds    r7, #1
3:  PACK_TAP
    adds    r7, #1
    bne     2b
    .endm

// void m0_pack4(uint32_t *words, const int8_t *const x[4], uint32_t n, uint32_t rows, int32_t step)
    FUNCTION m0_pack4
    push    {r4-r7, lr}
    mov     lr, r3                  // rows
    ldr     r4, [sp, #5 * 4]
    mov     r12, r4                 // step
    ldmia   r1!, {r3, r4, r5, r6}
    adds    r3, r3, r2              // the ends, so that one index counts up to 0 for all
    adds    r4, r4, r2
    adds    r5, r5, r2
    adds    r6, r6, r2
    rsbs    r7, r2, #0
    push    {r7}
1:  lsrs    r1, r7, #1
    PACK_TAPS
    mov     r1, lr
    subs    r1, #1
    beq     4f
    mov     lr, r1
    add     r3, r12
    add     r4, r12
    add     r5, r12
    add     r6, r12
    ldr     r7, [sp]
    b       1b
4:  add     sp, #4
    pop     {r4-r7, pc}
    END_FUNCTION m0_pack4

// void m0_pack4_runs(uint32_t *words, const m0_run_t runs[2])
    FUNCTION m0_pack4_runs
    push    {r4-r7, lr}
    movs    r2, r1
    adds    r2, #M0_RUN_BYTES
    mov     lr, r2                  // the second run
1:  mov     r12, r1
    ldmia   r1!, {r2, r3, r7}
    adds    r3, r3, r2              // the ends, as above
    adds    r4, r3, r7
    adds    r5, r4, r7
    adds    r6, r5, r7
    rsbs    r7, r2, #0
    beq     4f
    lsrs    r2, r2, #1
    PACK_TAPS
4:  mov     r1, lr
    cmp     r1, r12
    bne     1b
    pop     {r4-r7, pc}
    END_FUNCTION m0_pack4_runs

#if MLET_WITH_INT4
// void m0_pack8(uint32_t *words, const int8_t *const x[8], uint32_t n, uint32_t rows, int32_t step)
    FUNCTION m0_pack8
    cmp     r2, #0
    beq     8f
    push    {r0, r1, r2, r3, r4, r5, r6, r7, lr}
    bl      5f                      // the first four inputs
    ldr     r0, [sp]
    ldr     r1, [sp, #4]
    ldr     r2, [sp, #8]
    adds    r0, #8
    adds    r1, #16
    bl      5f
    add     sp, #16
    pop     {r4-r7, pc}

5:  ldr     r3, [sp, #12]
    mov     r12, r3                 // rows
    ldmia   r1!, {r3, r4, r5, r6}
    adds    r3, r3, r2
    adds    r4, r4, r2
    adds    r5, r5, r2
    adds    r6, r6, r2
6:  ldr     r2, [sp, #8]
    rsbs    r7, r2, #0
7:  PACK_TAP
    adds    r0, #8                  // over the words of the other four
    adds    r7, #1
    bne     7b
    mov     r1, r12
    subs    r1, #1
    beq     8f
    mov     r12, r1
    ldr     r2, [sp, #9 * 4]        // step
    adds    r3, r3, r2
    adds    r4, r4, r2
    adds    r5, r5, r2
    adds    r6, r6, r2
    b       6b
8:  bx      lr
    END_FUNCTION m0_pack8
#endif

#endif
