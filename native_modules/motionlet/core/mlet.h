// Motionlet core: streaming int8 video networks in portable C99. This header is the manual.
//
// SPEC.md defines every number computed here. The core allocates nothing, keeps no global state
// and calls only memcpy, memmove and memset. Feature maps are int8, [height, width, channels] with
// channels innermost.
//
// Three steps, kept apart:
//   check  mlet_layer_check() proves a layer's shapes and parameters once, before first use;
//   size   mlet_layer_state_bytes() and mlet_layer_scratch_bytes() say what memory it needs;
//   run    the kernels, which trust a checked layer.
// A whole model does the same: mlet_model_open(), mlet_stream_bytes(), mlet_stream_run(). To name
// what a camera sees, with the file and `memory` on multiples of MLET_ALIGN:
//
//   mlet_model_t model;
//   mlet_error_t error;
//   if (mlet_model_open(&model, file, file_bytes, &error) != MLET_OK) {
//       printf("not a model: %s %u: %s\n", error.record, error.index, error.field);
//       return;
//   }
//   mlet_stream_t stream;
//   mlet_stream_init(&stream, &model, memory, mlet_stream_bytes(&model)); // as many as it needs
//   const mlet_frame_t frame = {.format = MLET_FRAME_GRAY8, .width = 160, .height = 120,
//       .crop_x = 20, .crop_width = 120, .crop_height = 120};
//   const mlet_shape_t input = mlet_model_tensor(&model, mlet_model_input(&model, 0)).shape;
//   const char *field;
//   if (mlet_frame_check(&frame, mlet_model_pixel_format(&model, 0), input, &field) != MLET_OK) {
//       printf("no frame for this model: %s\n", field);
//       return;
//   }
//   while (capture(pixels)) {
//       mlet_stream_frame(&stream, 0, &frame, pixels);
//       mlet_stream_run(&stream, NULL, NULL);
//       const uint32_t best = mlet_argmax(mlet_stream_output(&stream, 0), model.label_count);
//       printf("%s\n", mlet_model_label(&model, (uint16_t)best));
//   }
#ifndef MLET_H
#define MLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mlet_config.h"
#include "mlet_field.h"

#ifdef __cplusplus
extern "C" {
#endif

// Motionlet's version; the file format has its own, MLET_FORMAT_VERSION.
#define MLET_VERSION "0.1.0"

typedef enum mlet_status {
    MLET_OK = 0,
    MLET_E_ARGUMENT = -1, // a needed pointer is NULL
    MLET_E_LAYER = -2,    // a layer's shape or parameter breaks SPEC.md
    MLET_E_FILE = -3,     // a model file breaks SPEC.md
    MLET_E_MEMORY = -4,   // the memory given is too small or not aligned to MLET_ALIGN
    MLET_E_FRAME = -5,    // a frame's description breaks SPEC.md, or no frame is due
    MLET_E_BUILD = -6,    // a model needs what this build leaves out: see mlet_config.h
} mlet_status_t;

// Round up to a multiple of MLET_ALIGN.
#define MLET_ROUND_UP(bytes) (((bytes) + (MLET_ALIGN - 1u)) & ~(uint32_t)(MLET_ALIGN - 1u))

// ---------------------------------------------------------------------------------------------
// Layers

typedef struct mlet_shape {
    uint16_t height, width, channels; // 1 to MLET_LIMIT_MAX_DIM
} mlet_shape_t;

// Elements of a map, which are bytes.
static inline uint32_t mlet_shape_bytes(mlet_shape_t shape) {
    return (uint32_t)shape.height * shape.width * shape.channels;
}

// Everything about one layer but its buffers. Fields an op does not have are ignored by it. Those
// from kernel_h to frame_dilation lie as in an op record of a file, which the loader counts on; so
// do those of mlet_op_t from state_offset to scratch_bytes.
typedef struct mlet_layer {
    mlet_shape_t in, out;
    int8_t in_zero, out_zero; // zero points
    int8_t act_min, act_max;  // bounds of the output
    uint8_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    uint8_t pad_top, pad_left; // bottom and right follow from the output's shape
    uint16_t frames;           // temporal_depthwise: taps; temporal_average: frames averaged
    uint16_t frame_dilation;   // temporal_depthwise: frames between taps
    uint16_t shift_channels;   // channels taken from the previous frame, of the ops that shift
    uint8_t weight_bits;       // 8, or 4 for conv2d, pointwise and dense; 0 is read as 8
    int8_t in1_zero;           // add: zero point of the second input
    const int8_t *weights;     // layouts: see each kernel
    const int32_t *bias;       // one to an output channel
    const int32_t *multiplier; // one to an output channel; averages: one; add: two
    const uint8_t *shift;      // one to an output channel; averages and add: one
} mlet_layer_t;

// The lengths of a layer's arrays: bytes of weights, biases, multipliers, shifts. 0 where it has
// none.
typedef struct mlet_counts {
    uint32_t weights, bias, multiplier, shift;
} mlet_counts_t;

// Check a layer of op code `code` (MLET_OP_...), all but its arrays. On MLET_E_LAYER, *field (if
// not NULL) names the field that is wrong, as SPEC.md writes it.
mlet_status_t mlet_layer_check_shape(uint8_t code, const mlet_layer_t *layer, const char **field);

// Products in one accumulator of a layer with weights (K in SPEC.md); 0 of one without.
uint32_t mlet_layer_taps(uint8_t code, const mlet_layer_t *layer);

// Multiply-accumulates of a run of such a layer; where it has no weights, what it adds or compares.
uint64_t mlet_layer_macs(uint8_t code, const mlet_layer_t *layer);

// The lengths of the arrays of a layer that passed mlet_layer_check_shape().
mlet_counts_t mlet_layer_counts(uint8_t code, const mlet_layer_t *layer);

// Check the arrays of such a layer: reads every element.
mlet_status_t mlet_layer_check_arrays(uint8_t code, const mlet_layer_t *layer, const char **field);

// Both checks. What a kernel trusts.
mlet_status_t mlet_layer_check(uint8_t code, const mlet_layer_t *layer, const char **field);

// Whether an op of this code, in this build, may have shift_channels.
bool mlet_may_shift(uint8_t code);

// Bytes of state, a multiple of MLET_ALIGN: `slots` slots of `slot_bytes` each.
uint32_t mlet_layer_state_bytes(uint8_t code, const mlet_layer_t *layer);

// Bytes of scratch that the kernel of this build needs, a multiple of MLET_ALIGN.
uint32_t mlet_layer_scratch_bytes(uint8_t code, const mlet_layer_t *layer);

// ---------------------------------------------------------------------------------------------
// Frame ring: the last `count` feature maps of a stream, rotated by index, never moved.

typedef struct mlet_ring {
    int8_t *slots;       // count * slot_bytes, from the caller
    uint32_t slot_bytes; // bytes from one slot to the next, >= the map's bytes
    uint16_t count;      // may be 0
    uint16_t head;       // the oldest slot, next to be replaced; < count, or 0
} mlet_ring_t;

// The map pushed `age` pushes ago: 1 is the newest, count the oldest.
int8_t *mlet_ring_frame(const mlet_ring_t *ring, uint16_t age);

// Make the oldest slot the newest one. Its bytes are the caller's to write, before or after.
void mlet_ring_rotate(mlet_ring_t *ring);

// Copy a map of `bytes` <= slot_bytes over the oldest slot, and rotate.
void mlet_ring_push(mlet_ring_t *ring, const int8_t *map, uint32_t bytes);

// Fill every slot with `zero`, the zero point of what it holds: a past in which nothing was.
void mlet_ring_reset(mlet_ring_t *ring, int8_t zero);

// ---------------------------------------------------------------------------------------------
// Kernels. Each trusts a layer that passed mlet_layer_check() and buffers of the sizes given.
// x and y do not overlap unless a kernel says that they may be the same. `scratch` holds
// mlet_layer_scratch_bytes() and may be NULL when that is 0. They return MLET_OK, or
// MLET_E_ARGUMENT for a NULL pointer.

// Weights of 4 bits are packed two to a byte, as SPEC.md says: what is [C_out][...] here is then
// C_out rows, each of a whole number of bytes.

// y[i][j][o] from a window of x. weights [C_out][k_h][k_w][C_in].
mlet_status_t mlet_conv2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch);

// Each channel by itself. weights [k_h][k_w][C]. `past`: see mlet_keep_shifted().
mlet_status_t mlet_depthwise2d(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch);

// 1 x 1 convolution. weights [C_out][C_in]. `past`: see mlet_keep_shifted().
mlet_status_t mlet_pointwise(
    const mlet_layer_t *layer, const int8_t *past, const int8_t *x, int8_t *y, void *scratch);

// depthwise2d and pointwise may shift x as they read it: they take its first shift_channels
// channels from `past` [H][W][shift_channels], which may be NULL when there are none. Afterwards
// this puts those of `rows` rows of x into `past`, for the next frame.
mlet_status_t mlet_keep_shifted(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, uint32_t rows);

// Causal convolution along time, each element by itself. weights [k_t][C], oldest tap first.
// `past` has (k_t - 1) * frame_dilation slots; x takes the place of its oldest. y may be x.
mlet_status_t mlet_temporal_depthwise(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch);

// The first shift_channels channels of y are those of the previous frame, kept in `past`
// [H][W][shift_channels]; x's own take their place there. y may be x: then nothing else moves.
mlet_status_t mlet_temporal_shift(
    const mlet_layer_t *layer, int8_t *past, const int8_t *x, int8_t *y);

// Residual sum of two maps of one shape. y may be a or b.
mlet_status_t mlet_add(const mlet_layer_t *layer, const int8_t *a, const int8_t *b, int8_t *y);

// Mean over windows inside the image; a window as large as the image is global pooling.
mlet_status_t mlet_average_pool(
    const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch);

// Largest value of each window, of the taps inside the image; bounded by act_min and act_max.
mlet_status_t mlet_max_pool2d(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch);

// Mean over the last `frames` maps. `past` has frames - 1 slots; x takes the place of its oldest.
// y may be x.
mlet_status_t mlet_temporal_average(
    const mlet_layer_t *layer, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch);

// x as one vector. weights [C_out][H * W * C].
mlet_status_t mlet_dense(const mlet_layer_t *layer, const int8_t *x, int8_t *y, void *scratch);

// Separable 3D convolution: depthwise2d, then temporal_depthwise, then pointwise. Each layer's
// output shape is the next one's input shape. scratch: mlet_conv3d_separable_scratch_bytes().
mlet_status_t mlet_conv3d_separable(const mlet_layer_t *spatial, const mlet_layer_t *temporal,
    const mlet_layer_t *pointwise, mlet_ring_t *past, const int8_t *x, int8_t *y, void *scratch);
uint32_t mlet_conv3d_separable_scratch_bytes(
    const mlet_layer_t *spatial, const mlet_layer_t *temporal, const mlet_layer_t *pointwise);

// Lowest index among the largest of n >= 1 values.
uint32_t mlet_argmax(const int8_t *x, uint32_t n);

// CRC-32 as in zlib: start with crc = 0, feed the result back to go on.
uint32_t mlet_crc32(uint32_t crc, const void *data, uint32_t bytes);

// ---------------------------------------------------------------------------------------------
// Model: a checked .mlet file, used where it lies.

typedef struct mlet_model {
    const uint8_t *file;
    uint32_t file_bytes;
    const uint8_t *tensors, *ops, *inputs, *outputs, *labels, *strings, *data;
    const uint8_t *normalization; // of input 0, up to version 3: see mlet_model_normalization()
    uint16_t tensor_count, op_count, input_count, output_count, label_count;
    uint16_t target, format_version;
    uint16_t cycle; // frames after which all periods begin anew: their least common multiple
    uint32_t data_bytes, arena_bytes, state_bytes;
    float frames_per_second;
    uint64_t macs; // of a frame at which all ops run; who cares compares it with MLET_MACS_LIMIT
} mlet_model_t;

typedef struct mlet_tensor {
    mlet_shape_t shape;
    int8_t zero_point;
    float scale; // real value = scale * (q - zero_point)
    uint32_t arena_offset;
    const char *name;
} mlet_tensor_t;

typedef struct mlet_op {
    uint8_t code;
    uint8_t group;
    uint16_t period; // it runs at every n-th frame
    uint16_t input0, input1; // input1 is MLET_NO_TENSOR but for add
    uint16_t output;
    uint16_t rows; // of the output that are kept, when it runs in a chain; 0: all
    uint32_t state_offset, state_bytes, scratch_offset, scratch_bytes;
    const char *name;
    mlet_layer_t layer;
} mlet_op_t;

// How samples become int8, just as it lies in a file; SPEC.md 3.
typedef struct mlet_normalization {
    uint8_t kind; // MLET_NORMALIZE_WINDOW or ..._BACKGROUND
    uint8_t rate, shift, samples_per_unit;
    int16_t offset;
    uint16_t multiplier;
    uint32_t state_offset; // of the background
} mlet_normalization_t;

// What is wrong with a file: record ("header", "tensor", "input", "normalization", "output",
// "label" or "op"), its index, and the field, as SPEC.md writes them.
typedef struct mlet_error {
    const char *record;
    uint16_t index;
    const char *field;
} mlet_error_t;

// Check a whole file and describe it in *model. The file must stay where it is, on a multiple of
// MLET_ALIGN (else MLET_E_MEMORY), as long as the model is used. On MLET_E_FILE, *error (if not
// NULL) says what is wrong, and on MLET_E_BUILD, which field asks for what this build lacks: an
// op's "code", "weight_format" or "rows", an input's "pixel_format", a normalization's "kind".
// Nothing in the file is trusted. Takes time of O(bytes + ops * live), with at most
// MLET_LIMIT_MAX_LIVE tensors live at once: SPEC.md, "What checking takes".
mlet_status_t mlet_model_open(
    mlet_model_t *model, const void *file, uint32_t bytes, mlet_error_t *error);

// What a file asks for that this build lacks, in words, such as "conv2d" or "int4 weights"; *error
// says where. NULL: nothing. For what mlet_model_open() refused with MLET_E_BUILD.
const char *mlet_model_lacks(const mlet_model_t *model, mlet_error_t *error);

// Read a record of an open model; the index must be in range.
mlet_tensor_t mlet_model_tensor(const mlet_model_t *model, uint16_t index);
mlet_op_t mlet_model_op(const mlet_model_t *model, uint16_t index);
uint16_t mlet_model_input(const mlet_model_t *model, uint16_t index);  // tensor index: `index`
uint16_t mlet_model_output(const mlet_model_t *model, uint16_t index); // tensor index
uint8_t mlet_model_pixel_format(const mlet_model_t *model, uint16_t input);
const char *mlet_model_label(const mlet_model_t *model, uint16_t index);

// A frame is given to the input at every n-th frame, from the first on: see mlet_stream_due().
uint16_t mlet_model_period(const mlet_model_t *model, uint16_t input);

// The normalization of an input; NULL when it has none: then q = v - 128.
const mlet_normalization_t *mlet_model_normalization(const mlet_model_t *model, uint16_t input);

// Bytes of its background in the state, an int32 to an element; 0 when it has none.
uint32_t mlet_model_background_bytes(const mlet_model_t *model, uint16_t input);

// The name of an op code, whether this build has the operator or not; NULL for a code that the
// format does not know.
const char *mlet_op_name(uint8_t code);

// ---------------------------------------------------------------------------------------------
// Stream: the state of one video. One model serves any number of streams.

struct mlet_stream;

// Called in the middle of a run, whenever about `pace` multiply-accumulates are done: between ops,
// rows of a chain, or (where chains are built in) bands of rows of a large op; never inside a row. It may let others use the processor. A
// result other than MLET_OK ends the run, and so may a longjmp: either leaves the stream in the
// middle of a frame, to be reset.
typedef mlet_status_t (*mlet_poll_t)(struct mlet_stream *stream);

typedef struct mlet_stream {
    const mlet_model_t *model;
    int8_t *arena, *state;
    uint16_t *heads; // ring position of every op
    uint16_t frame;  // the next one's number since the reset, modulo the model's cycle
    uint16_t op;     // the one that failed, if a run did
    uint32_t macs;   // since the last poll
    uint32_t pace;   // from one poll to the next; at first 2^20, a tenth of a second on an RP2040
    mlet_poll_t poll; // NULL at first
} mlet_stream_t;

// Bytes of memory one stream needs: arena, state, ring positions.
uint32_t mlet_stream_bytes(const mlet_model_t *model);

// Lay a stream into `memory` (on a multiple of MLET_ALIGN) and reset it.
mlet_status_t mlet_stream_init(
    mlet_stream_t *stream, const mlet_model_t *model, void *memory, uint32_t bytes);

// Forget all frames.
void mlet_stream_reset(mlet_stream_t *stream);

// Whether the next run wants a frame in an input: at every n-th frame, n being its period.
bool mlet_stream_due(const mlet_stream_t *stream, uint16_t input);

// An input tensor, to be filled before each run that it is due for and left alone before the others
// (a run may overwrite it), and an output, valid until the next one is begun.
int8_t *mlet_stream_input(const mlet_stream_t *stream, uint16_t index);
const int8_t *mlet_stream_output(const mlet_stream_t *stream, uint16_t index);

// Called after each op that ran with its output of `bytes`; for an op in a chain, after each row of
// it, in order, with that row. A result other than MLET_OK ends the run, which leaves the stream in
// the middle of a frame: reset it.
typedef mlet_status_t (*mlet_hook_t)(
    void *context, uint16_t op, const int8_t *output, uint32_t bytes);

// Run the ops that are due on the frames in the inputs. `hook` may be NULL. What an op returns other
// than MLET_OK ends the run as a hook does.
mlet_status_t mlet_stream_run(mlet_stream_t *stream, mlet_hook_t hook, void *context);

// ---------------------------------------------------------------------------------------------
// Frames of a camera

typedef struct mlet_frame {
    uint8_t format; // MLET_FRAME_GRAY8, ..._RGB888, ..._RGB565_LE, ..._RGB565_BE, ..._YUV422,
                    // ..._INT16, ..._FLOAT32
    uint16_t width, height;
    uint16_t crop_x, crop_y, crop_width, crop_height; // inside the frame; width * height <= 2^23,
                                                      // of int16 and float32 <= 2^16
} mlet_frame_t;

// Bytes of one frame in memory.
uint32_t mlet_frame_bytes(const mlet_frame_t *frame);

// Whether nothing is missing in a checked frame that cannot be bridged. In one of float32, up to
// MLET_LIMIT_MAX_MISSING samples may be a NaN, each beside one that is none: SPEC.md 3.
bool mlet_frame_is_whole(const mlet_frame_t *frame, const uint8_t *pixels);

// Check that the frame can become an input of this pixel format (MLET_PIXELS_..., but raw) and
// shape (1 channel: grey; 3: R, G, B). On MLET_E_FRAME, *field (if not NULL) names what is wrong.
mlet_status_t mlet_frame_check(
    const mlet_frame_t *frame, uint8_t pixel_format, mlet_shape_t shape, const char **field);

// Crop, resize by area and quantize (q = v - 128) a checked frame of 8-bit pixels into x.
mlet_status_t mlet_frame_to_tensor(
    const mlet_frame_t *frame, const uint8_t *pixels, mlet_shape_t shape, int8_t *x);

// The same into an input of a stream, with its normalization. Once to each run that it is due for:
// the background moves. A frame that is not due, or that is not whole, gives MLET_E_FRAME and changes
// nothing.
mlet_status_t mlet_stream_frame(
    mlet_stream_t *stream, uint16_t input, const mlet_frame_t *frame, const uint8_t *pixels);

// The same of a frame that is due and is known to be whole.
void mlet_stream_take(
    mlet_stream_t *stream, uint16_t input, const mlet_frame_t *frame, const uint8_t *pixels);

#ifdef __cplusplus
}
#endif

#endif
