#include "mlet_field.h"

#ifdef MLET_NUMBERED_FIELDS
#define MLET_NAME(name) #name "\0"
static const char names[] = MLET_FIELDS(MLET_NAME);

const char *mlet_field_name(const char *field) {
    const char *name = names;
    for (uintptr_t number = (uintptr_t)field; number > 1; number--) {
        while (*name++ != '\0') {
        }
    }
    return name;
}
#else
const char *mlet_field_name(const char *field) {
    return field;
}
#endif
