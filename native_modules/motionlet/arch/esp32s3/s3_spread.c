#include "s3_spread.h"

#ifndef __XTENSA__
// The twin of s3_spread.S.
void s3_spread(const s3_spread_t *job) {
    const int32_t unit = sizeof(int16_t);
    for (uint32_t r = 0; r < job->rows; r++) {
        const int8_t *from = job->from + (int32_t)r * job->from_row;
        int16_t *to = job->to + (int32_t)r * (job->to_row / unit);
        for (uint32_t i = 0; i < job->n; i++, to += job->to_step / unit) {
            *to = (int16_t)(from[i] - job->zero);
        }
    }
}
#endif
