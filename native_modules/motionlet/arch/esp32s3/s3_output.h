// Requantization from the high word of the product alone.
//
// SPEC.md's formula is clamp(zero + floor((acc * m + 2^(n-1)) / 2^n)). For n > 32 nothing of the
// low 32 bits of acc * m can carry into the result, as 2^(n-1) has none of them. And the zero point
// can be added before the shift: for n <= 54 all stays in 32 bits, since |acc * m| / 2^32 < 2^30.
#ifndef MLET_S3_OUTPUT_H
#define MLET_S3_OUTPUT_H

#define S3_SHIFT_LEAST 33
#define S3_SHIFT_MOST 54

// Offsets into s3_output_t, for the assembly.
#define S3_OUTPUT_MULTIPLIER 0
#define S3_OUTPUT_ROUNDING 4
#define S3_OUTPUT_SHIFT 8
#define S3_OUTPUT_ACT_MIN 12
#define S3_OUTPUT_ACT_MAX 16

#ifdef __ASSEMBLER__

// One output: the sum in \sum becomes its byte, in the same register. SAR holds the shift.
    .macro requantize sum, multiplier, rounding, act_min, act_max
    mulsh   \sum, \sum, \multiplier
    add     \sum, \sum, \rounding
    sra     \sum, \sum
    max     \sum, \sum, \act_min
    min     \sum, \sum, \act_max
    .endm

#else

#include "mlet.h"

// y = clamp((high word of acc * multiplier + rounding) >> shift, act_min, act_max)
typedef struct s3_output {
    int32_t multiplier, rounding;
    uint32_t shift;
    int32_t act_min, act_max;
} s3_output_t;

// Can channel `o` be requantized so?
static inline bool s3_is_high(const mlet_layer_t *layer, uint32_t o) {
    return layer->shift[o] >= S3_SHIFT_LEAST && layer->shift[o] <= S3_SHIFT_MOST;
}

// For such a channel.
static inline s3_output_t s3_output(const mlet_layer_t *layer, uint32_t o) {
    const uint32_t shift = layer->shift[o] - 32u;
    return (s3_output_t) {
        .multiplier = layer->multiplier[o],
        .rounding = (1 << (shift - 1)) + layer->out_zero * (1 << shift),
        .shift = shift,
        .act_min = layer->act_min,
        .act_max = layer->act_max,
    };
}

// The same in C, for the twins of the assembly.
static inline int8_t s3_requantize(const s3_output_t *output, int32_t acc) {
    const int32_t high = (int32_t)(((int64_t)acc * output->multiplier) >> 32);
    const int32_t value = (high + output->rounding) >> output->shift;
    return (int8_t)(value < output->act_min ? output->act_min
                    : value > output->act_max ? output->act_max : value);
}

#endif
#endif
