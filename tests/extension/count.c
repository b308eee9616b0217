// A small extension of `_motionlet`, for tests/host/test_extension.py: it looks at a stream's outputs
// and runs its model, all through the table that it is handed.
#include "extension.h"

// above(stream, threshold, output=0): how many values of an output are above the threshold.
static mp_obj_t above(size_t n_args, const mp_obj_t *args) {
    size_t count;
    const mp_int_t index = n_args > 2 ? mp_obj_get_int(args[2]) : 0;
    const int8_t *values = motionlet.api->output(args[0], index, &count);
    const mp_int_t threshold = mp_obj_get_int(args[1]);
    mp_int_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += values[i] > threshold;
    }
    return MP_OBJ_NEW_SMALL_INT(found);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(above_obj, 2, 3, above);

// label(model, stream): the name of what the stream sees.
static mp_obj_t label(mp_obj_t model_in, mp_obj_t stream) {
    const motionlet_api_t *api = motionlet.api;
    size_t count;
    const int8_t *values = api->output(stream, 0, &count);
    const uint32_t best = api->argmax(values, (uint32_t)count);
    const char *name = api->model_label(api->model(model_in), (uint16_t)best);
    size_t length = 0;
    while (name[length] != '\0') {
        length++;
    }
    return mp_obj_new_str(name, length);
}
static MP_DEFINE_CONST_FUN_OBJ_2(label_obj, label);

// rerun(stream): runs the model again on what is in the stream's input; the CRC-32 of its output.
static mp_obj_t rerun(mp_obj_t stream_in) {
    const motionlet_api_t *api = motionlet.api;
    mlet_stream_t *stream = api->stream(stream_in);
    const mlet_model_t *model = stream->model;
    const mlet_status_t status = api->stream_run(stream, NULL, NULL);
    const mlet_tensor_t tensor = api->model_tensor(model, api->model_output(model, 0));
    const uint32_t crc = api->crc32(
        0, api->stream_output(stream, 0), mlet_shape_bytes(tensor.shape));
    return status == MLET_OK ? mp_obj_new_int_from_uint(crc) : mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(rerun_obj, rerun);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    motionlet_find(self);
    mp_store_global(MP_QSTR_above, MP_OBJ_FROM_PTR(&above_obj));
    mp_store_global(MP_QSTR_label, MP_OBJ_FROM_PTR(&label_obj));
    mp_store_global(MP_QSTR_rerun, MP_OBJ_FROM_PTR(&rerun_obj));
    MP_DYNRUNTIME_INIT_EXIT
}
