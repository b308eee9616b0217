// Requantization from the high word of the product alone.
//
// SPEC.md's formula is clamp(zero + floor((acc * m + 2^(n-1)) / 2^n)). For n > 32 nothing of the
// low 32 bits of acc * m can carry into the result, as 2^(n-1) has none of them. And the zero point
// can be added before the shift, (2 * zero + 1) * 2^(n-33) with the rounding: for n <= 54 all stays
// in 32 bits, since |acc * m| / 2^32 < 2^30.
#ifndef MLET_S3_OUTPUT_H
#define MLET_S3_OUTPUT_H

#define S3_SHIFT_LEAST 33
#define S3_SHIFT_MOST 54

// Offsets into s3_output_t, for the assembly.
#define S3_OUTPUT_BIAS 0
#define S3_OUTPUT_MULTIPLIER 4
#define S3_OUTPUT_SHIFT 8
#define S3_OUTPUT_ZERO_TWICE 12
#define S3_OUTPUT_ACT_MIN 16
#define S3_OUTPUT_ACT_MAX 20

#ifdef __ASSEMBLER__

// Take a channel's shift byte from \shift, which is lost; leave the rounding, and its shift in SAR.
    .macro begin_channel rounding, shift, zero_twice
    addi    \shift, \shift, -S3_SHIFT_LEAST
    ssl     \shift
    sll     \rounding, \zero_twice
    addi    \shift, \shift, 1
    ssr     \shift
    .endm

// One output: the sum in \sum becomes its byte, in the same register.
    .macro requantize sum, multiplier, rounding, act_min, act_max
    mulsh   \sum, \sum, \multiplier
    add     \sum, \sum, \rounding
    sra     \sum, \sum
    max     \sum, \sum, \act_min
    min     \sum, \sum, \act_max
    .endm

#else

#include "mlet.h"
#include "mlet_layout.h"

// How the channels of a job are requantized: arrays from its first channel on.
typedef struct s3_output {
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t zero_twice; // 2 * zero + 1
    int32_t act_min, act_max;
} s3_output_t;

MLET_LAYOUT(s3_output_t, bias, S3_OUTPUT_BIAS);
MLET_LAYOUT(s3_output_t, multiplier, S3_OUTPUT_MULTIPLIER);
MLET_LAYOUT(s3_output_t, shift, S3_OUTPUT_SHIFT);
MLET_LAYOUT(s3_output_t, zero_twice, S3_OUTPUT_ZERO_TWICE);
MLET_LAYOUT(s3_output_t, act_min, S3_OUTPUT_ACT_MIN);
MLET_LAYOUT(s3_output_t, act_max, S3_OUTPUT_ACT_MAX);

// For the channels from `first` on.
static inline s3_output_t s3_output(const mlet_layer_t *layer, uint32_t first) {
    return (s3_output_t) {
        .bias = layer->bias + first,
        .multiplier = layer->multiplier + first,
        .shift = layer->shift + first,
        .zero_twice = 2 * layer->out_zero + 1,
        .act_min = layer->act_min,
        .act_max = layer->act_max,
    };
}

// Can the assembly requantize these channels?
static inline bool s3_is_high(const s3_output_t *output, uint32_t channels) {
    while (channels-- > 0) {
        if (output->shift[channels] < S3_SHIFT_LEAST || output->shift[channels] > S3_SHIFT_MOST) {
            return false;
        }
    }
    return true;
}

// Channel c in C, for the twins of the assembly.
static inline int8_t s3_requantize(const s3_output_t *output, uint32_t c, int32_t acc) {
    const int32_t high = (int32_t)(((int64_t)acc * output->multiplier[c]) >> 32);
    const int32_t rounding = output->zero_twice * (1 << (output->shift[c] - S3_SHIFT_LEAST));
    const int32_t value = (high + rounding) >> (output->shift[c] - 32);
    return (int8_t)(value < output->act_min ? output->act_min
                    : value > output->act_max ? output->act_max : value);
}

#endif
#endif
