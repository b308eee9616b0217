// The operators: what each one is, and lists of them for macros.
// Written by tools/generate_format.py from host_sdk/format/operators.py; do not edit.
#ifndef MLET_OPERATORS_H
#define MLET_OPERATORS_H

#define MLET_TRAIT_WEIGHTS 0x0001 // weights and a bias; a multiplier and a shift for each output channel
#define MLET_TRAIT_ROWS 0x0002 // its weights are rows, one to an output channel, so it chooses how many there are
#define MLET_TRAIT_INT4 0x0004 // its weights may be of 4 bits
#define MLET_TRAIT_WINDOW 0x0008 // a window over the image, with a kernel and a stride
#define MLET_TRAIT_PADDING 0x0010 // its window may reach beyond the image, and may be dilated
#define MLET_TRAIT_VECTOR 0x0020 // takes its input as one vector; the output is 1 x 1
#define MLET_TRAIT_SCALE 0x0040 // one multiplier and one shift for all channels
#define MLET_TRAIT_COPY 0x0080 // copies values: its output has the scale and the zero point of its input
#define MLET_TRAIT_CHAINS 0x0100 // may run row by row, in a chain
#define MLET_TRAIT_IN_PLACE 0x0200 // may write its output exactly over an input
#define MLET_TRAIT_SLOTS 0x0400 // keeps earlier frames of its input, each in a slot
#define MLET_TRAIT_CHANNELS 0x0800 // keeps channels of the previous frame, shift_channels of them
#define MLET_TRAIT_SHIFT 0x1000 // may do so as it reads, in place of a temporal_shift before it
#define MLET_TRAIT_TWO_INPUTS 0x2000 // adds up two inputs; a multiplier for each, and one shift

// The traits of each.
#define MLET_TRAITS_CONV2D \
    (MLET_TRAIT_WEIGHTS | MLET_TRAIT_ROWS | MLET_TRAIT_INT4 | MLET_TRAIT_WINDOW | MLET_TRAIT_PADDING | MLET_TRAIT_CHAINS)
#define MLET_TRAITS_DEPTHWISE2D \
    (MLET_TRAIT_WEIGHTS | MLET_TRAIT_WINDOW | MLET_TRAIT_PADDING | MLET_TRAIT_CHAINS | MLET_TRAIT_CHANNELS | MLET_TRAIT_SHIFT)
#define MLET_TRAITS_POINTWISE \
    (MLET_TRAIT_WEIGHTS | MLET_TRAIT_ROWS | MLET_TRAIT_INT4 | MLET_TRAIT_CHAINS | MLET_TRAIT_CHANNELS | MLET_TRAIT_SHIFT)
#define MLET_TRAITS_TEMPORAL_DEPTHWISE \
    (MLET_TRAIT_WEIGHTS | MLET_TRAIT_CHAINS | MLET_TRAIT_IN_PLACE | MLET_TRAIT_SLOTS)
#define MLET_TRAITS_TEMPORAL_SHIFT \
    (MLET_TRAIT_COPY | MLET_TRAIT_CHAINS | MLET_TRAIT_IN_PLACE | MLET_TRAIT_CHANNELS)
#define MLET_TRAITS_ADD \
    (MLET_TRAIT_IN_PLACE | MLET_TRAIT_TWO_INPUTS)
#define MLET_TRAITS_AVERAGE_POOL \
    (MLET_TRAIT_WINDOW | MLET_TRAIT_SCALE | MLET_TRAIT_CHAINS)
#define MLET_TRAITS_TEMPORAL_AVERAGE \
    (MLET_TRAIT_SCALE | MLET_TRAIT_IN_PLACE | MLET_TRAIT_SLOTS)
#define MLET_TRAITS_DENSE \
    (MLET_TRAIT_WEIGHTS | MLET_TRAIT_ROWS | MLET_TRAIT_INT4 | MLET_TRAIT_VECTOR)
#define MLET_TRAITS_MAX_POOL2D \
    (MLET_TRAIT_WINDOW | MLET_TRAIT_PADDING | MLET_TRAIT_COPY | MLET_TRAIT_CHAINS)

// The version of the format that each came with.
#define MLET_SINCE_CONV2D 1
#define MLET_SINCE_DEPTHWISE2D 1
#define MLET_SINCE_POINTWISE 1
#define MLET_SINCE_TEMPORAL_DEPTHWISE 1
#define MLET_SINCE_TEMPORAL_SHIFT 1
#define MLET_SINCE_ADD 1
#define MLET_SINCE_AVERAGE_POOL 1
#define MLET_SINCE_TEMPORAL_AVERAGE 1
#define MLET_SINCE_DENSE 1
#define MLET_SINCE_MAX_POOL2D 4

#define MLET_CODES 11 // above every op code

// Which ones are built in: all, unless told otherwise. See mlet_config.h.
#ifndef MLET_WITH_OPERATORS
#define MLET_WITH_OPERATORS 1
#endif
#ifdef MLET_CONFIG_CORE
#define MLET_WITH_MORE_OPERATORS 0
#else
#define MLET_WITH_MORE_OPERATORS MLET_WITH_OPERATORS
#endif
#ifndef MLET_WITH_CONV2D
#define MLET_WITH_CONV2D MLET_WITH_OPERATORS
#endif
#if MLET_WITH_CONV2D
#define MLET_IF_CONV2D(...) __VA_ARGS__
#else
#define MLET_IF_CONV2D(...)
#endif
#ifndef MLET_WITH_DEPTHWISE2D
#define MLET_WITH_DEPTHWISE2D MLET_WITH_OPERATORS
#endif
#if MLET_WITH_DEPTHWISE2D
#define MLET_IF_DEPTHWISE2D(...) __VA_ARGS__
#else
#define MLET_IF_DEPTHWISE2D(...)
#endif
#ifndef MLET_WITH_POINTWISE
#define MLET_WITH_POINTWISE MLET_WITH_OPERATORS
#endif
#if MLET_WITH_POINTWISE
#define MLET_IF_POINTWISE(...) __VA_ARGS__
#else
#define MLET_IF_POINTWISE(...)
#endif
#ifndef MLET_WITH_TEMPORAL_DEPTHWISE
#define MLET_WITH_TEMPORAL_DEPTHWISE MLET_WITH_OPERATORS
#endif
#if MLET_WITH_TEMPORAL_DEPTHWISE
#define MLET_IF_TEMPORAL_DEPTHWISE(...) __VA_ARGS__
#else
#define MLET_IF_TEMPORAL_DEPTHWISE(...)
#endif
#ifndef MLET_WITH_TEMPORAL_SHIFT
#define MLET_WITH_TEMPORAL_SHIFT MLET_WITH_OPERATORS
#endif
#if MLET_WITH_TEMPORAL_SHIFT
#define MLET_IF_TEMPORAL_SHIFT(...) __VA_ARGS__
#else
#define MLET_IF_TEMPORAL_SHIFT(...)
#endif
#ifndef MLET_WITH_ADD
#define MLET_WITH_ADD MLET_WITH_OPERATORS
#endif
#if MLET_WITH_ADD
#define MLET_IF_ADD(...) __VA_ARGS__
#else
#define MLET_IF_ADD(...)
#endif
#ifndef MLET_WITH_AVERAGE_POOL
#define MLET_WITH_AVERAGE_POOL MLET_WITH_OPERATORS
#endif
#if MLET_WITH_AVERAGE_POOL
#define MLET_IF_AVERAGE_POOL(...) __VA_ARGS__
#else
#define MLET_IF_AVERAGE_POOL(...)
#endif
#ifndef MLET_WITH_TEMPORAL_AVERAGE
#define MLET_WITH_TEMPORAL_AVERAGE MLET_WITH_OPERATORS
#endif
#if MLET_WITH_TEMPORAL_AVERAGE
#define MLET_IF_TEMPORAL_AVERAGE(...) __VA_ARGS__
#else
#define MLET_IF_TEMPORAL_AVERAGE(...)
#endif
#ifndef MLET_WITH_DENSE
#define MLET_WITH_DENSE MLET_WITH_OPERATORS
#endif
#if MLET_WITH_DENSE
#define MLET_IF_DENSE(...) __VA_ARGS__
#else
#define MLET_IF_DENSE(...)
#endif
#ifndef MLET_WITH_MAX_POOL2D
#define MLET_WITH_MAX_POOL2D MLET_WITH_MORE_OPERATORS
#endif
#if MLET_WITH_MAX_POOL2D
#define MLET_IF_MAX_POOL2D(...) __VA_ARGS__
#else
#define MLET_IF_MAX_POOL2D(...)
#endif

// X(NAME, name, form) for every operator of the format ...
#define MLET_OPERATORS(X) \
    X(CONV2D, conv2d, plain) \
    X(DEPTHWISE2D, depthwise2d, shift) \
    X(POINTWISE, pointwise, shift) \
    X(TEMPORAL_DEPTHWISE, temporal_depthwise, slots) \
    X(TEMPORAL_SHIFT, temporal_shift, channels) \
    X(ADD, add, two_inputs) \
    X(AVERAGE_POOL, average_pool, plain) \
    X(TEMPORAL_AVERAGE, temporal_average, slots) \
    X(DENSE, dense, plain) \
    X(MAX_POOL2D, max_pool2d, plain)

// ... and for those that are built in.
#define MLET_BUILT_OPERATORS(X) \
    MLET_IF_CONV2D(X(CONV2D, conv2d, plain)) \
    MLET_IF_DEPTHWISE2D(X(DEPTHWISE2D, depthwise2d, shift)) \
    MLET_IF_POINTWISE(X(POINTWISE, pointwise, shift)) \
    MLET_IF_TEMPORAL_DEPTHWISE(X(TEMPORAL_DEPTHWISE, temporal_depthwise, slots)) \
    MLET_IF_TEMPORAL_SHIFT(X(TEMPORAL_SHIFT, temporal_shift, channels)) \
    MLET_IF_ADD(X(ADD, add, two_inputs)) \
    MLET_IF_AVERAGE_POOL(X(AVERAGE_POOL, average_pool, plain)) \
    MLET_IF_TEMPORAL_AVERAGE(X(TEMPORAL_AVERAGE, temporal_average, slots)) \
    MLET_IF_DENSE(X(DENSE, dense, plain)) \
    MLET_IF_MAX_POOL2D(X(MAX_POOL2D, max_pool2d, plain))

// All the traits that an operator in this build has.
#define MLET_BUILT_TRAITS \
    (0 MLET_IF_CONV2D(| MLET_TRAITS_CONV2D) \
    MLET_IF_DEPTHWISE2D(| MLET_TRAITS_DEPTHWISE2D) \
    MLET_IF_POINTWISE(| MLET_TRAITS_POINTWISE) \
    MLET_IF_TEMPORAL_DEPTHWISE(| MLET_TRAITS_TEMPORAL_DEPTHWISE) \
    MLET_IF_TEMPORAL_SHIFT(| MLET_TRAITS_TEMPORAL_SHIFT) \
    MLET_IF_ADD(| MLET_TRAITS_ADD) \
    MLET_IF_AVERAGE_POOL(| MLET_TRAITS_AVERAGE_POOL) \
    MLET_IF_TEMPORAL_AVERAGE(| MLET_TRAITS_TEMPORAL_AVERAGE) \
    MLET_IF_DENSE(| MLET_TRAITS_DENSE) \
    MLET_IF_MAX_POOL2D(| MLET_TRAITS_MAX_POOL2D))

#endif
