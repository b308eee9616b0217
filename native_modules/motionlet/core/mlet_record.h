// Inside the core: reading records of a file. What a function here is given must have been checked,
// but for what its comment says.
#ifndef MLET_RECORD_H
#define MLET_RECORD_H

#include <string.h>

#include "mlet.h"

// From one field of a struct to another, both counted.
#define MLET_RUN_BYTES(type, from, to) \
    (offsetof(type, to) + sizeof(((type *)0)->to) - offsetof(type, from))

// Fields lie on multiples of their size, in a file that lies on a multiple of 16: one load each.
static inline uint16_t mlet_read_u16(const uint8_t *p) {
    uint16_t value;
    memcpy(&value, __builtin_assume_aligned(p, sizeof(value)), sizeof(value));
    return value;
}

static inline uint32_t mlet_read_u32(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, __builtin_assume_aligned(p, sizeof(value)), sizeof(value));
    return value;
}

static inline const uint8_t *mlet_tensor_record(const mlet_model_t *model, uint16_t index) {
    return model->tensors + (uint32_t)index * MLET_TENSOR_BYTES;
}

static inline const uint8_t *mlet_op_record(const mlet_model_t *model, uint16_t index) {
    return model->ops + (uint32_t)index * MLET_OP_BYTES;
}

static inline uint32_t mlet_input_bytes(const mlet_model_t *model) {
    return model->format_version < 4 ? MLET_INPUT_BYTES : MLET_INPUT4_BYTES;
}

static inline const uint8_t *mlet_input_record(const mlet_model_t *model, uint16_t index) {
    return model->inputs + index * mlet_input_bytes(model);
}

// The rows that are kept of an op's output; 0: all.
static inline uint16_t mlet_op_rows(const mlet_model_t *model, uint16_t index) {
    return MLET_WITH_CHAINS ? mlet_read_u16(mlet_op_record(model, index) + MLET_OP_ROWS) : 0;
}

static inline uint16_t mlet_op_period(const mlet_model_t *model, uint16_t index) {
    return MLET_WITH_INPUTS ? mlet_read_u16(mlet_op_record(model, index) + MLET_OP_PERIOD) : 1;
}

// Whether it is of a kind that only some builds have.
static inline bool mlet_is_background(const mlet_normalization_t *n) {
    return MLET_WITH_INT16 && n->kind == MLET_NORMALIZE_BACKGROUND;
}

// Where a tensor lies in the arena.
static inline uint32_t mlet_arena_offset(const mlet_model_t *model, uint16_t tensor) {
    return mlet_read_u32(mlet_tensor_record(model, tensor) + MLET_TENSOR_ARENA_OFFSET);
}

static inline mlet_shape_t mlet_read_shape(const uint8_t *tensor) {
    return (mlet_shape_t) {mlet_read_u16(tensor + MLET_TENSOR_HEIGHT),
        mlet_read_u16(tensor + MLET_TENSOR_WIDTH), mlet_read_u16(tensor + MLET_TENSOR_CHANNELS)};
}

// All of an op but the pointers to its arrays. Only its tensors' indices need be checked.
mlet_op_t mlet_read_op(const mlet_model_t *model, uint16_t index);

// Set these pointers.
void mlet_point_to_arrays(const mlet_model_t *model, uint16_t index, mlet_layer_t *layer);

#endif
