// Arguments: one table for all functions that take a layer or a frame.
#ifndef MOTIONLET_BINDING_ARGUMENTS_H
#define MOTIONLET_BINDING_ARGUMENTS_H

#include "values.h"

// What is called. Those before MLET_CALL_CONV3D are operators.
#define MLET_CALL_OF(NAME, name, form) MLET_CALL_##NAME,
enum {
    #if MLET_WITH_KERNELS
    MLET_OPERATORS(MLET_CALL_OF) MLET_CALL_CONV3D, MLET_CALL_RESIZE,
    #endif
    MLET_CALL_STREAM,
    MLET_CALLS
};

typedef struct {
    mlet_frame_t frame;
    #if MLET_WITH_KERNELS
    mlet_layer_t layer;
    mp_obj_t x, x1, past, weights, bias, multiplier, shift; // MP_OBJ_NULL when not given
    mp_obj_t spatial, temporal, pointwise, weight_bits, out;
    #endif
    uint32_t given; // one bit to an argument
} call_t;

// In the order in which they are taken when given by position, up to MLET_ARG_CROP.
enum {
    #if MLET_WITH_KERNELS
    MLET_ARG_X, MLET_ARG_X1, MLET_ARG_PAST, MLET_ARG_WEIGHTS, MLET_ARG_BIAS, MLET_ARG_MULTIPLIER,
    MLET_ARG_SHIFT, MLET_ARG_SPATIAL, MLET_ARG_TEMPORAL, MLET_ARG_POINTWISE,
    #endif
    MLET_ARG_WIDTH, MLET_ARG_HEIGHT, MLET_ARG_FORMAT, MLET_ARG_CROP,
    #if MLET_WITH_KERNELS
    MLET_ARG_OUT, MLET_ARG_SHAPE, MLET_ARG_OUT_SHAPE, MLET_ARG_KERNEL, MLET_ARG_STRIDE,
    MLET_ARG_DILATION, MLET_ARG_PAD, MLET_ARG_FRAMES, MLET_ARG_FRAME_DILATION,
    MLET_ARG_SHIFT_CHANNELS, MLET_ARG_WEIGHT_BITS, MLET_ARG_IN_ZERO, MLET_ARG_IN1_ZERO,
    MLET_ARG_OUT_ZERO, MLET_ARG_ACT_MIN, MLET_ARG_ACT_MAX,
    #endif
    MLET_ARGS
};

typedef struct {
    #if MLET_WITH_KERNELS
    uint32_t of; // the calls that take it: they are one of these
    char name[15];
    #else
    char name[7];
    #endif
    uint8_t offset; // in call_t
    uint8_t kind;
    uint8_t count; // values; an integer given for two counts for both
} argument_t;

enum {
    MLET_KIND_OBJECT, MLET_KIND_INT8, MLET_KIND_UINT8, MLET_KIND_POSITIVE8, MLET_KIND_UINT16,
    MLET_KIND_POSITIVE16
};

#define MLET_BIT(index) (UINT32_C(1) << (index))
// What a call is: a bit for each trait of its operator, and these.
#define MLET_IS_STREAM MLET_BIT(16)
#define MLET_IS_RESIZE MLET_BIT(17)
#define MLET_IS_CONV3D MLET_BIT(18)
#define MLET_IS_OPERATOR MLET_BIT(19)
#define MLET_DILATES_FRAMES MLET_BIT(20)
#define MLET_KEEPS_CHANNELS MLET_BIT(21) // and does nothing else

#define MLET_IS_FRAME (MLET_IS_STREAM | MLET_IS_RESIZE)
#define MLET_IS_LAYER (MLET_IS_OPERATOR | MLET_IS_CONV3D)
#define MLET_HAS_WINDOW MLET_TRAIT_WINDOW
#define MLET_HAS_WEIGHTS MLET_TRAIT_WEIGHTS
#define MLET_HAS_TWO MLET_TRAIT_TWO_INPUTS
#define MLET_HAS_SCALE (MLET_HAS_WEIGHTS | MLET_TRAIT_SCALE | MLET_HAS_TWO)
#define MLET_HAS_PAST (MLET_TRAIT_SLOTS | MLET_KEEPS_CHANNELS | MLET_IS_CONV3D)

#if MLET_WITH_KERNELS
#define MLET_ARGUMENT(id, name, field, kind, count, of) \
    [MLET_ARG_##id] = {of, name, offsetof(call_t, field), MLET_KIND_##kind, count}
#else
#define MLET_ARGUMENT(id, name, field, kind, count, of) \
    [MLET_ARG_##id] = {name, offsetof(call_t, field), MLET_KIND_##kind, count}
#endif

static const argument_t arguments[MLET_ARGS] = {
    MLET_ARGUMENT(WIDTH, "width", frame.width, POSITIVE16, 1, MLET_IS_FRAME),
    MLET_ARGUMENT(HEIGHT, "height", frame.height, POSITIVE16, 1, MLET_IS_FRAME),
    MLET_ARGUMENT(FORMAT, "format", frame.format, UINT8, 1, MLET_IS_FRAME),
    MLET_ARGUMENT(CROP, "crop", frame.crop_x, UINT16, 4, MLET_IS_FRAME),
    #if MLET_WITH_KERNELS
    MLET_ARGUMENT(X, "x", x, OBJECT, 1, MLET_IS_LAYER | MLET_IS_RESIZE),
    MLET_ARGUMENT(OUT, "out", out, OBJECT, 1, MLET_IS_LAYER | MLET_IS_RESIZE),
    MLET_ARGUMENT(SHAPE, "shape", layer.in, POSITIVE16, 3, MLET_IS_LAYER | MLET_IS_RESIZE),
    MLET_ARGUMENT(X1, "x1", x1, OBJECT, 1, MLET_HAS_TWO),
    MLET_ARGUMENT(PAST, "past", past, OBJECT, 1, MLET_HAS_PAST),
    MLET_ARGUMENT(WEIGHTS, "weights", weights, OBJECT, 1, MLET_HAS_WEIGHTS),
    MLET_ARGUMENT(BIAS, "bias", bias, OBJECT, 1, MLET_HAS_WEIGHTS),
    MLET_ARGUMENT(MULTIPLIER, "multiplier", multiplier, OBJECT, 1, MLET_HAS_SCALE),
    MLET_ARGUMENT(SHIFT, "shift", shift, OBJECT, 1, MLET_HAS_SCALE),
    MLET_ARGUMENT(SPATIAL, "spatial", spatial, OBJECT, 1, MLET_IS_CONV3D),
    MLET_ARGUMENT(TEMPORAL, "temporal", temporal, OBJECT, 1, MLET_IS_CONV3D),
    MLET_ARGUMENT(POINTWISE, "pointwise", pointwise, OBJECT, 1, MLET_IS_CONV3D),
    MLET_ARGUMENT(OUT_SHAPE, "out_shape", layer.out, POSITIVE16, 3, MLET_HAS_WINDOW),
    MLET_ARGUMENT(KERNEL, "kernel", layer.kernel_h, POSITIVE8, 2, MLET_HAS_WINDOW),
    MLET_ARGUMENT(STRIDE, "stride", layer.stride_h, POSITIVE8, 2, MLET_HAS_WINDOW),
    MLET_ARGUMENT(DILATION, "dilation", layer.dilation_h, POSITIVE8, 2, MLET_TRAIT_PADDING),
    MLET_ARGUMENT(PAD, "pad", layer.pad_top, UINT8, 2, MLET_TRAIT_PADDING),
    MLET_ARGUMENT(FRAMES, "frames", layer.frames, POSITIVE16, 1, MLET_TRAIT_SLOTS),
    MLET_ARGUMENT(
        FRAME_DILATION, "frame_dilation", layer.frame_dilation, POSITIVE16, 1, MLET_DILATES_FRAMES),
    MLET_ARGUMENT(
        SHIFT_CHANNELS, "shift_channels", layer.shift_channels, POSITIVE16, 1, MLET_KEEPS_CHANNELS),
    MLET_ARGUMENT(WEIGHT_BITS, "weight_bits", weight_bits, OBJECT, 1, MLET_TRAIT_ROWS),
    MLET_ARGUMENT(IN_ZERO, "in_zero", layer.in_zero, INT8, 1, MLET_HAS_SCALE),
    MLET_ARGUMENT(IN1_ZERO, "in1_zero", layer.in1_zero, INT8, 1, MLET_HAS_TWO),
    MLET_ARGUMENT(OUT_ZERO, "out_zero", layer.out_zero, INT8, 1, MLET_HAS_SCALE),
    MLET_ARGUMENT(ACT_MIN, "act_min", layer.act_min, INT8, 1, MLET_HAS_SCALE | MLET_HAS_WINDOW),
    MLET_ARGUMENT(ACT_MAX, "act_max", layer.act_max, INT8, 1, MLET_HAS_SCALE | MLET_HAS_WINDOW),
    #endif
};

#if MLET_WITH_KERNELS
// The op code of a call of one operator.
static uint8_t op_code(uint8_t id) {
    #define MLET_CODE_OF(NAME, name, form) MLET_OP_##NAME,
    static const uint8_t codes[] = {MLET_OPERATORS(MLET_CODE_OF)};
    return codes[id];
}
#endif

static const char *call_name(uint8_t id) {
    #if MLET_WITH_KERNELS
    if (id < MLET_CALL_CONV3D) {
        return mlet_op_name(op_code(id));
    }
    if (id != MLET_CALL_STREAM) {
        return id == MLET_CALL_RESIZE ? "resize" : "conv3d_separable";
    }
    #endif
    return "stream";
}

static bool takes(uint8_t id, size_t argument) {
    #if !MLET_WITH_KERNELS
    return true;
    #else
    #define MLET_HAS(traits, trait) (((traits) & MLET_TRAIT_##trait) != 0)
    #define MLET_IS_OF(traits)                                                                 \
        (MLET_IS_OPERATOR | (traits)                                                           \
            | (MLET_HAS(traits, SLOTS) && MLET_HAS(traits, WEIGHTS) ? MLET_DILATES_FRAMES : 0) \
            | (MLET_HAS(traits, CHANNELS) && !MLET_HAS(traits, SHIFT) ? MLET_KEEPS_CHANNELS : 0))
    #define MLET_CALL_IS(NAME, name, form) [MLET_CALL_##NAME] = MLET_IS_OF(MLET_TRAITS_##NAME),
    static const uint32_t is[MLET_CALLS] = {
        MLET_OPERATORS(MLET_CALL_IS)
        [MLET_CALL_CONV3D] = MLET_IS_CONV3D,
        [MLET_CALL_RESIZE] = MLET_IS_RESIZE,
        [MLET_CALL_STREAM] = MLET_IS_STREAM,
    };
    return (arguments[argument].of & is[id]) != 0;
    #endif
}

// Those before MLET_ARG_WIDTH have no default.
static bool is_needed(size_t argument) {
    #if !MLET_WITH_KERNELS
    return false;
    #else
    return argument < MLET_ARG_WIDTH;
    #endif
}

static bool given(const call_t *call, size_t argument) {
    return call->given & MLET_BIT(argument);
}

static MLET_RAISES void raise_twice(const char *who, const char *name) {
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %s is given twice"), who, name);
}

static MLET_RAISES void raise_unknown(const char *who, const char *name) {
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: takes no argument '%s'"), who, name);
}

static MLET_RAISES void raise_positions(const char *who, size_t taken, size_t count) {
    mp_raise_msg_varg(&mp_type_TypeError,
        MP_ERROR_TEXT("%s: takes %u arguments by position, not %u"), who, (unsigned)taken,
        (unsigned)count);
}

static void store_argument(call_t *call, uint8_t id, size_t index, mp_obj_t value) {
    const argument_t *argument = &arguments[index];
    uint8_t *at = (uint8_t *)call + argument->offset;
    if (given(call, index)) {
        raise_twice(call_name(id), argument->name);
    }
    if (value == mp_const_none && !is_needed(index)) {
        return;
    }
    call->given |= MLET_BIT(index);
    if (MLET_WITH_KERNELS && argument->kind == MLET_KIND_OBJECT) {
        *(mp_obj_t *)(void *)at = value;
        return;
    }
    size_t n = 1;
    mp_obj_t *values = &value;
    if (mp_obj_is_type(value, &mp_type_tuple) || mp_obj_is_type(value, &mp_type_list)) {
        mp_obj_get_array(value, &n, &values);
    }
    if (n != argument->count && !(MLET_WITH_KERNELS && n == 1 && argument->count == 2)) {
        raise_count(call_name(id), argument->name, n, "values", argument->count);
    }
    const bool wide = argument->kind >= MLET_KIND_UINT16;
    const bool is_signed = MLET_WITH_KERNELS && argument->kind == MLET_KIND_INT8;
    const bool positive = argument->kind == MLET_KIND_POSITIVE16
        || (MLET_WITH_KERNELS && argument->kind == MLET_KIND_POSITIVE8);
    const mp_int_t min = is_signed ? -128 : positive ? 1 : 0;
    const mp_int_t max = is_signed ? 127 : wide ? 65535 : 255;
    for (size_t i = 0; i < argument->count; i++) {
        const mp_int_t v = get_int(&mp_type_ValueError, call_name(id), argument->name,
            values[MLET_WITH_KERNELS && n == 1 ? 0 : i], min, max);
        if (wide) {
            ((uint16_t *)(void *)at)[i] = (uint16_t)v;
        } else {
            at[i] = (uint8_t)v;
        }
    }
}

// Fill *call with the arguments of a call, and with defaults that need no other argument. A stage
// of conv3d_separable is given by keywords only, and without the arguments in `without`.
static void parse_arguments(call_t *call, uint8_t id, uint32_t without, size_t n_args,
    const mp_obj_t *args, const mp_map_t *keywords) {
    memset(call, 0, sizeof(*call));
    #if MLET_WITH_KERNELS
    mlet_layer_t *layer = &call->layer;
    layer->stride_h = layer->stride_w = layer->dilation_h = layer->dilation_w = 1;
    layer->frame_dilation = 1;
    layer->act_min = -128;
    layer->act_max = 127;
    #endif

    size_t used = 0;
    for (size_t i = 0; i <= MLET_ARG_CROP && used < n_args; i++) {
        if (takes(id, i)) {
            store_argument(call, id, i, args[used++]);
        }
    }
    if (used < n_args) {
        raise_positions(call_name(id), used, n_args);
    }
    for (size_t slot = 0; slot < keywords->alloc; slot++) {
        if (!mp_map_slot_is_filled(keywords, slot)) {
            continue;
        }
        const char *name = mp_obj_str_get_str(keywords->table[slot].key);
        size_t i = 0;
        while (i < MLET_ARGS
            && (!takes(id, i) || (without & MLET_BIT(i)) || strcmp(name, arguments[i].name) != 0)) {
            i++;
        }
        if (i == MLET_ARGS) {
            raise_unknown(call_name(id), name);
        }
        store_argument(call, id, i, keywords->table[slot].value);
    }
    for (size_t i = 0; i < MLET_ARGS && is_needed(i); i++) {
        if (takes(id, i) && !given(call, i) && !(without & MLET_BIT(i))) {
            raise_missing(call_name(id), arguments[i].name);
        }
    }
}

#endif
