// Parts of kernels that not every layer takes: which ones it does, its shape and its arrays say, and
// no frame. So a native module that is made for models goes without those that these do not take
// (host_sdk/board/native_module.py); there, what is called in a part's place gives MLET_E_BUILD.
//
// A part is a function that returns a status, or that runs only where one did. MLET_PART goes before its definition, MLET_TAKE(its
// name) into it.
#ifndef MLET_PART_H
#define MLET_PART_H

#define MLET_PARTS(X) \
    X(m0_conv2d_direct) X(m0_depthwise2d_direct) X(m0_depthwise2d_taps) X(m0_exact) \
    X(m0_keep_shifted) X(m0_matmul_exact) X(m0_matmul_one) X(m0_mean_bytes) \
    X(m0_pointwise_tiny) X(m0_requantize) X(m0_temporal_many) X(m0_temporal_plain)

#ifdef MLET_LINKED_IN_PARTS
#define MLET_PART __attribute__((noipa))
#else
#define MLET_PART
#endif

#ifndef MLET_COUNTING
#define MLET_TAKE(part) ((void)0)
#else
#include <stdint.h>

#define MLET_PART_NUMBER(name) MLET_PART_##name,
enum { MLET_PARTS(MLET_PART_NUMBER) MLET_PART_COUNT };

extern uint32_t mlet_parts_taken; // a bit to each, in their order
#define MLET_TAKE(part) ((void)(mlet_parts_taken |= UINT32_C(1) << MLET_PART_##part))

// The name of part number `index`; NULL past the last.
const char *mlet_part_name(uint32_t index);
#endif

#endif
