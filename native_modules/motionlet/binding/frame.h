// Frames: what a camera gives, as pixels of a described format.
#ifndef MOTIONLET_BINDING_FRAME_H
#define MOTIONLET_BINDING_FRAME_H

#include "arguments.h"

// What its pixels come as, besides bytes, and its name.
static const struct {
    char typecode, name[10];
} frame_formats[] = {
    [MLET_FRAME_GRAY8] = {'b', "GRAY8"},
    [MLET_FRAME_RGB888] = {'b', "RGB888"},
    [MLET_FRAME_RGB565_LE] = {'h', "RGB565_LE"},
    [MLET_FRAME_RGB565_BE] = {'h', "RGB565_BE"},
    [MLET_FRAME_YUV422] = {'h', "YUV422"},
    #if MLET_WITH_INT16
    [MLET_FRAME_INT16] = {MLET_SAMPLES, "INT16"},
    [MLET_FRAME_FLOAT32] = {'f', "FLOAT32"},
    #endif
};

// The frame that a call describes for an input of `pixels`; by default of the input's own size and
// colours.
static mlet_frame_t get_frame_format(
    const call_t *call, uint8_t id, uint8_t pixels, mlet_shape_t shape) {
    mlet_frame_t frame = call->frame;
    if (!given(call, MLET_ARG_WIDTH)) {
        frame.width = shape.width;
    }
    if (!given(call, MLET_ARG_HEIGHT)) {
        frame.height = shape.height;
    }
    if (!given(call, MLET_ARG_FORMAT)) {
        frame.format = pixels == MLET_PIXELS_INT16 ? MLET_FRAME_INT16
            : shape.channels == 3 ? MLET_FRAME_RGB888 : MLET_FRAME_GRAY8;
    }
    if (!given(call, MLET_ARG_CROP)) {
        frame.crop_width = frame.width;
        frame.crop_height = frame.height;
    }
    const char *field = "";
    if (mlet_frame_check(&frame, pixels, shape, &field) != MLET_OK) {
        raise_field(call_name(id), field);
    }
    return frame;
}

// The bytes of a frame from a camera, or of an array of `code`.
static const uint8_t *get_frame_bytes(
    const char *who, const char *name, mp_obj_t object, char code, size_t *bytes) {
    if (object == mp_const_none) {
        mp_raise_TypeError(MP_ERROR_TEXT("frame is None: the camera gave no frame"));
    }
    size_t n;
    const uint8_t *pixels = buffer_items(who, name, object, MP_BUFFER_READ, code, &n);
    *bytes = n * item_bytes(code);
    return pixels;
}

// The pixels of a checked frame.
static const uint8_t *get_pixels(
    const char *who, const char *name, const mlet_frame_t *frame, mp_obj_t object) {
    size_t bytes;
    const uint32_t needed = mlet_frame_bytes(frame);
    const uint8_t *pixels = get_frame_bytes(
        who, name, object, frame_formats[frame->format].typecode, &bytes);
    if (bytes != needed) {
        mp_raise_msg_varg(&mp_type_ValueError,
            MP_ERROR_TEXT("%s has %u bytes, %ux%u %s needs %u"), name, (unsigned)bytes,
            frame->width, frame->height, frame_formats[frame->format].name, (unsigned)needed);
    }
    return pixels;
}

#if MLET_WITH_KERNELS
static mp_obj_t resize(size_t n_args, const mp_obj_t *args, mp_map_t *keywords) {
    call_t call;
    parse_arguments(&call, MLET_CALL_RESIZE, 0, n_args, args, keywords);
    const mlet_shape_t shape = call.layer.in;
    if (!given(&call, MLET_ARG_SHAPE)) {
        raise_missing("resize", "shape");
    }
    const char *field;
    if (mlet_shape_check(shape, &field) != MLET_OK) {
        raise_field("resize: shape", field);
    }
    const mlet_frame_t frame = get_frame_format(&call, MLET_CALL_RESIZE, MLET_PIXELS_GRAY8, shape);
    const output_t out = output_begin("resize", call.out, mlet_shape_bytes(shape));
    check_overlap("resize", &out, call.x, false);
    mlet_frame_to_tensor(&frame, get_pixels("resize", "frame", &frame, call.x), shape, out.items);
    return output_end(&out);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(resize_obj, 0, resize);
#endif

#endif
