#include "mlet_kernels.h"

#if defined(MLET_ALL_TARGETS)
#define MLET_HAS(target) 1
#else
#define MLET_HAS(target) \
    (MLET_TARGET == (target) || ((target) == MLET_TARGET_PORTABLE && MLET_WITH_PORTABLE))
#endif

#if MLET_HAS(MLET_TARGET_PORTABLE)
#define MLET_PORTABLE(NAME, name, form) MLET_OPERATOR(NAME, form, mlet_##name, NULL)

static const mlet_operator_t operators[MLET_CODES] = {MLET_BUILT_OPERATORS(MLET_PORTABLE)};

static const mlet_kernels_t portable = {
    .operators = operators,
    .keep_shifted = MLET_IF_SHIFTING(mlet_keep_shifted),
    .counts = mlet_layer_counts,
    .check_arrays = mlet_layer_check_arrays,
};
#endif

const mlet_kernels_t *mlet_kernels(uint16_t target) {
    #if MLET_HAS(MLET_TARGET_PORTABLE)
    if (target == MLET_TARGET_PORTABLE) {
        return &portable;
    }
    #endif
    #if MLET_HAS(MLET_TARGET_CORTEX_M0PLUS)
    if (target == MLET_TARGET_CORTEX_M0PLUS) {
        return &mlet_kernels_cortex_m0plus;
    }
    #endif
    #if MLET_HAS(MLET_TARGET_ESP32S3)
    if (target == MLET_TARGET_ESP32S3) {
        return &mlet_kernels_esp32s3;
    }
    #endif
    return NULL;
}

bool mlet_runs_here(uint16_t target) {
    #if MLET_HAS(MLET_TARGET_ESP32S3)
    return target != MLET_TARGET_ESP32S3 || s3_has_vector_unit();
    #else
    (void)target;
    return true;
    #endif
}

const mlet_operator_t *mlet_operator(uint8_t code) {
    if (code >= MLET_CODES) {
        return NULL;
    }
    const mlet_operator_t *found = &mlet_kernels(MLET_TARGET)->operators[code];
    return found->traits != 0 ? found : NULL;
}

uint32_t mlet_traits(uint8_t code) {
    const mlet_operator_t *found = mlet_operator(code);
    return found == NULL ? 0 : found->traits;
}

uint32_t mlet_scratch_bytes(
    const mlet_kernels_t *kernels, uint8_t code, const mlet_layer_t *layer) {
    uint32_t (*scratch_bytes)(const mlet_layer_t *) = kernels->operators[code].scratch_bytes;
    return scratch_bytes == NULL ? 0 : scratch_bytes(layer);
}

// The portable kernels need none.
uint32_t mlet_layer_scratch_bytes(uint8_t code, const mlet_layer_t *layer) {
    (void)code;
    (void)layer;
    return 0;
}
