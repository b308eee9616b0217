// What compilers call for arithmetic that a core does not have: all of it that the module needs and
// that is missing (Xtensa), or far larger in the compiler's own library (Cortex-M0+).
//
// Numbers are finite here, and none is smaller than a normal number but 0: the loader sees to it.
#include <stdint.h>
#include <string.h>

#ifdef __ARM_EABI__
#define NATMOD_NAMED(name) __asm__(#name)
#else
#define NATMOD_NAMED(name)
#endif

double __extendsfdf2(float value) NATMOD_NAMED(__aeabi_f2d);
float __floatsisf(int32_t value) NATMOD_NAMED(__aeabi_i2f);
float __mulsf3(float a, float b) NATMOD_NAMED(__aeabi_fmul);
uint64_t __udivmodsi4(uint32_t value, uint32_t divisor) NATMOD_NAMED(__aeabi_uidivmod);

// The quotient, and above it the rest. Quick where the quotient is small, as that of a sum of pixels
// is; nothing here divides by 0.
#ifdef __ARM_EABI__
__attribute__((naked)) uint64_t __udivmodsi4(uint32_t value, uint32_t divisor) {
    __asm__(
        "    .syntax unified \n"
        "    lsrs r3, r0, #1 \n"
        "    movs r2, #1     \n"
        "    b    2f         \n"
        "1:  lsls r1, #1     \n"
        "    lsls r2, #1     \n"
        "2:  cmp  r1, r3     \n"
        "    bls  1b         \n"
        "    movs r3, #0     \n"
        "3:  cmp  r0, r1     \n"
        "    blo  4f         \n"
        "    subs r0, r1     \n"
        "    adds r3, r2     \n"
        "4:  lsrs r1, #1     \n"
        "    lsrs r2, #1     \n"
        "    bne  3b         \n"
        "    mov  r1, r0     \n"
        "    mov  r0, r3     \n"
        "    bx   lr         \n"
        "    .syntax divided \n");
}

uint64_t __aeabi_uidiv(uint32_t value, uint32_t divisor)
    __attribute__((alias("__aeabi_uidivmod"))); // it reads the lower half
#else
uint64_t __udivmodsi4(uint32_t value, uint32_t divisor) {
    uint32_t quotient = 0, bit = 1;
    for (; divisor <= value >> 1; divisor <<= 1) {
        bit <<= 1;
    }
    for (; bit != 0; bit >>= 1, divisor >>= 1) {
        if (value >= divisor) {
            value -= divisor;
            quotient += bit;
        }
    }
    return (uint64_t)value << 32 | quotient;
}
#endif

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

// The float nearest to fraction * 2^(exponent - 158), halves to the even one; fraction is not 0.
static float nearest(uint32_t sign, int32_t exponent, uint32_t fraction) {
    for (; fraction >> 31 == 0; fraction <<= 1) {
        exponent--;
    }
    uint32_t bits = 0;
    if (exponent >= 255) {
        bits = 0x7f800000;
    } else if (exponent > 0) {
        // The highest bit counts for one in the exponent, and so does a carry.
        bits = ((uint32_t)(exponent - 1) << 23) + (fraction >> 8);
        bits += ((fraction & 0xff) + (bits & 1)) > 0x80;
    }
    bits |= sign;
    float result;
    memcpy(&result, &bits, sizeof(result));
    return result;
}

float __floatsisf(int32_t value) {
    const uint32_t sign = (uint32_t)value & 0x80000000;
    const uint32_t size = sign ? 0 - (uint32_t)value : (uint32_t)value;
    return size == 0 ? 0.0f : nearest(sign, 158, size);
}

float __mulsf3(float a, float b) {
    const uint32_t x = bits_of(a), y = bits_of(b);
    const uint32_t sign = (x ^ y) & 0x80000000;
    const int32_t exponent = (int32_t)(x >> 23 & 255) + (int32_t)(y >> 23 & 255) - 126;
    if (x << 1 == 0 || y << 1 == 0) {
        return 0.0f;
    }
    const uint64_t product =
        (uint64_t)((x | 0x800000) << 8) * ((y | 0x800000) << 8);
    // What the lower half adds to the fraction can only break a tie.
    return nearest(sign, exponent, (uint32_t)(product >> 32) | ((uint32_t)product != 0));
}

// factor * steps, |steps| < 256: what scores are made with. A fraction of 24 bits times 8 has 32.
float natmod_times(float factor, int32_t steps) {
    const uint32_t bits = bits_of(factor), size = (uint32_t)(steps < 0 ? -steps : steps);
    if (bits == 0 || size == 0) {
        return 0.0f;
    }
    const uint32_t sign = steps < 0 ? 0x80000000 : 0;
    return nearest(sign, (int32_t)(bits >> 23) + 8, ((bits & 0x7fffff) | 0x800000) * size);
}

// The same number as a double: mp_printf takes no floats.
double __extendsfdf2(float value) {
    const uint32_t bits = bits_of(value), exponent = bits >> 23 & 255;
    const uint32_t halves[2] = {
        bits << 29,
        (bits & 0x80000000) | (exponent == 0 ? 0 : ((bits & 0x7fffffff) >> 3) + ((1023 - 127) << 20)),
    };
    double result;
    memcpy(&result, halves, sizeof(result));
    return result;
}

#ifndef __ARM_EABI__ // whose library has them, as small

// GCC calls these where code is to be small. A shift of 32 bits and more it makes itself.
uint64_t __ashldi3(uint64_t value, int count) {
    const uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
    if (count >= 32) {
        return (uint64_t)(low << (count - 32)) << 32;
    }
    return count == 0 ? value : (uint64_t)(high << count | low >> (32 - count)) << 32 | low << count;
}

int64_t __ashrdi3(int64_t value, int count) {
    const uint32_t low = (uint32_t)value;
    const int32_t high = (int32_t)(value >> 32);
    if (count >= 32) {
        return high >> (count - 32);
    }
    return count == 0 ? value
                      : (int64_t)(high >> count) << 32 | ((uint32_t)high << (32 - count) | low >> count);
}

#endif
