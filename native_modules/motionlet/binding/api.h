// What `_motionlet` hands to modules that extend it: the table that extension.h describes.
#ifndef MOTIONLET_BINDING_API_H
#define MOTIONLET_BINDING_API_H

#include "stream.h"
// Below it, or else it takes itself to be in an extension.
#include "extension.h"

static const model_obj_t *get_model(mp_obj_t object) {
    if (!mp_obj_is_type(object, (const mp_obj_type_t *)&model_type)) {
        mp_raise_TypeError(MP_ERROR_TEXT("not a Model"));
    }
    return MP_OBJ_TO_PTR(object);
}

static stream_obj_t *get_stream(mp_obj_t object) {
    if (!mp_obj_is_type(object, (const mp_obj_type_t *)&stream_type)) {
        mp_raise_TypeError(MP_ERROR_TEXT("not a Stream"));
    }
    return MP_OBJ_TO_PTR(object);
}

static const mlet_model_t *api_model(mp_obj_t model) {
    return &get_model(model)->model;
}

static mlet_stream_t *api_stream(mp_obj_t stream) {
    return &get_stream(stream)->stream;
}

static const int8_t *api_output(mp_obj_t stream_in, mp_int_t index, size_t *count) {
    const stream_obj_t *stream = get_stream(stream_in);
    const mp_int_t last = stream_model(stream)->output_count - 1;
    get_int(&mp_type_IndexError, "output", "index", MP_OBJ_NEW_SMALL_INT(index), 0, last);
    return output_values(stream, (uint16_t)index, count);
}

static const motionlet_api_t api = {
    .abi = MOTIONLET_ABI,
    .model = api_model,
    .stream = api_stream,
    .output = api_output,
    .model_open = mlet_model_open,
    .model_tensor = mlet_model_tensor,
    .model_op = mlet_model_op,
    .model_input = mlet_model_input,
    .model_output = mlet_model_output,
    .model_label = mlet_model_label,
    .stream_bytes = mlet_stream_bytes,
    .stream_init = mlet_stream_init,
    .stream_reset = mlet_stream_reset,
    .stream_frame = mlet_stream_frame,
    .stream_run = mlet_stream_run,
    .stream_input = mlet_stream_input,
    .stream_output = mlet_stream_output,
    .kernels = mlet_kernels,
    .run_op = mlet_run_op,
    .field_name = mlet_field_name,
    .argmax = mlet_argmax,
    .crc32 = mlet_crc32,
};

#endif
