// The ESP32-S3's vector unit, one instruction at a time, for a core that traps what it does not
// know. After the ESP32-S3 Technical Reference Manual, chapter "Processor Instruction Extensions".
//
// Where Espressif's QEMU, or reports of the chip, differ from the manual, nothing is emulated:
// kernels use only what all agree on.
#ifndef PIE_H
#define PIE_H

#include <stdint.h>

typedef struct pie {
    int8_t q[8][16];
    int32_t qacc[16]; // QACC_L and QACC_H: 16 numbers of 20 bits, the lowest first
    int64_t accx;     // of 40 bits
} pie_t;

extern pie_t pie_state;

// Run the instruction at `code` on the 16 registers `a`. Returns its bytes; 0 if it is none of
// xtensa_pie.h, and then nothing has changed.
uint32_t pie_step(uint32_t *a, const uint8_t *code);

// The number of an instruction in xtensa_pie.h, or -1.
int32_t pie_decode(uint32_t word);

// Where addresses begin: 0, but for tests on other machines.
extern uint8_t *pie_memory;

#endif
