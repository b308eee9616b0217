// Arrays of ulab, where it is compiled in: what their buffers do not tell.
#ifndef MOTIONLET_BINDING_ARRAYS_H
#define MOTIONLET_BINDING_ARRAYS_H

#include "port.h"

#if MODULE_ULAB_ENABLED && !MICROPY_ENABLE_DYNRUNTIME
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#include "ndarray.h"
#pragma GCC diagnostic pop

// The buffer of a mirrored view begins at the end of a row: a ValueError, as for views with gaps.
static void check_array(const char *who, const char *what, mp_obj_t object) {
    if (!mp_obj_is_type(object, &ulab_ndarray_type)) {
        return;
    }
    const ndarray_obj_t *array = MP_OBJ_TO_PTR(object);
    int32_t stride = array->itemsize;
    for (size_t i = 0; i < array->ndim; i++) {
        const size_t axis = ULAB_MAX_DIMS - 1 - i;
        if (array->shape[axis] > 1 && array->strides[axis] != stride) {
            mp_raise_msg_varg(&mp_type_ValueError,
                MP_ERROR_TEXT("%s: %s is a view that is mirrored or has gaps: copy() it first"), who,
                what);
        }
        stride *= (int32_t)array->shape[axis];
    }
}

// The typecode of an array's buffer; ulab says 'f' of doubles, too.
static int typecode_of(mp_obj_t object, int typecode) {
    const bool is_ulab = mp_obj_is_type(object, &ulab_ndarray_type);
    const ndarray_obj_t *array = MP_OBJ_TO_PTR(object);
    return is_ulab && typecode == 'f' && array->itemsize == sizeof(double) ? 'd' : typecode;
}
#else
static void check_array(const char *who, const char *what, mp_obj_t object) {
    (void)who;
    (void)what;
    (void)object;
}

static int typecode_of(mp_obj_t object, int typecode) {
    (void)object;
    return typecode;
}
#endif

#endif
