// A stand-in for ulab: arrays of one or two dimensions whose buffers behave as ulab's do.
//
// A buffer is handed out if the first stride fits the shape, so a view that is mirrored along its
// rows has one, which begins where the view does: at the end of a row. Floats state 'f', also where
// Python's are doubles.
#include <string.h>

#include "ndarray.h"
#include "py/binary.h"
#include "py/runtime.h"

static size_t item_bytes(uint8_t dtype) {
    return dtype == 'f' ? sizeof(mp_float_t) : dtype == 'h' || dtype == 'H' ? 2 : 1;
}

static ndarray_obj_t *new_array(uint8_t dtype, size_t rows, size_t columns) {
    ndarray_obj_t *array = mp_obj_malloc(ndarray_obj_t, &ulab_ndarray_type);
    array->dtype = dtype;
    array->itemsize = (uint8_t)item_bytes(dtype);
    array->boolean = 0;
    array->ndim = rows == 0 ? 1 : 2;
    array->len = (rows == 0 ? 1 : rows) * columns;
    array->shape[0] = rows;
    array->shape[1] = columns;
    array->strides[1] = array->itemsize;
    array->strides[0] = (int32_t)(rows == 0 ? 0 : columns * array->itemsize);
    array->array = array->origin = m_new0(uint8_t, array->len * array->itemsize);
    return array;
}

static char typecode(const ndarray_obj_t *array) {
    return array->dtype == 'f' && sizeof(mp_float_t) == sizeof(double) ? 'd' : (char)array->dtype;
}

static void *item(const ndarray_obj_t *array, size_t row, size_t column) {
    return (uint8_t *)array->array + (int32_t)row * array->strides[0]
        + (int32_t)column * array->strides[1];
}

static size_t rows_of(const ndarray_obj_t *array) {
    return array->ndim == 1 ? 1 : array->shape[0];
}

// array(items, dtype=float)
static mp_obj_t array_of(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const mp_map_elem_t *given = mp_map_lookup(keywords, MP_OBJ_NEW_QSTR(MP_QSTR_dtype), MP_MAP_LOOKUP);
    mp_obj_t *items;
    size_t count;
    const mp_obj_t list = mp_obj_list_make_new(&mp_type_list, 1, 0, args);
    mp_obj_list_get(list, &count, &items);
    ndarray_obj_t *array = new_array(given == NULL ? 'f' : (uint8_t)mp_obj_get_int(given->value), 0, count);
    for (size_t i = 0; i < count; i++) {
        mp_binary_set_val_array(typecode(array), array->array, i, items[i]);
    }
    return MP_OBJ_FROM_PTR(array);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(array_of_obj, 1, array_of);

static mp_obj_t zeros(mp_obj_t count) {
    return MP_OBJ_FROM_PTR(new_array('f', 0, (size_t)mp_obj_get_int(count)));
}
static MP_DEFINE_CONST_FUN_OBJ_1(zeros_obj, zeros);

// A view with one axis turned round: flip(array, axis=)
static mp_obj_t flip(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const mp_obj_t axis_in = mp_map_lookup(keywords, MP_OBJ_NEW_QSTR(MP_QSTR_axis), MP_MAP_LOOKUP)->value;
    const ndarray_obj_t *source = MP_OBJ_TO_PTR(args[0]);
    const size_t axis = ULAB_MAX_DIMS - source->ndim + (size_t)mp_obj_get_int(axis_in);
    ndarray_obj_t *view = m_new_obj(ndarray_obj_t);
    *view = *source;
    view->array = (uint8_t *)source->array + ((int32_t)source->shape[axis] - 1) * source->strides[axis];
    view->strides[axis] = -source->strides[axis];
    return MP_OBJ_FROM_PTR(view);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(flip_obj, 1, flip);

static mp_obj_t copy(mp_obj_t self_in) {
    const ndarray_obj_t *self = MP_OBJ_TO_PTR(self_in);
    ndarray_obj_t *array = new_array(self->dtype, self->shape[0], self->shape[1]);
    for (size_t row = 0; row < rows_of(self); row++) {
        for (size_t column = 0; column < self->shape[1]; column++) {
            memcpy(item(array, row, column), item(self, row, column), self->itemsize);
        }
    }
    return MP_OBJ_FROM_PTR(array);
}
static MP_DEFINE_CONST_FUN_OBJ_1(copy_obj, copy);

static mp_obj_t reshape(mp_obj_t self_in, mp_obj_t shape) {
    mp_obj_t *sides;
    mp_obj_get_array_fixed_n(shape, 2, &sides);
    ndarray_obj_t *view = new_array(((ndarray_obj_t *)MP_OBJ_TO_PTR(self_in))->dtype,
        (size_t)mp_obj_get_int(sides[0]), (size_t)mp_obj_get_int(sides[1]));
    view->array = view->origin = ((ndarray_obj_t *)MP_OBJ_TO_PTR(self_in))->array;
    return MP_OBJ_FROM_PTR(view);
}
static MP_DEFINE_CONST_FUN_OBJ_2(reshape_obj, reshape);

static mp_obj_t tolist(mp_obj_t self_in) {
    const ndarray_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const mp_obj_t list = mp_obj_new_list(0, NULL);
    for (size_t column = 0; column < self->shape[1]; column++) {
        mp_obj_list_append(list, mp_binary_get_val_array(typecode(self), item(self, 0, column), 0));
    }
    return list;
}
static MP_DEFINE_CONST_FUN_OBJ_1(tolist_obj, tolist);

static mp_int_t get_buffer(mp_obj_t self_in, mp_buffer_info_t *info, mp_uint_t flags) {
    const ndarray_obj_t *self = MP_OBJ_TO_PTR(self_in);
    const size_t first = ULAB_MAX_DIMS - self->ndim;
    const size_t inner = self->ndim == 2 ? self->shape[1] : 1;
    if (self->strides[first] != (int32_t)(inner * self->itemsize)) {
        return 1;
    }
    info->buf = self->array;
    info->len = self->len * self->itemsize;
    info->typecode = self->dtype;
    return 0;
}

static const mp_rom_map_elem_t array_table[] = {
    {MP_ROM_QSTR(MP_QSTR_copy), MP_ROM_PTR(&copy_obj)},
    {MP_ROM_QSTR(MP_QSTR_reshape), MP_ROM_PTR(&reshape_obj)},
    {MP_ROM_QSTR(MP_QSTR_tolist), MP_ROM_PTR(&tolist_obj)},
};
static MP_DEFINE_CONST_DICT(array_dict, array_table);

MP_DEFINE_CONST_OBJ_TYPE(ulab_ndarray_type, MP_QSTR_ndarray, MP_TYPE_FLAG_NONE, buffer, get_buffer,
    locals_dict, &array_dict);

static const mp_rom_map_elem_t numpy_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_numpy)},
    {MP_ROM_QSTR(MP_QSTR_array), MP_ROM_PTR(&array_of_obj)},
    {MP_ROM_QSTR(MP_QSTR_zeros), MP_ROM_PTR(&zeros_obj)},
    {MP_ROM_QSTR(MP_QSTR_flip), MP_ROM_PTR(&flip_obj)},
    {MP_ROM_QSTR(MP_QSTR_uint8), MP_ROM_INT('B')},
    {MP_ROM_QSTR(MP_QSTR_int8), MP_ROM_INT('b')},
    {MP_ROM_QSTR(MP_QSTR_uint16), MP_ROM_INT('H')},
    {MP_ROM_QSTR(MP_QSTR_int16), MP_ROM_INT('h')},
    {MP_ROM_QSTR(MP_QSTR_float), MP_ROM_INT('f')},
};
static MP_DEFINE_CONST_DICT(numpy_globals, numpy_table);
static const mp_obj_module_t numpy_module = {{&mp_type_module}, (mp_obj_dict_t *)&numpy_globals};

static const mp_rom_map_elem_t ulab_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_ulab)},
    {MP_ROM_QSTR(MP_QSTR_numpy), MP_ROM_PTR(&numpy_module)},
};
static MP_DEFINE_CONST_DICT(ulab_globals, ulab_table);
const mp_obj_module_t ulab_module = {{&mp_type_module}, (mp_obj_dict_t *)&ulab_globals};
MP_REGISTER_MODULE(MP_QSTR_ulab, ulab_module);
