// The inner loops of a matrix product: see m0_matmul.h.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"
#include "m0_matmul.h"
#include "m0_matmul_frame.h"

// Registers of both routines while they run over the taps of a row:
//   r0-r3  words of pairs, freshly loaded, then products (muls destroys one operand: the word)
//   r4     four or eight weights, r5 one of them
//   r6     weights, r7 words, lr the end of the words
//   r8-r11 sums

// Save what a C caller wants back and take r0 = job, r1 = y: the job, word for word, is the first
// part of the frame.
    .macro ENTER frame
    PUSH_ALL
    sub     sp, #\frame
    mov     r3, sp
    ldmia   r0!, {r4-r7}
    stmia   r3!, {r4-r7}
    mov     lr, r5                  // x_end
    ldmia   r0!, {r4-r7}
    stmia   r3!, {r4-r7}
    ldr     r6, [r0]                // weights
    subs    r1, #1                  // each row adds 1 before it stores
    str     r1, [sp, #Y]
    .endm

    .macro LEAVE frame
    add     sp, #\frame
    POP_ALL
    .endm

    .equ    TAPS_BYTES, 32 * 16     // 32 taps of four words

// ---------------------------------------------------------------------------------------------
// void m0_matmul_int8(const m0_matmul_t *job, int8_t *y)
//
// Four positions, two pairs a and b. A product of a pair is first + (second << 16); two products
// (four where the row says so) keep the first one's sum within 16 bits. Then they are split:
//   P = sum of products + 0x8000   so that the shift takes the borrow back
//   all += P                       whole, modulo 2^32
//   high += P >> 16                the second position
// and, at the end of the row, first = all - (high << 16) - 0x8000 * splits. The last term is where
// `all` starts: m0_row_t.lanes.
// When one or two taps are left over from the groups of four, lr is a word before the groups' end
// instead of at it: the loop ends with r7 above lr, which is how the tail is told apart.
//   r8 all of a, r9 high of a, r10 all of b, r11 high of b, r12 0x8000

// One output of the single kind; above act_max it goes to \above.
    .macro OUTPUT sum, above
    muls    \sum, r4
    adds    \sum, \sum, r6
    asrs    \sum, r5
    cmp     \sum, r8
    bge     1f
    mov     \sum, r8
1:  cmp     \sum, r10
    bgt     \above
    strb    \sum, [r7]
    add     r7, r11
    .endm

    .macro SPLIT
    add     r0, r12
    add     r8, r0
    asrs    r0, r0, #16
    add     r9, r0
    add     r1, r12
    add     r10, r1
    asrs    r1, r1, #16
    add     r11, r1
    .endm

// A tap of weight r5 that is added to another's products.
    .macro ADD_TAP
    muls    r2, r5
    muls    r3, r5
    adds    r0, r0, r2
    adds    r1, r1, r3
    .endm

// The first two of four taps.
    .macro TWO_TAPS
    ldmia   r6!, {r4}
    ldmia   r7!, {r0-r3}
    sxtb    r5, r4
    muls    r0, r5
    muls    r1, r5
    lsls    r5, r4, #16
    asrs    r5, r5, #24
    ADD_TAP
    .endm

    .macro GROUP_TWO                        // 46 cycles
    TWO_TAPS
    SPLIT
    ldmia   r7!, {r0-r3}
    lsls    r5, r4, #8
    asrs    r5, r5, #24
    muls    r0, r5
    muls    r1, r5
    asrs    r5, r4, #24
    ADD_TAP
    SPLIT
    .endm

    .macro GROUP_FOUR                       // 41 cycles
    TWO_TAPS
    ldmia   r7!, {r2, r3}
    lsls    r5, r4, #8
    asrs    r5, r5, #24
    ADD_TAP
    ldmia   r7!, {r2, r3}
    asrs    r5, r4, #24
    ADD_TAP
    SPLIT
    .endm

    FUNCTION m0_matmul_int8
    ENTER   FRAME_INT8
    movs    r0, #1
    lsls    r0, r0, #15
    mov     r12, r0

row: ldr     r7, [sp, #ROWS]
    ldmia   r7!, {r0, r1}           // start, lanes
    movs    r2, #0
    mov     r8, r1
    mov     r9, r2
    mov     r10, r1
    mov     r11, r2
    ldr     r7, [sp, #X]
    bx      r0                      // into loop_two, loop_four or tail, or to rows_done

loop_four:
    .rept   4
    GROUP_FOUR
    .endr
    cmp     r7, lr
    blo     1f
    b       taps_done
1:  b       loop_four

loop_two:
    .rept   4
    GROUP_TWO
    .endr
    cmp     r7, lr
    bhs     taps_done
    b       loop_two
loop_end:

tail: TWO_TAPS
    SPLIT
    b       row_end

taps_done:
    bhi     tail
row_end:
    mov     r1, r9
    lsls    r2, r1, #16
    mov     r0, r8
    subs    r0, r0, r2
    mov     r3, r11
    lsls    r4, r3, #16
    mov     r2, r10
    subs    r2, r2, r4              // r0-r3 are the sums of the four positions

    mov     r9, r6                  // weights of the next row
    ldr     r4, [sp, #ACT_MIN]
    mov     r8, r4
    ldr     r4, [sp, #ACT_MAX]
    mov     r10, r4
    ldr     r4, [sp, #Y_STEP]
    mov     r11, r4
    ldr     r7, [sp, #ROWS]
    adds    r7, #M0_ROW_MULTIPLIER
    ldmia   r7!, {r4, r5, r6}       // multiplier, shift, bias
    str     r7, [sp, #ROWS]
    ldr     r7, [sp, #Y]
    adds    r7, #1
    str     r7, [sp, #Y]
    cmp     r5, #M0_ROW_EXACT
    bhs     exact

    OUTPUT  r0, 10f
11: OUTPUT  r1, 20f
21: OUTPUT  r2, 30f
31: OUTPUT  r3, 40f
41: mov     r6, r9
    b       row

// Sums whose result is above act_max. Rare, so they jump, and those in range do not.
10: mov     r0, r10
    strb    r0, [r7]
    add     r7, r11
    b       11b
20: mov     r1, r10
    strb    r1, [r7]
    add     r7, r11
    b       21b
30: mov     r2, r10
    strb    r2, [r7]
    add     r7, r11
    b       31b
40: mov     r3, r10
    strb    r3, [r7]
    b       41b

exact: subs    r5, #M0_ROW_EXACT
    str     r0, [sp, #SUMS]
    str     r1, [sp, #SUMS + 4]
    str     r2, [sp, #SUMS + 8]
    str     r3, [sp, #SUMS + 12]
    bl      m0_matmul_exact
    mov     r6, r9
    ldr     r0, [sp, #X_END]
    mov     lr, r0
    b       row

rows_done:
    LEAVE   FRAME_INT8
    END_FUNCTION m0_matmul_int8

// uint32_t m0_matmul_int8_start(uint32_t run_of_four, uint32_t groups): so far into the loop over
// four groups that its last pass ends with the last group. Without a group: the tail.
    FUNCTION m0_matmul_int8_start
    rsbs    r1, r1, #0
    beq     2f
    movs    r2, #3
    ands    r1, r2
    cmp     r0, #0
    bne     1f
    movs    r2, #(loop_end - loop_two - 6) / 4
    muls    r1, r2
    ldr     r0, to_loop_two
    b       3f
1:  movs    r2, #(loop_two - loop_four - 8) / 4
    muls    r1, r2
    ldr     r0, to_loop_four
    b       3f
2:  ldr     r0, to_tail
3:  adds    r0, r0, r1
    add     r0, pc
from: bx      lr
    END_FUNCTION m0_matmul_int8_start

// uint32_t m0_matmul_int8_end(void)
    FUNCTION m0_matmul_int8_end
    ldr     r0, to_rows_done
    add     r0, pc
from_end:
    bx      lr
    END_FUNCTION m0_matmul_int8_end

// Thumb addresses, as distances from pc: a native module has no others.
    .align  2
to_loop_two: .word   loop_two + 1 - (from + 2)
to_loop_four: .word   loop_four + 1 - (from + 2)
to_tail: .word   tail + 1 - (from + 2)
to_rows_done: .word   rows_done + 1 - (from_end + 2)

#if MLET_WITH_INT4
// ---------------------------------------------------------------------------------------------
// void m0_matmul_int4(const m0_matmul_t *job, int8_t *y)
//
// Eight positions, four pairs. With weights of at most 7, 32 products of a pair pile up before the
// first one's sum could leave 16 bits: 32 * 7 * 128 = 28672. Then r8-r11, the four pairs, are split
// into the eight sums of the frame.
//   r12 where these 32 taps end

// The next tap, its weight in r5.
    .macro TAP
    ldmia   r7!, {r0-r3}
    muls    r0, r5
    add     r8, r0
    muls    r1, r5
    add     r9, r1
    muls    r2, r5
    add     r10, r2
    muls    r3, r5
    add     r11, r3
    .endm

// r0 = first, r1 = second of a pair of sums.
    .macro UNPACK pair
    mov     r1, \pair
    sxth    r0, r1
    subs    r1, r1, r0
    asrs    r1, r1, #16
    .endm

    .macro STORE_SUMS pair, sum
    UNPACK  \pair
    str     r0, [sp, #SUMS + 4 * \sum]
    str     r1, [sp, #SUMS + 4 * \sum + 4]
    .endm

    .macro ADD_SUMS pair, sum
    UNPACK  \pair
    ldr     r2, [sp, #SUMS + 4 * \sum]
    ldr     r3, [sp, #SUMS + 4 * \sum + 4]
    adds    r0, r0, r2
    adds    r1, r1, r3
    str     r0, [sp, #SUMS + 4 * \sum]
    str     r1, [sp, #SUMS + 4 * \sum + 4]
    .endm

    FUNCTION m0_matmul_int4
    ENTER   FRAME_INT4
    ldr     r0, [sp, #X]
    movs    r1, #TAPS_BYTES / 4
    lsls    r1, r1, #2
    adds    r0, r0, r1
    str     r0, [sp, #FIRST_END]

row4: ldr     r7, [sp, #X]
taps32: movs    r0, #0
    mov     r8, r0
    mov     r9, r0
    mov     r10, r0
    mov     r11, r0
    movs    r0, #TAPS_BYTES / 4
    lsls    r0, r0, #2
    adds    r0, r0, r7
    cmp     r0, lr
    bls     1f
    mov     r0, lr
1:  mov     r12, r0

group4: ldmia   r6!, {r4}
    lsls    r5, r4, #28
    asrs    r5, r5, #28
    TAP
    .irp    up, 24, 20, 16
    lsls    r5, r4, #\up
    asrs    r5, r5, #28
    TAP
    .endr
    cmp     r7, r12
    beq     1f                      // at most four taps were left
    .irp    up, 12, 8, 4
    lsls    r5, r4, #\up
    asrs    r5, r5, #28
    TAP
    .endr
    asrs    r5, r4, #28
    TAP
    cmp     r7, r12
    bne     group4

1:  ldr     r0, [sp, #FIRST_END]
    cmp     r7, r0
    bhi     1f
    STORE_SUMS r8, 0
    STORE_SUMS r9, 2
    STORE_SUMS r10, 4
    STORE_SUMS r11, 6
    b       2f
1:  ADD_SUMS r8, 0
    ADD_SUMS r9, 2
    ADD_SUMS r10, 4
    ADD_SUMS r11, 6
2:  cmp     r7, lr
    beq     1f
    b       taps32
1:
    mov     r9, r6                  // weights of the next row
    ldr     r7, [sp, #ROWS]
    adds    r7, #M0_ROW_MULTIPLIER
    ldmia   r7!, {r4, r5, r6}       // multiplier, shift, bias
    str     r7, [sp, #ROWS]
    ldr     r7, [sp, #Y_STEP]
    mov     r11, r7
    ldr     r7, [sp, #Y]
    adds    r7, #1
    str     r7, [sp, #Y]
    cmp     r5, #M0_ROW_EXACT
    bhs     exact4
    ldr     r2, [sp, #ACT_MIN]
    ldr     r3, [sp, #ACT_MAX]
    .irp    sum, 0, 1, 2, 3, 4, 5, 6, 7
    ldr     r0, [sp, #SUMS + 4 * \sum]
    muls    r0, r4
    adds    r0, r0, r6
    asrs    r0, r5
    cmp     r0, r2
    bge     1f
    mov     r0, r2
1:  cmp     r0, r3
    ble     1f
    mov     r0, r3
1:  strb    r0, [r7]
    add     r7, r11
    .endr

row4_end:
    mov     r6, r9
    ldr     r0, [sp, #ROWS]
    ldr     r1, [sp, #ROWS_END]
    cmp     r0, r1
    beq     1f
    b       row4
1:  LEAVE   FRAME_INT4

exact4: subs    r5, #M0_ROW_EXACT
    ldr     r0, [sp, #ACT_MIN]
    mov     r8, r0
    ldr     r0, [sp, #ACT_MAX]
    mov     r10, r0
    .irp    sum, 0, 1, 2, 3, 4, 5, 6, 7
    EXACT_OUTPUT SUMS + 4 * \sum, OUT_ZERO
    .endr
    ldr     r0, [sp, #X_END]
    mov     lr, r0
    b       row4_end
    END_FUNCTION m0_matmul_int4
#endif

#endif
