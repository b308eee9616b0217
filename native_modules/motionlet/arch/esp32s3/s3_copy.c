#include <string.h>

#include "s3_copy.h"

#ifndef __XTENSA__
// The twin of s3_copy_blocks.S.
void s3_copy_blocks(const s3_copy_t *job) {
    for (uint32_t r = 0; r < job->rows; r++) {
        memcpy(job->to + (int32_t)r * job->to_row, job->from + (int32_t)r * job->from_row, job->n);
    }
}
#endif

static inline void copy_words(uint32_t *to, const uint32_t *from, uint32_t n) {
    for (; n >= 2; n -= 2, to += 2, from += 2) {
        const uint32_t a = from[0], b = from[1];
        to[0] = a;
        to[1] = b;
    }
    if (n > 0) {
        *to = *from;
    }
}

void s3_copy(const s3_copy_t *job) {
    const uint32_t places = (uint32_t)((uintptr_t)job->from | (uintptr_t)job->to) | job->n
                            | (uint32_t)job->from_row | (uint32_t)job->to_row;
    const bool words = (places & 3) == 0;
    if ((places & 15) == 0) {
        s3_copy_blocks(job);
        return;
    }
    for (uint32_t r = 0; r < job->rows; r++) {
        const int8_t *from = job->from + (int32_t)r * job->from_row;
        int8_t *to = job->to + (int32_t)r * job->to_row;
        if (words) {
            copy_words((uint32_t *)(void *)to, (const uint32_t *)(const void *)from, job->n / 4);
        } else if (job->n > 16) {
            memcpy(to, from, job->n);
        } else {
            for (uint32_t i = 0; i < job->n; i++) { // sooner done than the call
                to[i] = from[i];
            }
        }
    }
}
