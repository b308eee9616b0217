// What all assembly files share. It stands inside `#ifdef __ARM_ARCH_6M__`, as all of them do: on
// other machines they are empty, and their C twins take their place.
#ifndef M0_ASM_H
#define M0_ASM_H

#include "m0.h"

    .syntax unified
    .thumb
    .cpu cortex-m0plus
    M0_RAM_CODE

    .macro FUNCTION name
    .balign 4
    .global \name
    .type   \name, %function
    .thumb_func
\name:
    .endm

    .macro END_FUNCTION name
    .size   \name, . - \name
    .endm

// Save all registers that a C caller wants back.
    .macro PUSH_ALL
    push    {r4-r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r4-r7}
    .endm

// Give them back, and return.
    .macro POP_ALL
    pop     {r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {r4-r7, pc}
    .endm

#endif
