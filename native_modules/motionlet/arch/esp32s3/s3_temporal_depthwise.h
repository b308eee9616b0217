// Temporal depthwise convolution.
#ifndef MLET_S3_TEMPORAL_DEPTHWISE_H
#define MLET_S3_TEMPORAL_DEPTHWISE_H

#include "s3_output.h"

// Offsets into s3_temporal_t, for the assembly.
#define S3_TEMPORAL_OLDEST 0
#define S3_TEMPORAL_MIDDLE 4
#define S3_TEMPORAL_X 8
#define S3_TEMPORAL_Y 12
#define S3_TEMPORAL_POSITIONS 16
#define S3_TEMPORAL_CHANNELS 20
#define S3_TEMPORAL_WEIGHTS 24
#define S3_TEMPORAL_MIDDLE_WEIGHTS 28
#define S3_TEMPORAL_MIDDLE_MASK 32
#define S3_TEMPORAL_LAST_WEIGHTS 36
#define S3_TEMPORAL_IN_ZERO 40
#define S3_TEMPORAL_OUTPUT 44

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// Two or three taps, all channels at all positions; each map is [positions][channels].
typedef struct s3_temporal {
    int8_t *oldest; // x takes its place
    const int8_t *middle, *x;
    int8_t *y;
    uint32_t positions, channels; // at least 1
    const int8_t *weights;        // of the oldest frame
    const int8_t *middle_weights; // each is used & middle_mask: 0 if there are two taps, else -1
    int32_t middle_mask;
    const int8_t *last_weights; // of x
    int32_t in_zero;
    s3_output_t output; // all channels s3_is_high()
} s3_temporal_t;

MLET_LAYOUT(s3_temporal_t, oldest, S3_TEMPORAL_OLDEST);
MLET_LAYOUT(s3_temporal_t, middle, S3_TEMPORAL_MIDDLE);
MLET_LAYOUT(s3_temporal_t, x, S3_TEMPORAL_X);
MLET_LAYOUT(s3_temporal_t, y, S3_TEMPORAL_Y);
MLET_LAYOUT(s3_temporal_t, positions, S3_TEMPORAL_POSITIONS);
MLET_LAYOUT(s3_temporal_t, channels, S3_TEMPORAL_CHANNELS);
MLET_LAYOUT(s3_temporal_t, weights, S3_TEMPORAL_WEIGHTS);
MLET_LAYOUT(s3_temporal_t, middle_weights, S3_TEMPORAL_MIDDLE_WEIGHTS);
MLET_LAYOUT(s3_temporal_t, middle_mask, S3_TEMPORAL_MIDDLE_MASK);
MLET_LAYOUT(s3_temporal_t, last_weights, S3_TEMPORAL_LAST_WEIGHTS);
MLET_LAYOUT(s3_temporal_t, in_zero, S3_TEMPORAL_IN_ZERO);
MLET_LAYOUT(s3_temporal_t, output, S3_TEMPORAL_OUTPUT);

void s3_temporal_taps(const s3_temporal_t *job);

#endif // __ASSEMBLER__
#endif
