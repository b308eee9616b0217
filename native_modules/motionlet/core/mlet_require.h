// How a check fails: name the field and leave.
#ifndef MLET_REQUIRE_H
#define MLET_REQUIRE_H

#include "mlet.h"

// Unless `condition` holds, let *field (a variable in scope, which may be NULL) be that of `name`
// and return `status`.
#define MLET_REQUIRE(condition, name, status) \
    do {                                      \
        if (!(condition)) {                   \
            if (!MLET_MISSING(field)) {       \
                *field = MLET_FIELD(name);    \
            }                                 \
            return status;                    \
        }                                     \
    } while (0)

#endif
