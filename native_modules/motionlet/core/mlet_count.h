// What kernels do, counted: from this the laptop tells how long a device will take
// (host_sdk/cost/cost_model.py).
//
// A build that defines MLET_COUNTING counts; in any other these lines are nothing. Where a target
// runs assembly its C twin counts, by the assembly's loops, what the assembly would do. A counter
// stands for a stretch of code that takes about the same time whenever it runs, so what two kernels
// do alike has one counter.
#ifndef MLET_COUNT_H
#define MLET_COUNT_H

#ifndef MLET_COUNTING
#define MLET_COUNT(counter, n) ((void)0)
#else

#include "mlet.h"

#define MLET_COUNTERS(X)                                                                     \
    /* the runner */                                                                         \
    X(kernel_calls)                                                                          \
    X(chain_steps)       /* ops of chains that are made ready */                             \
    X(chain_rows)        /* rows that chains make */                                         \
    X(moves)             /* calls of memcpy, memmove, memset where they count */             \
    X(moved_bytes)                                                                           \
    /* arch/cortex_m0plus: outputs, by whatever kernel */                                    \
    X(plain_outputs)     /* made one by one in C */                                          \
    X(exact_outputs)     /* requantized in 64 bits */                                        \
    X(clamped_low)       /* where a loop must jump for it */                                 \
    X(clamped_high)                                                                          \
    /* matrix products: conv2d and pointwise */                                              \
    X(matmul_groups)     /* groups of output channels begun */                               \
    X(matmul_channels)   /* output channels made ready */                                    \
    X(packs)             /* calls that pack inputs */                                        \
    X(pack_rows)         /* runs of taps in them, of four positions */                       \
    X(pack_taps)         /* taps in them, of four positions */                               \
    X(blocks)            /* of positions, 8 bits */                                          \
    X(block_rows)        /* rows of weights that a block meets */                            \
    X(groups_of_two)     /* four taps of a row, two products added at once */                \
    X(groups_of_four)    /* the same, four products added at once */                         \
    X(tails)             /* one or two taps left of a row */                                 \
    X(blocks_int4)                                                                           \
    X(block_rows_int4)                                                                       \
    X(taps_int4)                                                                             \
    X(splits_int4)       /* after 32 taps, or fewer at the end */                            \
    X(dot_rows)          /* rows of weights that meet one position */                        \
    X(dot_taps)                                                                              \
    X(dot_taps_int4)                                                                         \
    /* conv2d */                                                                             \
    X(conv2d_groups)                                                                         \
    X(inside_blocks)     /* all windows lie inside the image */                              \
    X(clipped_blocks)    /* they do not */                                                   \
    X(clipped_rows)      /* rows of taps of such windows */                                  \
    X(copied_taps)       /* that must be copied before they are packed */                    \
    X(copied_bytes)                                                                          \
    X(windows)           /* that are run by themselves; of depthwise2d, too */               \
    X(summed_words)      /* of weights */                                                    \
    X(window_runs)       /* rows of taps inside */                                           \
    X(window_products)                                                                       \
    X(window_products_int4)                                                                  \
    /* depthwise2d */                                                                        \
    X(depthwise2d_calls)                                                                     \
    X(strips)                                                                                \
    X(strip_rows)                                                                            \
    X(blank_cells)                                                                           \
    X(copied_cells)                                                                          \
    X(cell_bytes)        /* cells that are copied byte by byte */                            \
    X(rows3_parts)       /* a channel of a strip, kernel 3x3 */                              \
    X(rows3_rows)                                                                            \
    X(rows3_outputs)                                                                         \
    X(apart_rows)        /* the same, windows more than a cell apart */                      \
    X(apart_outputs)                                                                         \
    X(sparse_channels)   /* straight from the image */                                       \
    X(sparse_zeros)      /* taps that count the zero point */                                \
    X(sparse_rows)       /* rows of taps inside */                                           \
    X(sparse_products)                                                                       \
    /* depthwise2d and temporal_depthwise */                                                 \
    X(tap_setups)                                                                            \
    X(tap_calls)                                                                             \
    X(tap_outputs)                                                                           \
    X(tap_products)                                                                          \
    /* temporal_depthwise */                                                                 \
    X(temporal_channels)                                                                     \
    X(temporal2_outputs)                                                                     \
    X(temporal3_outputs)                                                                     \
    X(temporal_stored)   /* outputs that waited for the ring */                              \
    X(temporal_maps)     /* found in the ring, one by one */                                 \
    X(temporal_products) /* one by one in C */                                               \
    /* shifts */                                                                             \
    X(swapped_eights)    /* 8 bytes of a position */                                         \
    X(swapped_words)                                                                         \
    X(swapped_bytes)                                                                         \
    X(swapped_positions) /* not in eights */                                                 \
    X(kept_words)                                                                            \
    X(kept_positions)    /* not in eights */                                                 \
    /* the others */                                                                         \
    X(added)             /* outputs of add */                                                \
    X(mean_calls)                                                                            \
    X(mean_fours)        /* four outputs at once */                                          \
    X(mean_rows)                                                                             \
    X(mean_taps)                                                                             \
    X(mean_bytes)        /* outputs one by one */                                            \
    X(mean_byte_rows)                                                                        \
    X(mean_byte_taps)                                                                        \
    X(dot4_calls)        /* four outputs of dense */                                         \
    X(dot4_words)        /* four taps of them */                                             \
    X(dot2_calls)        /* two outputs, weights of 4 bits */                                \
    X(dot2_eights)       /* eight taps of them */                                            \
    X(dense_products)    /* one by one in C */                                               \
    /* max_pool2d */                                                                         \
    X(max_rows)          /* of outputs, for a column of taps */                              \
    X(max_runs)          /* of outputs that a tap meets, or two */                           \
    X(max_pieces)        /* of them */                                                       \
    X(max_words)         /* four outputs and one tap */                                      \
    X(max_word_pairs)    /* and two taps */                                                  \
    X(max_bytes)         /* one output and one tap */                                        \
    X(max_byte_pairs)

#define MLET_COUNTER_FIELD(name) uint64_t name;
typedef struct mlet_counters {
    MLET_COUNTERS(MLET_COUNTER_FIELD)
} mlet_counters_t;

extern mlet_counters_t mlet_counters;

// A counter's name; NULL for the index after the last one.
const char *mlet_counter_name(uint32_t index);

// A hook of mlet_stream_run(): what was counted since the last call is added to the op's part of
// the context, uint64_t [ops][counters].
mlet_status_t mlet_count_op(void *context, uint16_t op, const int8_t *output, uint32_t bytes);

#define MLET_COUNT(counter, n) ((void)(mlet_counters.counter += (uint64_t)(n)))

#endif
#endif
