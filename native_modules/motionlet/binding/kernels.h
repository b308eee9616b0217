// Kernels one by one.
#ifndef MOTIONLET_BINDING_KERNELS_H
#define MOTIONLET_BINDING_KERNELS_H

#include "arguments.h"
#include "ring.h"

// Windows along one side of an image with `pad` taps on both ends; 0 when none fits.
static uint16_t windows(
    uint32_t size, uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t pad) {
    const uint32_t padded = size + 2 * pad;
    const uint32_t span = (kernel - 1) * dilation + 1;
    return padded < span ? 0 : (uint16_t)((padded - span) / stride + 1);
}

static void *parameter(
    uint8_t id, size_t argument, mp_obj_t buffer, char typecode, size_t *count) {
    *count = 0;
    if (!takes(id, argument)) {
        return NULL;
    }
    void *items = buffer_items(
        call_name(id), arguments[argument].name, buffer, MP_BUFFER_READ, typecode, count);
    return aligned(items, *count * item_bytes(typecode));
}

// Take the parameters of a layer from its arguments, derive what was not given, check all of it.
static void complete_layer(call_t *call, uint8_t id) {
    const char *who = call_name(id);
    const uint8_t code = op_code(id);
    mlet_layer_t *layer = &call->layer;
    size_t n_weights, n_bias, n_multiplier, n_shift;
    layer->weights = parameter(id, MLET_ARG_WEIGHTS, call->weights, 'b', &n_weights);
    layer->bias = parameter(id, MLET_ARG_BIAS, call->bias, 'i', &n_bias);
    layer->multiplier = parameter(id, MLET_ARG_MULTIPLIER, call->multiplier, 'i', &n_multiplier);
    layer->shift = parameter(id, MLET_ARG_SHIFT, call->shift, 'b', &n_shift);

    const bool int4 = call->weight_bits == MP_OBJ_NEW_SMALL_INT(4);
    if (given(call, MLET_ARG_WEIGHT_BITS) && !int4
        && call->weight_bits != MP_OBJ_NEW_SMALL_INT(8)) {
        mp_raise_msg_varg(
            &mp_type_ValueError, MP_ERROR_TEXT("%s: weight_bits must be 8 or 4"), who);
    }
    layer->weight_bits = int4 ? 4 : 8;
    if (id == MLET_CALL_TEMPORAL_DEPTHWISE && !given(call, MLET_ARG_FRAMES)) {
        const size_t frames = n_weights / layer->in.channels;
        layer->frames = frames <= MLET_LIMIT_MAX_FRAMES ? (uint16_t)frames : 0;
    }
    if (!given(call, MLET_ARG_OUT_SHAPE)) {
        layer->out = layer->in;
        if (id == MLET_CALL_DENSE) {
            layer->out.height = layer->out.width = 1;
        }
        if (takes(id, MLET_ARG_KERNEL) && given(call, MLET_ARG_KERNEL)) {
            layer->out.height = windows(layer->in.height, layer->kernel_h, layer->stride_h,
                layer->dilation_h, layer->pad_top);
            layer->out.width = windows(layer->in.width, layer->kernel_w, layer->stride_w,
                layer->dilation_w, layer->pad_left);
        }
        if (takes(id, MLET_ARG_WEIGHT_BITS)) {
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
static int8_t *get_x(call_t *call, uint8_t id) {
    const char *who = call_name(id);
    size_t n;
    int8_t *x = buffer_items(who, "x", call->x, MP_BUFFER_READ, 'b', &n);
    if (!given(call, MLET_ARG_SHAPE)) {
        if (takes(id, MLET_ARG_KERNEL) || id == MLET_CALL_CONV3D || n > MLET_LIMIT_MAX_DIM) {
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
    uint8_t id, size_t n_args, const mp_obj_t *args, const mp_map_t *keywords) {
    const char *who = call_name(id);
    const uint8_t code = op_code(id);
    check_stack(MLET_STACK_TO_CALL);
    call_t call;
    parse_arguments(&call, id, 0, n_args, args, keywords);
    mlet_layer_t *layer = &call.layer;
    int8_t *x = get_x(&call, id);
    const uint32_t x_bytes = mlet_shape_bytes(layer->in);

    mlet_ring_t *ring = NULL;
    int8_t *shifted = NULL, *x1 = NULL;
    size_t n = 0;
    if (id == MLET_CALL_TEMPORAL_AVERAGE && !given(&call, MLET_ARG_FRAMES)
        && mp_obj_is_type(call.past, (const mp_obj_type_t *)&ring_type)) {
        const ring_obj_t *past = MP_OBJ_TO_PTR(call.past);
        layer->frames = past->ring.count + 1;
    }
    if (id == MLET_CALL_TEMPORAL_SHIFT) {
        shifted = buffer_items(who, "past", call.past, MP_BUFFER_RW, 'b', &n);
        const uint32_t positions = (uint32_t)layer->in.height * layer->in.width;
        if (!given(&call, MLET_ARG_SHIFT_CHANNELS)) {
            layer->shift_channels = n <= x_bytes ? (uint16_t)(n / positions) : 0;
        }
    }
    complete_layer(&call, id);
    if (id == MLET_CALL_TEMPORAL_SHIFT) {
        require_count(who, "past", n,
            (size_t)layer->in.height * layer->in.width * layer->shift_channels);
    }
    if (id == MLET_CALL_TEMPORAL_DEPTHWISE) {
        ring = get_ring(who, call.past, (layer->frames - 1u) * layer->frame_dilation, x_bytes);
    }
    if (id == MLET_CALL_TEMPORAL_AVERAGE) {
        ring = get_ring(who, call.past, layer->frames - 1u, x_bytes);
    }
    if (id == MLET_CALL_ADD) {
        x1 = parameter(id, MLET_ARG_X1, call.x1, 'b', &n);
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
static void parse_stage(call_t *stage, uint8_t id, mp_obj_t dict, mlet_shape_t in) {
    if (!mp_obj_is_type(dict, &mp_type_dict)) {
        mp_raise_msg_varg(
            &mp_type_TypeError, MP_ERROR_TEXT("%s: must be a dict of arguments"), call_name(id));
    }
    const uint32_t without = MLET_BIT(MLET_ARG_X) | MLET_BIT(MLET_ARG_PAST)
        | MLET_BIT(MLET_ARG_OUT) | MLET_BIT(MLET_ARG_SHAPE);
    parse_arguments(stage, id, without, 0, NULL, mp_obj_dict_get_map(dict));
    stage->layer.in = in;
    complete_layer(stage, id);
}

static mp_obj_t conv3d_separable(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    const char *who = call_name(MLET_CALL_CONV3D);
    check_stack(MLET_STACK_TO_CALL);
    call_t call, spatial, temporal, pointwise;
    parse_arguments(&call, MLET_CALL_CONV3D, 0, n_args, args, keywords);
    const int8_t *x = get_x(&call, MLET_CALL_CONV3D);
    parse_stage(&spatial, MLET_CALL_DEPTHWISE2D, call.spatial, call.layer.in);
    parse_stage(&temporal, MLET_CALL_TEMPORAL_DEPTHWISE, call.temporal, spatial.layer.out);
    parse_stage(&pointwise, MLET_CALL_POINTWISE, call.pointwise, temporal.layer.out);

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

#define MLET_DEFINE(NAME, name, form)                                                          \
    static mp_obj_t name(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {            \
        return call_layer(MLET_CALL_##NAME, n_args, args, keywords);                           \
    }                                                                                          \
    static MP_DEFINE_CONST_FUN_OBJ_KW(name##_obj, 0, name);

MLET_OPERATORS(MLET_DEFINE)

static mp_obj_t argmax(mp_obj_t x) {
    size_t n;
    const int8_t *items = buffer_items("argmax", "x", x, MP_BUFFER_READ, 'b', &n);
    if (n == 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("argmax: x is empty"));
    }
    return mp_obj_new_int_from_uint(mlet_argmax(items, n));
}
static MP_DEFINE_CONST_FUN_OBJ_1(argmax_obj, argmax);

// What the module has of it. Whoever has an OBJECT has an OBJECT_OF for operators, too.
#define MLET_ONE_BY_ONE(OBJECT)                                     \
    OBJECT(MP_QSTR_FrameRing, ring_type)                            \
    MLET_OPERATORS(OBJECT##_OF)                                     \
    OBJECT(MP_QSTR_conv3d_separable, conv3d_separable_obj)          \
    OBJECT(MP_QSTR_argmax, argmax_obj)                              \
    OBJECT(MP_QSTR_resize, resize_obj)

#endif
