// What GCC calls for arithmetic that the core has no instructions for, and that MicroPython needs.
// GCC's own library cannot be used: Debian has it for a core without windowed registers only.

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t sign;
    int32_t exponent; // as in a float: 127 is 2^0
    uint32_t fraction; // of 2^32; the highest bit is 1, but in 0
    bool finite, nan;
} number_t;

static number_t read_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const int32_t exponent = bits >> 23 & 255;
    number_t n = {bits & 0x80000000, exponent, bits << 8, exponent != 255, false};
    n.nan = !n.finite && bits << 9 != 0;
    if (exponent == 0) {
        n.exponent = 1;
    } else {
        n.fraction |= 0x80000000;
    }
    for (; n.fraction != 0 && n.fraction >> 31 == 0; n.fraction <<= 1) {
        n.exponent--;
    }
    return n;
}

// The float nearest to a number, halves to the even one.
static float to_float(number_t n) {
    uint32_t bits;
    if (n.nan) {
        bits = 0x7fc00000;
    } else if (!n.finite || n.exponent >= 255) {
        bits = 0x7f800000;
    } else {
        if (n.exponent <= 0) { // a subnormal
            const int32_t shift = 1 - n.exponent;
            const uint32_t lost = shift > 31 ? n.fraction : n.fraction << (32 - shift);
            n.fraction = (shift > 31 ? 0 : n.fraction >> shift) | (lost != 0);
            n.exponent = 1;
        }
        // The highest bit counts for one in the exponent, and so does a carry.
        bits = n.fraction == 0 ? 0 : ((uint32_t)(n.exponent - 1) << 23) + (n.fraction >> 8);
        bits += (n.fraction & 0xff) + (bits & 1) > 0x80;
    }
    bits |= n.sign;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double to_double(uint32_t sign, int32_t exponent, uint64_t fraction) {
    const uint64_t bits = (uint64_t)sign << 32 | (uint64_t)exponent << 52 | fraction;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

// A finite number as a double, which holds it exactly.
static double widen(number_t n) {
    const uint64_t fraction = (uint64_t)(n.fraction & 0x7fffffff) << 21;
    return to_double(n.sign, n.fraction == 0 ? 0 : n.exponent + 1023 - 127, fraction);
}

float __divsf3(float a, float b) {
    const number_t x = read_float(a), y = read_float(b);
    number_t q = {x.sign ^ y.sign, x.exponent - y.exponent + 127, 0, true, false};
    const bool x_is_0 = x.finite && x.fraction == 0, y_is_0 = y.finite && y.fraction == 0;
    q.nan = x.nan || y.nan || (!x.finite && !y.finite) || (x_is_0 && y_is_0);
    q.finite = x.finite && !y_is_0;
    if (q.finite && y.finite && !x_is_0) {
        uint64_t rest = x.fraction;
        if (rest < y.fraction) {
            rest <<= 1;
            q.exponent--;
        }
        for (int bit = 0; bit < 32; bit++, rest <<= 1) {
            q.fraction <<= 1;
            if (rest >= y.fraction) {
                rest -= y.fraction;
                q.fraction |= 1;
            }
        }
        q.fraction |= rest != 0; // it can only break a tie
    }
    return to_float(q);
}

double __extendsfdf2(float value) {
    const number_t n = read_float(value);
    return n.finite ? widen(n) : to_double(n.sign, 2047, (uint64_t)n.nan << 51);
}

double __floatsidf(int32_t value) {
    const uint32_t sign = (uint32_t)value & 0x80000000;
    number_t n = {sign, 127 + 31, sign ? 0 - (uint32_t)value : (uint32_t)value, true, false};
    for (; n.fraction != 0 && n.fraction >> 31 == 0; n.fraction <<= 1) {
        n.exponent--;
    }
    return widen(n);
}

float __truncdfsf2(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const int32_t exponent = bits >> 52 & 2047;
    const uint64_t fraction = bits << 12;
    number_t n = {bits >> 32 & 0x80000000, exponent - 1023 + 127, 0, exponent != 2047, false};
    n.nan = !n.finite && fraction != 0;
    if (exponent != 0) { // or else far below the least of floats
        n.fraction = 0x80000000 | fraction >> 33 | (fraction << 31 != 0);
    }
    return to_float(n);
}

uint64_t __bswapdi2(uint64_t value) {
    uint64_t swapped = 0;
    for (int byte = 0; byte < 8; byte++, value >>= 8) {
        swapped = swapped << 8 | (value & 255);
    }
    return swapped;
}
