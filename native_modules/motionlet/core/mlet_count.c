// What the laptop reads of the counters: host_sdk/native/counting.py.
#include "mlet_count.h"
#include "mlet_part.h"

#ifdef MLET_COUNTING

#include <stddef.h>
#include <string.h>

mlet_counters_t mlet_counters;
uint32_t mlet_parts_taken;

#define MLET_COUNTER_NAME(name) #name,
static const char *const names[] = {MLET_COUNTERS(MLET_COUNTER_NAME) NULL};

const char *mlet_counter_name(uint32_t index) {
    return names[index];
}

#define MLET_PART_NAME(name) #name,
static const char *const part_names[] = {MLET_PARTS(MLET_PART_NAME) NULL};

const char *mlet_part_name(uint32_t index) {
    return part_names[index];
}

mlet_status_t mlet_count_op(void *context, uint16_t op, const int8_t *output, uint32_t bytes) {
    (void)output, (void)bytes;
    uint64_t counts[sizeof(mlet_counters) / sizeof(uint64_t)];
    memcpy(counts, &mlet_counters, sizeof(counts));
    memset(&mlet_counters, 0, sizeof(mlet_counters));
    uint64_t *to = (uint64_t *)context + op * (sizeof(counts) / sizeof(counts[0]));
    for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        to[i] += counts[i];
    }
    return MLET_OK;
}

#endif
