// The operators in a build, and the sets of their kernels: the portable ones, and those of the
// target it is built for.
//
// What an operator is, its traits say, which come from one table (mlet_operators.h): the checks,
// the window and the state follow from them. What it computes, and what scratch it wants for that,
// each target says in a table of its own: one mlet_operator_t to an operator.
//
// A model file names its target (SPEC.md, "Targets"): its arrays have the form that the target's
// kernels want. The runner and the loader take everything that depends on the form from here.
#ifndef MLET_KERNELS_H
#define MLET_KERNELS_H

#include "mlet.h"

// A kernel. Its form, which MLET_OPERATORS() has, says how it is called; it follows from the
// operator's traits.
typedef union mlet_kernel {
    mlet_status_t (*plain)(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch);
    mlet_status_t (*shift)(
        const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch);
    mlet_status_t (*slots)(
        const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch);
    mlet_status_t (*channels)(const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y);
    mlet_status_t (*two_inputs)(
        const mlet_layer_t *layer, const int8_t *a, const int8_t *b, int8_t *y);
} mlet_kernel_t;

// Declare a kernel, by its form. mlet.h says what the arguments are.
#define MLET_DECLARE_plain(name) \
    mlet_status_t name(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch);
#define MLET_DECLARE_shift(name) \
    mlet_status_t name(const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, \
        void *scratch);
#define MLET_DECLARE_slots(name) \
    mlet_status_t name(const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, \
        void *scratch);
#define MLET_DECLARE_channels(name) \
    mlet_status_t name(const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y);
#define MLET_DECLARE_two_inputs(name) \
    mlet_status_t name(const mlet_layer_t *layer, const int8_t *a, const int8_t *b, int8_t *y);

// One operator, as one target runs it.
typedef struct mlet_operator {
    mlet_kernel_t run;
    uint32_t (*scratch_bytes)(const mlet_layer_t *layer); // NULL: it needs none
    uint16_t traits;                                      // MLET_TRAIT_...; 0: not in this build
    uint8_t code, since;                                  // `since`: the format's version
} mlet_operator_t;

typedef struct mlet_kernels {
    const mlet_operator_t *operators; // MLET_CODES of them, by their codes
    // What those that shift as they read do besides.
    mlet_status_t (*keep_shifted)(
        const mlet_layer_t *layer, int8_t *past, const int8_t *x, uint32_t rows);
    // The form of a layer's arrays.
    mlet_counts_t (*counts)(uint8_t code, const mlet_layer_t *layer);
    mlet_status_t (*check_arrays)(uint8_t code, const mlet_layer_t *layer, const char **field);
} mlet_kernels_t;

// A target's table is made of MLET_BUILT_OPERATORS(X), where X makes each entry with this: the
// operator's name, its form, its kernel and the function for its scratch. That X takes the last two
// from a macro that is named after the operator, so that none can be forgotten.
#define MLET_OPERATOR(NAME, form, ...) MLET_OPERATOR_OF(NAME, form, __VA_ARGS__)
#define MLET_OPERATOR_OF(NAME, form, kernel, scratch) \
    [MLET_OP_##NAME] = { \
        {.form = kernel}, scratch, MLET_TRAITS_##NAME, MLET_OP_##NAME, MLET_SINCE_##NAME},

// The kernels for files of a target, or NULL if this build has none.
const mlet_kernels_t *mlet_kernels(uint16_t target);

// Whether the chip that this runs on can run those of a target, which the build has.
bool mlet_runs_here(uint16_t target);

// The operator of a code, as the target of this build runs it; NULL if this build has none.
const mlet_operator_t *mlet_operator(uint8_t code);

// Its traits; 0 if this build has none.
uint32_t mlet_traits(uint8_t code);

// Whether a trait is among them. Where no operator in this build has it, compilers see that, and
// leave out what is for those that have.
#define MLET_IS(traits, TRAIT) (((traits) & MLET_BUILT_TRAITS & MLET_TRAIT_##TRAIT) != 0)

// For a table: nothing else needs it.
#define MLET_IF_SHIFTING(function) (MLET_IS(MLET_TRAIT_SHIFT, SHIFT) ? (function) : NULL)

// Bytes of scratch that an op needs on a target, a multiple of MLET_ALIGN.
uint32_t mlet_scratch_bytes(
    const mlet_kernels_t *kernels, uint8_t code, const mlet_layer_t *layer);

// The buffers of one op. `a` and `b` are the inputs; b is NULL but for ops with two. `state` and
// `ring` are for the ops that keep something; a run rotates the ring. `rows_done` is how many rows
// of `a` an op that shifts as it reads needs for the last time: these it keeps.
typedef struct mlet_buffers {
    const int8_t *a, *b;
    int8_t *y, *state;
    mlet_ring_t ring;
    void *scratch;
    uint32_t rows_done;
} mlet_buffers_t;

// Run one op. MLET_E_BUILD if this build does not have the operator.
mlet_status_t mlet_run_op(const mlet_kernels_t *kernels, uint8_t code, const mlet_layer_t *layer,
    mlet_buffers_t *buffers);

// mlet_layer_macs() of a checked layer, or 2^32 - 1 if there are more: for the runner, it is quick.
uint32_t mlet_macs_capped(uint8_t code, const mlet_layer_t *layer);

// How many input rows an op needs at once to make one row of output.
int32_t mlet_rows_needed(uint8_t code, const mlet_layer_t *layer);

// The input rows [*first, *end) that row `row` of an op's output is made from, and how many rows of
// its window lie above the image. For ops that run in chains.
void mlet_window_rows(uint8_t code, const mlet_layer_t *layer, int32_t row, int32_t *first,
    int32_t *end, int32_t *above);

// Parts of the checks of a layer, for those of the targets: mlet_layer_check_shape()'s of one
// shape, and mlet_layer_check_arrays()'s of the pointers and of the multipliers and shifts.
mlet_status_t mlet_shape_check(mlet_shape_t shape, const char **field);
mlet_status_t mlet_layer_check_given(
    mlet_counts_t counts, const mlet_layer_t *layer, const char **field);
bool mlet_has_lowest(const int8_t *weights, uint32_t bytes, uint32_t bits); // -128, or -8 of 4 bits
mlet_status_t mlet_layer_check_scales(uint8_t code, const mlet_layer_t *layer, const char **field);

// Those of the targets, from arch/. A build has the ones of MLET_TARGET, and the portable ones
// unless MLET_WITH_PORTABLE is 0; a host that defines MLET_ALL_TARGETS has all.
extern const mlet_kernels_t mlet_kernels_cortex_m0plus;
extern const mlet_kernels_t mlet_kernels_esp32s3;
bool s3_has_vector_unit(void);

#endif
