// What the binding needs to be built as a native module (.mpy).
//
// A native module is loaded into RAM by a firmware that does not know it. It reaches that firmware
// through the table mp_fun_table alone; py/dynruntime.h gives most of MicroPython's API in terms of
// it, and this file the rest. Names of Python (MP_QSTR_x) get their numbers when the module is
// loaded, so what holds them cannot be constant: types and dicts are filled by mpy_init.
//
// mpy_ld.py wants every variable that is not constant to be zero at first and not static.
#ifndef MOTIONLET_NATMOD_H
#define MOTIONLET_NATMOD_H

#include "mlet_config.h"
#include "py/obj.h"

// ---------------------------------------------------------------------------------------------
// Types of the firmware, looked up once by mpy_init

enum {
    NATMOD_TYPE_IndexError, NATMOD_TYPE_MemoryError, NATMOD_TYPE_RuntimeError,
    NATMOD_TYPE_TypeError, NATMOD_TYPE_ValueError, NATMOD_TYPE_int, NATMOD_TYPE_tuple,
    NATMOD_TYPE_list, NATMOD_TYPE_memoryview, NATMOD_TYPES
};

struct {
    const mp_obj_type_t *types[NATMOD_TYPES];
    const mp_obj_type_t *type_attrtuple;
    mp_obj_t ticks_us;  // MP_OBJ_NULL until it is needed
    const void *module; // kept alive, for its names are in use as long as any of its objects is
    #ifdef __x86_64__
    char section; // not 0 while a thread is in an atomic section
    #endif
} firmware;

#define mp_type_memoryview (*firmware.types[NATMOD_TYPE_memoryview]) // also in objarray.h

#ifdef __ARM_ARCH_6M__
// A call is smaller than its address.
#include "py/nativeglue.h"

__attribute__((const, noinline)) static const mp_fun_table_t *natmod_table(void) {
    return &mp_fun_table;
}
#define mp_fun_table (*natmod_table())
#endif
#include "py/dynruntime.h"
#include "py/objarray.h"
#include "py/objtuple.h"

#undef mp_type_int
#undef mp_type_tuple // makes one whenever it is used, as mp_type_list does
#undef mp_type_list
#undef mp_type_IndexError
#undef mp_type_RuntimeError
#undef mp_type_TypeError
#undef mp_type_ValueError
#define mp_type_int (*firmware.types[NATMOD_TYPE_int])
#define mp_type_tuple (*firmware.types[NATMOD_TYPE_tuple])
#define mp_type_list (*firmware.types[NATMOD_TYPE_list])

// The address of an exception's type is its place in firmware.types here: natmod_raise() looks it
// up, and no other code has to.
#define NATMOD_EXCEPTION(place) (*(const mp_obj_type_t *)(uintptr_t)(place))
#define mp_type_IndexError NATMOD_EXCEPTION(NATMOD_TYPE_IndexError)
#define mp_type_MemoryError NATMOD_EXCEPTION(NATMOD_TYPE_MemoryError)
#define mp_type_RuntimeError NATMOD_EXCEPTION(NATMOD_TYPE_RuntimeError)
#define mp_type_TypeError NATMOD_EXCEPTION(NATMOD_TYPE_TypeError)
#define mp_type_ValueError NATMOD_EXCEPTION(NATMOD_TYPE_ValueError)


float natmod_times(float factor, int32_t steps); // runtime.c

static mp_obj_t natmod_attribute(qstr module, qstr name) {
    return mp_load_attr(mp_import_name(module, mp_const_none, MP_OBJ_NEW_SMALL_INT(0)), name);
}

static void natmod_find_types(void) {
    // Names that have the same number in every firmware; memoryview has not.
    static const uint8_t names[NATMOD_TYPE_memoryview] = {MP_QSTR_IndexError, MP_QSTR_MemoryError,
        MP_QSTR_RuntimeError, MP_QSTR_TypeError, MP_QSTR_ValueError, MP_QSTR_int, MP_QSTR_tuple,
        MP_QSTR_list};
    for (size_t i = 0; i < NATMOD_TYPES; i++) {
        const qstr name = i < NATMOD_TYPE_memoryview ? names[i] : MP_QSTR_memoryview;
        firmware.types[i] = MP_OBJ_TO_PTR(mp_load_global(name));
    }
    // The one that every firmware has at hand.
    const mp_obj_t implementation = natmod_attribute(MP_QSTR_sys, MP_QSTR_implementation);
    firmware.type_attrtuple = mp_obj_get_type(implementation);
}

// ---------------------------------------------------------------------------------------------
// Types of the module

#define MLET_DECLARE_TYPE(type) extern mp_obj_full_type_t type

#define NATMOD_FULL_TYPE(...) \
    MP_DEFINE_CONST_OBJ_TYPE_NARGS(__VA_ARGS__, _INV, 12, _INV, 11, _INV, 10, _INV, 9, _INV, 8, \
    _INV, 7, _INV, 6, _INV, 5, _INV, 4, _INV, 3, _INV, 2, _INV, 1, _INV, 0) \
    (mp_obj_full_type_t, __VA_ARGS__)

// Tables are smaller than calls. A name has its number only once the module is loaded, but its
// place among the module's names before.
typedef struct {
    const void *object;
    size_t name;
} natmod_named_t;

#define NATMOD_NAME_PLACE(name) (size_t)(&name - mp_native_qstr_table)
#define NATMOD_NAMED(name, object) {&object, NATMOD_NAME_PLACE(name)},

static void natmod_store(mp_obj_t dict, const natmod_named_t *named, size_t count) {
    for (; count > 0; count--, named++) {
        const qstr name = mp_native_qstr_table[named->name];
        mp_obj_dict_store(dict, MP_OBJ_NEW_QSTR(name), MP_OBJ_FROM_PTR(named->object));
    }
}

#define MLET_DEFINE_TYPE(type, name, methods, ...) \
    mp_obj_full_type_t type; \
    static void type##_init(void) { \
        static const natmod_named_t table[] = {methods(NATMOD_NAMED)}; \
        const mp_obj_t methods_dict = mp_obj_new_dict(0); \
        natmod_store(methods_dict, table, MP_ARRAY_SIZE(table)); \
        NATMOD_FULL_TYPE(filled, name, MP_TYPE_FLAG_NONE, __VA_ARGS__, locals_dict, methods_dict); \
        type = filled; \
    }

// ---------------------------------------------------------------------------------------------
// Memory

#define m_malloc_maybe(bytes) m_realloc_maybe(NULL, bytes, false)

// So that the text of one error serves all.
#undef m_malloc
#define m_malloc(bytes) allocate("object", bytes)
#undef mp_obj_malloc_helper
#define mp_obj_malloc_helper natmod_malloc_object

static void *allocate(const char *who, size_t bytes);

static void *natmod_malloc_object(size_t bytes, const mp_obj_type_t *type) {
    mp_obj_base_t *object = m_malloc(bytes);
    object->type = type;
    return object;
}

// The largest block that can be had now, below `bytes`, which cannot.
static size_t natmod_largest_free(size_t bytes) {
    size_t low = 0;
    while (bytes - low > sizeof(mp_obj_t)) {
        const size_t middle = low + (bytes - low) / 2;
        void *block = m_malloc_maybe(middle);
        if (block != NULL) {
            m_free(block);
            low = middle;
        } else {
            bytes = middle;
        }
    }
    return low;
}

// ---------------------------------------------------------------------------------------------
// Exceptions with a formatted text, cut off where the text ends

typedef struct {
    size_t used;
    char text[160];
} natmod_text_t;

static void natmod_add_text(void *data, const char *string, size_t length) {
    natmod_text_t *text = data;
    for (size_t i = 0; i < length && text->used < sizeof(text->text); i++) {
        text->text[text->used++] = string[i];
    }
}

#define mp_raise_msg_varg natmod_raise
#undef mp_raise_msg
#define mp_raise_msg natmod_raise // also mp_raise_ValueError() and the like

__attribute__((noreturn)) static void natmod_raise(
    const mp_obj_type_t *type, mp_rom_error_text_t format, ...) {
    natmod_text_t text;
    text.used = 0;
    const mp_print_t print = {&text, natmod_add_text};
    va_list arguments;
    va_start(arguments, format);
    mp_vprintf(&print, format, arguments);
    va_end(arguments);
    const mp_obj_type_t *exception = firmware.types[(uintptr_t)type];
    mp_raise_type_arg(exception, mp_obj_new_str(text.text, text.used));
}

// ---------------------------------------------------------------------------------------------
// Objects

#define mp_obj_new_attrtuple natmod_new_attrtuple // which copies the names of its fields
#define MLET_FIELD_NAMES const qstr // known only once the module is loaded

static mp_obj_t natmod_new_attrtuple(const qstr *fields, size_t count, const mp_obj_t *items) {
    mp_obj_tuple_t *tuple = MP_OBJ_TO_PTR(mp_obj_new_tuple(count + 1, NULL));
    tuple->base.type = firmware.type_attrtuple;
    tuple->len = count;
    memcpy(tuple->items, items, count * sizeof(*items));
    qstr *names = m_new(qstr, count); // kept alive by the tuple
    memcpy(names, fields, count * sizeof(*fields));
    tuple->items[count] = MP_OBJ_FROM_PTR(names);
    return MP_OBJ_FROM_PTR(tuple);
}

#undef mp_obj_get_array
#define mp_obj_get_array natmod_get_array

// The items of what is known to be a tuple or a list.
static void natmod_get_array(mp_obj_t object, size_t *count, mp_obj_t **items) {
    mp_obj_tuple_t *tuple = MP_OBJ_TO_PTR(object);
    mp_obj_list_t *list = MP_OBJ_TO_PTR(object);
    const bool is_tuple = tuple->base.type == &mp_type_tuple;
    *count = is_tuple ? tuple->len : list->len;
    *items = is_tuple ? tuple->items : list->items;
}

#if MLET_WITH_INSPECT
#define mp_obj_print_helper(print, object, kind) natmod_print_string(print, object)

static void natmod_print_string(const mp_print_t *print, mp_obj_t object) {
    const mp_obj_t string = mp_call_function_n_kw(MP_OBJ_FROM_PTR(&mp_type_str), 1, 0, &object);
    mp_printf(print, "%s", mp_obj_str_get_str(string));
}
#endif

// ---------------------------------------------------------------------------------------------
// Interrupts, which the table does not reach: one core alone needs no section to claim a flag. But
// the threads of the unix port run at once.

#if defined(__x86_64__)
static mp_uint_t natmod_enter(void) {
    while (__atomic_test_and_set(&firmware.section, __ATOMIC_ACQUIRE)) {
    }
    return 0;
}

#define MICROPY_BEGIN_ATOMIC_SECTION() natmod_enter()
#define MICROPY_END_ATOMIC_SECTION(state) \
    ((void)(state), __atomic_clear(&firmware.section, __ATOMIC_RELEASE))
#else
#define MICROPY_BEGIN_ATOMIC_SECTION() 0
#define MICROPY_END_ATOMIC_SECTION(state) (void)(state)
#endif

// ---------------------------------------------------------------------------------------------
// What waits is let in by a function of Python, for which the package motionlet sees

static mp_obj_t poll_events(mp_obj_t feed) {
    mp_obj_t poll[2];
    mp_load_method_maybe(MP_OBJ_FROM_PTR(firmware.module), MP_QSTR__poll, poll);
    return poll[0] == MP_OBJ_NULL ? mp_const_none : mp_call_function_n_kw(poll[0], 1, 0, &feed);
}

#if MLET_WITH_TRACE
// ---------------------------------------------------------------------------------------------
// Time

#define mp_hal_ticks_us natmod_ticks_us
#define MLET_TICKS_MASK 0x3fffffff // time.ticks_us() wraps at 2^30, or higher

static mp_uint_t natmod_ticks_us(void) {
    if (firmware.ticks_us == MP_OBJ_NULL) {
        firmware.ticks_us = natmod_attribute(MP_QSTR_time, MP_QSTR_ticks_us);
    }
    return mp_obj_get_int_truncated(mp_call_function_n_kw(firmware.ticks_us, 0, 0, NULL));
}
#endif

#endif
