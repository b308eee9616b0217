// FrameRing: the last frames, newest first.
#ifndef MOTIONLET_BINDING_RING_H
#define MOTIONLET_BINDING_RING_H

#include "values.h"

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

#define MLET_RING_METHODS(METHOD)           \
    METHOD(MP_QSTR_push, ring_push_obj)     \
    METHOD(MP_QSTR_reset, ring_reset_obj)

MLET_DEFINE_TYPE(ring_type, MP_QSTR_FrameRing, MLET_RING_METHODS,
    make_new, ring_make_new,
    print, ring_print,
    unary_op, ring_unary_op,
    subscr, ring_subscr)

#endif
