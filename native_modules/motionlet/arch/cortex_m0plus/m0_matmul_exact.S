// What m0_matmul_int8() does with a row of the exact kind; by itself, for models that have none.
#ifdef __ARM_ARCH_6M__

#include "m0_asm.h"
#include "m0_matmul.h"
#include "m0_matmul_frame.h"

// In its frame, of which nothing changes: the four outputs of its sums. See EXACT_OUTPUT.
    FUNCTION m0_matmul_exact
    push    {lr}
    .irp    sum, 0, 1, 2, 3
    EXACT_OUTPUT 4 + SUMS + 4 * \sum, 4 + OUT_ZERO
    .endr
    pop     {pc}
    END_FUNCTION m0_matmul_exact

#endif
