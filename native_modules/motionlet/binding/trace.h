// What looks into a stream while it pushes: checksums, times, copies.
#ifndef MOTIONLET_BINDING_TRACE_H
#define MOTIONLET_BINDING_TRACE_H

#include "stream.h"

// stream_begin() with one frame, or a tuple or list of one to an input.
static void stream_begin_with(stream_obj_t *self, mp_obj_t frames) {
    const mp_obj_t *items;
    const size_t count = items_of(&frames, &items);
    stream_begin(self, count, items, &no_keywords);
}

// A writable array of `needed` uint32 values.
static uint32_t *get_uint32s(const char *who, const char *what, mp_obj_t array, size_t needed) {
    size_t n;
    uint32_t *items = buffer_items(who, what, array, MP_BUFFER_RW, 'i', &n);
    require_count(who, what, n, needed);
    if ((uintptr_t)items % sizeof(uint32_t) != 0) {
        mp_raise_msg_varg(
            &mp_type_ValueError, MP_ERROR_TEXT("%s: %s is not aligned to 4 bytes"), who, what);
    }
    return items;
}

// An array that a hook writes to. It is looked up each time: what runs between ops may resize it.
typedef struct {
    mp_obj_t array;
    uint32_t count;
    mp_uint_t begin;
} record_t;

// Its value number `index`; NULL if the array is not what it was.
static uint32_t *record_value(const record_t *record, uint32_t index) {
    mp_buffer_info_t info;
    mp_get_buffer(record->array, &info, MP_BUFFER_RW);
    const bool fits = info.len / sizeof(uint32_t) == record->count
        && (uintptr_t)info.buf % sizeof(uint32_t) == 0;
    return fits ? (uint32_t *)info.buf + index : NULL;
}

static mlet_status_t trace_hook(
    void *context, uint16_t op, const int8_t *output, uint32_t bytes) {
    const record_t *record = context;
    uint32_t *crc = record_value(record, (uint32_t)record->begin + op);
    if (crc == NULL) {
        return MLET_E_MEMORY;
    }
    *crc = mlet_crc32(*crc, output, bytes);
    return MLET_OK;
}

static mp_obj_t stream_trace(mp_obj_t self_in, mp_obj_t frame, mp_obj_t crcs_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mlet_model_t *model = stream_model(self);
    const size_t count = (size_t)model->input_count + model->op_count;
    uint32_t *crcs = get_uint32s("trace", "crcs", crcs_in, count);
    stream_begin_with(self, frame);
    memset(crcs, 0, count * sizeof(uint32_t)); // and so stay those of what does not run
    for (uint16_t i = 0; i < model->input_count; i++) {
        if (mlet_stream_due(&self->stream, i)) {
            crcs[i] = mlet_crc32(
                0, mlet_stream_input(&self->stream, i), mlet_shape_bytes(self->inputs[i].shape));
        }
    }
    record_t record = {crcs_in, (uint32_t)count, model->input_count};
    return stream_finish(self, trace_hook, &record);
}
static MP_DEFINE_CONST_FUN_OBJ_3(stream_trace_obj, stream_trace);

static mlet_status_t profile_hook(
    void *context, uint16_t op, const int8_t *output, uint32_t bytes) {
    (void)output;
    (void)bytes;
    record_t *record = context;
    const mp_uint_t took = (mp_hal_ticks_us() - record->begin) & MLET_TICKS_MASK;
    uint32_t *time = record_value(record, op);
    if (time == NULL) {
        return MLET_E_MEMORY;
    }
    *time += (uint32_t)took;
    record->begin = mp_hal_ticks_us();
    return MLET_OK;
}

static mp_obj_t stream_profile(mp_obj_t self_in, mp_obj_t frame, mp_obj_t times_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const uint16_t ops = stream_model(self)->op_count;
    get_uint32s("profile", "times", times_in, ops);
    mp_hal_ticks_us(); // raises now if there is no clock; in a native module it may run any code
    uint32_t *times = get_uint32s("profile", "times", times_in, ops);
    stream_begin_with(self, frame);
    memset(times, 0, ops * sizeof(uint32_t));
    record_t record = {times_in, ops, mp_hal_ticks_us()};
    return stream_finish(self, profile_hook, &record);
}
static MP_DEFINE_CONST_FUN_OBJ_3(stream_profile_obj, stream_profile);

typedef struct {
    mp_int_t op;
    int8_t *values;
    uint32_t done;
} tap_t;

static mlet_status_t tap_hook(void *context, uint16_t op, const int8_t *output, uint32_t bytes) {
    tap_t *tap = context;
    if (op == tap->op) { // whole, or row by row
        memcpy(tap->values + tap->done, output, bytes);
        tap->done += bytes;
    }
    return MLET_OK;
}

static mp_obj_t stream_tap(mp_obj_t self_in, mp_obj_t frame, mp_obj_t op_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mlet_model_t *model = stream_model(self);
    const mp_int_t op = get_int(
        &mp_type_IndexError, "tap", "op", op_in, -model->input_count, model->op_count - 1);
    const uint16_t input = (uint16_t)(-1 - op);
    mlet_shape_t shape;
    uint32_t period;
    const char *name;
    if (op < 0) {
        shape = self->inputs[input].shape;
        period = mlet_model_period(model, input);
        name = input_name(model, input);
    } else {
        const mlet_op_t record = mlet_model_op(model, (uint16_t)op);
        shape = record.layer.out;
        period = record.period;
        name = record.name;
    }
    if (next_due(self->frames, period) != self->frames) {
        raise_due(self->frames, "is not for", name, period);
    }
    const uint32_t bytes = mlet_shape_bytes(shape);
    tap_t tap = {op, allocate("tap", bytes), 0};
    const mp_obj_t copy = int8_view(tap.values, 0, bytes, true);
    stream_begin_with(self, frame);
    if (op < 0) {
        memcpy(tap.values, mlet_stream_input(&self->stream, input), bytes);
    }
    stream_finish(self, tap_hook, &tap);
    return copy;
}
static MP_DEFINE_CONST_FUN_OBJ_3(stream_tap_obj, stream_tap);

#define MLET_TRACE_METHODS(METHOD)              \
    METHOD(MP_QSTR_trace, stream_trace_obj)     \
    METHOD(MP_QSTR_profile, stream_profile_obj) \
    METHOD(MP_QSTR_tap, stream_tap_obj)

#endif
