// Stream: the state of one video; a frame goes in, outputs come out.
#ifndef MOTIONLET_BINDING_STREAM_H
#define MOTIONLET_BINDING_STREAM_H

#include "frame.h"
#include "model.h"

typedef struct {
    mp_obj_base_t base;
    mp_obj_t model;
    mlet_stream_t stream;
    void *memory;       // of the stream
    mp_obj_t *outputs;  // views of int8, one to an output; each owns a copy of its tensor
    mlet_shape_t shape; // of the input
    bool is_raw;        // the input takes int8 elements, not pixels
    mlet_frame_t frame;
    uint32_t frames; // pushed since the start or the last reset
    bool is_busy;    // with a frame, or a reset
} stream_obj_t;

static const mlet_model_t *stream_model(const stream_obj_t *self) {
    return self->stream.model;
}

// The values that an output view shows.
static int8_t *output_values(const stream_obj_t *self, uint16_t index, size_t *count) {
    const mp_obj_array_t *view = MP_OBJ_TO_PTR(self->outputs[index]);
    *count = view->len;
    return view->items;
}

DECLARE_TYPE(stream_type);

static mp_obj_t model_stream(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const model_obj_t *owner = MP_OBJ_TO_PTR(args[0]);
    const mlet_model_t *model = &owner->model;
    call_t call;
    parse_arguments(&call, CALL_STREAM, 0, n_args - 1, args + 1, keywords);
    if (model->input_count != 1) {
        raise_count("stream", "model", model->input_count, "inputs", 1);
    }
    stream_obj_t *self = mp_obj_malloc(stream_obj_t, (const mp_obj_type_t *)&stream_type);
    self->model = args[0];
    self->shape = mlet_model_tensor(model, mlet_model_input(model, 0)).shape;
    const uint8_t pixels = mlet_model_pixel_format(model, 0);
    self->is_raw = pixels == MLET_PIXELS_RAW;
    if (!self->is_raw) {
        self->frame = get_frame_format(&call, CALL_STREAM, pixels, self->shape);
    } else if (call.given) {
        mp_raise_ValueError(MP_ERROR_TEXT("stream: a raw input takes no frame format"));
    }
    self->frames = 0;
    self->is_busy = false;
    const uint32_t bytes = mlet_stream_bytes(model);
    self->memory = allocate("stream", bytes);
    if (mlet_stream_init(&self->stream, model, self->memory, bytes) != MLET_OK) {
        mp_raise_msg(
            &mp_type_RuntimeError, MP_ERROR_TEXT("stream: heap is not 16-byte aligned"));
    }
    self->outputs = allocate("stream", model->output_count * sizeof(mp_obj_t));
    memset(self->outputs, 0, model->output_count * sizeof(mp_obj_t));
    for (uint16_t i = 0; i < model->output_count; i++) {
        const mlet_tensor_t tensor = mlet_model_tensor(model, mlet_model_output(model, i));
        const uint32_t count = mlet_shape_bytes(tensor.shape);
        void *values = memset(allocate("stream", count), tensor.zero_point, count);
        self->outputs[i] = int8_view(values, 0, count, false);
    }
    return MP_OBJ_FROM_PTR(self);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(model_stream_obj, 1, model_stream);

// An interrupt, another core or another thread may come while a frame is on its way.
static void stream_claim(stream_obj_t *self) {
    check_stack(STACK_TO_PUSH);
    const mp_uint_t state = MICROPY_BEGIN_ATOMIC_SECTION();
    const bool was_busy = self->is_busy;
    self->is_busy = true;
    MICROPY_END_ATOMIC_SECTION(state);
    if (was_busy) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("stream is busy"));
    }
}

// Claim the stream and copy a frame into the input tensor. Whatever fails leaves the stream as it
// was; after it nothing may raise before stream_finish().
static void stream_begin(stream_obj_t *self, mp_obj_t frame) {
    if (!self->is_raw) {
        const uint8_t *pixels = get_pixels("push", &self->frame, frame);
        stream_claim(self);
        if (mlet_stream_frame(&self->stream, &self->frame, pixels) != MLET_OK) {
            self->is_busy = false;
            mp_raise_ValueError(MP_ERROR_TEXT("frame holds a NaN"));
        }
        return;
    }
    size_t bytes;
    const uint8_t *elements = get_frame_bytes("push", frame, 'b', &bytes);
    const uint32_t needed = mlet_shape_bytes(self->shape);
    if (bytes != needed) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("frame has %u bytes, %ux%ux%u int8 needs %u"), (unsigned)bytes,
            self->shape.height, self->shape.width, self->shape.channels, (unsigned)needed);
    }
    stream_claim(self);
    memcpy(mlet_stream_input(&self->stream, 0), elements, bytes);
}

// Run the model on what is in the input tensor, and show its outputs.
static mp_obj_t stream_finish(stream_obj_t *self, mlet_hook_t hook, void *context) {
    mlet_stream_run(&self->stream, hook, context);
    self->frames++;
    for (uint16_t i = 0; i < stream_model(self)->output_count; i++) {
        size_t count;
        int8_t *values = output_values(self, i, &count);
        memcpy(values, mlet_stream_output(&self->stream, i), count);
    }
    self->is_busy = false;
    return self->outputs[0];
}

static mp_obj_t stream_push(mp_obj_t self_in, mp_obj_t frame) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    stream_begin(self, frame);
    return stream_finish(self, NULL, NULL);
}
static MP_DEFINE_CONST_FUN_OBJ_2(stream_push_obj, stream_push);

static mp_obj_t stream_reset(mp_obj_t self_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    #if MICROPY_ASYNC_KBD_INTR
    self->is_busy = false; // Ctrl-C ends a push in the middle on this port
    #endif
    stream_claim(self);
    mlet_stream_reset(&self->stream);
    self->frames = 0;
    self->is_busy = false;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(stream_reset_obj, stream_reset);

static mp_obj_t stream_argmax(mp_obj_t self_in) {
    size_t count;
    const int8_t *values = output_values(MP_OBJ_TO_PTR(self_in), 0, &count);
    return MP_OBJ_NEW_SMALL_INT(mlet_argmax(values, count));
}
static MP_DEFINE_CONST_FUN_OBJ_1(stream_argmax_obj, stream_argmax);

static mp_obj_t stream_scores(size_t n_args, const mp_obj_t *args) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    const mlet_model_t *model = stream_model(self);
    const mlet_tensor_t tensor = mlet_model_tensor(model, mlet_model_output(model, 0));
    size_t count;
    const int8_t *values = output_values(self, 0, &count);
    float *floats = NULL;
    mp_obj_t result;
    if (n_args > 1 && args[1] != mp_const_none) {
        result = args[1];
        mp_buffer_info_t info;
        mp_get_buffer_raise(result, &info, MP_BUFFER_RW);
        if (info.typecode != 'f') {
            mp_raise_TypeError(MP_ERROR_TEXT("scores: out is not an array of 'f'"));
        }
        require_count("scores", "out", info.len / sizeof(float), count);
        floats = info.buf;
    } else {
        result = mp_obj_new_list(count, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const float score = tensor.scale * (float)(values[i] - tensor.zero_point);
        if (floats != NULL) {
            memcpy(&floats[i], &score, sizeof(score)); // a memoryview may be unaligned
        } else {
            ((mp_obj_list_t *)MP_OBJ_TO_PTR(result))->items[i] = mp_obj_new_float_from_f(score);
        }
    }
    return result;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(stream_scores_obj, 1, 2, stream_scores);

static mp_obj_t stream_output(mp_obj_t self_in, mp_obj_t index_in) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mp_int_t last = stream_model(self)->output_count - 1;
    return self->outputs[get_int(&mp_type_IndexError, "output", "index", index_in, 0, last)];
}
static MP_DEFINE_CONST_FUN_OBJ_2(stream_output_obj, stream_output);

static void stream_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mlet_shape_t shape = self->shape;
    mp_printf(print, "<Stream of ");
    if (self->is_raw) {
        mp_printf(print, "%ux%ux%u int8", shape.height, shape.width, shape.channels);
    } else {
        mp_printf(print, "%ux%u %s", self->frame.width, self->frame.height,
            frame_formats[self->frame.format].name);
    }
    mp_printf(print, ", %u frames>", (unsigned)self->frames);
}

static void stream_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    if (attr == MP_QSTR_frames) {
        dest[0] = mp_obj_new_int_from_uint(self->frames);
    } else if (attr == MP_QSTR_model) {
        dest[0] = self->model;
    } else {
        dest[1] = MP_OBJ_SENTINEL;
    }
}

#endif
