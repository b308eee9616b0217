// Integers, buffers and memory: what comes from Python, checked, and what goes to it.
#ifndef MOTIONLET_BINDING_VALUES_H
#define MOTIONLET_BINDING_VALUES_H

#include "arrays.h"

static MLET_RAISES void raise_count(
    const char *who, const char *what, size_t count, const char *unit, size_t needed) {
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: %s has %u %s, needs %u"), who, what,
        (unsigned)count, unit, (unsigned)needed);
}

static MLET_RAISES void raise_missing(const char *who, const char *what) {
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %s is missing"), who, what);
}

static MLET_RAISES void raise_field(const char *who, const char *field) {
    char room[MLET_FIELD_ROOM];
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: %s is out of range"), who,
        mlet_field_name(field, room));
}

// An integer from min to max. It runs no code of the caller's, which might change what other
// arguments point to: an object with __int__ is none.
static mp_int_t get_int(const mp_obj_type_t *error, const char *who, const char *what,
    mp_obj_t object, mp_int_t min, mp_int_t max) {
    if (!mp_obj_is_int(object)) {
        mp_raise_msg_varg(
            &mp_type_TypeError, MP_ERROR_TEXT("%s: %s is not an integer"), who, what);
    }
    const mp_int_t value = MP_OBJ_SMALL_INT_VALUE(object);
    if (!mp_obj_is_small_int(object) || value != (int)value) {
        mp_raise_msg_varg(error, MP_ERROR_TEXT("%s: %s is out of range, must be %d to %d"), who,
            what, (int)min, (int)max);
    }
    if (value < min || value > max) {
        mp_raise_msg_varg(error, MP_ERROR_TEXT("%s: %s is %d, must be %d to %d"), who, what,
            (int)value, (int)min, (int)max);
    }
    return value;
}

// String number `index` of several behind one another, each with its NUL and with an empty one at the
// end; past them, `other`.
static const char *name_at(const char *names, uint32_t index, const char *other) {
    for (; *names != '\0'; names += strlen(names) + 1) {
        if (index-- == 0) {
            return names;
        }
    }
    return other;
}

static void require_count(const char *who, const char *what, size_t count, size_t needed) {
    if (count != needed) {
        raise_count(who, what, count, "values", needed);
    }
}

static mp_obj_t new_string(const char *string) {
    return mp_obj_new_str(string, strlen(string));
}

// Of int16 samples, which uint16 are not.
#define MLET_SAMPLES 's'

static size_t item_bytes(char code) {
    return code == 'b' ? 1 : code == 'h' || code == MLET_SAMPLES ? 2 : 4;
}

// The memory of a Python buffer. Text is none, though MicroPython would give its bytes. No code of
// the caller's runs here; it must not run between this and the memory's last use either, since
// what holds the memory may then be resized: convert all else first.
static void get_buffer(const char *who, const char *what, mp_obj_t buffer, mp_uint_t access,
    mp_buffer_info_t *info) {
    check_array(who, what, buffer);
    if (mp_obj_get_type(buffer) == &mp_type_str || !mp_get_buffer(buffer, info, access)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %s is not a %sbuffer"), who, what,
            access == MP_BUFFER_RW ? "writable " : "");
    }
    info->typecode = typecode_of(buffer, info->typecode);
}

#if MLET_WITH_INT16
// Whether an object states what its items are; others of bytes may hold anything.
static bool is_array(mp_obj_t object) {
    const qstr name = mp_obj_get_type(object)->name;
    return name == MP_QSTR_array || name == MP_QSTR_ndarray;
}
#endif

// The memory of a Python buffer of items of typecode `code` ('b', 'h', 'i', unsigned or not, 'f', or
// MLET_SAMPLES), or of plain bytes that hold such items; of 'f' and MLET_SAMPLES not of an array of bytes. Sets
// *count.
static void *buffer_items(const char *who, const char *what, mp_obj_t buffer, mp_uint_t access,
    char code, size_t *count) {
    mp_buffer_info_t info;
    get_buffer(who, what, buffer, access, &info);
    const int given = info.typecode | 0x20;
    bool is_bytes = given == 'b' || info.typecode == BYTEARRAY_TYPECODE;
    bool is_items = given == code || (given == 'l' && code == 'i' && sizeof(long) == 4);
    #if MLET_WITH_INT16
    if (code == 'f' || code == MLET_SAMPLES) {
        is_bytes = is_bytes && !is_array(buffer);
        is_items = info.typecode == (code == 'f' ? 'f' : 'h');
        code = code == 'f' ? 'f' : 'h'; // as it is said
    }
    #endif
    if (!is_bytes && !is_items) {
        mp_raise_msg_varg(&mp_type_TypeError,
            MP_ERROR_TEXT("%s: %s is an array of '%c', not of '%c'"), who, what, info.typecode,
            code);
    }
    const size_t each = item_bytes(code);
    if (info.len % each != 0) {
        raise_count(who, what, info.len, "bytes", info.len + each - info.len % each);
    }
    *count = info.len / each;
    return info.buf;
}

// Memory from the heap, or a MemoryError that says how much was wanted.
static void *allocate(const char *who, size_t bytes) {
    void *memory = m_malloc_maybe(bytes == 0 ? 1 : bytes);
    if (memory == NULL) {
        size_t largest = 0;
        #if MICROPY_ENABLE_DYNRUNTIME
        largest = natmod_largest_free(bytes);
        #elif MICROPY_ENABLE_GC
        gc_info_t info;
        gc_info(&info);
        largest = info.max_free * MICROPY_BYTES_PER_GC_BLOCK;
        #endif
        mp_raise_msg_varg(&mp_type_MemoryError,
            MP_ERROR_TEXT("%s needs %u bytes, largest free block: %u"), who, (unsigned)bytes,
            (unsigned)largest);
    }
    return memory;
}

// A view of `count` int8 at `offset` in `memory`, which must be the start of a heap block: that
// keeps the block alive.
static mp_obj_t int8_view(void *memory, size_t offset, size_t count, bool writable) {
    mp_obj_array_t *view = m_new_obj(mp_obj_array_t);
    mp_obj_memoryview_init(
        view, 'b' | (writable ? MP_OBJ_ARRAY_TYPECODE_FLAG_RW : 0), offset, count, memory);
    return MP_OBJ_FROM_PTR(view);
}

#if MLET_WITH_KERNELS
// The same bytes on a multiple of MLET_ALIGN, as tuned kernels want them: where they are, or in a
// copy. The heap's blocks start on such multiples.
static void *aligned(void *items, size_t bytes) {
    if ((uintptr_t)items % MLET_ALIGN == 0) {
        return items;
    }
    return memcpy(allocate("copy", bytes), items, bytes);
}

// Where a function writes int8 values: the caller's buffer, or a new one.
typedef struct {
    mp_obj_t object;
    int8_t *items; // on a multiple of MLET_ALIGN
    int8_t *user;  // what the caller sees
    size_t count;
} output_t;

static output_t output_begin(const char *who, mp_obj_t out, size_t count) {
    output_t output = {.object = out, .count = count};
    if (out == MP_OBJ_NULL) {
        output.user = allocate(who, count);
        output.object = int8_view(output.user, 0, count, true);
    } else {
        size_t n;
        output.user = buffer_items(who, "out", out, MP_BUFFER_RW, 'b', &n);
        require_count(who, "out", n, count);
    }
    output.items = aligned(output.user, count);
    return output;
}

static mp_obj_t output_end(const output_t *output) {
    if (output->items != output->user) {
        memcpy(output->user, output->items, output->count);
    }
    return output->object;
}

// A kernel that works in place may write over its input, others may not touch it.
static void check_overlap(
    const char *who, const output_t *out, mp_obj_t x, bool may_be_same) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(x, &info, MP_BUFFER_READ);
    const uintptr_t from = (uintptr_t)info.buf, to = (uintptr_t)out->user;
    if (from + info.len > to && to + out->count > from && !(may_be_same && from == to)) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: out overlaps x"), who);
    }
}
#endif

#endif
