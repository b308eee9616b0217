// Start-up and exception vectors for QEMU's Xtensa cores de212 and de233_fpu.
//
// These have every instruction that the kernels use but MULSH, MULUH and those of the vector unit,
// which the ESP32-S3 has. They trap here. The first two are computed by the handler, which always
// takes the same number of instructions; the others by pie/pie.c, and the handler counts how many
// that takes. xtensa_sim/main.c takes all these off the counts again.

#define VECTOR(offset) .org offset
#define SIMCALL simcall 0
#define ALLOCA 5 // exception cause: MOVSP, while the caller's registers are on the stack
#define EXIT 1 // simcall: exit with the code in a3

    .section .reset, "ax"
    .global _reset
_reset:
    j       1f
    .p2align 2
start_address:
    .long   start
1:  l32r    a0, start_address
    jx      a0

// ---------------------------------------------------------------------------------------------
// Window overflow and underflow: the 4, 8 or 12 registers of a caller go to its stack and back.

    .section .vectors, "ax"
    VECTOR(0x000) // overflow 4
    s32e    a0, a5, -16
    s32e    a1, a5, -12
    s32e    a2, a5, -8
    s32e    a3, a5, -4
    rfwo
    VECTOR(0x040)
underflow_4:
    l32e    a0, a5, -16
    l32e    a1, a5, -12
    l32e    a2, a5, -8
    l32e    a3, a5, -4
    rfwu
    VECTOR(0x080) // overflow 8
    s32e    a0, a9, -16
    l32e    a0, a1, -12
    s32e    a1, a9, -12
    s32e    a2, a9, -8
    s32e    a3, a9, -4
    s32e    a4, a0, -32
    s32e    a5, a0, -28
    s32e    a6, a0, -24
    s32e    a7, a0, -20
    rfwo
    VECTOR(0x0c0)
underflow_8:
    l32e    a0, a9, -16
    l32e    a1, a9, -12
    l32e    a2, a9, -8
    l32e    a7, a1, -12
    l32e    a3, a9, -4
    l32e    a4, a7, -32
    l32e    a5, a7, -28
    l32e    a6, a7, -24
    l32e    a7, a7, -20
    rfwu
    VECTOR(0x100) // overflow 12
    s32e    a0, a13, -16
    l32e    a0, a1, -12
    s32e    a1, a13, -12
    s32e    a2, a13, -8
    s32e    a3, a13, -4
    s32e    a4, a0, -48
    s32e    a5, a0, -44
    s32e    a6, a0, -40
    s32e    a7, a0, -36
    s32e    a8, a0, -32
    s32e    a9, a0, -28
    s32e    a10, a0, -24
    s32e    a11, a0, -20
    rfwo
    VECTOR(0x140)
underflow_12:
    l32e    a0, a13, -16
    l32e    a1, a13, -12
    l32e    a2, a13, -8
    l32e    a11, a1, -12
    l32e    a3, a13, -4
    l32e    a4, a11, -48
    l32e    a5, a11, -44
    l32e    a6, a11, -40
    l32e    a7, a11, -36
    l32e    a8, a11, -32
    l32e    a9, a11, -28
    l32e    a10, a11, -24
    l32e    a11, a11, -20
    rfwu

    VECTOR(0x300) // kernel mode is never used
    j       fatal
    VECTOR(0x340) // user mode: MOVSP, MULSH, or the end
    wsr     a0, excsave1
    rsr     a0, exccause
    bnei    a0, ALLOCA, 1f
    j       move_stack
1:  j       emulate
    VECTOR(0x3c0) // an exception in an exception
    j       fatal
    .p2align 2
stack_top:
    .long   _stack_top
main_address:
    .long   main
registers_address:
    .long   registers
vector_stack_address:
    .long   vector_stack_top
vector_address:
    .long   pie_step

// ---------------------------------------------------------------------------------------------
    VECTOR(0x400)
start:
    movi    a0, 0
    wsr     a0, windowbase
    movi    a0, 1
    wsr     a0, windowstart
    #ifndef __XTENSA_SOFT_FLOAT__
    wsr     a0, cpenable
    #endif
    movi    a0, 1 // allow windows, user mode, all interrupts off
    slli    a0, a0, 18
    addi    a0, a0, 0x2f
    wsr     a0, ps
    rsync
    movi    a0, 0
    // Of this frame a window overflow saves 8 registers: the half below `stack_top`, which it finds
    // where a caller's stack pointer is kept.
    l32r    a2, stack_top
    addi    a1, a2, -64
    s32i    a2, a1, 16 + 4
    addi    a1, a1, 32
    l32r    a8, main_address
    callx8  a8
    mov     a3, a10 // what main returned
    j       leave

fatal: // exit with 128 + the cause
    rsr     a3, exccause
    addmi   a3, a3, 0x100
    addi    a3, a3, -128
leave:
    movi    a2, EXIT
    SIMCALL
    j       leave

// int simcall(code, a, b, c): semihosting; returns what it left in a2.
    .p2align 2
    .global simcall
simcall:
    entry   a1, 32
    SIMCALL
    retw.n

// uint32_t ccount(void)
    .p2align 2
    .global ccount
ccount:
    entry   a1, 32
    rsr     a2, ccount
    retw.n

// uint32_t time_multiplies(void), ccount of 16 MULL; time_traps(void), of 16 MULSH; and
// time_vectors(void), of 16 of the vector unit.
    .macro timed name, instruction:vararg
    .p2align 2
    .global \name
\name:
    entry   a1, 32
    rsr     a2, ccount
    .rept 16
    \instruction
    .endr
    rsr     a3, ccount
    sub     a2, a3, a2
    retw.n
    .endm
    timed   time_multiplies, mull a3, a4, a5
    timed   time_traps, mulsh a3, a4, a5
    timed   time_vectors, ee.zero.accx

// void read_clock(uint32_t *to, uint32_t n): ccount, n times, 3 instructions apart.
    .p2align 2
    .global read_clock
read_clock:
    entry   a1, 32
    loop    a3, 1f
    rsr     a4, ccount
    s32i    a4, a2, 0
    addi    a2, a2, 4
1:  retw.n

// ---------------------------------------------------------------------------------------------
// MOVSP: bring the caller's registers back, as if it were returned to; then it is run again. a0 was
// saved in EXCSAVE1.

move_stack:
    rsr     a0, windowbase
    rotw    -1 // that is in a4 now
    rsr     a2, ps
    extui   a3, a2, 8, 4 // the window base before the exception
    xor     a3, a3, a4
    rsr     a4, excsave1
    slli    a3, a3, 8
    xor     a2, a2, a3
    wsr     a2, ps
    rsync
    bbsi    a4, 31, 1f // a return address begins with the registers that its call took, by 4
    j       underflow_4
1:  rotw    -1
    bbsi    a8, 30, 2f
    j       underflow_8
2:  rotw    -1
    j       underflow_12

// ---------------------------------------------------------------------------------------------
// Instructions that the core lacks.
//
// a0 was saved in EXCSAVE1. All registers go to the table `registers`, where they are found by
// number. Behind it are counts: of traps for MULSH and MULUH, of those for the vector unit, and of
// the instructions that the latter took.

#define MULTIPLIES 64
#define VECTORS 68
#define VECTOR_INSTRUCTIONS 72
#define SAVED_SAR 76
#define CLOCK_PHASE 80

    .macro fetch to, number // value of the register whose number is in `number`
    addx4   \to, \number, a0
    l32i    \to, \to, 0
    .endm

emulate:
    l32r    a0, registers_address
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    s32i    a\n, a0, 4 * \n
    .endr
    rsr     a1, excsave1
    s32i    a1, a0, 0
    rsr     a1, exccause
    bnez    a1, fatal // not an illegal instruction

    rsr     a1, epc1 // op2 and op1, r and s, t and op0 in three bytes
    l8ui    a2, a1, 2
    l8ui    a3, a1, 1
    l8ui    a4, a1, 0
    movi    a5, 0xef
    and     a5, a5, a2
    movi    a6, 0xa2 // MULUH; MULSH has bit 4 too
    beq     a5, a6, multiply_high
    j       vector

// MULSH r, s, t and MULUH: the high word of a product, from four products of 16 bits.
multiply_high:
    extui   a5, a3, 0, 4
    fetch   a5, a5 // s
    extui   a6, a4, 4, 4
    fetch   a6, a6 // t
    extui   a7, a5, 16, 16
    extui   a8, a6, 16, 16
    mul16u  a9, a5, a6  // low, low
    mul16u  a10, a5, a8 // low, high
    mul16u  a11, a7, a6 // high, low
    mul16u  a12, a7, a8 // high, high
    extui   a9, a9, 16, 16
    add     a10, a10, a9
    extui   a9, a10, 0, 16
    add     a11, a11, a9
    extui   a10, a10, 16, 16
    extui   a11, a11, 16, 16
    add     a12, a12, a10
    add     a12, a12, a11 // unsigned
    // Signed: less t where s < 0, less s where t < 0.
    srai    a7, a5, 31
    and     a7, a7, a6
    srai    a8, a6, 31
    and     a8, a8, a5
    add     a7, a7, a8
    extui   a2, a2, 4, 1
    neg     a2, a2
    and     a7, a7, a2
    sub     a12, a12, a7
    extui   a3, a3, 4, 4
    addx4   a3, a3, a0
    s32i    a12, a3, 0

    l32i    a2, a0, MULTIPLIES
    addi    a2, a2, 1
    s32i    a2, a0, MULTIPLIES
    movi    a6, 3

go_on: // behind the instruction, of a6 bytes: at the start of the loop, if it was the last of one
    add     a1, a1, a6
    rsr     a2, lend
    sub     a2, a2, a1
    rsr     a3, lcount
    movi    a4, 0
    movi    a5, 1
    moveqz  a4, a5, a2
    movi    a5, 0
    moveqz  a4, a5, a3
    sub     a3, a3, a4
    wsr     a3, lcount
    rsr     a5, lbeg
    movnez  a1, a5, a4
    wsr     a1, epc1
    .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    l32i    a\n, a0, 4 * \n
    .endr
    l32i    a0, a0, 0
    rfe

// The vector unit's, in C of the ABI without windows, which does not mind being in an exception.
    .macro instructions to, other, factor // so far, as clock_instructions() in main.c
    rsr     \to, ccount
    movi    \factor, 25
    srli    \other, \to, 7
    mull    \other, \other, \factor
    extui   \to, \to, 0, 7
    mull    \to, \to, \factor
    l32i    \factor, a0, CLOCK_PHASE
    add     \to, \to, \factor
    srli    \to, \to, 7
    add     \to, \to, \other
    .endm

vector:
    instructions a2, a3, a4
    l32i    a3, a0, VECTOR_INSTRUCTIONS
    sub     a3, a3, a2
    s32i    a3, a0, VECTOR_INSTRUCTIONS
    rsr     a2, sar
    s32i    a2, a0, SAVED_SAR
    mov     a12, a0
    mov     a13, a1
    mov     a2, a0
    mov     a3, a1
    l32r    a1, vector_stack_address
    l32r    a0, vector_address
    callx0  a0
    mov     a0, a12
    mov     a1, a13
    mov     a6, a2 // its bytes; 0 if it is none that is emulated
    beqz    a6, 1f
    l32i    a2, a0, SAVED_SAR
    wsr     a2, sar
    l32i    a2, a0, VECTORS
    addi    a2, a2, 1
    s32i    a2, a0, VECTORS
    instructions a2, a3, a4
    l32i    a3, a0, VECTOR_INSTRUCTIONS
    add     a3, a3, a2
    s32i    a3, a0, VECTOR_INSTRUCTIONS
    j       go_on
1:  j       fatal

    .bss
    .p2align 4
registers:
    .space  64
    .global trap_count
trap_count:
    .space  4
    .global vector_count
vector_count:
    .space  4
    .global vector_instructions
vector_instructions:
    .space  4
    .space  4 // SAR
    .global clock_phase
clock_phase:
    .space  4
    .space  1024
vector_stack_top:
