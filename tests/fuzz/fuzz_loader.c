// libFuzzer's (and AFL++'s) way into the loader. Length and CRC are made right first, so that the
// fuzzer gets past them.
//
//   clang -fsanitize=fuzzer,address,undefined -I native_modules/motionlet/core \
//       tests/fuzz/fuzz_loader.c native_modules/motionlet/core/*.c -o build/fuzz/fuzz_loader
//   build/fuzz/fuzz_loader CORPUS
//
// For files of the target cortex_m0plus add to it -DMLET_TARGET=MLET_TARGET_CORTEX_M0PLUS and
// -I native_modules/motionlet/arch/cortex_m0plus with the *.c of that folder.
#include "drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void put_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    uint8_t *file = drive_copy(data, bytes);
    if (bytes >= MLET_HEADER_BYTES) {
        put_u32(file + MLET_HEADER_TOTAL_BYTES, (uint32_t)bytes);
        const uint32_t crc = mlet_crc32(0, file + MLET_CRC_START, (uint32_t)bytes - MLET_CRC_START);
        put_u32(file + MLET_HEADER_CRC32, crc);
    }
    mlet_error_t error;
    drive(file, (uint32_t)bytes, &error);
    free(file);
    return 0;
}
