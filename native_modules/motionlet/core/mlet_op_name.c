#include "mlet.h"

// One string, which needs no pointers into it: a native module would have to adjust each of them.
#define MLET_NAME(NAME, name, form) #name "\0"
static const char names[] = MLET_OPERATORS(MLET_NAME);

#define MLET_CODE(NAME, name, form) MLET_OP_##NAME,
static const uint8_t codes[] = {MLET_OPERATORS(MLET_CODE)};

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
