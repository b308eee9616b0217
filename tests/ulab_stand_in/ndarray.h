// What Motionlet sees of ulab's arrays: the names and the order are ulab's.
#ifndef ULAB_STAND_IN_NDARRAY_H
#define ULAB_STAND_IN_NDARRAY_H

#include "py/obj.h"

#define ULAB_MAX_DIMS 2

typedef struct _ndarray_obj_t {
    mp_obj_base_t base;
    uint8_t dtype, itemsize, boolean, ndim;
    size_t len;
    size_t shape[ULAB_MAX_DIMS]; // the last ndim of them; the others are 0
    int32_t strides[ULAB_MAX_DIMS];
    void *array, *origin;
} ndarray_obj_t;

extern const mp_obj_type_t ulab_ndarray_type;

#endif
