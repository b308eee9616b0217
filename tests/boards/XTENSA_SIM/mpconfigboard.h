// What differs from the qemu port's other boards.

#include <stddef.h>

#include "mpconfigport.h"

// As the esp32 port has it.
#define MICROPY_NLR_SETJMP (1)
#define MICROPY_GCREGS_SETJMP (1)
#define MICROPY_EMIT_XTENSAWIN (1)

// Native code is moved out of the heap before it runs, as on the ESP32-S3, whose heap cannot run it.
void *native_code_commit(void *code, size_t bytes, void *relocations);
void native_code_free(void);
#define MP_PLAT_COMMIT_EXEC(code, bytes, relocations) native_code_commit(code, bytes, relocations)
#define MICROPY_PORT_INIT_FUNC native_code_free()

#undef MICROPY_PY_TIME
#define MICROPY_PY_TIME (1)
