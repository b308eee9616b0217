// The C module `_motionlet`: Motionlet's core for MicroPython. Its API, as a user sees it, is
// written in device/_motionlet.pyi. This file has the module's tables; its parts are in binding/, one
// purpose to a file, and include only what they stand on. All is one compilation unit, which the
// compiler makes smaller than several.
//
// Nothing here is mutable and static, and names of arguments are plain strings, so that this file
// can be built into a firmware or loaded as a native module (natmod/).
//
// A build has the groups of features that mlet_config.h says, and Python sees which: GROUPS, and
// OPERATORS with a bit for each code.

#if !MICROPY_ENABLE_DYNRUNTIME
// Before all else: MicroPython 1.29 collects names by source, and must see this one's before names
// in its headers.
#include "py/obj.h"
extern const mp_obj_module_t motionlet_module;
MP_REGISTER_MODULE(MP_QSTR__motionlet, motionlet_module);
#endif

#include "binding/stream.h"
#if MLET_WITH_EXTENSIONS
#include "binding/api.h"
#endif
#if MLET_WITH_INSPECT
#define MLET_INSPECT(...) __VA_ARGS__,
#else
#define MLET_INSPECT(...)
#endif
#if MLET_WITH_TRACE
#include "binding/trace.h"
#else
#define MLET_TRACE_METHODS(METHOD)
#endif
#if MLET_WITH_KERNELS
#include "binding/kernels.h"
#else
#define MLET_ONE_BY_ONE(OBJECT)
#endif

#if MLET_WITH_TRACE
static mp_obj_t checksum(size_t n_args, const mp_obj_t *args) {
    const uint32_t crc = n_args > 1 ? mp_obj_get_int_truncated(args[1]) : 0; // may run __int__
    mp_buffer_info_t info;
    get_buffer("crc32", "data", args[0], MP_BUFFER_READ, &info);
    return mp_obj_new_int_from_uint(mlet_crc32(crc, info.buf, info.len));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(crc32_obj, 1, 2, checksum);
#define MLET_CRC32(OBJECT) OBJECT(MP_QSTR_crc32, crc32_obj)
#else
#define MLET_CRC32(OBJECT)
#endif

#define MLET_MODEL_METHODS(METHOD) \
    METHOD(MP_QSTR_stream, model_stream_obj)

MLET_DEFINE_TYPE(model_type, MP_QSTR_Model, MLET_MODEL_METHODS,
    make_new, model_make_new,
    MLET_INSPECT(print, model_print)
    attr, model_attr)

#define MLET_STREAM_METHODS(METHOD)           \
    METHOD(MP_QSTR_push, stream_push_obj)     \
    MLET_TRACE_METHODS(METHOD)                \
    METHOD(MP_QSTR_reset, stream_reset_obj)   \
    METHOD(MP_QSTR_argmax, stream_argmax_obj) \
    METHOD(MP_QSTR_scores, stream_scores_obj) \
    METHOD(MP_QSTR_output, stream_output_obj)

MLET_DEFINE_TYPE(stream_type, MP_QSTR_Stream, MLET_STREAM_METHODS,
    MLET_INSPECT(print, stream_print)
    attr, stream_attr)

#define MLET_MODULE_OBJECTS(OBJECT)     \
    OBJECT(MP_QSTR_Model, model_type)   \
    OBJECT(MP_QSTR_Stream, stream_type) \
    MLET_CRC32(OBJECT)                  \
    MLET_ONE_BY_ONE(OBJECT)

#define MLET_MODULE_INTEGERS(INTEGER)                    \
    INTEGER(MP_QSTR_GRAY8, MLET_FRAME_GRAY8)             \
    INTEGER(MP_QSTR_RGB888, MLET_FRAME_RGB888)           \
    INTEGER(MP_QSTR_RGB565_LE, MLET_FRAME_RGB565_LE)     \
    INTEGER(MP_QSTR_RGB565_BE, MLET_FRAME_RGB565_BE)     \
    INTEGER(MP_QSTR_YUV422, MLET_FRAME_YUV422)           \
    INTEGER(MP_QSTR_INT16, MLET_FRAME_INT16)             \
    INTEGER(MP_QSTR_FLOAT32, MLET_FRAME_FLOAT32)         \
    INTEGER(MP_QSTR_FORMAT_VERSION, MLET_FORMAT_VERSION) \
    INTEGER(MP_QSTR_TARGET, MLET_TARGET)

#if !MICROPY_ENABLE_DYNRUNTIME
static const MP_DEFINE_STR_OBJ(version_obj, MLET_VERSION);
#if MLET_WITH_EXTENSIONS
static const mp_obj_array_t api_obj = {
    .base = {&mp_type_memoryview},
    .typecode = 'b',
    .len = sizeof(api),
    .items = (void *)&api, // read-only, as its typecode says
};
#endif

#define MLET_OPERATOR_BIT(NAME, name, form) | 1 << MLET_OP_##NAME
#define MLET_OPERATOR_BITS (0 MLET_BUILT_OPERATORS(MLET_OPERATOR_BIT))

#define MLET_METHOD_OF(NAME, name, form) MLET_METHOD(MP_QSTR_##name, name##_obj)
#define MLET_INTEGER(name, value) {MP_ROM_QSTR(name), MP_ROM_INT(value)},
static const mp_rom_map_elem_t module_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__motionlet)},
    {MP_ROM_QSTR(MP_QSTR_VERSION), MP_ROM_PTR(&version_obj)},
    #if MLET_WITH_EXTENSIONS
    {MP_ROM_QSTR(MP_QSTR__api), MP_ROM_PTR(&api_obj)},
    #endif
    MLET_MODULE_OBJECTS(MLET_METHOD)
    MLET_MODULE_INTEGERS(MLET_INTEGER)
    MLET_INTEGER(MP_QSTR_OPERATORS, MLET_OPERATOR_BITS)
    MLET_INTEGER(MP_QSTR_GROUPS, MLET_GROUPS)
};
static MP_DEFINE_CONST_DICT(module_globals, module_table);

const mp_obj_module_t motionlet_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&module_globals,
};
#endif
