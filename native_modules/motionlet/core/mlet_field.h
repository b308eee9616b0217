// What errors name: records of a file and their fields, parameters of a layer or of a frame.
//
// An error has a name as a string; or, with MLET_NUMBERED_FIELDS, as a number in the guise of one,
// where each address of a string takes much code. mlet_field_name() gives the string.
#ifndef MLET_FIELD_H
#define MLET_FIELD_H

#include <stdint.h>
#include <string.h>

#define MLET_FIELDS(X) \
    X(act_min) X(arena_bytes) X(arena_offset) X(arrays) X(bias) X(bias_offset) X(channels) \
    X(code) X(crc32) X(crop_height) X(crop_width) X(data_offset) X(dilation_h) X(dilation_w) \
    X(dtype) X(format) X(format_version) X(frame_dilation) X(frames) X(frames_per_second) \
    X(group) X(header) X(height) X(input) X(input0) X(input1) X(input_count) X(inputs_offset) \
    X(kernel_h) X(kernel_w) X(kind) X(label) X(label_count) X(labels_offset) X(live) X(magic) \
    X(multiplier) X(multiplier_offset) X(name) X(normalization) X(normalization_offset) \
    X(offset) X(op) X(op_count) X(ops_offset) X(output) X(output_count) X(outputs_offset) \
    X(pad_left) X(pad_top) X(period) X(pixel_format) X(rate) X(reserved) X(reserved0) \
    X(reserved2) X(rows) X(samples_per_unit) X(scale) X(scratch_bytes) X(scratch_offset) \
    X(shift) X(shift_channels) X(shift_offset) X(state_bytes) X(state_offset) X(stride_h) \
    X(stride_w) X(strings_bytes) X(strings_offset) X(taps) X(target) X(tensor) X(tensor_count) \
    X(tensors_offset) X(total_bytes) X(weight_format) X(weights) X(weights_offset) X(width) \
    X(zero_point)

#ifdef MLET_NUMBERED_FIELDS
#define MLET_FIELD_NUMBER(name) MLET_FIELD_##name,
enum { MLET_NO_FIELD, MLET_FIELDS(MLET_FIELD_NUMBER) };
#define MLET_FIELD(name) ((const char *)(uintptr_t)MLET_FIELD_##name)
#define MLET_IS_FIELD(field, name) ((field) == MLET_FIELD(name))
#else
#define MLET_FIELD(name) #name
#define MLET_IS_FIELD(field, name) (strcmp(field, #name) == 0)
#endif

// The string of a name that an error has; where it is a number, in `room`.
#define MLET_FIELD_ROOM 24
const char *mlet_field_name(const char *field, char room[MLET_FIELD_ROOM]);

#endif
