// Nothing here is divided, or multiplied so that the high word of a product is needed: that takes
// instructions which trap too. And the compiler is told to make no zero-overhead loops, which do not
// work in an exception.
#include "pie.h"

#include <stddef.h>

#include "../../xtensa_pie.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

pie_t pie_state;
uint8_t *pie_memory;

enum {
    #define NUMBER(name, ...) name,
    PIE_OPCODES(NUMBER)
};

// ---------------------------------------------------------------------------------------------
// Decoding

static inline uint32_t get_bits(const uint8_t *bits, size_t count, uint32_t word) {
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value |= (word >> bits[i] & 1) << i;
    }
    return value;
}

static uint32_t mask_of(const uint8_t *bits, size_t count) {
    uint32_t mask = 0;
    for (size_t i = 0; i < count; i++) {
        mask |= 1u << bits[i];
    }
    return mask;
}

// A field of a word; get_q15() and so on.
#define FIELD(name, ...) \
    static const uint8_t bits_##name[] = {__VA_ARGS__}; \
    __attribute__((unused)) static uint32_t get_##name(uint32_t word) { \
        return get_bits(bits_##name, COUNT(bits_##name), word); \
    }
PIE_FIELDS(FIELD)

#define OPERAND_MASK(name, field, ...) \
    static uint32_t mask_##name(void) { return mask_of(bits_##field, COUNT(bits_##field)); }
PIE_OPERANDS(OPERAND_MASK)

#define MASKS_0() 0
#define MASKS_2(way, name) mask_##name()
#define MASKS_4(way, name, ...) mask_##name() | MASKS_2(__VA_ARGS__)
#define MASKS_6(way, name, ...) mask_##name() | MASKS_4(__VA_ARGS__)
#define MASKS_8(way, name, ...) mask_##name() | MASKS_6(__VA_ARGS__)
#define MASKS_10(way, name, ...) mask_##name() | MASKS_8(__VA_ARGS__)
#define MASKS_OF(_, a, b, c, d, e, f, g, h, i, j, count, ...) MASKS_##count
#define MASKS(...) MASKS_OF(0, ##__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)(__VA_ARGS__)

static const struct {
    uint32_t bytes, match;
} opcodes[] = {
    #define OPCODE(name, mnemonic, bytes, match, ...) {bytes, match},
    PIE_OPCODES(OPCODE)
};

int32_t pie_decode(uint32_t word) {
    static uint32_t masks[COUNT(opcodes)];
    if (masks[0] == 0) {
        const uint32_t operands[] = {
            #define OPERANDS(name, mnemonic, bytes, match, ...) MASKS(__VA_ARGS__),
            PIE_OPCODES(OPERANDS)
        };
        for (size_t i = 0; i < COUNT(opcodes); i++) {
            masks[i] = ~operands[i] & (opcodes[i].bytes == 4 ? UINT32_MAX : 0xffffff);
        }
    }
    const uint32_t bytes = (word & 0xe) == 0xe ? 4 : 3;
    for (size_t i = 0; i < COUNT(opcodes); i++) {
        if (opcodes[i].bytes == bytes && (word & masks[i]) == opcodes[i].match) {
            return (int32_t)i;
        }
    }
    return -1;
}

// ---------------------------------------------------------------------------------------------
// Running

static int32_t clamp(int32_t value, int32_t bits) {
    const int32_t end = 1 << (bits - 1);
    return value < -end ? -end : value >= end ? end - 1 : value;
}

static int32_t extend(uint32_t value, uint32_t bits) {
    return (int32_t)(value << (32 - bits)) >> (32 - bits);
}

// The 16 bytes around an address: its 4 lowest bits are left out.
static int8_t *around(uint32_t address) {
    return (int8_t *)pie_memory + (address & ~15u);
}

static void copy(int8_t *to, const int8_t *from) {
    for (int i = 0; i < 16; i++) {
        to[i] = from[i];
    }
}

static void add_products(const int8_t *x, const int8_t *y) {
    for (int i = 0; i < 16; i++) {
        pie_state.qacc[i] = clamp(pie_state.qacc[i] + x[i] * y[i], 20);
    }
}

static void add_scaled(const int8_t *x, int32_t scale) {
    for (int i = 0; i < 16; i++) {
        pie_state.qacc[i] = clamp(pie_state.qacc[i] + x[i] * scale, 20);
    }
}

static void add_dot(const int8_t *x, const int8_t *y) {
    const int64_t end = (int64_t)1 << 39;
    int32_t sum = 0;
    for (int i = 0; i < 16; i++) {
        sum += x[i] * y[i];
    }
    const int64_t value = pie_state.accx + sum;
    pie_state.accx = value < -end ? -end : value >= end ? end - 1 : value;
}

// Store some of the 5 words of a half of QACC, which is 8 numbers of 20 bits, the lowest first.
static void store_half(uint32_t address, const int32_t *half, uint32_t first, uint32_t count) {
    uint32_t words[6] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        const uint32_t lane = (uint32_t)half[i] & 0xfffff, at = 20 * i >> 5, shift = 20 * i & 31;
        words[at] |= lane << shift;
        words[at + 1] |= shift > 12 ? lane >> (32 - shift) : 0;
    }
    for (uint32_t i = 0; i < 4 * count; i++) {
        pie_memory[address + i] = (uint8_t)(words[first + (i >> 2)] >> (8 * (i & 3)));
    }
}

uint32_t pie_step(uint32_t *a, const uint8_t *code) {
    uint32_t word = code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16;
    if ((word & 0xe) == 0xe) {
        word |= (uint32_t)code[3] << 24;
    }
    const int32_t opcode = pie_decode(word);
    if (opcode < 0) {
        return 0;
    }
    // The operands, of instructions of 3 and of 4 bytes.
    const int wide = opcodes[opcode].bytes == 4;
    int8_t *const qu = pie_state.q[wide ? get_q19(word) : get_q15(word)];
    const int8_t *const qx = pie_state.q[wide ? get_q14(word) : get_q8(word)];
    const int8_t *const qy = pie_state.q[wide ? get_q23(word) : get_q11(word)];
    uint32_t *const as = &a[get_a4(word)];
    const int32_t by_16 = 16 * (wide ? extend(get_imm6(word), 6) : extend(get_imm8(word), 8));
    switch (opcode) {
        case VLD_128_IP:
            copy(qu, around(*as));
            *as += (uint32_t)by_16;
            break;
        case VLD_128_XP:
            copy(qu, around(*as));
            *as += a[get_a8(word)];
            break;
        case VLDBC_8:
            for (int i = 0; i < 16; i++) {
                qu[i] = (int8_t)pie_memory[*as];
            }
            break;
        case VST_128_IP:
            copy(around(*as), qu);
            *as += (uint32_t)by_16;
            break;
        case VST_128_XP:
            copy(around(*as), qu);
            *as += a[get_a8(word)];
            break;
        case ZERO_QACC:
            for (int i = 0; i < 16; i++) {
                pie_state.qacc[i] = 0;
            }
            break;
        case VMULAS_S8_QACC:
            add_products(qx, qy);
            break;
        case VMULAS_S8_QACC_LD_IP:
            add_products(qx, qy);
            copy(qu, around(*as));
            *as += (uint32_t)by_16;
            break;
        case VSMULAS_S8_QACC_LD_INCP:
            add_scaled(qx, qy[get_sel20(word)]);
            copy(qu, around(*as));
            *as += 16;
            break;
        case SRCMB_S8_QACC:
            for (int i = 0; i < 16; i++) {
                pie_state.qacc[i] >>= *as & 31;
                qu[i] = (int8_t)clamp(pie_state.qacc[i], 8);
            }
            break;
        case ST_QACC_L_L_128_IP:
        case ST_QACC_H_L_128_IP:
            store_half(*as & ~15u, pie_state.qacc + (opcode == ST_QACC_H_L_128_IP ? 8 : 0), 0, 4);
            *as += (uint32_t)by_16;
            break;
        case ST_QACC_L_H_32_IP:
        case ST_QACC_H_H_32_IP:
            store_half(*as & ~3u, pie_state.qacc + (opcode == ST_QACC_H_H_32_IP ? 8 : 0), 4, 1);
            *as += (uint32_t)(by_16 / 4);
            break;
        case VMULAS_S8_ACCX:
            add_dot(qx, qy);
            break;
        case VMULAS_S8_ACCX_LD_IP:
            add_dot(qx, qy);
            copy(qu, around(*as));
            *as += (uint32_t)by_16;
            break;
        case ZERO_ACCX:
            pie_state.accx = 0;
            break;
        case RUR_ACCX_0:
            a[get_a12(word)] = (uint32_t)pie_state.accx;
            break;
        case LD_ACCX_IP: {
            const uint8_t *at = pie_memory + (*as & ~7u);
            const uint32_t low = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16
                                 | (uint32_t)at[3] << 24;
            pie_state.accx = (int64_t)(int8_t)at[4] * ((int64_t)1 << 32) + low;
            *as += (uint32_t)(8 * extend(get_imm8(word), 8));
            break;
        }
        case VMAX_S8:
            for (int i = 0; i < 16; i++) {
                qu[i] = qx[i] > qy[i] ? qx[i] : qy[i];
            }
            break;
        case VMIN_S8:
            for (int i = 0; i < 16; i++) {
                qu[i] = qx[i] < qy[i] ? qx[i] : qy[i];
            }
            break;
    }
    return opcodes[opcode].bytes;
}
