// The serial port of the board, which is where `-serial` says, its clock, and memory for native code.

#include <stdlib.h>
#include <string.h>

#include "py/mphal.h"
#include "py/misc.h"
#include "py/persistentcode.h"
#include "uart.h"

// Of start.S
int simcall(int code, int a, const void *b, unsigned c);
uint32_t ccount(void);

#define CYCLES_PER_US 40 // of the cycle counter, which follows the host's clock

enum { SIM_EXIT = 1, SIM_READ = 3, SIM_WRITE = 4, SIM_SELECT_ONE = 29 };
enum { STDIN, STDOUT };

#define READABLE ((void *)1) // of SIM_SELECT_ONE

// QEMU keeps 16 bytes of input, and spoils them if more arrive while it hands them over: it does not
// lock. So they are taken at once, and after a while, when there is no room for more or no more comes.
int uart_rx_chr(void) {
    static unsigned char bytes[16];
    static int next, count;
    if (next == count) {
        if (simcall(SIM_SELECT_ONE, STDIN, READABLE, 0) != 1) {
            return UART_RX_NO_CHAR;
        }
        const uint32_t begin = ccount();
        while (ccount() - begin < 500 * CYCLES_PER_US) {
        }
        next = 0;
        count = simcall(SIM_READ, STDIN, bytes, sizeof(bytes));
    }
    return bytes[next++];
}

void uart_tx_strn(const char *text, size_t length) {
    simcall(SIM_WRITE, STDOUT, text, length);
}

typedef struct {
    uint32_t ticks, cycles;
} ticker_t;

// To be called more often than the cycle counter wraps, every 107 s.
static uint32_t advance(ticker_t *clock, uint32_t cycles_per_tick) {
    const uint32_t passed = (ccount() - clock->cycles) / cycles_per_tick;
    clock->cycles += passed * cycles_per_tick;
    return clock->ticks += passed;
}

mp_uint_t mp_hal_ticks_us(void) {
    static ticker_t clock;
    return advance(&clock, CYCLES_PER_US);
}

mp_uint_t mp_hal_ticks_ms(void) {
    static ticker_t clock;
    return advance(&clock, 1000 * CYCLES_PER_US);
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return ccount();
}

void mp_hal_delay_us(mp_uint_t us) {
    const uint32_t begin = mp_hal_ticks_us();
    while (mp_hal_ticks_us() - begin < us) {
    }
}

void mp_hal_delay_ms(mp_uint_t ms) {
    for (; ms > 0; ms--) {
        mp_hal_delay_us(1000);
    }
}

static uint8_t native_code[256 * 1024] __attribute__((aligned(4)));
static size_t native_code_used;

void native_code_free(void) {
    native_code_used = 0;
}

void *native_code_commit(void *code, size_t bytes, void *relocations) {
    const size_t room = (bytes + 3) & ~3u;
    if (room > sizeof(native_code) - native_code_used) {
        m_malloc_fail(room);
    }
    uint8_t *place = native_code + native_code_used;
    native_code_used += room;
    if (relocations != NULL) {
        mp_native_relocate(relocations, code, (uintptr_t)place);
    }
    return memcpy(place, code, bytes);
}

void exit(int status) {
    for (;;) {
        simcall(SIM_EXIT, status, NULL, 0);
    }
}
