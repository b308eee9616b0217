// setjmp() and longjmp() for windowed registers.
//
// All registers go to the stack, where a return takes them from. Those of the function that calls
// setjmp() go into the jmp_buf as well, since others will use their place on the stack:
//
//   jmp_buf    a0-a3 and a4-a7 of the caller; where to return to

    .macro  copy to, to_at, from, from_at // four words
    .irp    n, 0, 4, 8, 12
    l32i    a9, \from, \from_at + \n
    s32i    a9, \to, \to_at + \n
    .endr
    .endm

    .macro  place_of_a4 to, jmp_buf // where a4-a7 of the caller are on the stack
    l32i    \to, \jmp_buf, 4 // its stack pointer; below that is its own caller's
    addi    \to, \to, -12
    l32i    \to, \to, 0
    addi    \to, \to, -32
    .endm

    // 16 bytes for the registers of the caller's caller, and 48 for what call12 leaves behind.
    .macro  enter
    entry   a1, 64
    movi    a14, 3
    call12  spill
    .endm

// Each call moves on by 12 of the 64 registers, or 32; the use of a14 asks for the rest of its 16.
    .text
    .p2align 2
spill: // a2: 3, and fewer in calls of its own
    entry   a1, 48
    addi    a14, a2, -1
    beqz    a2, 1f
    call12  spill
1:  retw

    .p2align 2
    .global setjmp
setjmp: // a2: jmp_buf
    enter
    addi    a8, a1, -16
    copy    a2, 0, a8, 0
    place_of_a4 a8, a2
    copy    a2, 16, a8, 0
    s32i    a0, a2, 32
    movi    a2, 0
    retw

    .p2align 2
    .global longjmp
longjmp: // a2: jmp_buf, a3: what setjmp() shall return
    enter
    l32i    a8, a2, 4
    addi    a1, a8, -64 // from here on this is the frame that setjmp() had
    addi    a8, a1, -16
    copy    a8, 0, a2, 0
    place_of_a4 a8, a2
    copy    a8, 0, a2, 16
    l32i    a0, a2, 32
    movi    a8, 0
    wsr     a8, lcount // maybe this leaves a loop
    movi    a8, 1
    moveqz  a3, a8, a3
    mov     a2, a3
    retw
