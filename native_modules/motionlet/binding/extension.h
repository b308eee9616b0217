// For modules that extend a running `_motionlet`: what it hands to them.
//
// A native module cannot be linked to another one, nor to a firmware. So `_motionlet`, in a firmware
// or as a native module, has an attribute `_api`: a read-only memoryview of a constant table of
// functions. An extension is a native module of its own that takes this table when it is imported:
//
//   #include "extension.h"
//
//   static mp_obj_t ready(mp_obj_t stream) { ... motionlet.api->output(stream, 0, &count) ... }
//   static MP_DEFINE_CONST_FUN_OBJ_1(ready_obj, ready);
//
//   mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
//       MP_DYNRUNTIME_INIT_ENTRY
//       motionlet_find(self);
//       mp_store_global(MP_QSTR_ready, MP_OBJ_FROM_PTR(&ready_obj));
//       MP_DYNRUNTIME_INIT_EXIT
//   }
//
// with a Makefile of four lines that includes ../extension.mk. It runs on the `_motionlet` that was
// built from the same core/*.h and this file, and on others of the same ABI. tests/extension has one.
#ifndef MOTIONLET_BINDING_EXTENSION_H
#define MOTIONLET_BINDING_EXTENSION_H

#ifndef MOTIONLET_BINDING_PORT_H // an extension
#include "py/dynruntime.h"
#endif

#include "mlet_run.h"

// To be raised when a function changes what it means while no struct changes its size.
#define MOTIONLET_API_VERSION 2

typedef struct {
    uint32_t abi; // MOTIONLET_ABI of the build

    // What Python's objects hold. TypeError for an object of another type; output: IndexError too.
    const mlet_model_t *(*model)(mp_obj_t model);
    mlet_stream_t *(*stream)(mp_obj_t stream); // in the middle of a frame while a push is on its way
    const int8_t *(*output)(mp_obj_t stream, mp_int_t index, size_t *count); // the newest frame's

    // The core: mlet.h and mlet_run.h say what they do. A build may lack kernels: kernels() then
    // gives NULL for a target, and model_open() refuses a model.
    mlet_status_t (*model_open)(mlet_model_t *, const void *, uint32_t, mlet_error_t *);
    mlet_tensor_t (*model_tensor)(const mlet_model_t *, uint16_t);
    mlet_op_t (*model_op)(const mlet_model_t *, uint16_t);
    uint16_t (*model_input)(const mlet_model_t *, uint16_t);
    uint16_t (*model_output)(const mlet_model_t *, uint16_t);
    const char *(*model_label)(const mlet_model_t *, uint16_t);
    uint32_t (*stream_bytes)(const mlet_model_t *);
    mlet_status_t (*stream_init)(mlet_stream_t *, const mlet_model_t *, void *, uint32_t);
    void (*stream_reset)(mlet_stream_t *);
    mlet_status_t (*stream_frame)(
        mlet_stream_t *, uint16_t, const mlet_frame_t *, const uint8_t *);
    mlet_status_t (*stream_run)(mlet_stream_t *, mlet_hook_t, void *);
    int8_t *(*stream_input)(const mlet_stream_t *, uint16_t);
    const int8_t *(*stream_output)(const mlet_stream_t *, uint16_t);
    const mlet_kernels_t *(*kernels)(uint16_t target);
    mlet_status_t (*run_op)(
        const mlet_kernels_t *, uint8_t, const mlet_layer_t *, mlet_buffers_t *);
    const char *(*field_name)(const char *, char *room); // what an error's record and field say
    uint32_t (*argmax)(const int8_t *, uint32_t);
    uint32_t (*crc32)(uint32_t, const void *, uint32_t);
} motionlet_api_t;

// A hash of what both sides must agree on: the sizes of all that they share.
#define MOTIONLET_MIX(hash, value) (((hash) ^ (uint32_t)(value)) * UINT32_C(16777619))
#define MOTIONLET_MIX2(hash, a, b) MOTIONLET_MIX(MOTIONLET_MIX(hash, a), b)
#define MOTIONLET_MIX4(hash, a, b, c, d) MOTIONLET_MIX2(MOTIONLET_MIX2(hash, a, b), c, d)
#define MOTIONLET_ABI_CORE MOTIONLET_MIX4( \
    MOTIONLET_MIX4(UINT32_C(2166136261), sizeof(mlet_model_t), sizeof(mlet_stream_t), \
        sizeof(mlet_layer_t), sizeof(mlet_op_t)), \
    sizeof(mlet_tensor_t), sizeof(mlet_frame_t), sizeof(mlet_buffers_t), sizeof(mlet_kernels_t))
#define MOTIONLET_ABI MOTIONLET_MIX4(MOTIONLET_ABI_CORE, sizeof(motionlet_api_t), \
    sizeof(mp_obj_t), MLET_FORMAT_VERSION, MOTIONLET_API_VERSION)

#ifndef MOTIONLET_BINDING_PORT_H
// The collector sees variables of a native module, but not always its code. What is in them stays
// alive: the table, and the extension's own names and constants, even when its module object goes.
// Not static, and without a value at first, as mpy_ld.py wants variables.
struct {
    const motionlet_api_t *api;
    mp_obj_t table;
    const void *module;
} motionlet;

// Find the table, or raise ImportError. To be called in mpy_init.
static void motionlet_find(const mp_obj_fun_bc_t *self) {
    const mp_obj_t none = mp_const_none;
    const mp_obj_t module = mp_import_name(MP_QSTR__motionlet, none, MP_OBJ_NEW_SMALL_INT(0));
    mp_obj_t found[2];
    mp_load_method_maybe(module, MP_QSTR__api, found);
    mp_buffer_info_t info;
    info.buf = NULL;
    if (found[0] != MP_OBJ_NULL) {
        mp_get_buffer_raise(found[0], &info, MP_BUFFER_READ);
    }
    motionlet.api = info.buf;
    motionlet.table = found[0];
    motionlet.module = self->context;
    if (motionlet.api == NULL) {
        mp_raise_msg(MP_OBJ_TO_PTR(mp_load_global(MP_QSTR_ImportError)),
            "this _motionlet takes no extensions: install the full module");
    }
    if (motionlet.api->abi != MOTIONLET_ABI) {
        mp_raise_msg(MP_OBJ_TO_PTR(mp_load_global(MP_QSTR_ImportError)),
            "extension is built for another _motionlet than this one: take both of one version");
    }
}
#endif

#endif
