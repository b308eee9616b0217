// What differs from the qemu port's other boards.

#include "mpconfigport.h"

// As the esp32 port has it.
#define MICROPY_NLR_SETJMP (1)
#define MICROPY_GCREGS_SETJMP (1)
#define MICROPY_EMIT_XTENSAWIN (1)

#undef MICROPY_PY_TIME
#define MICROPY_PY_TIME (1)
