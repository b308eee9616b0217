// Sums of few products, channel by channel, each requantized to a byte: the depthwise ops. In the
// vector unit, 16 channels at a time.
#ifndef MLET_S3_TAPS_H
#define MLET_S3_TAPS_H

// Offsets into s3_taps_t, for the assembly.
#define S3_TAPS_X 0
#define S3_TAPS_ROWS 4
#define S3_TAPS_COLUMNS 8
#define S3_TAPS_X_COLUMN 12
#define S3_TAPS_WEIGHTS 16
#define S3_TAPS_WEIGHTS_STEP 20
#define S3_TAPS_OUTPUTS 24
#define S3_TAPS_X_STEP 28
#define S3_TAPS_Y 32
#define S3_TAPS_Y_STEP 36
#define S3_TAPS_CHANNELS 40
#define S3_TAPS_KEEP 44
#define S3_TAPS_KEEP_STEP 48
#define S3_TAPS_ACT_MIN 52
#define S3_TAPS_ACT_MAX 56

// Channels of a job.
#define S3_TAPS_LANES 16

// Products of a sum at most: 32 * 127 * 128 < 2^19, and the lanes of QACC have 20 bits.
#define S3_TAPS_MOST 32

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// How a channel is requantized: clamp(((high word of (sum + bias) * multiplier) + rounding) >> shift).
typedef struct s3_tap_channel {
    int32_t bias; // with the zero point's share of the sum
    int32_t multiplier, rounding, shift;
} s3_tap_channel_t;

// 16 channels beside each other, at some outputs. All of x, weights and their steps is on multiples
// of 16.
typedef struct s3_taps {
    const int8_t *const *x; // of each row of taps, the first one's
    uint32_t rows, columns; // at least 1; rows * columns at most S3_TAPS_MOST
    int32_t x_column;       // bytes from one tap of a row to the next
    const int8_t *weights;
    int32_t weights_step; // from tap to tap
    uint32_t outputs;     // at least 1
    int32_t x_step;       // from output to output
    int8_t *y;
    int32_t y_step;
    const s3_tap_channel_t *channels; // S3_TAPS_LANES
    int8_t *keep; // where x of the last tap is copied to, for each output; may be the first tap's
    int32_t keep_step;
    int32_t act_min, act_max;
} s3_taps_t;

MLET_LAYOUT(s3_taps_t, x, S3_TAPS_X);
MLET_LAYOUT(s3_taps_t, rows, S3_TAPS_ROWS);
MLET_LAYOUT(s3_taps_t, columns, S3_TAPS_COLUMNS);
MLET_LAYOUT(s3_taps_t, x_column, S3_TAPS_X_COLUMN);
MLET_LAYOUT(s3_taps_t, weights, S3_TAPS_WEIGHTS);
MLET_LAYOUT(s3_taps_t, weights_step, S3_TAPS_WEIGHTS_STEP);
MLET_LAYOUT(s3_taps_t, outputs, S3_TAPS_OUTPUTS);
MLET_LAYOUT(s3_taps_t, x_step, S3_TAPS_X_STEP);
MLET_LAYOUT(s3_taps_t, y, S3_TAPS_Y);
MLET_LAYOUT(s3_taps_t, y_step, S3_TAPS_Y_STEP);
MLET_LAYOUT(s3_taps_t, channels, S3_TAPS_CHANNELS);
MLET_LAYOUT(s3_taps_t, keep, S3_TAPS_KEEP);
MLET_LAYOUT(s3_taps_t, keep_step, S3_TAPS_KEEP_STEP);
MLET_LAYOUT(s3_taps_t, act_min, S3_TAPS_ACT_MIN);
MLET_LAYOUT(s3_taps_t, act_max, S3_TAPS_ACT_MAX);

// Changes the job. y may be where x of the last tap is.
void s3_taps(s3_taps_t *job);

// Whether a layer of so many taps can be run so: whole groups of channels, all s3_is_high().
bool s3_taps_can(const mlet_layer_t *layer, uint32_t taps);

// What 16 channels from `first` on of such a layer need.
void s3_tap_channels(const mlet_layer_t *layer, uint32_t taps, uint32_t first,
    s3_tap_channel_t channels[S3_TAPS_LANES]);

// The first multiple of MLET_ALIGN among 2 * MLET_ALIGN bytes.
static inline int8_t *s3_aligned(int8_t *bytes) {
    return bytes + (MLET_ALIGN - 1 - ((uintptr_t)bytes + MLET_ALIGN - 1) % MLET_ALIGN);
}

#endif // __ASSEMBLER__
#endif
