#include "mlet_field.h"

#ifdef MLET_NUMBERED_FIELDS
#include "mlet_packed_fields.h"

const char *mlet_field_name(const char *field, char room[MLET_FIELD_ROOM]) {
    char *to = room;
    *to = '\0';
    for (uint32_t at = 0, names = (uint32_t)(uintptr_t)field; names > 0; at += 5) {
        const uint8_t *packed = packed_fields + at / 8;
        const uint32_t letter = (uint32_t)(packed[0] | packed[1] << 8) >> at % 8 & 31;
        *to++ = (char)(letter == 0 ? 0 : letter < 27 ? '`' + letter : letter == 27 ? '_' : letter + 20);
        if (letter == 0) {
            names--;
            to = room;
        }
    }
    return room;
}
#else
const char *mlet_field_name(const char *field, char room[MLET_FIELD_ROOM]) {
    (void)room;
    return field;
}
#endif
