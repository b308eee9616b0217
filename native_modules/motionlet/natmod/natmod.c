// `_motionlet` as a native module: the binding that the firmware's module is made of, too, and
// what runs when it is imported. tools/build_natmod.py builds it.

#include "../modmotionlet.c"

// ---------------------------------------------------------------------------------------------
// The C library that the core and the compiler count on

__attribute__((used)) void *memmove(void *to, const void *from, size_t bytes) {
    return mp_fun_table.memmove_(to, from, bytes);
}

__attribute__((used)) void *memcpy(void *to, const void *from, size_t bytes) {
    return mp_fun_table.memmove_(to, from, bytes);
}

__attribute__((used)) void *memset(void *to, int value, size_t bytes) {
    return mp_fun_table.memset_(to, value, bytes);
}

__attribute__((used)) int strcmp(const char *a, const char *b) {
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    return (uint8_t)*a - (uint8_t)*b;
}

__attribute__((used)) size_t strlen(const char *string) {
    size_t length = 0;
    while (string[length] != '\0') {
        length++;
    }
    return length;
}

// ---------------------------------------------------------------------------------------------
// Parts of kernels: host_sdk/board/native_module.py puts the first in place of those that it leaves
// out, and of the second too when there are any.

__attribute__((used, noipa)) mlet_status_t natmod_no_part(void) {
    return MLET_E_BUILD;
}

__attribute__((noipa)) mlet_status_t natmod_has_parts(void) {
    return MLET_OK;
}

// ---------------------------------------------------------------------------------------------
// Import

#define NATMOD_STORE_OBJECT(name, object) mp_store_global(name, MP_OBJ_FROM_PTR(&object));
#define NATMOD_STORE_OBJECT_OF(NAME, name, form) NATMOD_STORE_OBJECT(MP_QSTR_##name, name##_obj)
#define NATMOD_INTEGER(name, value) {NATMOD_NAME_PLACE(name), value},

static const struct {
    uint8_t name, value;
} integers[] = {MLET_MODULE_INTEGERS(NATMOD_INTEGER)};

// The operators that are linked: a table in the object that is linked from tells of more.
static mp_obj_t operators(void) {
    mp_int_t bits = 0;
    for (uint8_t code = 0; code < MLET_CODES; code++) {
        bits |= (mp_int_t)(mlet_operator(code) != NULL) << code;
    }
    return MP_OBJ_NEW_SMALL_INT(bits);
}

__attribute__((used)) mp_obj_t mpy_init(
    mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    MP_DYNRUNTIME_INIT_ENTRY
    firmware.module = self->context;
    natmod_find_types();
    model_type_init();
    stream_type_init();
    #if MLET_WITH_KERNELS
    ring_type_init();
    #endif
    mp_store_global(MP_QSTR_VERSION, mp_obj_new_str(MLET_VERSION, sizeof(MLET_VERSION) - 1));
    #if MLET_WITH_EXTENSIONS
    mp_store_global(MP_QSTR__api, int8_view((void *)&api, 0, sizeof(api), false));
    #endif
    MLET_MODULE_OBJECTS(NATMOD_STORE_OBJECT)
    for (size_t i = 0; i < MP_ARRAY_SIZE(integers); i++) {
        mp_store_global(
            mp_native_qstr_table[integers[i].name], MP_OBJ_NEW_SMALL_INT(integers[i].value));
    }
    mp_store_global(MP_QSTR_OPERATORS, operators());
    mp_store_global(MP_QSTR_GROUPS, MP_OBJ_NEW_SMALL_INT(MLET_GROUPS));
    MP_DYNRUNTIME_INIT_EXIT
}
