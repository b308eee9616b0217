// Model: a checked file, and what it says of itself.
#ifndef MOTIONLET_BINDING_MODEL_H
#define MOTIONLET_BINDING_MODEL_H

#include "values.h"

typedef struct {
    mp_obj_base_t base;
    mlet_model_t model;
    mp_obj_t name;    // for people: None, or where the file came from
    mp_obj_t buffer;  // keeps the file alive
    void *copy;       // of the file, where it cannot be used where it lies; or NULL
    mp_obj_t labels;  // made once, so that a loop may ask for them
    #if MLET_WITH_INSPECT
    bool is_writable; // the buffer is RAM
    #endif
} model_obj_t;

// In the order of their numbers, MLET_TARGET_... and MLET_PIXELS_...
#define MLET_TARGET_NAMES "portable\0cortex_m0plus\0esp32s3\0"
#define MLET_PIXEL_NAMES "raw\0gray8\0rgb888\0int16\0"

static const char *target_name(uint32_t target) {
    return name_at(MLET_TARGET_NAMES, target, "an unknown target");
}

static const char *pixel_name(const mlet_model_t *model, uint16_t input) {
    return name_at(MLET_PIXEL_NAMES, mlet_model_pixel_format(model, input), "?");
}

MLET_DECLARE_TYPE(model_type);

static mp_obj_t new_shape(mlet_shape_t shape) {
    const mp_obj_t items[] = {
        MP_OBJ_NEW_SMALL_INT(shape.height),
        MP_OBJ_NEW_SMALL_INT(shape.width),
        MP_OBJ_NEW_SMALL_INT(shape.channels),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}

static mp_obj_t new_tuple_of(uint16_t count, mp_obj_t (*item)(const mlet_model_t *, uint16_t),
    const mlet_model_t *model) {
    mp_obj_tuple_t *tuple = MP_OBJ_TO_PTR(mp_obj_new_tuple(count, NULL));
    for (uint16_t i = 0; i < count; i++) {
        tuple->items[i] = item(model, i);
    }
    return MP_OBJ_FROM_PTR(tuple);
}

static mp_obj_t new_label(const mlet_model_t *model, uint16_t index) {
    return new_string(mlet_model_label(model, index));
}

static const char *input_name(const mlet_model_t *model, uint16_t index) {
    return mlet_model_tensor(model, mlet_model_input(model, index)).name;
}

// A tensor; with how it is fed, if it is input number `index`.
static mp_obj_t new_tensor(const mlet_model_t *model, bool is_input, uint16_t index) {
    MLET_FIELD_NAMES fields[] = {MP_QSTR_name, MP_QSTR_shape, MP_QSTR_scale, MP_QSTR_zero_point,
        MP_QSTR_pixel_format, MP_QSTR_period};
    const mlet_tensor_t tensor = mlet_model_tensor(
        model, is_input ? mlet_model_input(model, index) : mlet_model_output(model, index));
    mp_obj_t items[MP_ARRAY_SIZE(fields)] = {
        new_string(tensor.name),
        new_shape(tensor.shape),
        mp_obj_new_float_from_f(tensor.scale),
        MP_OBJ_NEW_SMALL_INT(tensor.zero_point),
    };
    if (!is_input) {
        return mp_obj_new_attrtuple(fields, 4, items);
    }
    items[4] = new_string(pixel_name(model, index));
    items[5] = MP_OBJ_NEW_SMALL_INT(mlet_model_period(model, index));
    return mp_obj_new_attrtuple(fields, 6, items);
}

static mp_obj_t new_input(const mlet_model_t *model, uint16_t index) {
    return new_tensor(model, true, index);
}

static mp_obj_t new_output(const mlet_model_t *model, uint16_t index) {
    return new_tensor(model, false, index);
}

#if MLET_WITH_INSPECT
static mp_obj_t new_op(const mlet_model_t *model, uint16_t index) {
    MLET_FIELD_NAMES fields[] = {MP_QSTR_name, MP_QSTR_kind, MP_QSTR_shape};
    const mlet_op_t op = mlet_model_op(model, index);
    const mp_obj_t items[] = {
        new_string(op.name),
        new_string(mlet_op_name(op.code)),
        new_shape(op.layer.out),
    };
    return mp_obj_new_attrtuple(fields, MP_ARRAY_SIZE(items), items);
}
#endif

#define MLET_A_FORM "a layer of this form"

static MLET_RAISES void raise_lacks(const char *record, unsigned index, const char *what) {
    mp_raise_msg_varg(&mp_type_ValueError,
        MP_ERROR_TEXT("%s %u: %s is not in this build (install the full module, or flash a "
                      "firmware that has it)"),
        record, index, what);
}

static MLET_RAISES void raise_model(const mlet_error_t *error, const uint8_t *file) {
    char rooms[2][MLET_FIELD_ROOM];
    const char *record = mlet_field_name(error->record, rooms[0]);
    const char *field = mlet_field_name(error->field, rooms[1]);
    if (MLET_IS_FIELD(error->field, format_version)) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("model format %u, this firmware reads %u"),
            file[MLET_HEADER_FORMAT_VERSION] + 256u * file[MLET_HEADER_FORMAT_VERSION + 1],
            MLET_FORMAT_VERSION);
    }
    if (MLET_IS_FIELD(error->field, target)) {
        // The build's own target is refused where its kernels cannot run: then the others do.
        const uint32_t target = file[MLET_HEADER_TARGET] + 256u * file[MLET_HEADER_TARGET + 1];
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("model is packed for %s, this build runs %s: deploy it with host_sdk"),
            target_name(target), target == MLET_TARGET ? "portable" : target_name(MLET_TARGET));
    }
    if (MLET_TARGET == MLET_TARGET_ESP32S3 && MLET_IS_FIELD(error->field, scratch_bytes)) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("model is packed for %s as it was before: deploy it with host_sdk"),
            target_name(MLET_TARGET));
    }
    if (MLET_IS_FIELD(error->record, header)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("not a Motionlet model: header: %s"), field);
    }
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("not a Motionlet model: %s %u: %s"),
        record, error->index, field);
}

static MLET_RAISES void raise_slow(const mlet_model_t *model) {
    mp_raise_msg_varg(&mp_type_ValueError,
        MP_ERROR_TEXT("a frame takes %u Mi multiply-accumulates, limit %u Mi: load with slow=True"),
        (unsigned)(model->macs >> 20), (unsigned)(MLET_MACS_LIMIT >> 20));
}

static mp_obj_t model_make_new(
    const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 3, false);
    check_stack(MLET_STACK_TO_CALL);
    const bool may_be_slow = n_args > 2 && mp_obj_is_true(args[2]); // may run __bool__
    size_t bytes;
    void *file = buffer_items("Model", "file", args[0], MP_BUFFER_READ, 'b', &bytes);
    mp_buffer_info_t info;
    const bool is_writable = mp_get_buffer(args[0], &info, MP_BUFFER_WRITE);
    void *usable = file;
    // A bytearray that grows moves, and would leave the model with nothing; a view does not grow.
    const bool may_move = is_writable && mp_obj_get_type(args[0]) != &mp_type_memoryview;
    if (may_move || (uintptr_t)file % MLET_ALIGN != 0) {
        usable = memcpy(allocate("model", bytes), file, bytes);
    }
    model_obj_t *self = mp_obj_malloc(model_obj_t, type);
    #if MLET_WITH_INSPECT
    self->is_writable = is_writable;
    #endif
    self->name = n_args > 1 ? args[1] : mp_const_none;
    self->copy = usable == file ? NULL : usable;
    self->buffer = self->copy == NULL ? args[0] : mp_const_none;
    mlet_error_t error = {MLET_FIELD(header), 0, MLET_FIELD(total_bytes)};
    mlet_status_t status = MLET_E_FILE;
    if (bytes <= UINT32_MAX) {
        status = mlet_model_open(&self->model, usable, bytes, &error);
    }
    if (status == MLET_E_BUILD) {
        mlet_error_t again;
        const char *what = mlet_model_lacks(&self->model, &again);
        char room[MLET_FIELD_ROOM];
        raise_lacks(mlet_field_name(error.record, room), error.index,
            what == NULL ? MLET_A_FORM : what);
    }
    if (status != MLET_OK) {
        raise_model(&error, usable);
    }
    if (self->model.macs > MLET_MACS_LIMIT && !may_be_slow) {
        raise_slow(&self->model);
    }
    self->labels = new_tuple_of(self->model.label_count, new_label, &self->model);
    return MP_OBJ_FROM_PTR(self);
}

#if MLET_WITH_INSPECT
static bool model_is_in_ram(const model_obj_t *self) {
    return self->is_writable || self->copy != NULL;
}

static void model_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    const model_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mlet_model_t *model = &self->model;
    mp_printf(print, "<Model ");
    if (self->name != mp_const_none) {
        mp_obj_print_helper(print, self->name, PRINT_STR);
        mp_printf(print, ": ");
    }
    mp_printf(print, "%u bytes%s, %s, %u ops, %u bytes of RAM a stream",
        (unsigned)model->file_bytes, model_is_in_ram(self) ? " in RAM" : "",
        target_name(model->target), model->op_count,
        (unsigned)mlet_stream_bytes(model));
    uint32_t rate; // its bits, for comparing floats needs code; 0: not stated
    memcpy(&rate, &model->frames_per_second, sizeof(rate));
    if (rate != 0) {
        mp_printf(print, ", %.4g frames a second", (double)model->frames_per_second);
    }
    for (uint16_t i = 0; i < model->input_count + model->output_count; i++) {
        const bool input = i < model->input_count;
        const mlet_tensor_t tensor = mlet_model_tensor(model,
            input ? mlet_model_input(model, i) : mlet_model_output(model, i - model->input_count));
        mp_printf(print, "\n  %s '%s' %ux%ux%u %s, scale %.6g, zero point %d",
            input ? "input" : "output", tensor.name, tensor.shape.height, tensor.shape.width,
            tensor.shape.channels, input ? pixel_name(model, i) : "int8",
            (double)tensor.scale, tensor.zero_point);
        if (input && mlet_model_period(model, i) > 1) {
            mp_printf(print, ", every %u frames", mlet_model_period(model, i));
        }
    }
    for (uint16_t i = 0; i < model->label_count; i++) {
        mp_printf(print, "%s%s", i == 0 ? "\n  labels: " : ", ", mlet_model_label(model, i));
    }
    mp_printf(print, ">");
}
#endif

static void model_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    const model_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mlet_model_t *model = &self->model;
    if (dest[0] != MP_OBJ_NULL) {
        return; // attributes cannot be set
    }
    if (attr == MP_QSTR_labels) {
        dest[0] = self->labels;
    } else if (attr == MP_QSTR_inputs) {
        dest[0] = new_tuple_of(model->input_count, new_input, model);
    } else if (attr == MP_QSTR_outputs) {
        dest[0] = new_tuple_of(model->output_count, new_output, model);
    } else if (attr == MP_QSTR_frames_per_second) {
        dest[0] = mp_obj_new_float_from_f(model->frames_per_second);
    #if MLET_WITH_INSPECT
    } else if (attr == MP_QSTR_name) {
        dest[0] = self->name;
    } else if (attr == MP_QSTR_ops) {
        dest[0] = new_tuple_of(model->op_count, new_op, model);
    } else if (attr == MP_QSTR_bytes) {
        dest[0] = mp_obj_new_int_from_uint(model->file_bytes);
    } else if (attr == MP_QSTR_arena_bytes) {
        dest[0] = mp_obj_new_int_from_uint(model->arena_bytes);
    } else if (attr == MP_QSTR_state_bytes) {
        dest[0] = mp_obj_new_int_from_uint(model->state_bytes);
    } else if (attr == MP_QSTR_stream_bytes) {
        dest[0] = mp_obj_new_int_from_uint(mlet_stream_bytes(model));
    } else if (attr == MP_QSTR_ram_bytes) {
        const uint32_t file_bytes = model_is_in_ram(self) ? model->file_bytes : 0;
        dest[0] = mp_obj_new_int_from_uint(mlet_stream_bytes(model) + file_bytes);
    } else if (attr == MP_QSTR_target) {
        dest[0] = MP_OBJ_NEW_SMALL_INT(model->target);
    } else if (attr == MP_QSTR_target_name) {
        dest[0] = new_string(target_name(model->target));
    } else if (attr == MP_QSTR_in_place) {
        dest[0] = mp_obj_new_bool(self->copy == NULL);
    #endif
    } else {
        dest[1] = MP_OBJ_SENTINEL; // a method
    }
}

#endif
