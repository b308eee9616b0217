// Assembly reads structs by numbers. Beside the struct, MLET_LAYOUT(type, field, at) has the
// compiler check such a number, where pointers have 32 bits, as they have there.
#ifndef MLET_LAYOUT_H
#define MLET_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define MLET_LAYOUT(type, field, at) \
    typedef char type##_##field##_is_there \
        [UINTPTR_MAX > UINT32_MAX || offsetof(type, field) == (at) ? 1 : -1]

#endif
