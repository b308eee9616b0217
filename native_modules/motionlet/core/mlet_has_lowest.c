#include <string.h>

#include "mlet_kernels.h"

bool mlet_has_lowest(const int8_t *weights, uint32_t bytes, uint32_t bits) {
    const uint32_t lowest = bits == 4 ? 0x88888888 : 0x80808080;
    const uint32_t ones = bits == 4 ? 0x11111111 : 0x01010101;
    while (bytes > 0) {
        // Four bytes at once, where they lie so that M0+ can load them; zeros behind the end.
        uint32_t word = 0, count = 4;
        if (bytes >= 4 && (uintptr_t)weights % 4 == 0) {
            memcpy(&word, __builtin_assume_aligned(weights, 4), 4);
        } else {
            word = (uint8_t)*weights;
            count = 1;
        }
        // A weight of `word` that is the lowest is 0 in `rest`, and only then a 1 is borrowed.
        const uint32_t rest = word ^ lowest;
        if (((rest - ones) & ~rest & lowest) != 0) {
            return true;
        }
        weights += count;
        bytes -= count;
    }
    return false;
}
