// Stream: the state of one video; a frame goes in, outputs come out.
#ifndef MOTIONLET_BINDING_STREAM_H
#define MOTIONLET_BINDING_STREAM_H

#include "frame.h"
#include "model.h"

// MLET_E_ARGUMENT and so on, in their order.
#define MLET_STATUS_NAMES "argument\0layer\0file\0memory\0frame\0build\0"

// The largest number of a frame: integers beyond take memory. Numbers begin anew behind it, such that
// what is due when stays as it is.
#define MLET_LAST_FRAME ((1u << 30) - 1)

// One input of a stream.
typedef struct {
    mlet_shape_t shape;
    bool is_raw;        // takes int8 elements, not pixels
    mlet_frame_t frame; // what it takes, unless it is raw
} stream_input_t;

enum { BUSY = 1, POLLS };

typedef struct {
    mp_obj_base_t base;
    mp_obj_t model;
    mlet_stream_t stream;
    mp_obj_t feed;     // called whenever a push polls; or None
    void *memory;      // of the stream
    mp_obj_t *outputs; // views of int8, one to an output; each owns a copy of its tensor
    uint32_t frames;   // pushed since the start or the last reset; up to MLET_LAST_FRAME
    uint8_t is_busy;   // with a frame, or a reset; POLLS: and lets others run meanwhile
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

MLET_DECLARE_TYPE(stream_type);

// ---------------------------------------------------------------------------------------------
// One argument to an input: by position, or by the input's name

#if MLET_WITH_INPUTS
#define MLET_INPUTS(model) ((model)->input_count)
#define MLET_MAX_INPUTS MLET_LIMIT_MAX_INPUTS
#else
#define MLET_INPUTS(model) 1
#define MLET_MAX_INPUTS 1
#endif

typedef union {
    mp_obj_t object; // None where nothing is given
    const uint8_t *bytes;
} by_input_t[MLET_MAX_INPUTS];

static const mp_map_t no_keywords;

#if !MLET_WITH_INPUTS
static void sort_by_input(by_input_t sorted, const char *who, const mlet_model_t *model,
    size_t n_args, const mp_obj_t *args, const mp_map_t *keywords) {
    if (n_args != 1) {
        raise_positions(who, 1, n_args);
    }
    if (keywords->used > 0) {
        raise_unknown(who, mp_obj_str_get_str(keywords->table[0].key));
    }
    sorted[0].object = args[0];
}

// Arguments of Model.stream() describe the one input.
static bool is_by_input(
    const mlet_model_t *model, size_t n_args, const mp_obj_t *args, const mp_map_t *keywords) {
    return false;
}

static size_t items_of(const mp_obj_t *object, const mp_obj_t **items) {
    *items = object;
    return 1;
}
#else

static bool is_sequence(mp_obj_t object) {
    return mp_obj_is_type(object, &mp_type_tuple) || mp_obj_is_type(object, &mp_type_list);
}

// The items of a tuple or list; or the object itself.
static size_t items_of(const mp_obj_t *object, const mp_obj_t **items) {
    size_t count = 1;
    *items = object;
    if (is_sequence(*object)) {
        mp_obj_t *array;
        mp_obj_get_array(*object, &count, &array);
        *items = array;
    }
    return count;
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

static void sort_by_input(by_input_t sorted, const char *who, const mlet_model_t *model,
    size_t n_args, const mp_obj_t *args, const mp_map_t *keywords) {
    if (n_args > model->input_count) {
        raise_positions(who, model->input_count, n_args);
    }
    for (uint16_t i = 0; i < model->input_count; i++) {
        sorted[i].object = i < n_args ? args[i] : mp_const_none;
    }
    for (size_t k = 0; k < keywords->used; k++) { // of a call: it has no gaps
        const mp_obj_t name = keywords->table[k].key;
        const uint16_t i = input_named(model, name);
        if (i < n_args) {
            raise_twice(who, input_name(model, i));
        }
        if (i == model->input_count) {
            raise_unknown(who, mp_obj_str_get_str(name));
        }
        sorted[i].object = keywords->table[k].value;
    }
}

// Whether the arguments of Model.stream() are formats by input: one tuple, or None, to each.
static bool is_by_input(
    const mlet_model_t *model, size_t n_args, const mp_obj_t *args, const mp_map_t *keywords) {
    if (n_args > 0) {
        return is_sequence(args[0]) || (model->input_count > 1 && args[0] == mp_const_none);
    }
    bool found = false;
    for (size_t k = 0; k < keywords->used; k++) {
        const mp_map_elem_t *keyword = &keywords->table[k];
        found |= (keyword->value == mp_const_none || is_sequence(keyword->value))
            && input_named(model, keyword->key) < model->input_count;
    }
    return found;
}
#endif

// ---------------------------------------------------------------------------------------------
// A new stream

static void describe_input(stream_obj_t *self, uint16_t index, size_t n_args,
    const mp_obj_t *args, const mp_map_t *keywords) {
    const mlet_model_t *model = stream_model(self);
    stream_input_t *input = &self->inputs[index];
    const uint8_t pixels = mlet_model_pixel_format(model, index);
    call_t call;
    parse_arguments(&call, MLET_CALL_STREAM, 0, n_args, args, keywords);
    input->shape = mlet_model_tensor(model, mlet_model_input(model, index)).shape;
    input->is_raw = pixels == MLET_PIXELS_RAW;
    if (!input->is_raw) {
        input->frame = get_frame_format(&call, MLET_CALL_STREAM, pixels, input->shape);
    } else if (call.given) {
        mp_raise_ValueError(MP_ERROR_TEXT("stream: a raw input takes no frame format"));
    }
}

// Called by the core in the middle of a frame. An exception ends the frame: then reset.
static mlet_status_t stream_poll(mlet_stream_t *stream) {
    stream_obj_t *self = (void *)((uint8_t *)stream - offsetof(stream_obj_t, stream));
    const uint8_t was_busy = self->is_busy;
    self->is_busy = POLLS;
    const mp_obj_t error = poll_events(self->feed);
    self->is_busy = was_busy;
    if (error != mp_const_none) {
        self->has_failed = true;
        self->is_busy = false;
        nlr_raise(error);
    }
    return MLET_OK;
}

#if MICROPY_ENABLE_DYNRUNTIME
mlet_status_t natmod_has_parts(void);

// Which parts of its kernel an op takes no frame changes: one of anything shows whether all are here.
static void natmod_try(mlet_stream_t *stream) {
    if (natmod_has_parts() != MLET_OK) {
        if (mlet_stream_run(stream, NULL, NULL) != MLET_OK) {
            raise_lacks("op", stream->op, MLET_A_FORM);
        }
        mlet_stream_reset(stream);
    }
}
#endif

static mp_obj_t model_stream(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const model_obj_t *owner = MP_OBJ_TO_PTR(*args++);
    n_args--;
    const mlet_model_t *model = &owner->model;
    stream_obj_t *self = mp_obj_malloc_helper(
        sizeof(stream_obj_t) + MLET_INPUTS(model) * sizeof(stream_input_t),
        (const mp_obj_type_t *)&stream_type);
    self->model = MP_OBJ_FROM_PTR(owner);
    self->stream.model = model;
    self->frames = 0;
    self->is_busy = self->has_failed = false;
    self->feed = mp_const_none;
    by_input_t formats;
    const bool by_input = is_by_input(model, n_args, args, keywords);
    if (by_input) {
        sort_by_input(formats, "stream", model, n_args, args, keywords);
    }
    // One description is of the first input that takes pixels, or else of the last.
    bool is_left = !by_input;
    for (uint16_t i = 0; i < MLET_INPUTS(model); i++) {
        size_t count = 0;
        const mp_obj_t *items = NULL;
        const mp_map_t *names = &no_keywords;
        const bool takes_pixels = mlet_model_pixel_format(model, i) != MLET_PIXELS_RAW;
        if (by_input) {
            count = items_of(&formats[i].object, &items);
        } else if (is_left && (takes_pixels || i + 1 == MLET_INPUTS(model))) {
            is_left = false;
            count = n_args;
            items = args;
            names = keywords;
        }
        describe_input(self, i, count, items, names);
    }
    const uint32_t bytes = mlet_stream_bytes(model);
    self->memory = allocate("stream", bytes);
    if (mlet_stream_init(&self->stream, model, self->memory, bytes) != MLET_OK) {
        mp_raise_msg(
            &mp_type_RuntimeError, MP_ERROR_TEXT("stream: heap is not 16-byte aligned"));
    }
    #if MICROPY_ENABLE_DYNRUNTIME
    natmod_try(&self->stream);
    #endif
    self->stream.poll = stream_poll;
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
    check_stack(MLET_STACK_TO_PUSH);
    const mp_uint_t state = MICROPY_BEGIN_ATOMIC_SECTION();
    const bool was_busy = self->is_busy != 0;
    if (!was_busy) {
        self->is_busy = BUSY;
    }
    MICROPY_END_ATOMIC_SECTION(state);
    if (was_busy) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("stream is busy"));
    }
}

// The bytes of a frame for an input, checked; NULL where none is given and none may be due.
static const uint8_t *get_frame(const stream_obj_t *self, uint16_t index, mp_obj_t frame) {
    const mlet_model_t *model = stream_model(self);
    const stream_input_t *input = &self->inputs[index];
    const char *name = MLET_INPUTS(model) > 1 ? input_name(model, index) : "frame";
    if (frame == mp_const_none
        && MLET_WITH_INPUTS && (MLET_INPUTS(model) > 1 || mlet_model_period(model, index) > 1)) {
        return NULL;
    }
    if (!input->is_raw) {
        const uint8_t *pixels = get_pixels("push", name, &input->frame, frame);
        if (!mlet_frame_is_whole(&input->frame, pixels)) {
            mp_raise_msg_varg(&mp_type_ValueError,
                MP_ERROR_TEXT("%s holds too many NaN: %u can be bridged, each beside a value; is "
                              "the sensor read whole?"),
                name, MLET_LIMIT_MAX_MISSING);
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

static MLET_RAISES void raise_due(
    uint32_t frame, const char *how, const char *name, uint32_t period) {
    mp_raise_msg_varg(&mp_type_ValueError,
        MP_ERROR_TEXT("frame %u %s '%s', which is due at frame %u"), (unsigned)frame, how, name,
        next_due(frame, period));
}

// Claim the stream and copy frames into the input tensors. Whatever fails leaves the stream as it
// was; after it nothing may raise before stream_finish().
static void stream_begin(
    stream_obj_t *self, size_t n_args, const mp_obj_t *args, const mp_map_t *keywords) {
    const mlet_model_t *model = stream_model(self);
    by_input_t frames;
    sort_by_input(frames, "push", model, n_args, args, keywords);
    for (uint16_t i = 0; i < MLET_INPUTS(model); i++) {
        frames[i].bytes = get_frame(self, i, frames[i].object);
    }
    if (self->has_failed) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("stream has failed: reset it"));
    }
    stream_claim(self);
    for (uint16_t i = 0; MLET_WITH_INPUTS && i < MLET_INPUTS(model); i++) {
        const bool is_given = frames[i].bytes != NULL;
        if (mlet_stream_due(&self->stream, i) != is_given) {
            self->is_busy = false;
            raise_due(self->frames, is_given ? "is not for" : "lacks", input_name(model, i),
                mlet_model_period(model, i));
        }
    }
    for (uint16_t i = 0; i < MLET_INPUTS(model); i++) {
        const stream_input_t *input = &self->inputs[i];
        const uint8_t *bytes = frames[i].bytes;
        if (MLET_WITH_INPUTS && bytes == NULL) {
            continue;
        }
        if (input->is_raw) {
            memcpy(mlet_stream_input(&self->stream, i), bytes, mlet_shape_bytes(input->shape));
        } else {
            mlet_stream_take(&self->stream, i, &input->frame, bytes);
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
            name_at(MLET_STATUS_NAMES, (uint32_t)(-1 - status), "status"));
    }
    self->frames = self->frames < MLET_LAST_FRAME ? self->frames + 1 : self->stream.frame;
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
    stream_begin(self, n_args - 1, args + 1, keywords);
    return stream_finish(self, NULL, NULL);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(stream_push_obj, 1, stream_push);

// ---------------------------------------------------------------------------------------------
// What else a stream does

static mp_obj_t stream_reset(mp_obj_t self_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    #if MICROPY_ASYNC_KBD_INTR
    if (self->is_busy == BUSY) {
        self->is_busy = false; // Ctrl-C ends a push in the middle on this port
    }
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

// Where Python's floats are doubles, so are those of ulab.
#define MLET_SCORES_DOUBLES \
    (!MICROPY_ENABLE_DYNRUNTIME && MICROPY_FLOAT_IMPL == MICROPY_FLOAT_IMPL_DOUBLE)

static float times(float scale, int32_t steps) {
    #if MICROPY_ENABLE_DYNRUNTIME && defined(__ARM_ARCH_6M__)
    return natmod_times(scale, steps);
    #else
    return scale * (float)steps;
    #endif
}

static mp_obj_t stream_scores(size_t n_args, const mp_obj_t *args) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    const mlet_model_t *model = stream_model(self);
    const mlet_tensor_t tensor = mlet_model_tensor(model, mlet_model_output(model, 0));
    size_t count;
    const int8_t *values = output_values(self, 0, &count);
    uint8_t *out = NULL; // a memoryview may be unaligned
    size_t each = sizeof(float);
    mp_obj_t result;
    if (n_args > 1 && args[1] != mp_const_none) {
        result = args[1];
        mp_buffer_info_t info;
        get_buffer("scores", "out", result, MP_BUFFER_RW, &info);
        #if MLET_SCORES_DOUBLES
        each = info.typecode == 'd' ? sizeof(double) : sizeof(float);
        #endif
        if (info.typecode != 'f' && each == sizeof(float)) {
            mp_raise_TypeError(MP_ERROR_TEXT("scores: out is not an array of 'f'"));
        }
        require_count("scores", "out", info.len / each, count);
        out = info.buf;
    } else {
        result = mp_obj_new_list(count, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const float score = times(tensor.scale, values[i] - tensor.zero_point);
        if (out != NULL && each == sizeof(float)) {
            memcpy(out + i * each, &score, each);
        #if MLET_SCORES_DOUBLES
        } else if (out != NULL) {
            const double wide = (double)score;
            memcpy(out + i * each, &wide, each);
        #endif
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

#if MLET_WITH_INSPECT
static void stream_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "<Stream of ");
    for (uint16_t i = 0; i < MLET_INPUTS(stream_model(self)); i++) {
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
#endif

static void stream_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (dest[0] != MP_OBJ_NULL) {
        if (attr == MP_QSTR_feed && dest[1] != MP_OBJ_NULL) {
            ((stream_obj_t *)MP_OBJ_TO_PTR(self_in))->feed = dest[1];
            dest[0] = MP_OBJ_NULL; // stored
        }
        return;
    }
    if (attr == MP_QSTR_feed) {
        dest[0] = self->feed;
    } else if (attr == MP_QSTR_frames) {
        dest[0] = mp_obj_new_int_from_uint(self->frames);
    } else if (attr == MP_QSTR_model) {
        dest[0] = self->model;
    } else {
        dest[1] = MP_OBJ_SENTINEL;
    }
}

#endif
