#include "mlet.h"

// One string, which needs no pointers into it: a native module would have to adjust each of them.
#define NAME(NAME, name, form) #name "\0"
static const char names[] = MLET_OPERATORS(NAME);

#define CODE(NAME, name, form) MLET_OP_##NAME,
static const uint8_t codes[] = {MLET_OPERATORS(CODE)};

const char *mlet_op_name(uint8_t code) {
    const char *name = names;
    for (uint32_t i = 0; i < sizeof(codes); i++) {
        if (codes[i] == code) {
            return name;
        }
        while (*name++ != '\0') {
        }
    }
    return NULL;
}
