#include <string.h>

#include "mlet_require.h"
#include "mlet_requantize.h"

#define MLET_CHECK(condition, name) MLET_REQUIRE(condition, name, MLET_E_FRAME)

// These keep every sum of an area within uint32.
#define MLET_MAX_CROP_AREA (1u << 23)
#define MLET_MAX_CROP_AREA_WIDE (1u << 16)

// What a background is before the first frame: the bytes that a reset leaves.
#define MLET_NO_FRAME (-0x7f7f7f80)

static const uint8_t bytes_per_pixel[] = {
    [MLET_FRAME_GRAY8] = 1,
    [MLET_FRAME_RGB888] = 3,
    [MLET_FRAME_RGB565_LE] = 2,
    [MLET_FRAME_RGB565_BE] = 2,
    [MLET_FRAME_YUV422] = 2,
    [MLET_FRAME_INT16] = 2,
    [MLET_FRAME_FLOAT32] = 4,
};

// Samples of 16 bits.
static bool is_wide(const mlet_frame_t *frame) {
    return MLET_WITH_INT16 && frame->format >= MLET_FRAME_INT16;
}

uint32_t mlet_frame_bytes(const mlet_frame_t *frame) {
    return (uint32_t)frame->width * frame->height * bytes_per_pixel[frame->format];
}

mlet_status_t mlet_frame_check(
    const mlet_frame_t *frame, uint8_t pixel_format, mlet_shape_t shape, const char **field) {
    const uint32_t crop_area = (uint32_t)frame->crop_width * frame->crop_height;
    MLET_CHECK(frame->format < sizeof(bytes_per_pixel), format);
    MLET_CHECK(MLET_WITH_INT16 || frame->format < MLET_FRAME_INT16, format);
    MLET_CHECK(is_wide(frame) == (pixel_format == MLET_PIXELS_INT16), format);
    MLET_CHECK(frame->width >= 1 && frame->width <= MLET_LIMIT_MAX_DIM, width);
    MLET_CHECK(frame->height >= 1 && frame->height <= MLET_LIMIT_MAX_DIM, height);
    MLET_CHECK(frame->crop_width >= 1, crop_width);
    MLET_CHECK(frame->crop_height >= 1, crop_height);
    MLET_CHECK(frame->crop_x + frame->crop_width <= frame->width, crop_width);
    MLET_CHECK(frame->crop_y + frame->crop_height <= frame->height, crop_height);
    const uint32_t most = is_wide(frame) ? MLET_MAX_CROP_AREA_WIDE : MLET_MAX_CROP_AREA;
    MLET_CHECK(crop_area <= most, crop_width);
    MLET_CHECK(shape.channels == 1 || shape.channels == 3, channels);
    if (frame->format == MLET_FRAME_YUV422) {
        MLET_CHECK(frame->width % 2 == 0, width);
    }
    if (frame->format >= MLET_FRAME_YUV422) {
        MLET_CHECK(shape.channels == 1, format);
    }
    return MLET_OK;
}

#if MLET_WITH_INT16
// A float32 as a sample, and 32768 more; exact, and without floating point.
static uint32_t read_float(const uint8_t *pixel, uint32_t samples_per_unit) {
    uint32_t bits;
    memcpy(&bits, pixel, sizeof(bits));
    const uint32_t negative = bits >> 31;
    const int32_t down = 150 - (int32_t)(bits >> 23 & 255);
    // |x| * samples_per_unit * 2^down; a negative one is less, so that halves round up too.
    const uint32_t product = ((bits & 0x7fffff) | 0x800000) * samples_per_unit - negative;
    uint32_t rounded = 0;
    if (down < 8) {
        rounded = 1u << 16; // or more
    } else if (down <= 32) {
        rounded = ((product >> (down - 1)) + 1) >> 1;
    }
    if (negative) {
        return rounded > 32768 ? 0 : 32768 - rounded;
    }
    return rounded > 32767 ? 65535 : 32768 + rounded;
}

// Whether a float32 is a NaN: a sample that is missing.
static bool is_missing(const uint8_t *pixel) {
    uint32_t bits;
    memcpy(&bits, pixel, sizeof(bits));
    return (bits & 0x7fffffff) > 0x7f800000;
}

// How many of the neighbours of sample `index` are there: left, right, above and below. Their sum is
// added to *sum.
static uint32_t neighbours(const mlet_frame_t *frame, const uint8_t *pixels, uint32_t index,
    uint32_t samples_per_unit, uint32_t *sum) {
    const uint32_t width = frame->width, column = index % width;
    const struct {
        bool inside;
        uint32_t index;
    } sides[] = {
        {column > 0, index - 1},
        {column + 1 < width, index + 1},
        {index >= width, index - width},
        {index + width < width * frame->height, index + width},
    };
    uint32_t count = 0;
    for (uint32_t side = 0; side < sizeof(sides) / sizeof(sides[0]); side++) {
        const uint8_t *pixel = pixels + sides[side].index * sizeof(float);
        if (sides[side].inside && !is_missing(pixel)) {
            *sum += read_float(pixel, samples_per_unit);
            count++;
        }
    }
    return count;
}

// A sample of a whole frame: that of a pixel, or the mean of its neighbours, rounded half up.
static uint32_t read_or_bridge(const mlet_frame_t *frame, const uint8_t *pixels,
    const uint8_t *pixel, uint32_t samples_per_unit) {
    if (!is_missing(pixel)) {
        return read_float(pixel, samples_per_unit);
    }
    const uint32_t index = (uint32_t)(pixel - pixels) / (uint32_t)sizeof(float);
    uint32_t sum = 0;
    const uint32_t count = neighbours(frame, pixels, index, samples_per_unit, &sum);
    return (sum + count / 2) / count;
}
#endif

bool mlet_frame_is_whole(const mlet_frame_t *frame, const uint8_t *pixels) {
    #if MLET_WITH_INT16
    const uint32_t area = (uint32_t)frame->width * frame->height;
    uint32_t missing = 0, ignored = 0;
    for (uint32_t i = 0; frame->format == MLET_FRAME_FLOAT32 && i < area; i++) {
        if (is_missing(pixels + i * sizeof(float))) {
            missing++;
            if (missing > MLET_LIMIT_MAX_MISSING || neighbours(frame, pixels, i, 1, &ignored) == 0) {
                return false;
            }
        }
    }
    #else
    (void)frame;
    (void)pixels;
    #endif
    return true;
}

// Read one pixel of a frame: value[0] is its grey or its sample when `channels` is 1, else
// value[0 ... 2] are R, G, B. Samples of 16 bits are 32768 more than they are.
static void read_pixel(const mlet_frame_t *frame, const uint8_t *pixels, const uint8_t *pixel,
    uint32_t channels, uint32_t samples_per_unit, uint32_t *value) {
    (void)samples_per_unit; // only a float has them, and neighbours that matter
    (void)pixels;
    const uint8_t format = frame->format;
    uint32_t v = pixel[0], red, green, blue;
    switch (format) {
        case MLET_FRAME_RGB888:
            red = v;
            green = pixel[1];
            blue = pixel[2];
            break;
        case MLET_FRAME_RGB565_LE:
        case MLET_FRAME_RGB565_BE:
            v = format == MLET_FRAME_RGB565_LE ? v | (uint32_t)pixel[1] << 8 : v << 8 | pixel[1];
            red = v >> 11;
            red = red << 3 | red >> 2;
            green = v >> 5 & 63;
            green = green << 2 | green >> 4;
            blue = v & 31;
            blue = blue << 3 | blue >> 2;
            break;
        #if MLET_WITH_INT16
        case MLET_FRAME_INT16:
            value[0] = v | (uint32_t)(pixel[1] ^ 0x80) << 8;
            return;
        case MLET_FRAME_FLOAT32:
            value[0] = read_or_bridge(frame, pixels, pixel, samples_per_unit);
            return;
        #endif
        default:
            value[0] = value[1] = value[2] = v;
            return;
    }
    value[0] = channels == 1 ? (77 * red + 150 * green + 29 * blue + 128) >> 8 : red;
    value[1] = green;
    value[2] = blue;
}

// What samples become: an input of a model.
typedef struct input {
    const mlet_normalization_t *normalization; // NULL: q = v - 128
    mlet_shape_t shape;
    int8_t zero_point;
    int8_t *x;
    int32_t *background; // when the normalization has one
} input_t;

// Append sample v to the input.
static void append(input_t *input, int32_t v) {
    const mlet_normalization_t *n = input->normalization;
    if (n == NULL) {
        *input->x++ = (int8_t)(v - 128);
        return;
    }
    int32_t u = v - n->offset;
    if (MLET_WITH_INT16 && n->kind == MLET_NORMALIZE_BACKGROUND) {
        int32_t *background = input->background++;
        if (*background == MLET_NO_FRAME) {
            *background = v * (1 << n->rate);
        }
        u = v - ((*background + (1 << n->rate >> 1)) >> n->rate);
        *background += u;
    }
    const int32_t scaled = (u * n->multiplier + (1 << (n->shift - 1))) >> n->shift;
    *input->x++ = mlet_clamp(input->zero_point + scaled, -128, 127);
}

static uint32_t least(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static void convert(const mlet_frame_t *frame, const uint8_t *pixels, input_t *input) {
    const uint32_t crop_width = frame->crop_width, crop_height = frame->crop_height;
    const uint32_t area = crop_width * crop_height;
    const uint32_t origin = (uint32_t)frame->crop_y * frame->width + frame->crop_x;
    const mlet_shape_t shape = input->shape;
    const mlet_normalization_t *n = input->normalization;

    if (frame->format == MLET_FRAME_GRAY8 && shape.channels == 1 && frame->width == shape.width &&
        crop_width == shape.width && crop_height == shape.height && n == NULL) {
        // The frame is the tensor but for its zero point.
        for (uint32_t i = 0; i < area; i++) {
            input->x[i] = (int8_t)(pixels[origin + i] - 128);
        }
        return;
    }
    const int32_t bias = is_wide(frame) ? 32768 : 0;
    const uint32_t samples_per_unit = n == NULL ? 1 : n->samples_per_unit;
    const uint32_t step = bytes_per_pixel[frame->format];
    const bool first_byte = shape.channels == 1 && (frame->format == MLET_FRAME_GRAY8 ||
                                                       frame->format == MLET_FRAME_YUV422);
    // Down, a source row has shape.height units and an output row crop_height; across likewise.
    for (uint32_t k = 0; k < shape.height; k++) {
        const uint32_t first_line = k * crop_height / shape.height;
        uint32_t first = 0, first_end = shape.width; // the first pixel of an output, and where it ends
        for (uint32_t j = 0; j < shape.width; j++) {
            uint32_t sums[3] = {area / 2, area / 2, area / 2}, value[3];
            uint32_t top = k * crop_height;
            const uint32_t bottom = top + crop_height, right = (j + 1) * crop_width;
            for (uint32_t line = first_line; top < bottom; line++) {
                const uint32_t line_end = least((line + 1) * shape.height, bottom);
                const uint32_t rows = line_end - top;
                top = line_end;
                const uint8_t *pixel = pixels + (origin + line * frame->width + first) * step;
                uint32_t left = right - crop_width, pixel_end = first_end;
                while (left < right) {
                    const uint32_t end = least(pixel_end, right), weight = rows * (end - left);
                    if (first_byte) {
                        sums[0] += weight * *pixel;
                    } else {
                        read_pixel(
                            frame, pixels, pixel, shape.channels, samples_per_unit, value);
                        for (uint32_t c = 0; c < shape.channels; c++) {
                            sums[c] += weight * value[c];
                        }
                    }
                    left = end;
                    pixel_end += shape.width;
                    pixel += step;
                }
            }
            for (uint32_t c = 0; c < shape.channels; c++) {
                append(input, (int32_t)(sums[c] / area) - bias);
            }
            for (; first_end <= right; first_end += shape.width) {
                first++;
            }
        }
    }
}

mlet_status_t mlet_frame_to_tensor(
    const mlet_frame_t *frame, const uint8_t *pixels, mlet_shape_t shape, int8_t *x) {
    if (MLET_MISSING(frame) || MLET_MISSING(pixels) || MLET_MISSING(x)) {
        return MLET_E_ARGUMENT;
    }
    input_t input = {.shape = shape, .x = x};
    convert(frame, pixels, &input);
    return MLET_OK;
}

mlet_status_t mlet_stream_frame(
    mlet_stream_t *stream, uint16_t input, const mlet_frame_t *frame, const uint8_t *pixels) {
    if (MLET_MISSING(stream) || MLET_MISSING(frame) || MLET_MISSING(pixels)) {
        return MLET_E_ARGUMENT;
    }
    if ((MLET_WITH_INPUTS && !mlet_stream_due(stream, input)) || !mlet_frame_is_whole(frame, pixels)) {
        return MLET_E_FRAME;
    }
    mlet_stream_take(stream, input, frame, pixels);
    return MLET_OK;
}

void mlet_stream_take(
    mlet_stream_t *stream, uint16_t input, const mlet_frame_t *frame, const uint8_t *pixels) {
    const mlet_model_t *model = stream->model;
    const mlet_normalization_t *n = mlet_model_normalization(model, input);
    const mlet_tensor_t tensor = mlet_model_tensor(model, mlet_model_input(model, input));
    input_t into = {n, tensor.shape, tensor.zero_point, mlet_stream_input(stream, input), NULL};
    if (MLET_WITH_INT16 && mlet_model_background_bytes(model, input) != 0) {
        into.background = (void *)(stream->state + n->state_offset);
    }
    convert(frame, pixels, &into);
}
