// Arguments: one table for all functions that take a layer or a frame.
#ifndef MOTIONLET_BINDING_ARGUMENTS_H
#define MOTIONLET_BINDING_ARGUMENTS_H

#include "values.h"

// What is called. Those before CALL_CONV3D are operators.
#define CALL_OF(NAME, name, form) CALL_##NAME,
enum {
    #if MLET_WITH_KERNELS
    MLET_OPERATORS(CALL_OF) CALL_CONV3D, CALL_RESIZE,
    #endif
    CALL_STREAM,
    CALLS
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

// In the order in which they are taken when given by position, up to CROP.
enum {
    #if MLET_WITH_KERNELS
    X, X1, PAST, WEIGHTS, BIAS, MULTIPLIER, SHIFT, SPATIAL, TEMPORAL, POINTWISE,
    #endif
    WIDTH, HEIGHT, FORMAT, CROP,
    #if MLET_WITH_KERNELS
    OUT, SHAPE, OUT_SHAPE, KERNEL, STRIDE, DILATION, PAD, FRAMES, FRAME_DILATION, SHIFT_CHANNELS,
    WEIGHT_BITS, IN_ZERO, IN1_ZERO, OUT_ZERO, ACT_MIN, ACT_MAX,
    #endif
    ARGUMENTS
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

enum { OBJECT, INT8, UINT8, POSITIVE8, UINT16, POSITIVE16 };

#define BIT(index) (UINT32_C(1) << (index))
// What a call is: a bit for each trait of its operator, and these.
#define STREAM BIT(16)
#define RESIZE BIT(17)
#define CONV3D BIT(18)
#define OPERATOR BIT(19)
#define DILATES_FRAMES BIT(20)
#define KEEPS_CHANNELS BIT(21) // and does nothing else

#define FRAME (STREAM | RESIZE)
#define LAYER (OPERATOR | CONV3D)
#define WINDOW MLET_TRAIT_WINDOW
#define WEIGHTED MLET_TRAIT_WEIGHTS
#define TWO MLET_TRAIT_TWO_INPUTS
#define SCALED (WEIGHTED | MLET_TRAIT_SCALE | TWO)
#define PASTS (MLET_TRAIT_SLOTS | KEEPS_CHANNELS | CONV3D)

#if MLET_WITH_KERNELS
#define ARGUMENT(name, field, kind, count, of) {of, name, offsetof(call_t, field), kind, count}
#else
#define ARGUMENT(name, field, kind, count, of) {name, offsetof(call_t, field), kind, count}
#endif

static const argument_t arguments[ARGUMENTS] = {
    [WIDTH] = ARGUMENT("width", frame.width, POSITIVE16, 1, FRAME),
    [HEIGHT] = ARGUMENT("height", frame.height, POSITIVE16, 1, FRAME),
    [FORMAT] = ARGUMENT("format", frame.format, UINT8, 1, FRAME),
    [CROP] = ARGUMENT("crop", frame.crop_x, UINT16, 4, FRAME),
    #if MLET_WITH_KERNELS
    [X] = ARGUMENT("x", x, OBJECT, 1, LAYER | RESIZE),
    [OUT] = ARGUMENT("out", out, OBJECT, 1, LAYER | RESIZE),
    [SHAPE] = ARGUMENT("shape", layer.in, POSITIVE16, 3, LAYER | RESIZE),
    [X1] = ARGUMENT("x1", x1, OBJECT, 1, TWO),
    [PAST] = ARGUMENT("past", past, OBJECT, 1, PASTS),
    [WEIGHTS] = ARGUMENT("weights", weights, OBJECT, 1, WEIGHTED),
    [BIAS] = ARGUMENT("bias", bias, OBJECT, 1, WEIGHTED),
    [MULTIPLIER] = ARGUMENT("multiplier", multiplier, OBJECT, 1, SCALED),
    [SHIFT] = ARGUMENT("shift", shift, OBJECT, 1, SCALED),
    [SPATIAL] = ARGUMENT("spatial", spatial, OBJECT, 1, CONV3D),
    [TEMPORAL] = ARGUMENT("temporal", temporal, OBJECT, 1, CONV3D),
    [POINTWISE] = ARGUMENT("pointwise", pointwise, OBJECT, 1, CONV3D),
    [OUT_SHAPE] = ARGUMENT("out_shape", layer.out, POSITIVE16, 3, WINDOW),
    [KERNEL] = ARGUMENT("kernel", layer.kernel_h, POSITIVE8, 2, WINDOW),
    [STRIDE] = ARGUMENT("stride", layer.stride_h, POSITIVE8, 2, WINDOW),
    [DILATION] = ARGUMENT("dilation", layer.dilation_h, POSITIVE8, 2, MLET_TRAIT_PADDING),
    [PAD] = ARGUMENT("pad", layer.pad_top, UINT8, 2, MLET_TRAIT_PADDING),
    [FRAMES] = ARGUMENT("frames", layer.frames, POSITIVE16, 1, MLET_TRAIT_SLOTS),
    [FRAME_DILATION] = ARGUMENT(
        "frame_dilation", layer.frame_dilation, POSITIVE16, 1, DILATES_FRAMES),
    [SHIFT_CHANNELS] = ARGUMENT(
        "shift_channels", layer.shift_channels, POSITIVE16, 1, KEEPS_CHANNELS),
    [WEIGHT_BITS] = ARGUMENT("weight_bits", weight_bits, OBJECT, 1, MLET_TRAIT_ROWS),
    [IN_ZERO] = ARGUMENT("in_zero", layer.in_zero, INT8, 1, SCALED),
    [IN1_ZERO] = ARGUMENT("in1_zero", layer.in1_zero, INT8, 1, TWO),
    [OUT_ZERO] = ARGUMENT("out_zero", layer.out_zero, INT8, 1, SCALED),
    [ACT_MIN] = ARGUMENT("act_min", layer.act_min, INT8, 1, SCALED | WINDOW),
    [ACT_MAX] = ARGUMENT("act_max", layer.act_max, INT8, 1, SCALED | WINDOW),
    #endif
};

#if MLET_WITH_KERNELS
// The op code of a call of one operator.
static uint8_t op_code(uint8_t id) {
    #define CODE_OF(NAME, name, form) MLET_OP_##NAME,
    static const uint8_t codes[] = {MLET_OPERATORS(CODE_OF)};
    return codes[id];
}
#endif

static const char *call_name(uint8_t id) {
    #if MLET_WITH_KERNELS
    if (id < CALL_CONV3D) {
        return mlet_op_name(op_code(id));
    }
    if (id != CALL_STREAM) {
        return id == CALL_RESIZE ? "resize" : "conv3d_separable";
    }
    #endif
    return "stream";
}

static bool takes(uint8_t id, size_t argument) {
    #if !MLET_WITH_KERNELS
    return true;
    #else
    #define HAS(traits, trait) (((traits) & MLET_TRAIT_##trait) != 0)
    #define IS_OF(traits)                                                                \
        (OPERATOR | (traits)                                                             \
            | (HAS(traits, SLOTS) && HAS(traits, WEIGHTS) ? DILATES_FRAMES : 0)          \
            | (HAS(traits, CHANNELS) && !HAS(traits, SHIFT) ? KEEPS_CHANNELS : 0))
    #define CALL_IS(NAME, name, form) [CALL_##NAME] = IS_OF(MLET_TRAITS_##NAME),
    static const uint32_t is[CALLS] = {
        MLET_OPERATORS(CALL_IS)
        [CALL_CONV3D] = CONV3D,
        [CALL_RESIZE] = RESIZE,
        [CALL_STREAM] = STREAM,
    };
    return (arguments[argument].of & is[id]) != 0;
    #endif
}

// Those before WIDTH have no default.
static bool is_needed(size_t argument) {
    #if !MLET_WITH_KERNELS
    return false;
    #else
    return argument < WIDTH;
    #endif
}

static bool given(const call_t *call, size_t argument) {
    return call->given & BIT(argument);
}

static RAISES void raise_twice(const char *who, const char *name) {
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: %s is given twice"), who, name);
}

static RAISES void raise_unknown(const char *who, const char *name) {
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: takes no argument '%s'"), who, name);
}

static RAISES void raise_positions(const char *who, size_t taken, size_t count) {
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
    call->given |= BIT(index);
    if (MLET_WITH_KERNELS && argument->kind == OBJECT) {
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
    const bool wide = argument->kind >= UINT16;
    const bool is_signed = MLET_WITH_KERNELS && argument->kind == INT8;
    const bool positive =
        argument->kind == POSITIVE16 || (MLET_WITH_KERNELS && argument->kind == POSITIVE8);
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
    for (size_t i = 0; i <= CROP && used < n_args; i++) {
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
        while (i < ARGUMENTS
            && (!takes(id, i) || (without & BIT(i)) || strcmp(name, arguments[i].name) != 0)) {
            i++;
        }
        if (i == ARGUMENTS) {
            raise_unknown(call_name(id), name);
        }
        store_argument(call, id, i, keywords->table[slot].value);
    }
    for (size_t i = 0; i < ARGUMENTS && is_needed(i); i++) {
        if (takes(id, i) && !given(call, i) && !(without & BIT(i))) {
            raise_missing(call_name(id), arguments[i].name);
        }
    }
}

#endif
