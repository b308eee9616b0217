// Dot products of 16-bit numbers, each requantized to a byte: the inner loops of most kernels.
#ifndef MLET_S3_DOTS_H
#define MLET_S3_DOTS_H

#include "s3_output.h"

// Offsets into s3_dots_t, for the assembly.
#define S3_DOTS_X 0
#define S3_DOTS_WEIGHTS 4
#define S3_DOTS_Y 8
#define S3_DOTS_CHANNELS 12
#define S3_DOTS_OUTPUTS 16
#define S3_DOTS_X_STEP 20
#define S3_DOTS_Y_STEP 24
#define S3_DOTS_X_CHANNEL 28
#define S3_DOTS_WEIGHTS_CHANNEL 32
#define S3_DOTS_QUADS 36
#define S3_DOTS_OUTPUT 40

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// Some channels at some positions. x and weights start on multiples of 4, and so do the steps. The
// routine loads, but does not use, 4 bytes behind the last product's x and weight.
typedef struct s3_dots {
    const int16_t *x, *weights;
    int8_t *y; // of the first channel; the next one's is beside it
    uint32_t channels, outputs;          // at least 1, of each channel
    int32_t x_step, y_step;              // bytes from one output to the next
    int32_t x_channel, weights_channel;  // bytes from one channel to the next
    uint32_t quads;                      // products of a sum, in groups of 4; at least 1
    s3_output_t output;
} s3_dots_t;

MLET_LAYOUT(s3_dots_t, x, S3_DOTS_X);
MLET_LAYOUT(s3_dots_t, weights, S3_DOTS_WEIGHTS);
MLET_LAYOUT(s3_dots_t, y, S3_DOTS_Y);
MLET_LAYOUT(s3_dots_t, channels, S3_DOTS_CHANNELS);
MLET_LAYOUT(s3_dots_t, outputs, S3_DOTS_OUTPUTS);
MLET_LAYOUT(s3_dots_t, x_step, S3_DOTS_X_STEP);
MLET_LAYOUT(s3_dots_t, y_step, S3_DOTS_Y_STEP);
MLET_LAYOUT(s3_dots_t, x_channel, S3_DOTS_X_CHANNEL);
MLET_LAYOUT(s3_dots_t, weights_channel, S3_DOTS_WEIGHTS_CHANNEL);
MLET_LAYOUT(s3_dots_t, quads, S3_DOTS_QUADS);
MLET_LAYOUT(s3_dots_t, output, S3_DOTS_OUTPUT);

// y[i][c] from bias[c] and the sum over e of x[c][i][e] * weights[c][e]. Changes the job. The
// channels must be s3_is_high().
void s3_dots(s3_dots_t *job);

// The same for channels from `first` of a layer, of any kind; sets job->output.
void s3_run(s3_dots_t *job, const mlet_layer_t *layer, uint32_t first);

// Numbers in a row of `taps`: up to a whole number of quads.
static inline uint32_t s3_padded(uint32_t taps) {
    return (taps + 3) / 4 * 4;
}

// Bytes of scratch for `numbers` of 16 bits, with what is loaded behind them.
static inline uint32_t s3_bytes(uint32_t numbers) {
    return MLET_ROUND_UP(numbers * (uint32_t)sizeof(int16_t) + 4);
}

#endif // __ASSEMBLER__
#endif
