// What compilers call for arithmetic that a core does not have, for those whose own library is not
// linked: all that the module needs of it on Xtensa.
#include <stdint.h>
#include <string.h>

double __extendsfdf2(float value);

// The same number as a double: mp_printf takes no floats.
double __extendsfdf2(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const uint32_t exponent = (bits >> 23) & 255;
    uint64_t wide = (uint64_t)(bits & 0x7fffff) << 29;
    if (exponent == 255) { // infinite, or not a number
        wide |= (uint64_t)2047 << 52;
    } else if (exponent > 0) {
        wide |= (uint64_t)(exponent + 1023 - 127) << 52;
    } else { // 0, or nearly
        wide = 0;
    }
    wide |= (uint64_t)(bits >> 31) << 63;
    double result;
    memcpy(&result, &wide, sizeof(result));
    return result;
}
