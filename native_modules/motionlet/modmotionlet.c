// The C module `_motionlet`: Motionlet's core for MicroPython. Its API, as a user sees it, is
// written in device/_motionlet.pyi. In this order: buffers, arguments, FrameRing, the kernels one by
// one, frames, Model, Stream, the module's tables.
//
// Nothing here is mutable and static, and names of arguments are plain strings, so that this file
// can be built into a firmware or loaded as a native module (natmod/).
//
// MLET_LEAN leaves out what a deployed model does not need, for a native module lies in RAM: what
// can be called besides Model and Stream, and kernels for other targets than the build's own.

#include <string.h>

#if MICROPY_ENABLE_DYNRUNTIME
#include "natmod/natmod.h"
#else
#include "py/binary.h"
#include "py/cstack.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/objarray.h"
#include "py/objstr.h"
#include "py/objtuple.h"
#include "py/runtime.h"
#endif

#include "mlet_run.h"

#define RAISES __attribute__((noreturn))

#if !MICROPY_ENABLE_DYNRUNTIME
#define TICKS_MASK UINT32_MAX
#define METHOD(name, object) {MP_ROM_QSTR(name), MP_ROM_PTR(&object)},
#define FIELD_NAMES static const qstr // an attrtuple points to them
#define DECLARE_TYPE(type) static const mp_obj_type_t type

// A type of Python: its name, the X-macro of its methods, its slots.
#define DEFINE_TYPE(type, name, methods, ...) \
    static const mp_rom_map_elem_t type##_table[] = {methods(METHOD)}; \
    static MP_DEFINE_CONST_DICT(type##_dict, type##_table); \
    static MP_DEFINE_CONST_OBJ_TYPE( \
        type, name, MP_TYPE_FLAG_NONE, __VA_ARGS__, locals_dict, &type##_dict);
#endif

// What the core and the functions here need of the stack, at most, to push a frame and to do
// anything else; tests/host/test_sizes.py compares.
#define STACK_TO_PUSH 3840
#define STACK_TO_CALL 1536

// A thread may have little stack, and deep recursion leaves little: RuntimeError then, rather than
// an overflow. A native module cannot tell.
static void check_stack(size_t bytes) {
    #if MICROPY_STACK_CHECK && !MICROPY_ENABLE_DYNRUNTIME
    if (mp_cstack_usage() + bytes > MP_STATE_THREAD(stack_limit)) {
        mp_raise_recursion_depth();
    }
    #endif
}

// ---------------------------------------------------------------------------------------------
// Buffers

static RAISES void raise_count(
    const char *who, const char *what, size_t count, const char *unit, size_t needed) {
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: %s has %u %s, needs %u"), who, what,
        (unsigned)count, unit, (unsigned)needed);
}

static RAISES void raise_missing(const char *who, const char *what) {
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %s is missing"), who, what);
}

static RAISES void raise_field(const char *who, const char *field) {
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: %s is out of range"), who, field);
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

static void require_count(const char *who, const char *what, size_t count, size_t needed) {
    if (count != needed) {
        raise_count(who, what, count, "values", needed);
    }
}

static size_t item_bytes(char code) {
    return code == 'b' ? 1 : code == 'h' ? 2 : 4;
}

// The memory of a Python buffer of items of typecode `code` ('b', 'h', 'i', unsigned or not, or
// 'f'), or of plain bytes that hold such items. Sets *count.
static void *buffer_items(const char *who, const char *what, mp_obj_t buffer, mp_uint_t access,
    char code, size_t *count) {
    mp_buffer_info_t info;
    if (!mp_get_buffer(buffer, &info, access)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %s is not a %sbuffer"), who, what,
            access == MP_BUFFER_RW ? "writable " : "");
    }
    const int given = info.typecode | 0x20;
    const bool is_bytes = given == 'b' || info.typecode == BYTEARRAY_TYPECODE;
    const bool is_items = given == code || (given == 'l' && code == 'i' && sizeof(long) == 4);
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

#ifndef MLET_LEAN
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
#endif // MLET_LEAN

// ---------------------------------------------------------------------------------------------
// Arguments: one table for all functions that take a layer or a frame

// What is called: an op code of the core, or one of these.
enum { CALL_CONV3D = MLET_OP_DENSE + 1, CALL_RESIZE, CALL_STREAM };

typedef struct {
    mlet_layer_t layer;
    mlet_frame_t frame;
    mp_obj_t x, x1, past, weights, bias, multiplier, shift; // MP_OBJ_NULL when not given
    mp_obj_t spatial, temporal, pointwise, weight_bits, out;
    uint32_t given; // one bit to an argument
} call_t;

// In the order in which they are taken when given by position, up to CROP.
enum {
    #ifndef MLET_LEAN
    X, X1, PAST, WEIGHTS, BIAS, MULTIPLIER, SHIFT, SPATIAL, TEMPORAL, POINTWISE,
    #endif
    WIDTH, HEIGHT, FORMAT, CROP,
    #ifndef MLET_LEAN
    OUT, SHAPE, OUT_SHAPE, KERNEL, STRIDE, DILATION, PAD, FRAMES, FRAME_DILATION, SHIFT_CHANNELS,
    WEIGHT_BITS, IN_ZERO, IN1_ZERO, OUT_ZERO, ACT_MIN, ACT_MAX,
    #endif
    ARGUMENTS
};

typedef struct {
    char name[15];
    uint8_t offset; // in call_t
    uint8_t kind;
    uint8_t count; // values; an integer given for two counts for both
    uint16_t calls; // which calls take it
} argument_t;

enum { OBJECT, INT8, UINT8, POSITIVE8, UINT16, POSITIVE16 };

#define BIT(call) (1u << (call))
#define WINDOW (BIT(MLET_OP_CONV2D) | BIT(MLET_OP_DEPTHWISE2D))
#define ROWS (BIT(MLET_OP_CONV2D) | BIT(MLET_OP_POINTWISE) | BIT(MLET_OP_DENSE))
#define WEIGHTED (WINDOW | ROWS | BIT(MLET_OP_TEMPORAL_DEPTHWISE))
#define AVERAGE (BIT(MLET_OP_AVERAGE_POOL) | BIT(MLET_OP_TEMPORAL_AVERAGE))
#define SCALED (WEIGHTED | AVERAGE | BIT(MLET_OP_ADD))
#define RING (BIT(MLET_OP_TEMPORAL_DEPTHWISE) | BIT(MLET_OP_TEMPORAL_AVERAGE) | BIT(CALL_CONV3D))
#define CONV3D BIT(CALL_CONV3D)
#define LAYER (SCALED | BIT(MLET_OP_TEMPORAL_SHIFT) | CONV3D)
#define FRAME (BIT(CALL_STREAM) | BIT(CALL_RESIZE))

#define ARGUMENT(name, field, kind, count, calls) \
    {name, offsetof(call_t, field), kind, count, calls}

static const argument_t arguments[ARGUMENTS] = {
    [WIDTH] = ARGUMENT("width", frame.width, POSITIVE16, 1, FRAME),
    [HEIGHT] = ARGUMENT("height", frame.height, POSITIVE16, 1, FRAME),
    [FORMAT] = ARGUMENT("format", frame.format, UINT8, 1, FRAME),
    [CROP] = ARGUMENT("crop", frame.crop_x, UINT16, 4, FRAME),
    #ifndef MLET_LEAN
    [X] = ARGUMENT("x", x, OBJECT, 1, LAYER | BIT(CALL_RESIZE)),
    [OUT] = ARGUMENT("out", out, OBJECT, 1, LAYER | BIT(CALL_RESIZE)),
    [SHAPE] = ARGUMENT("shape", layer.in, POSITIVE16, 3, LAYER | BIT(CALL_RESIZE)),
    [X1] = ARGUMENT("x1", x1, OBJECT, 1, BIT(MLET_OP_ADD)),
    [PAST] = ARGUMENT("past", past, OBJECT, 1, RING | BIT(MLET_OP_TEMPORAL_SHIFT)),
    [WEIGHTS] = ARGUMENT("weights", weights, OBJECT, 1, WEIGHTED),
    [BIAS] = ARGUMENT("bias", bias, OBJECT, 1, WEIGHTED),
    [MULTIPLIER] = ARGUMENT("multiplier", multiplier, OBJECT, 1, SCALED),
    [SHIFT] = ARGUMENT("shift", shift, OBJECT, 1, SCALED),
    [SPATIAL] = ARGUMENT("spatial", spatial, OBJECT, 1, CONV3D),
    [TEMPORAL] = ARGUMENT("temporal", temporal, OBJECT, 1, CONV3D),
    [POINTWISE] = ARGUMENT("pointwise", pointwise, OBJECT, 1, CONV3D),
    [OUT_SHAPE] = ARGUMENT(
        "out_shape", layer.out, POSITIVE16, 3, WINDOW | BIT(MLET_OP_AVERAGE_POOL)),
    [KERNEL] = ARGUMENT("kernel", layer.kernel_h, POSITIVE8, 2, WINDOW | BIT(MLET_OP_AVERAGE_POOL)),
    [STRIDE] = ARGUMENT("stride", layer.stride_h, POSITIVE8, 2, WINDOW | BIT(MLET_OP_AVERAGE_POOL)),
    [DILATION] = ARGUMENT("dilation", layer.dilation_h, POSITIVE8, 2, WINDOW),
    [PAD] = ARGUMENT("pad", layer.pad_top, UINT8, 2, WINDOW),
    [FRAMES] = ARGUMENT(
        "frames", layer.frames, POSITIVE16, 1,
        BIT(MLET_OP_TEMPORAL_DEPTHWISE) | BIT(MLET_OP_TEMPORAL_AVERAGE)),
    [FRAME_DILATION] = ARGUMENT(
        "frame_dilation", layer.frame_dilation, POSITIVE16, 1, BIT(MLET_OP_TEMPORAL_DEPTHWISE)),
    [SHIFT_CHANNELS] = ARGUMENT(
        "shift_channels", layer.shift_channels, POSITIVE16, 1, BIT(MLET_OP_TEMPORAL_SHIFT)),
    [WEIGHT_BITS] = ARGUMENT("weight_bits", weight_bits, OBJECT, 1, ROWS),
    [IN_ZERO] = ARGUMENT("in_zero", layer.in_zero, INT8, 1, SCALED),
    [IN1_ZERO] = ARGUMENT("in1_zero", layer.in1_zero, INT8, 1, BIT(MLET_OP_ADD)),
    [OUT_ZERO] = ARGUMENT("out_zero", layer.out_zero, INT8, 1, SCALED),
    [ACT_MIN] = ARGUMENT("act_min", layer.act_min, INT8, 1, SCALED),
    [ACT_MAX] = ARGUMENT("act_max", layer.act_max, INT8, 1, SCALED),
    #endif
};

static const char *call_name(uint8_t code) {
    switch (code) {
        case CALL_CONV3D:
            return "conv3d_separable";
        case CALL_RESIZE:
            return "resize";
        case CALL_STREAM:
            return "stream";
        default:
            return mlet_op_name(code);
    }
}

static bool takes(uint8_t code, size_t argument) {
    return arguments[argument].calls & BIT(code);
}

// Those before WIDTH have no default.
static bool is_needed(size_t argument) {
    #ifdef MLET_LEAN
    return false;
    #else
    return argument < WIDTH;
    #endif
}

static bool given(const call_t *call, size_t argument) {
    return call->given & BIT(argument);
}

static void store_argument(call_t *call, uint8_t code, size_t index, mp_obj_t value) {
    const argument_t *argument = &arguments[index];
    uint8_t *at = (uint8_t *)call + argument->offset;
    if (given(call, index)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %s is given twice"),
            call_name(code), argument->name);
    }
    if (value == mp_const_none && !is_needed(index)) {
        return;
    }
    call->given |= BIT(index);
    if (argument->kind == OBJECT) {
        *(mp_obj_t *)(void *)at = value;
        return;
    }
    size_t n = 1;
    mp_obj_t *values = &value;
    if (mp_obj_is_type(value, &mp_type_tuple) || mp_obj_is_type(value, &mp_type_list)) {
        mp_obj_get_array(value, &n, &values);
    }
    if (n != argument->count && (n != 1 || argument->count != 2)) {
        raise_count(call_name(code), argument->name, n, "values", argument->count);
    }
    const bool wide = argument->kind >= UINT16;
    const bool positive = argument->kind == POSITIVE8 || argument->kind == POSITIVE16;
    const mp_int_t min = argument->kind == INT8 ? -128 : positive ? 1 : 0;
    const mp_int_t max = argument->kind == INT8 ? 127 : wide ? 65535 : 255;
    for (size_t i = 0; i < argument->count; i++) {
        const mp_int_t v = get_int(&mp_type_ValueError, call_name(code), argument->name,
            values[n == 1 ? 0 : i], min, max);
        if (wide) {
            ((uint16_t *)(void *)at)[i] = (uint16_t)v;
        } else {
            at[i] = (uint8_t)v;
        }
    }
}

// Fill *call with the arguments of a call, and with defaults that need no other argument. A stage
// of conv3d_separable is given by keywords only, and without the arguments in `without`.
static void parse_arguments(call_t *call, uint8_t code, uint32_t without, size_t n_args,
    const mp_obj_t *args, const mp_map_t *keywords) {
    memset(call, 0, sizeof(*call));
    mlet_layer_t *layer = &call->layer;
    layer->stride_h = layer->stride_w = layer->dilation_h = layer->dilation_w = 1;
    layer->frame_dilation = 1;
    layer->act_min = -128;
    layer->act_max = 127;

    size_t used = 0;
    for (size_t i = 0; i <= CROP && used < n_args; i++) {
        if (takes(code, i)) {
            store_argument(call, code, i, args[used++]);
        }
    }
    if (used < n_args) {
        mp_raise_msg_varg(&mp_type_TypeError,
            MP_ERROR_TEXT("%s: takes %u arguments by position, not %u"), call_name(code),
            (unsigned)used, (unsigned)n_args);
    }
    for (size_t slot = 0; slot < keywords->alloc; slot++) {
        if (!mp_map_slot_is_filled(keywords, slot)) {
            continue;
        }
        const char *name = mp_obj_str_get_str(keywords->table[slot].key);
        size_t i = 0;
        while (i < ARGUMENTS
            && (!takes(code, i) || (without & BIT(i)) || strcmp(name, arguments[i].name) != 0)) {
            i++;
        }
        if (i == ARGUMENTS) {
            mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: takes no argument '%s'"),
                call_name(code), name);
        }
        store_argument(call, code, i, keywords->table[slot].value);
    }
    for (size_t i = 0; i < ARGUMENTS && is_needed(i); i++) {
        if (takes(code, i) && !given(call, i) && !(without & BIT(i))) {
            raise_missing(call_name(code), arguments[i].name);
        }
    }
}

#ifndef MLET_LEAN
// ---------------------------------------------------------------------------------------------
// FrameRing: the last frames, newest first

typedef struct {
    mp_obj_base_t base;
    mlet_ring_t ring;
    uint32_t bytes; // of one map
    int8_t zero;
} ring_obj_t;

static mp_obj_t ring_reset(mp_obj_t self_in) {
    ring_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mlet_ring_reset(&self->ring, self->zero);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(ring_reset_obj, ring_reset);

static mp_obj_t ring_make_new(
    const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 2, 3, false);
    const char *who = "FrameRing";
    const mp_obj_type_t *error = &mp_type_ValueError;
    const mp_int_t count = get_int(error, who, "count", args[0], 0, MLET_LIMIT_MAX_SPAN);
    const mp_int_t bytes = get_int(error, who, "bytes", args[1], 1, MLET_LIMIT_MAX_TENSOR_BYTES);
    const mp_int_t zero = n_args > 2 ? get_int(error, who, "zero", args[2], -128, 127) : 0;
    const uint64_t total = (uint64_t)count * MLET_ROUND_UP((uint32_t)bytes);
    ring_obj_t *self = mp_obj_malloc(ring_obj_t, type);
    self->bytes = (uint32_t)bytes;
    self->zero = (int8_t)zero;
    self->ring.slot_bytes = MLET_ROUND_UP((uint32_t)bytes);
    self->ring.count = (uint16_t)count;
    self->ring.slots = allocate(who, total < SIZE_MAX / 2 ? (size_t)total : SIZE_MAX / 2);
    ring_reset(MP_OBJ_FROM_PTR(self));
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t ring_push(mp_obj_t self_in, mp_obj_t map) {
    ring_obj_t *self = MP_OBJ_TO_PTR(self_in);
    size_t n;
    const int8_t *items = buffer_items("FrameRing", "map", map, MP_BUFFER_READ, 'b', &n);
    require_count("FrameRing", "map", n, self->bytes);
    mlet_ring_push(&self->ring, items, self->bytes);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(ring_push_obj, ring_push);

static mp_obj_t ring_subscr(mp_obj_t self_in, mp_obj_t index, mp_obj_t value) {
    ring_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (value != MP_OBJ_SENTINEL) {
        return MP_OBJ_NULL; // neither stores nor deletes
    }
    const mp_int_t age = get_int(
        &mp_type_IndexError, "FrameRing", "age", index, 1, self->ring.count);
    const int8_t *frame = mlet_ring_frame(&self->ring, (uint16_t)age);
    return int8_view(self->ring.slots, (size_t)(frame - self->ring.slots), self->bytes, true);
}

static mp_obj_t ring_unary_op(mp_unary_op_t op, mp_obj_t self_in) {
    ring_obj_t *self = MP_OBJ_TO_PTR(self_in);
    switch (op) {
        case MP_UNARY_OP_LEN:
            return MP_OBJ_NEW_SMALL_INT(self->ring.count);
        case MP_UNARY_OP_BOOL:
            return mp_const_true;
        default:
            return MP_OBJ_NULL;
    }
}

static void ring_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    const ring_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "<FrameRing of %u maps, %u bytes each>", self->ring.count,
        (unsigned)self->bytes);
}

#define RING_METHODS(METHOD)                \
    METHOD(MP_QSTR_push, ring_push_obj)     \
    METHOD(MP_QSTR_reset, ring_reset_obj)

DEFINE_TYPE(ring_type, MP_QSTR_FrameRing, RING_METHODS,
    make_new, ring_make_new,
    print, ring_print,
    unary_op, ring_unary_op,
    subscr, ring_subscr)

// ---------------------------------------------------------------------------------------------
// Kernels one by one

// Windows along one side of an image with `pad` taps on both ends; 0 when none fits.
static uint16_t windows(
    uint32_t size, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad) {
    const uint32_t padded = size + 2 * pad;
    const uint32_t span = (kernel - 1) * dilation + 1;
    return padded < span ? 0 : (uint16_t)((padded - span) / stride + 1);
}

static void *parameter(
    uint8_t code, size_t argument, mp_obj_t buffer, char typecode, size_t *count) {
    *count = 0;
    if (!takes(code, argument)) {
        return NULL;
    }
    void *items = buffer_items(
        call_name(code), arguments[argument].name, buffer, MP_BUFFER_READ, typecode, count);
    return aligned(items, *count * item_bytes(typecode));
}

// Take the parameters of a layer from its arguments, derive what was not given, check all of it.
static void complete_layer(call_t *call, uint8_t code) {
    const char *who = call_name(code);
    mlet_layer_t *layer = &call->layer;
    size_t n_weights, n_bias, n_multiplier, n_shift;
    layer->weights = parameter(code, WEIGHTS, call->weights, 'b', &n_weights);
    layer->bias = parameter(code, BIAS, call->bias, 'i', &n_bias);
    layer->multiplier = parameter(code, MULTIPLIER, call->multiplier, 'i', &n_multiplier);
    layer->shift = parameter(code, SHIFT, call->shift, 'b', &n_shift);

    const bool int4 = call->weight_bits == MP_OBJ_NEW_SMALL_INT(4);
    if (given(call, WEIGHT_BITS) && !int4 && call->weight_bits != MP_OBJ_NEW_SMALL_INT(8)) {
        mp_raise_msg_varg(
            &mp_type_ValueError, MP_ERROR_TEXT("%s: weight_bits must be 8 or 4"), who);
    }
    layer->weight_bits = int4 ? 4 : 8;
    if (code == MLET_OP_TEMPORAL_DEPTHWISE && !given(call, FRAMES)) {
        const size_t frames = n_weights / layer->in.channels;
        layer->frames = frames <= MLET_LIMIT_MAX_FRAMES ? (uint16_t)frames : 0;
    }
    if (!given(call, OUT_SHAPE)) {
        layer->out = layer->in;
        if (code == MLET_OP_DENSE) {
            layer->out.height = layer->out.width = 1;
        }
        if (takes(code, KERNEL) && given(call, KERNEL)) {
            layer->out.height = windows(layer->in.height, layer->kernel_h, layer->stride_h,
                layer->dilation_h, layer->pad_top);
            layer->out.width = windows(layer->in.width, layer->kernel_w, layer->stride_w,
                layer->dilation_w, layer->pad_left);
        }
        if (takes(code, WEIGHT_BITS)) {
            layer->out.channels = n_bias <= MLET_LIMIT_MAX_DIM ? (uint16_t)n_bias : 0;
        }
    }
    const mlet_counts_t counts = mlet_layer_counts(code, layer);
    require_count(who, "bias", n_bias, counts.bias);
    require_count(who, "multiplier", n_multiplier, counts.multiplier);
    require_count(who, "shift", n_shift, counts.shift);
    const char *field = "";
    mlet_status_t status = mlet_layer_check_shape(code, layer, &field);
    if (status == MLET_OK) {
        if (n_weights != counts.weights) {
            raise_count(who, "weights", n_weights, int4 ? "bytes" : "values", counts.weights);
        }
        status = mlet_layer_check_arrays(code, layer, &field); // reads all of them
    }
    if (status != MLET_OK) {
        raise_field(who, field);
    }
}

static mlet_ring_t *get_ring(const char *who, mp_obj_t past, uint32_t count, uint32_t bytes) {
    if (!mp_obj_is_type(past, (const mp_obj_type_t *)&ring_type)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: past is not a FrameRing"), who);
    }
    ring_obj_t *self = MP_OBJ_TO_PTR(past);
    if (self->ring.count != count) {
        raise_count(who, "past", self->ring.count, "frames", count);
    }
    if (self->bytes != bytes) {
        raise_count(who, "a frame of past", self->bytes, "bytes", bytes);
    }
    return &self->ring;
}

// The input x of a call; sets the layer's shape when the caller left it out.
static int8_t *get_x(call_t *call, uint8_t code) {
    const char *who = call_name(code);
    size_t n;
    int8_t *x = buffer_items(who, "x", call->x, MP_BUFFER_READ, 'b', &n);
    if (!given(call, SHAPE)) {
        if (takes(code, KERNEL) || code == CALL_CONV3D || n > MLET_LIMIT_MAX_DIM) {
            raise_missing(who, "shape");
        }
        call->layer.in = (mlet_shape_t) {1, 1, (uint16_t)n};
    }
    const mlet_shape_t shape = call->layer.in;
    const uint64_t needed = (uint64_t)shape.height * shape.width * shape.channels;
    if (n != needed) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("%s: x has %u values, shape %ux%ux%u needs %u"), who, (unsigned)n,
            shape.height, shape.width, shape.channels,
            needed <= UINT32_MAX ? (unsigned)needed : UINT32_MAX);
    }
    return aligned(x, n);
}

// Memory that a kernel needs while it runs.
static void *get_scratch(const char *who, uint32_t bytes) {
    return bytes == 0 ? NULL : allocate(who, bytes);
}

static mp_obj_t call_layer(
    uint8_t code, size_t n_args, const mp_obj_t *args, const mp_map_t *keywords) {
    const char *who = mlet_op_name(code);
    check_stack(STACK_TO_CALL);
    call_t call;
    parse_arguments(&call, code, 0, n_args, args, keywords);
    mlet_layer_t *layer = &call.layer;
    int8_t *x = get_x(&call, code);
    const uint32_t x_bytes = mlet_shape_bytes(layer->in);

    mlet_ring_t *ring = NULL;
    int8_t *shifted = NULL, *x1 = NULL;
    size_t n = 0;
    if (code == MLET_OP_TEMPORAL_AVERAGE && !given(&call, FRAMES)
        && mp_obj_is_type(call.past, (const mp_obj_type_t *)&ring_type)) {
        const ring_obj_t *past = MP_OBJ_TO_PTR(call.past);
        layer->frames = past->ring.count + 1;
    }
    if (code == MLET_OP_TEMPORAL_SHIFT) {
        shifted = buffer_items(who, "past", call.past, MP_BUFFER_RW, 'b', &n);
        const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
        if (!given(&call, SHIFT_CHANNELS)) {
            layer->shift_channels = n <= x_bytes ? (uint16_t)(n / positions) : 0;
        }
    }
    complete_layer(&call, code);
    if (code == MLET_OP_TEMPORAL_SHIFT) {
        require_count(who, "past", n,
            (size_t)layer->in.height * layer->in.width * layer->shift_channels);
    }
    if (code == MLET_OP_TEMPORAL_DEPTHWISE) {
        ring = get_ring(who, call.past, (layer->frames - 1u) * layer->frame_dilation, x_bytes);
    }
    if (code == MLET_OP_TEMPORAL_AVERAGE) {
        ring = get_ring(who, call.past, layer->frames - 1u, x_bytes);
    }
    if (code == MLET_OP_ADD) {
        x1 = parameter(code, X1, call.x1, 'b', &n);
        require_count(who, "x1", n, x_bytes);
    }
    void *scratch = get_scratch(who, mlet_layer_scratch_bytes(code, layer));
    const output_t out = output_begin(who, call.out, mlet_shape_bytes(layer->out));
    const bool in_place = ring != NULL || shifted != NULL || x1 != NULL;
    check_overlap(who, &out, call.x, in_place);
    if (x1 != NULL) {
        check_overlap(who, &out, call.x1, in_place);
    }
    mlet_buffers_t buffers = {
        .a = x, .b = x1, .y = out.items, .state = shifted, .scratch = scratch};
    if (ring != NULL) {
        buffers.ring = *ring;
    }
    mlet_run_op(mlet_kernels(MLET_TARGET_PORTABLE), code, layer, &buffers);
    if (ring != NULL) {
        ring->head = buffers.ring.head;
    }
    return output_end(&out);
}

// A stage of conv3d_separable, from a dict of the arguments of that kernel.
static void parse_stage(call_t *stage, uint8_t code, mp_obj_t dict, mlet_shape_t in) {
    if (!mp_obj_is_type(dict, &mp_type_dict)) {
        mp_raise_msg_varg(
            &mp_type_TypeError, MP_ERROR_TEXT("%s: must be a dict of arguments"), call_name(code));
    }
    const uint32_t without = BIT(X) | BIT(PAST) | BIT(OUT) | BIT(SHAPE);
    parse_arguments(stage, code, without, 0, NULL, mp_obj_dict_get_map(dict));
    stage->layer.in = in;
    complete_layer(stage, code);
}

static mp_obj_t conv3d_separable(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const char *who = call_name(CALL_CONV3D);
    check_stack(STACK_TO_CALL);
    call_t call, spatial, temporal, pointwise;
    parse_arguments(&call, CALL_CONV3D, 0, n_args, args, keywords);
    const int8_t *x = get_x(&call, CALL_CONV3D);
    parse_stage(&spatial, MLET_OP_DEPTHWISE2D, call.spatial, call.layer.in);
    parse_stage(&temporal, MLET_OP_TEMPORAL_DEPTHWISE, call.temporal, spatial.layer.out);
    parse_stage(&pointwise, MLET_OP_POINTWISE, call.pointwise, temporal.layer.out);

    const mlet_layer_t *t = &temporal.layer;
    mlet_ring_t *ring = get_ring(
        who, call.past, (t->frames - 1u) * t->frame_dilation, mlet_shape_bytes(t->in));
    void *scratch = get_scratch(
        who, mlet_conv3d_separable_scratch_bytes(&spatial.layer, t, &pointwise.layer));
    const output_t out = output_begin(who, call.out, mlet_shape_bytes(pointwise.layer.out));
    check_overlap(who, &out, call.x, false);
    mlet_conv3d_separable(&spatial.layer, t, &pointwise.layer, ring, x, out.items, scratch);
    return output_end(&out);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(conv3d_separable_obj, 0, conv3d_separable);

#define KERNEL(name, code)                                                                     \
    static mp_obj_t name(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {            \
        return call_layer(code, n_args, args, keywords);                                       \
    }                                                                                          \
    static MP_DEFINE_CONST_FUN_OBJ_KW(name##_obj, 0, name)

KERNEL(conv2d, MLET_OP_CONV2D);
KERNEL(depthwise2d, MLET_OP_DEPTHWISE2D);
KERNEL(pointwise, MLET_OP_POINTWISE);
KERNEL(temporal_depthwise, MLET_OP_TEMPORAL_DEPTHWISE);
KERNEL(temporal_shift, MLET_OP_TEMPORAL_SHIFT);
KERNEL(add, MLET_OP_ADD);
KERNEL(average_pool, MLET_OP_AVERAGE_POOL);
KERNEL(temporal_average, MLET_OP_TEMPORAL_AVERAGE);
KERNEL(dense, MLET_OP_DENSE);

static mp_obj_t argmax(mp_obj_t x) {
    size_t n;
    const int8_t *items = buffer_items("argmax", "x", x, MP_BUFFER_READ, 'b', &n);
    if (n == 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("argmax: x is empty"));
    }
    return mp_obj_new_int_from_uint(mlet_argmax(items, n));
}
static MP_DEFINE_CONST_FUN_OBJ_1(argmax_obj, argmax);
#endif // MLET_LEAN

static mp_obj_t crc32(size_t n_args, const mp_obj_t *args) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(args[0], &info, MP_BUFFER_READ);
    const uint32_t crc = n_args > 1 ? mp_obj_get_int_truncated(args[1]) : 0;
    return mp_obj_new_int_from_uint(mlet_crc32(crc, info.buf, info.len));
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(crc32_obj, 1, 2, crc32);

// ---------------------------------------------------------------------------------------------
// Frames

// What its pixels come as, besides bytes, and its name.
static const struct {
    char typecode, name[10];
} frame_formats[] = {
    [MLET_FRAME_GRAY8] = {'b', "GRAY8"},
    [MLET_FRAME_RGB888] = {'b', "RGB888"},
    [MLET_FRAME_RGB565_LE] = {'h', "RGB565_LE"},
    [MLET_FRAME_RGB565_BE] = {'h', "RGB565_BE"},
    [MLET_FRAME_YUV422] = {'h', "YUV422"},
    [MLET_FRAME_INT16] = {'h', "INT16"},
    [MLET_FRAME_FLOAT32] = {'f', "FLOAT32"},
};

// The frame that a call describes for an input of `pixels`; by default of the input's own size and
// colours.
static mlet_frame_t get_frame_format(
    const call_t *call, uint8_t code, uint8_t pixels, mlet_shape_t shape) {
    mlet_frame_t frame = call->frame;
    if (!given(call, WIDTH)) {
        frame.width = shape.width;
    }
    if (!given(call, HEIGHT)) {
        frame.height = shape.height;
    }
    if (!given(call, FORMAT)) {
        frame.format = pixels == MLET_PIXELS_INT16 ? MLET_FRAME_INT16
            : shape.channels == 3 ? MLET_FRAME_RGB888 : MLET_FRAME_GRAY8;
    }
    if (!given(call, CROP)) {
        frame.crop_width = frame.width;
        frame.crop_height = frame.height;
    }
    const char *field = "";
    if (mlet_frame_check(&frame, pixels, shape, &field) != MLET_OK) {
        raise_field(call_name(code), field);
    }
    return frame;
}

// The bytes of a frame from a camera, or of an array of `code`.
static const uint8_t *get_frame_bytes(
    const char *who, mp_obj_t object, char code, size_t *bytes) {
    if (object == mp_const_none) {
        mp_raise_TypeError(MP_ERROR_TEXT("frame is None: the camera gave no frame"));
    }
    size_t n;
    const uint8_t *pixels = buffer_items(who, "frame", object, MP_BUFFER_READ, code, &n);
    *bytes = n * item_bytes(code);
    return pixels;
}

// The pixels of a checked frame.
static const uint8_t *get_pixels(const char *who, const mlet_frame_t *frame, mp_obj_t object) {
    size_t bytes;
    const uint32_t needed = mlet_frame_bytes(frame);
    const uint8_t *pixels = get_frame_bytes(
        who, object, frame_formats[frame->format].typecode, &bytes);
    if (bytes != needed) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("frame has %u bytes, %ux%u %s needs %u"), (unsigned)bytes,
            frame->width, frame->height, frame_formats[frame->format].name, (unsigned)needed);
    }
    return pixels;
}

#ifndef MLET_LEAN
static mp_obj_t resize(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    call_t call;
    parse_arguments(&call, CALL_RESIZE, 0, n_args, args, keywords);
    const mlet_shape_t shape = call.layer.in;
    if (!given(&call, SHAPE)) {
        raise_missing("resize", "shape");
    }
    const char *field;
    if (mlet_shape_check(shape, &field) != MLET_OK) {
        raise_field("resize: shape", field);
    }
    const mlet_frame_t frame = get_frame_format(&call, CALL_RESIZE, MLET_PIXELS_GRAY8, shape);
    const output_t out = output_begin("resize", call.out, mlet_shape_bytes(shape));
    check_overlap("resize", &out, call.x, false);
    mlet_frame_to_tensor(&frame, get_pixels("resize", &frame, call.x), shape, out.items);
    return output_end(&out);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(resize_obj, 0, resize);
#endif

// ---------------------------------------------------------------------------------------------
// Model

typedef struct {
    mp_obj_base_t base;
    mlet_model_t model;
    mp_obj_t name;    // for people: None, or where the file came from
    mp_obj_t buffer;  // keeps the file alive
    void *copy;       // of the file, when it does not lie on a multiple of MLET_ALIGN; or NULL
    bool is_writable; // the buffer is RAM
} model_obj_t;

static mp_obj_t new_shape(mlet_shape_t shape) {
    const mp_obj_t items[] = {
        MP_OBJ_NEW_SMALL_INT(shape.height),
        MP_OBJ_NEW_SMALL_INT(shape.width),
        MP_OBJ_NEW_SMALL_INT(shape.channels),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}

static mp_obj_t new_string(const char *string) {
    return mp_obj_new_str(string, strlen(string));
}

static mp_obj_t new_tensor(const mlet_model_t *model, uint16_t index) {
    FIELD_NAMES fields[] = {
        MP_QSTR_name, MP_QSTR_shape, MP_QSTR_scale, MP_QSTR_zero_point};
    const mlet_tensor_t tensor = mlet_model_tensor(model, index);
    const mp_obj_t items[] = {
        new_string(tensor.name),
        new_shape(tensor.shape),
        mp_obj_new_float_from_f(tensor.scale),
        MP_OBJ_NEW_SMALL_INT(tensor.zero_point),
    };
    return mp_obj_new_attrtuple(fields, MP_ARRAY_SIZE(items), items);
}

static mp_obj_t new_op(const mlet_model_t *model, uint16_t index) {
    FIELD_NAMES fields[] = {MP_QSTR_name, MP_QSTR_kind, MP_QSTR_shape};
    const mlet_op_t op = mlet_model_op(model, index);
    const mp_obj_t items[] = {
        new_string(op.name),
        new_string(mlet_op_name(op.code)),
        new_shape(op.layer.out),
    };
    return mp_obj_new_attrtuple(fields, MP_ARRAY_SIZE(items), items);
}

static const char *target_name(uint32_t target) {
    static const char names[][14] = {
        [MLET_TARGET_PORTABLE] = "portable",
        [MLET_TARGET_CORTEX_M0PLUS] = "cortex_m0plus",
        [MLET_TARGET_ESP32S3] = "esp32s3",
    };
    return target < MP_ARRAY_SIZE(names) ? names[target] : "an unknown target";
}

static RAISES void raise_model(const mlet_error_t *error, const uint8_t *file) {
    if (strcmp(error->field, "format_version") == 0) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("model format %u, this firmware reads %u"),
            file[MLET_HEADER_FORMAT_VERSION] + 256u * file[MLET_HEADER_FORMAT_VERSION + 1],
            MLET_FORMAT_VERSION);
    }
    if (strcmp(error->field, "target") == 0) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("model is packed for %s, this build runs %s: deploy it with host_sdk"),
            target_name(file[MLET_HEADER_TARGET] + 256u * file[MLET_HEADER_TARGET + 1]),
            target_name(MLET_TARGET));
    }
    if (strcmp(error->record, "header") == 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("not a Motionlet model: header: %s"),
            error->field);
    }
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("not a Motionlet model: %s %u: %s"),
        error->record, error->index, error->field);
}

static mp_obj_t model_make_new(
    const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, 2, false);
    check_stack(STACK_TO_CALL);
    size_t bytes;
    void *file = buffer_items("Model", "file", args[0], MP_BUFFER_READ, 'b', &bytes);
    void *usable = file;
    if ((uintptr_t)file % MLET_ALIGN != 0) {
        usable = memcpy(allocate("model", bytes), file, bytes);
    }
    model_obj_t *self = mp_obj_malloc(model_obj_t, type);
    mp_buffer_info_t info;
    self->is_writable = mp_get_buffer(args[0], &info, MP_BUFFER_WRITE);
    self->name = n_args > 1 ? args[1] : mp_const_none;
    self->copy = usable == file ? NULL : usable;
    self->buffer = self->copy == NULL ? args[0] : mp_const_none;
    mlet_error_t error = {"header", 0, "total_bytes"};
    if (bytes > UINT32_MAX || mlet_model_open(&self->model, usable, bytes, &error) != MLET_OK) {
        raise_model(&error, usable);
    }
    return MP_OBJ_FROM_PTR(self);
}

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
    mp_printf(print, "%u bytes%s, %u ops, %u bytes of RAM a stream", (unsigned)model->file_bytes,
        model_is_in_ram(self) ? " in RAM" : "", model->op_count,
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
        static const char pixels[][8] = {
            [MLET_PIXELS_RAW] = "raw",
            [MLET_PIXELS_GRAY8] = "gray8",
            [MLET_PIXELS_RGB888] = "rgb888",
            [MLET_PIXELS_INT16] = "int16",
        };
        mp_printf(print, "\n  %s '%s' %ux%ux%u %s, scale %.6g, zero point %d",
            input ? "input" : "output", tensor.name, tensor.shape.height, tensor.shape.width,
            tensor.shape.channels, input ? pixels[mlet_model_pixel_format(model, i)] : "int8",
            (double)tensor.scale, tensor.zero_point);
    }
    for (uint16_t i = 0; i < model->label_count; i++) {
        mp_printf(print, "%s%s", i == 0 ? "\n  labels: " : ", ", mlet_model_label(model, i));
    }
    mp_printf(print, ">");
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

static mp_obj_t new_input(const mlet_model_t *model, uint16_t index) {
    return new_tensor(model, mlet_model_input(model, index));
}

static mp_obj_t new_output(const mlet_model_t *model, uint16_t index) {
    return new_tensor(model, mlet_model_output(model, index));
}

static void model_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    const model_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mlet_model_t *model = &self->model;
    if (dest[0] != MP_OBJ_NULL) {
        return; // attributes cannot be set
    }
    const uint32_t stream_bytes = mlet_stream_bytes(model);
    if (attr == MP_QSTR_name) {
        dest[0] = self->name;
    } else if (attr == MP_QSTR_labels) {
        dest[0] = new_tuple_of(model->label_count, new_label, model);
    } else if (attr == MP_QSTR_inputs) {
        dest[0] = new_tuple_of(model->input_count, new_input, model);
    } else if (attr == MP_QSTR_outputs) {
        dest[0] = new_tuple_of(model->output_count, new_output, model);
    } else if (attr == MP_QSTR_ops) {
        dest[0] = new_tuple_of(model->op_count, new_op, model);
    } else if (attr == MP_QSTR_bytes) {
        dest[0] = mp_obj_new_int_from_uint(model->file_bytes);
    } else if (attr == MP_QSTR_arena_bytes) {
        dest[0] = mp_obj_new_int_from_uint(model->arena_bytes);
    } else if (attr == MP_QSTR_state_bytes) {
        dest[0] = mp_obj_new_int_from_uint(model->state_bytes);
    } else if (attr == MP_QSTR_stream_bytes) {
        dest[0] = mp_obj_new_int_from_uint(stream_bytes);
    } else if (attr == MP_QSTR_ram_bytes) {
        const uint32_t file_bytes = model_is_in_ram(self) ? model->file_bytes : 0;
        dest[0] = mp_obj_new_int_from_uint(stream_bytes + file_bytes);
    } else if (attr == MP_QSTR_frames_per_second) {
        dest[0] = mp_obj_new_float_from_f(model->frames_per_second);
    } else if (attr == MP_QSTR_target) {
        dest[0] = MP_OBJ_NEW_SMALL_INT(model->target);
    } else if (attr == MP_QSTR_in_place) {
        dest[0] = mp_obj_new_bool(self->copy == NULL);
    } else {
        dest[1] = MP_OBJ_SENTINEL; // a method
    }
}

static mp_obj_t model_stream(size_t n_args, const mp_obj_t *args, mp_map_t *keywords);
static MP_DEFINE_CONST_FUN_OBJ_KW(model_stream_obj, 1, model_stream);

#define MODEL_METHODS(METHOD) \
    METHOD(MP_QSTR_stream, model_stream_obj)

DEFINE_TYPE(model_type, MP_QSTR_Model, MODEL_METHODS,
    make_new, model_make_new,
    print, model_print,
    attr, model_attr)

// ---------------------------------------------------------------------------------------------
// Stream

typedef struct {
    mp_obj_base_t base;
    mp_obj_t model;
    mlet_stream_t stream;
    void *memory;       // of the stream
    mp_obj_t *outputs;  // views of int8, one to an output; each owns a copy of its tensor
    mlet_shape_t shape; // of the input
    bool is_raw;        // the input takes int8 elements, not pixels
    mlet_frame_t frame;
    uint32_t frames; // pushed since the start or the last reset
    bool is_busy;    // with a frame, or a reset
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

DECLARE_TYPE(stream_type);

static mp_obj_t model_stream(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const model_obj_t *owner = MP_OBJ_TO_PTR(args[0]);
    const mlet_model_t *model = &owner->model;
    call_t call;
    parse_arguments(&call, CALL_STREAM, 0, n_args - 1, args + 1, keywords);
    if (model->input_count != 1) {
        raise_count("stream", "model", model->input_count, "inputs", 1);
    }
    stream_obj_t *self = mp_obj_malloc(stream_obj_t, (const mp_obj_type_t *)&stream_type);
    self->model = args[0];
    self->shape = mlet_model_tensor(model, mlet_model_input(model, 0)).shape;
    const uint8_t pixels = mlet_model_pixel_format(model, 0);
    self->is_raw = pixels == MLET_PIXELS_RAW;
    if (!self->is_raw) {
        self->frame = get_frame_format(&call, CALL_STREAM, pixels, self->shape);
    } else if (call.given) {
        mp_raise_ValueError(MP_ERROR_TEXT("stream: a raw input takes no frame format"));
    }
    self->frames = 0;
    self->is_busy = false;
    const uint32_t bytes = mlet_stream_bytes(model);
    self->memory = allocate("stream", bytes);
    if (mlet_stream_init(&self->stream, model, self->memory, bytes) != MLET_OK) {
        mp_raise_msg(
            &mp_type_RuntimeError, MP_ERROR_TEXT("stream: heap is not 16-byte aligned"));
    }
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

// An interrupt, another core or another thread may come while a frame is on its way.
static void stream_claim(stream_obj_t *self) {
    check_stack(STACK_TO_PUSH);
    const mp_uint_t state = MICROPY_BEGIN_ATOMIC_SECTION();
    const bool was_busy = self->is_busy;
    self->is_busy = true;
    MICROPY_END_ATOMIC_SECTION(state);
    if (was_busy) {
        mp_raise_msg(&mp_type_RuntimeError, MP_ERROR_TEXT("stream is busy"));
    }
}

// Claim the stream and copy a frame into the input tensor. Whatever fails leaves the stream as it
// was; after it nothing may raise before stream_finish().
static void stream_begin(stream_obj_t *self, mp_obj_t frame) {
    if (!self->is_raw) {
        const uint8_t *pixels = get_pixels("push", &self->frame, frame);
        stream_claim(self);
        if (mlet_stream_frame(&self->stream, 0, &self->frame, pixels) != MLET_OK) {
            self->is_busy = false;
            mp_raise_ValueError(MP_ERROR_TEXT("frame holds a NaN"));
        }
        return;
    }
    size_t bytes;
    const uint8_t *elements = get_frame_bytes("push", frame, 'b', &bytes);
    const uint32_t needed = mlet_shape_bytes(self->shape);
    if (bytes != needed) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("frame has %u bytes, %ux%ux%u int8 needs %u"), (unsigned)bytes,
            self->shape.height, self->shape.width, self->shape.channels, (unsigned)needed);
    }
    stream_claim(self);
    memcpy(mlet_stream_input(&self->stream, 0), elements, bytes);
}

// Run the model on what is in the input tensor, and show its outputs.
static mp_obj_t stream_finish(stream_obj_t *self, mlet_hook_t hook, void *context) {
    mlet_stream_run(&self->stream, hook, context);
    self->frames++;
    for (uint16_t i = 0; i < stream_model(self)->output_count; i++) {
        size_t count;
        int8_t *values = output_values(self, i, &count);
        memcpy(values, mlet_stream_output(&self->stream, i), count);
    }
    self->is_busy = false;
    return self->outputs[0];
}

static mp_obj_t stream_push(mp_obj_t self_in, mp_obj_t frame) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    stream_begin(self, frame);
    return stream_finish(self, NULL, NULL);
}
static MP_DEFINE_CONST_FUN_OBJ_2(stream_push_obj, stream_push);

static mlet_status_t trace_hook(
    void *context, uint16_t op, const int8_t *output, uint32_t bytes) {
    uint32_t *crcs = context;
    crcs[op + 1] = mlet_crc32(crcs[op + 1], output, bytes);
    return MLET_OK;
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

static mp_obj_t stream_trace(mp_obj_t self_in, mp_obj_t frame, mp_obj_t crcs_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    uint32_t *crcs = get_uint32s("trace", "crcs", crcs_in, stream_model(self)->op_count + 1u);
    stream_begin(self, frame);
    memset(crcs, 0, (stream_model(self)->op_count + 1u) * sizeof(uint32_t));
    crcs[0] = mlet_crc32(0, mlet_stream_input(&self->stream, 0), mlet_shape_bytes(self->shape));
    return stream_finish(self, trace_hook, crcs);
}
static MP_DEFINE_CONST_FUN_OBJ_3(stream_trace_obj, stream_trace);

typedef struct {
    uint32_t *times;
    mp_uint_t begin;
} profile_t;

static mlet_status_t profile_hook(
    void *context, uint16_t op, const int8_t *output, uint32_t bytes) {
    (void)output;
    (void)bytes;
    profile_t *profile = context;
    profile->times[op] += (mp_hal_ticks_us() - profile->begin) & TICKS_MASK;
    profile->begin = mp_hal_ticks_us();
    return MLET_OK;
}

static mp_obj_t stream_profile(mp_obj_t self_in, mp_obj_t frame, mp_obj_t times_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const uint16_t ops = stream_model(self)->op_count;
    profile_t profile = {get_uint32s("profile", "times", times_in, ops), 0};
    mp_hal_ticks_us(); // raises now if there is no clock
    stream_begin(self, frame);
    memset(profile.times, 0, ops * sizeof(uint32_t));
    profile.begin = mp_hal_ticks_us();
    return stream_finish(self, profile_hook, &profile);
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
        &mp_type_IndexError, "tap", "op", op_in, -1, model->op_count - 1);
    const mlet_shape_t shape = op < 0 ? self->shape : mlet_model_op(model, op).layer.out;
    const uint32_t bytes = mlet_shape_bytes(shape);
    tap_t tap = {op, allocate("tap", bytes), 0};
    const mp_obj_t copy = int8_view(tap.values, 0, bytes, true);
    stream_begin(self, frame);
    if (op < 0) {
        memcpy(tap.values, mlet_stream_input(&self->stream, 0), bytes);
    }
    stream_finish(self, tap_hook, &tap);
    return copy;
}
static MP_DEFINE_CONST_FUN_OBJ_3(stream_tap_obj, stream_tap);

static mp_obj_t stream_reset(mp_obj_t self_in) {
    stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    #if MICROPY_ASYNC_KBD_INTR
    self->is_busy = false; // Ctrl-C ends a push in the middle on this port
    #endif
    stream_claim(self);
    mlet_stream_reset(&self->stream);
    self->frames = 0;
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

static mp_obj_t stream_scores(size_t n_args, const mp_obj_t *args) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    const mlet_model_t *model = stream_model(self);
    const mlet_tensor_t tensor = mlet_model_tensor(model, mlet_model_output(model, 0));
    size_t count;
    const int8_t *values = output_values(self, 0, &count);
    float *floats = NULL;
    mp_obj_t result;
    if (n_args > 1 && args[1] != mp_const_none) {
        result = args[1];
        mp_buffer_info_t info;
        mp_get_buffer_raise(result, &info, MP_BUFFER_RW);
        if (info.typecode != 'f') {
            mp_raise_TypeError(MP_ERROR_TEXT("scores: out is not an array of 'f'"));
        }
        require_count("scores", "out", info.len / sizeof(float), count);
        floats = info.buf;
    } else {
        result = mp_obj_new_list(count, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        const float score = tensor.scale * (float)(values[i] - tensor.zero_point);
        if (floats != NULL) {
            memcpy(&floats[i], &score, sizeof(score)); // a memoryview may be unaligned
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

static void stream_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mlet_shape_t shape = self->shape;
    mp_printf(print, "<Stream of ");
    if (self->is_raw) {
        mp_printf(print, "%ux%ux%u int8", shape.height, shape.width, shape.channels);
    } else {
        mp_printf(print, "%ux%u %s", self->frame.width, self->frame.height,
            frame_formats[self->frame.format].name);
    }
    mp_printf(print, ", %u frames>", (unsigned)self->frames);
}

static void stream_attr(mp_obj_t self_in, qstr attr, mp_obj_t *dest) {
    const stream_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    if (attr == MP_QSTR_frames) {
        dest[0] = mp_obj_new_int_from_uint(self->frames);
    } else if (attr == MP_QSTR_model) {
        dest[0] = self->model;
    } else {
        dest[1] = MP_OBJ_SENTINEL;
    }
}

#define STREAM_METHODS(METHOD)                  \
    METHOD(MP_QSTR_push, stream_push_obj)       \
    METHOD(MP_QSTR_trace, stream_trace_obj)     \
    METHOD(MP_QSTR_profile, stream_profile_obj) \
    METHOD(MP_QSTR_tap, stream_tap_obj)         \
    METHOD(MP_QSTR_reset, stream_reset_obj)     \
    METHOD(MP_QSTR_argmax, stream_argmax_obj)   \
    METHOD(MP_QSTR_scores, stream_scores_obj)   \
    METHOD(MP_QSTR_output, stream_output_obj)

DEFINE_TYPE(stream_type, MP_QSTR_Stream, STREAM_METHODS,
    print, stream_print,
    attr, stream_attr)

// ---------------------------------------------------------------------------------------------
// Module

#ifdef MLET_LEAN
#define ONE_BY_ONE(OBJECT)
#else
#define ONE_BY_ONE(OBJECT)                                          \
    OBJECT(MP_QSTR_FrameRing, ring_type)                            \
    OBJECT(MP_QSTR_conv2d, conv2d_obj)                              \
    OBJECT(MP_QSTR_depthwise2d, depthwise2d_obj)                    \
    OBJECT(MP_QSTR_pointwise, pointwise_obj)                        \
    OBJECT(MP_QSTR_temporal_depthwise, temporal_depthwise_obj)      \
    OBJECT(MP_QSTR_temporal_shift, temporal_shift_obj)              \
    OBJECT(MP_QSTR_add, add_obj)                                    \
    OBJECT(MP_QSTR_average_pool, average_pool_obj)                  \
    OBJECT(MP_QSTR_temporal_average, temporal_average_obj)          \
    OBJECT(MP_QSTR_dense, dense_obj)                                \
    OBJECT(MP_QSTR_conv3d_separable, conv3d_separable_obj)          \
    OBJECT(MP_QSTR_argmax, argmax_obj)                              \
    OBJECT(MP_QSTR_resize, resize_obj)
#endif

#define MODULE_OBJECTS(OBJECT)                                      \
    OBJECT(MP_QSTR_Model, model_type)                               \
    OBJECT(MP_QSTR_Stream, stream_type)                             \
    OBJECT(MP_QSTR_crc32, crc32_obj)                                \
    ONE_BY_ONE(OBJECT)

#define MODULE_INTEGERS(INTEGER)                                    \
    INTEGER(MP_QSTR_GRAY8, MLET_FRAME_GRAY8)                        \
    INTEGER(MP_QSTR_RGB888, MLET_FRAME_RGB888)                      \
    INTEGER(MP_QSTR_RGB565_LE, MLET_FRAME_RGB565_LE)                \
    INTEGER(MP_QSTR_RGB565_BE, MLET_FRAME_RGB565_BE)                \
    INTEGER(MP_QSTR_YUV422, MLET_FRAME_YUV422)                      \
    INTEGER(MP_QSTR_INT16, MLET_FRAME_INT16)                        \
    INTEGER(MP_QSTR_FLOAT32, MLET_FRAME_FLOAT32)                    \
    INTEGER(MP_QSTR_FORMAT_VERSION, MLET_FORMAT_VERSION)            \
    INTEGER(MP_QSTR_TARGET, MLET_TARGET)

#if !MICROPY_ENABLE_DYNRUNTIME
static const MP_DEFINE_STR_OBJ(version_obj, MLET_VERSION);

#define INTEGER(name, value) {MP_ROM_QSTR(name), MP_ROM_INT(value)},
static const mp_rom_map_elem_t module_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__motionlet)},
    {MP_ROM_QSTR(MP_QSTR_VERSION), MP_ROM_PTR(&version_obj)},
    MODULE_OBJECTS(METHOD)
    MODULE_INTEGERS(INTEGER)
};
static MP_DEFINE_CONST_DICT(module_globals, module_table);

const mp_obj_module_t motionlet_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&module_globals,
};
MP_REGISTER_MODULE(MP_QSTR__motionlet, motionlet_module);
#endif
