// The kernels tuned for the Cortex-M0+ (RP2040). They read the arrays of a file whose target is
// cortex_m0plus: SPEC.md, "Targets". Everything else is as mlet.h has it: the same arguments, the
// same checks, the same results to the bit.
//
// C around, assembly in the inner loops. On other machines each assembly routine has a C twin of
// the same contract, so that the C around it is tested on the laptop.
#ifndef M0_H
#define M0_H

#include "mlet_config.h"

// What must be quick runs from RAM: in flash a fetch may miss the cache. The pico-sdk copies this
// section at start. M0_RAM_CODE opens it in a .S file; in C it goes before a function's definition.
#ifdef PICO_ON_DEVICE
#define M0_RAM_SECTION ".time_critical.motionlet"
#else
#define M0_RAM_SECTION ".text.motionlet"
#endif

#ifdef __ASSEMBLER__
#define M0_RAM_CODE .section M0_RAM_SECTION, "ax", %progbits
#else

#include "mlet_int4.h"
#include "mlet_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef PICO_ON_DEVICE
#define M0_RAM_CODE __attribute__((noinline, section(M0_RAM_SECTION)))
#else
#define M0_RAM_CODE
#endif

// The shift byte of an output channel.
#define M0_SINGLE 0x80      // requantize in one step of 32 bits
#define M0_RUN_OF_FOUR 0x40 // every aligned group of 4 taps has a sum of |w| <= 255
#define M0_SHIFT_SINGLE 31  // mask of the shift, single kind
#define M0_SHIFT_EXACT 63   // mask of the shift, exact kind

// Bytes of a row of K weights, one output channel's, in the form of SPEC.md, "Targets".
static inline uint32_t m0_row_bytes(const mlet_layer_t *layer, uint32_t taps) {
    return MLET_HAS_INT4(layer) ? (taps + 7) / 8 * 4 : (taps + 3) / 4 * 4;
}

// Is output channel c requantized in the exact kind?
static inline bool m0_is_exact(const mlet_layer_t *layer, int32_t c) {
    return (layer->shift[c] & M0_SINGLE) == 0;
}

// MLET_OK where the build has what requantizes in the exact kind.
mlet_status_t m0_exact(void);

// Does any window of a layer reach beyond the image?
bool m0_has_border(const mlet_layer_t *layer);

// m0_conv2d() and so on: the kernels of all operators.
#define M0_DECLARE(NAME, name, form) MLET_DECLARE_##form(m0_##name)
MLET_OPERATORS(M0_DECLARE)

mlet_status_t m0_keep_shifted(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, uint32_t rows);

// Bytes of scratch that these kernels need, where they need any, a multiple of MLET_ALIGN. Scratch
// starts on a multiple of MLET_ALIGN.
uint32_t m0_conv2d_scratch_bytes(const mlet_layer_t *layer);
uint32_t m0_pointwise_scratch_bytes(const mlet_layer_t *layer);
uint32_t m0_depthwise2d_scratch_bytes(const mlet_layer_t *layer);
uint32_t m0_temporal_depthwise_scratch_bytes(const mlet_layer_t *layer);

// What mlet_layer_counts() and mlet_layer_check_arrays() are to the portable form.
mlet_counts_t m0_layer_counts(uint8_t code, const mlet_layer_t *layer);
mlet_status_t m0_layer_check_arrays(uint8_t code, const mlet_layer_t *layer, const char **field);

#ifdef __cplusplus
}
#endif

#endif // __ASSEMBLER__
#endif
