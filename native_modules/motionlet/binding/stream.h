// Stream: the state of one video; a frame goes in, outputs come out.
#ifndef MOTIONLET_BINDING_STREAM_H
#define MOTIONLET_BINDING_STREAM_H

#include "frame.h"
#include "model.h"

// MLET_E_ARGUMENT and so on, in their order.
#define STATUS_NAMES "argument\0layer\0file\0memory\0frame\0build\0"

// One input of a stream.
typedef struct {
    mlet_shape_t shape;
    bool is_raw;        // takes int8 elements, not pixels
    mlet_frame_t frame; // what it takes, unless it is raw
} stream_input_t;

typedef struct {
    mp_obj_base_t base;
    mp_obj_t model;
    mlet_stream_t stream;
    void *memory;      // of the stream
    mp_obj_t *outputs; // views of int8, one to an output; each owns a copy of its tensor
    uint32_t frames;   // pushed since the start or the last reset
    bool is_busy;      // with a frame, or a reset
    bool has_failed;   // in the middle of a frame
    stream_input_t inputs[];
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

// ---------------------------------------------------------------------------------------------
// One argument to an input: by position, or by the input's name

typedef struct {
    size_t count;
    const mp_obj_t *args;
    const mp_map_t *keywords; // may be NULL
} by_input_t;

static bool is_sequence(mp_obj_t object) {
    return mp_obj_is_type(object, &mp_type_tuple) || mp_obj_is_type(object, &mp_type_list);
}

// A frame, or a tuple or list of one frame to an input. *frame must last as long as the result.
static by_input_t one_or_several(const mp_obj_t *frame) {
    by_input_t given = {1, frame, NULL};
    if (is_sequence(*frame)) {
        mp_obj_t *items;
        mp_obj_get_array(*frame, &given.count, &items);
        given.args = items;
    }
    return given;
}

// The number of the input of this name; input_count if there is none.
static uint16_t input_named(const mlet_model_t *model, mp_obj_t name_in) {
    const char *name = mp_obj_str_get_str(name_in);
    uint16_t i = 0;
    while (i < model->input_count && strcmp(input_name(model, i), name) != 0) {
        i++;
    }
    return i;
}

static void check_by_input(const char *who, const mlet_model_t *model, const by_input_t *given) {
    if (given->count > model->input_count) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %u given, model has %u %s"), who,
            (unsigned)given->count, model->input_count,
            model->input_count == 1 ? "input" : "inputs");
    }
    for (size_t slot = 0; given->keywords != NULL && slot < given->keywords->alloc; slot++) {
        if (!mp_map_slot_is_filled(given->keywords, slot)) {
            continue;
        }
        const mp_obj_t name = given->keywords->table[slot].key;
        const uint16_t input = input_named(model, name);
        if (input < given->count || input == model->input_count) {
            mp_raise_msg_varg(&mp_type_TypeError,
                input < given->count ? MP_ERROR_TEXT("%s: %s is given twice")
                                     : MP_ERROR_TEXT("%s: model has no input '%s'"),
                who, mp_obj_str_get_str(name));
        }
    }
}

// What is given for an input; None when nothing is.
static mp_obj_t for_input(const mlet_model_t *model, const by_input_t *given, uint16_t input) {
    if (input < given->count) {
        return given->args[input];
    }
    for (size_t slot = 0; given->keywords != NULL && slot < given->keywords->alloc; slot++) {
        if (mp_map_slot_is_filled(given->keywords, slot)
            && input_named(model, given->keywords->table[slot].key) == input) {
            return given->keywords->table[slot].value;
        }
    }
    return mp_const_none;
}

// ---------------------------------------------------------------------------------------------
// A new stream

static void describe_input(stream_obj_t *self, uint16_t index, size_t n_args,
    const mp_obj_t *args, const mp_map_t *keywords) {
    const mlet_model_t *model = stream_model(self);
    stream_input_t *input = &self->inputs[index];
    const uint8_t pixels = mlet_model_pixel_format(model, index);
    call_t call;
    parse_arguments(&call, CALL_STREAM, 0, n_args, args, keywords);
    input->shape = mlet_model_tensor(model, mlet_model_input(model, index)).shape;
    input->is_raw = pixels == MLET_PIXELS_RAW;
    if (!input->is_raw) {
        input->frame = get_frame_format(&call, CALL_STREAM, pixels, input->shape);
    } else if (call.given) {
        mp_raise_ValueError(MP_ERROR_TEXT("stream: a raw input takes no frame format"));
    }
}

// Whether the arguments of Model.stream() are formats by input: one tuple, or None, to each.
static bool is_by_input(const mlet_model_t *model, const by_input_t *given) {
    const mp_map_t *keywords = given->keywords;
    if (given->count > 0) {
        return is_sequence(given->args[0])
            || (model->input_count > 1 && given->args[0] == mp_const_none);
    }
    for (size_t slot = 0; slot < keywords->alloc; slot++) {
        if (mp_map_slot_is_filled(keywords, slot)
            && input_named(model, keywords->table[slot].key) < model->input_count
            && !mp_obj_is_int(keywords->table[slot].value)) {
            return true;
        }
    }
    return false;
}

static mp_obj_t model_stream(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const model_obj_t *owner = MP_OBJ_TO_PTR(args[0]);
    const mlet_model_t *model = &owner->model;
    stream_obj_t *self = mp_obj_malloc_helper(
        sizeof(stream_obj_t) + model->input_count * sizeof(stream_input_t),
        (const mp_obj_type_t *)&stream_type);
    self->model = args[0];
    self->stream.model = model;
    self->frames = 0;
    self->is_busy = self->has_failed = false;
    const by_input_t given = {n_args - 1, args + 1, keywords};
    const bool by_input = is_by_input(model, &given);
    if (by_input) {
        check_by_input("stream", model, &given);
    }
    // One description is of the first input that takes pixels.
    uint16_t described = 0;
    while (described + 1 < model->input_count
        && mlet_model_pixel_format(model, described) == MLET_PIXELS_RAW) {
        described++;
    }
    for (uint16_t i = 0; i < model->input_count; i++) {
        static const mp_map_t nothing;
        const mp_obj_t format = by_input ? for_input(model, &given, i) : mp_const_none;
        if (is_sequence(format)) {
            const by_input_t items = one_or_several(&format);
            describe_input(self, i, items.count, items.args, &nothing);
        } else if (format != mp_const_none) {
            mp_raise_msg_varg(&mp_type_TypeError,
                MP_ERROR_TEXT("stream: %s is not (width, height, format, crop)"),
                input_name(model, i));
        } else if (!by_input && i == described) {
            describe_input(self, i, given.count, given.args, keywords);
        } else {
            describe_input(self, i, 0, NULL, &nothing);
        }
    }
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

// ---------------------------------------------------------------------------------------------
// A push: begin with the frames, run, show what came out

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

// The bytes of a frame for an input, checked; NULL where none is given and none may be due.
static const uint8_t *get_frame(const stream_obj_t *self, uint16_t index, mp_obj_t frame) {
    const mlet_model_t *model = stream_model(self);
    const stream_input_t *input = &self->inputs[index];
    const char *name = model->input_count > 1 ? input_name(model, index) : "frame";
    if (frame == mp_const_none
        && (model->input_count > 1 || mlet_model_period(model, index) > 1)) {
        return NULL;
    }
    if (!input->is_raw) {
        const uint8_t *pixels = get_pixels("push", name, &input->frame, frame);
        if (model->input_count > 1 && mlet_frame_has_nan(&input->frame, pixels)) {
            raise_nan(name);
        }
        return pixels;
    }
    size_t bytes;
    const uint8_t *elements = get_frame_bytes("push", name, frame, 'b', &bytes);
    const mlet_shape_t shape = input->shape;
    const uint32_t needed = mlet_shape_bytes(shape);
    if (bytes != needed) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("%s has %u bytes, %ux%ux%u int8 needs %u"), name, (unsigned)bytes,
            shape.height, shape.width, shape.channels, (unsigned)needed);
    }
    return elements;
}

// The first frame from `frame` on at which what has this period is due.
static unsigned next_due(uint32_t frame, uint32_t period) {
    return (unsigned)((frame + period - 1) / period * period);
}

static RAISES void raise_due(const stream_obj_t *self, uint16_t index, bool given) {
    const mlet_model_t *model = stream_model(self);
    mp_raise_msg_varg(&mp_type_ValueError,
        given ? MP_ERROR_TEXT("frame %u is not for input '%s', which is due at frame %u")
              : MP_ERROR_TEXT("frame %u lacks input '%s', which is due at frame %u"),
        (unsigned)self->frames, input_name(model, index),
        next_due(self->frames, mlet_model_period(model, index)));
}

// Claim the stream and copy frames into the input tensors. Whatever fails leaves the stream as it
// was; after it nothing may raise before stream_finish().
static void stream_begin(stream_obj_t *self, const by_input_t *given) {
    const mlet_model_t *model = stream_model(self);
    const uint8_t *frames[MLET_LIMIT_MAX_INPUTS];
    check_by_input("push", model, given);
    for (uint16_t i = 0; i < model->input_count; i++) {
        frames[i] = get_frame(self, i, for_input(model, given, i));
    }
    if (self->has_failed) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("stream has failed: reset it"));
    }
    stream_claim(self);
    for (uint16_t i = 0; i < model->input_count; i++) {
        const bool is_given = frames[i] != NULL;
        if (mlet_stream_due(&self->stream, i) != is_given) {
            self->is_busy = false;
            raise_due(self, i, is_given);
        }
    }
    for (uint16_t i = 0; i < model->input_count; i++) {
        const stream_input_t *input = &self->inputs[i];
        if (frames[i] == NULL) {
            continue;
        }
        if (input->is_raw) {
            memcpy(mlet_stream_input(&self->stream, i), frames[i], mlet_shape_bytes(input->shape));
        } else if (mlet_stream_frame(&self->stream, i, &input->frame, frames[i]) != MLET_OK) {
            self->is_busy = false; // and it is the only input: no other is written yet
            raise_nan("frame");
        }
    }
}

// Run the model on what is in the input tensors, and show its outputs. If an op fails they keep
// what they show, and the stream, in the middle of a frame, takes no other before a reset.
static mp_obj_t stream_finish(stream_obj_t *self, mlet_hook_t hook, void *context) {
    const mlet_status_t status = mlet_stream_run(&self->stream, hook, context);
    if (status != MLET_OK) {
        self->has_failed = true;
        self->is_busy = false;
        mp_raise_msg_varg(&mp_type_RuntimeError,
            MP_ERROR_TEXT("op %u failed: wrong %s; reset the stream"), self->stream.op,
            name_at(STATUS_NAMES, (uint32_t)(-1 - status), "status"));
    }
    self->frames++;
    for (uint16_t i = 0; i < stream_model(self)->output_count; i++) {
        size_t count;
        int8_t *values = output_values(self, i, &count);
        memcpy(values, mlet_stream_output(&self->stream, i), count);
    }
    self->is_busy = false;
    return self->outputs[0];
}

static mp_obj_t stream_push(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    stream_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    const by_input_t given = {n_args - 1, args + 1, keywords};
    stream_begin(self, &given);
    return stream_finish(self, NULL, NULL);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(stream_push_obj, 1, stream_push);

// ---------------------------------------------------------------------------------------------
// What else a stream does

static mp_obj_t stream_reset(mp_obj_t self_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    #if MICROPY_ASYNC_KBD_INTR
    self->is_busy = false; // Ctrl-C ends a push in the middle on this port
    #endif
    stream_claim(self);
    mlet_stream_reset(&self->stream);
    self->frames = 0;
    self->has_failed = false;
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
    mp_printf(print, "<Stream of ");
    for (uint16_t i = 0; i < stream_model(self)->input_count; i++) {
        const stream_input_t *input = &self->inputs[i];
        const mlet_shape_t shape = input->shape;
        if (i > 0) {
            mp_printf(print, " and ");
        }
        if (input->is_raw) {
            mp_printf(print, "%ux%ux%u int8", shape.height, shape.width, shape.channels);
        } else {
            mp_printf(print, "%ux%u %s", input->frame.width, input->frame.height,
                frame_formats[input->frame.format].name);
        }
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
