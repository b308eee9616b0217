// What the fuzzers do with a file: open it, and when it is a model, run it. Every block handed to
// the core comes from malloc with exactly the bytes it asks for, so that AddressSanitizer sees one
// byte too far.
#ifndef DRIVE_H
#define DRIVE_H

#include <stdlib.h>
#include <string.h>

#include "mlet_run.h"

enum { DRIVE_FRAMES = 3, DRIVE_MAX_BYTES = 1 << 24 };

typedef struct drive_random {
    uint32_t state;
} drive_random_t;

static inline void drive_fill(drive_random_t *random, void *block, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        random->state = random->state * 1664525u + 1013904223u;
        ((uint8_t *)block)[i] = (uint8_t)(random->state >> 24);
    }
}

// malloc aligns to MLET_ALIGN on the machines that run this; of 0 bytes it gives a block too.
static inline void *drive_copy(const void *source, size_t bytes) {
    void *block = malloc(bytes);
    if (block == NULL || (uintptr_t)block % MLET_ALIGN != 0) {
        abort();
    }
    if (bytes != 0) {
        memcpy(block, source, bytes);
    }
    return block;
}

static inline void *drive_block(drive_random_t *random, size_t bytes) {
    void *block = malloc(bytes);
    if (block == NULL || (uintptr_t)block % MLET_ALIGN != 0) {
        abort();
    }
    drive_fill(random, block, bytes);
    return block;
}

// Run one op by itself, with every array in a block of its own.
static inline void drive_op(const mlet_model_t *model, uint16_t index, drive_random_t *random) {
    const mlet_op_t op = mlet_model_op(model, index);
    mlet_layer_t layer = op.layer;
    const mlet_kernels_t *kernels = mlet_kernels(model->target);
    const mlet_counts_t counts = kernels->counts(op.code, &layer);
    int8_t *weights = drive_copy(layer.weights, counts.weights);
    int32_t *bias = drive_copy(layer.bias, counts.bias * sizeof(int32_t));
    int32_t *multiplier = drive_copy(layer.multiplier, counts.multiplier * sizeof(int32_t));
    uint8_t *shift = drive_copy(layer.shift, counts.shift);
    layer.weights = weights;
    layer.bias = bias;
    layer.multiplier = multiplier;
    layer.shift = shift;
    const uint32_t in_bytes = mlet_shape_bytes(layer.in), slot = MLET_ROUND_UP(in_bytes);
    const uint32_t state_bytes = mlet_layer_state_bytes(op.code, &layer);
    int8_t *a = drive_block(random, in_bytes);
    int8_t *b = drive_block(random, in_bytes);
    int8_t *y = drive_block(random, mlet_shape_bytes(layer.out));
    int8_t *state = drive_block(random, state_bytes);
    void *scratch = drive_block(random, mlet_scratch_bytes(kernels, op.code, &layer));
    const uint32_t traits = mlet_traits(op.code);
    const bool in_place = MLET_IS(traits, IN_PLACE);
    const bool two = MLET_IS(traits, TWO_INPUTS);
    mlet_buffers_t buffers = {.a = a, .b = two ? b : NULL, .state = state, .scratch = scratch,
        .rows_done = layer.in.height};
    if (MLET_IS(traits, SLOTS)) {
        buffers.ring = (mlet_ring_t) {state, slot, (uint16_t)(state_bytes / slot), 0};
    }
    for (int frame = 0; frame < DRIVE_FRAMES; frame++) {
        // What may work in place does so every other time, and over either input.
        buffers.y = !in_place || frame == 0 ? y : two && frame == 2 ? b : a;
        if (mlet_run_op(kernels, op.code, &layer, &buffers) != MLET_OK) {
            abort();
        }
    }
    void *const blocks[] = {weights, bias, multiplier, shift, a, b, y, state, scratch};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        free(blocks[i]);
    }
}

// Read all that an open model tells.
static inline size_t drive_describe(const mlet_model_t *model) {
    size_t letters = 0;
    for (uint16_t i = 0; i < model->tensor_count; i++) {
        letters += strlen(mlet_model_tensor(model, i).name);
    }
    for (uint16_t i = 0; i < model->op_count; i++) {
        letters += strlen(mlet_model_op(model, i).name);
    }
    for (uint16_t i = 0; i < model->label_count; i++) {
        letters += strlen(mlet_model_label(model, i));
    }
    return letters;
}

// Multiply-accumulates of one frame, roughly: hostile files ask for hours.
static inline uint64_t drive_work(const mlet_model_t *model) {
    uint64_t work = 0;
    for (uint16_t i = 0; i < model->op_count; i++) {
        const mlet_op_t op = mlet_model_op(model, i);
        const mlet_counts_t counts = mlet_layer_counts(op.code, &op.layer);
        const uint64_t each = 1 + counts.weights / op.layer.out.channels +
                              op.layer.kernel_h * op.layer.kernel_w + op.layer.frames;
        work += each * mlet_shape_bytes(op.layer.out);
    }
    return work;
}

// A frame of the size of an input through its normalization. Any bytes are a frame, but for a NaN.
static inline void drive_frame(
    mlet_stream_t *stream, uint16_t input, drive_random_t *random, uint8_t format) {
    const mlet_model_t *model = stream->model;
    const mlet_shape_t shape = mlet_model_tensor(model, mlet_model_input(model, input)).shape;
    const mlet_frame_t frame = {format, shape.width, shape.height, 0, 0, shape.width, shape.height};
    if (mlet_frame_check(&frame, mlet_model_pixel_format(model, input), shape, NULL) != MLET_OK) {
        return;
    }
    uint8_t *pixels = drive_block(random, mlet_frame_bytes(&frame));
    const mlet_status_t status = mlet_stream_frame(stream, input, &frame, pixels);
    if (status != MLET_OK && (status != MLET_E_FRAME || format != MLET_FRAME_FLOAT32)) {
        abort();
    }
    free(pixels);
}

static inline void drive_run(const mlet_model_t *model, drive_random_t *random) {
    const uint32_t bytes = mlet_stream_bytes(model);
    if (bytes > DRIVE_MAX_BYTES || drive_work(model) > 1000000) {
        return;
    }
    void *memory = drive_block(random, bytes);
    mlet_stream_t stream;
    if (mlet_stream_init(&stream, model, memory, bytes) != MLET_OK) {
        abort();
    }
    for (int frame = 0; frame < DRIVE_FRAMES; frame++) {
        for (uint16_t i = 0; i < model->input_count; i++) {
            if (!mlet_stream_due(&stream, i)) {
                continue;
            }
            const mlet_tensor_t tensor = mlet_model_tensor(model, mlet_model_input(model, i));
            drive_fill(random, mlet_stream_input(&stream, i), mlet_shape_bytes(tensor.shape));
            for (uint8_t format = MLET_FRAME_GRAY8; format <= MLET_FRAME_FLOAT32; format++) {
                if (mlet_model_pixel_format(model, i) != MLET_PIXELS_RAW) {
                    drive_frame(&stream, i, random, format);
                }
            }
        }
        if (mlet_stream_run(&stream, NULL, NULL) != MLET_OK) {
            abort();
        }
    }
    free(memory);
    for (uint16_t i = 0; i < model->op_count; i++) {
        drive_op(model, i, random);
    }
}

// Open a copy of the file and, when it is a model, run it. Returns what mlet_model_open() says.
static inline mlet_status_t drive(const void *file, uint32_t bytes, mlet_error_t *error) {
    void *copy = drive_copy(file, bytes);
    mlet_model_t model;
    const mlet_status_t status = mlet_model_open(&model, copy, bytes, error);
    if (status == MLET_OK) {
        drive_random_t random = {1};
        drive_describe(&model);
        drive_run(&model, &random);
    }
    free(copy);
    return status;
}

#endif
