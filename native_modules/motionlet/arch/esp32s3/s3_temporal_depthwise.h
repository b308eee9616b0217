// Temporal depthwise convolution of two or three taps, one channel at all positions.
#ifndef MLET_S3_TEMPORAL_DEPTHWISE_H
#define MLET_S3_TEMPORAL_DEPTHWISE_H

#include "s3_output.h"

// Offsets into s3_temporal_t, for the assembly.
#define S3_TEMPORAL_OLDEST 0
#define S3_TEMPORAL_MIDDLE 4
#define S3_TEMPORAL_X 8
#define S3_TEMPORAL_Y 12
#define S3_TEMPORAL_POSITIONS 16
#define S3_TEMPORAL_STEP 20
#define S3_TEMPORAL_WEIGHTS 24
#define S3_TEMPORAL_LAST_WEIGHT 28
#define S3_TEMPORAL_BIAS 32
#define S3_TEMPORAL_OUTPUT 36

#ifndef __ASSEMBLER__

typedef struct s3_temporal {
    int8_t *oldest; // x takes its place
    const int8_t *middle, *x;
    int8_t *y;
    uint32_t positions; // at least 1
    int32_t step;       // bytes from one position to the next
    int16_t weights[4]; // of oldest, middle and x
    int32_t bias;
    s3_output_t output;
} s3_temporal_t;

void s3_temporal_taps(const s3_temporal_t *job);

#endif // __ASSEMBLER__
#endif
