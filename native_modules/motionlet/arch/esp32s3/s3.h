// The kernels tuned for the ESP32-S3's core (Xtensa LX7), for files whose target is esp32s3:
// SPEC.md, "Targets". The arrays are canonical; only the scratch tells such a file from a portable
// one. Arguments, checks and results are as mlet.h has them, to the bit.
//
// conv2d, pointwise and dense run in the vector unit, which multiplies and adds up 16 bytes by 16 in
// one instruction, and may load the next 16 at the same time: s3_rows.h. Scratch holds the inputs of
// some positions in rows of whole blocks of 16 bytes, and so the weights where they do not lie so.
//
// So do the depthwise ops where their channels are whole groups of 16: s3_taps.h. Others run in the
// core itself. It multiplies and accumulates 16 bits by 16 in one instruction, which may load the
// next two numbers at the same time, and loops at no cost. So their inputs and weights are widened
// to 16 bits in scratch.
//
// C around, assembly in the inner loops. On other machines each assembly routine has a C twin of
// the same contract, so that the C around it is tested on the laptop.
//
// Tensors, ring slots and weights start on multiples of MLET_ALIGN, as the vector unit needs. Its
// instructions are assembled as Espressif writes them, and emulated where QEMU's core lacks them:
// tools/xtensa_pie.h has those that may be used.
#ifndef MLET_S3_H
#define MLET_S3_H

#include "mlet_kernels.h"

// s3_conv2d() and so on: the kernels of operators.
#define S3_DECLARE(NAME, name, form) MLET_DECLARE_##form(s3_##name)
MLET_OPERATORS(S3_DECLARE)

// Bytes of scratch that these kernels need, where they need any, a multiple of MLET_ALIGN. Scratch
// starts on a multiple of MLET_ALIGN.
uint32_t s3_conv2d_scratch_bytes(const mlet_layer_t *layer);
uint32_t s3_pointwise_scratch_bytes(const mlet_layer_t *layer);
uint32_t s3_dense_scratch_bytes(const mlet_layer_t *layer);
// 0 of a layer whose window is too large for the tuned kernel.
uint32_t s3_depthwise2d_scratch_bytes(const mlet_layer_t *layer);
uint32_t s3_temporal_depthwise_scratch_bytes(const mlet_layer_t *layer);

#endif
