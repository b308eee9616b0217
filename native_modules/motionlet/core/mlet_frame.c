#include "mlet_require.h"

#define REQUIRE(condition, name) MLET_REQUIRE(condition, name, MLET_E_FRAME)

#define MAX_CROP_AREA (1u << 23) // keeps every sum of an area within uint32

static const uint8_t bytes_per_pixel[] = {
    [MLET_FRAME_GRAY8] = 1,
    [MLET_FRAME_RGB888] = 3,
    [MLET_FRAME_RGB565_LE] = 2,
    [MLET_FRAME_RGB565_BE] = 2,
    [MLET_FRAME_YUV422] = 2,
};

uint32_t mlet_frame_bytes(const mlet_frame_t *frame) {
    return (uint32_t)frame->width * frame->height * bytes_per_pixel[frame->format];
}

mlet_status_t mlet_frame_check(const mlet_frame_t *frame, mlet_shape_t shape, const char **field) {
    const uint32_t crop_area = (uint32_t)frame->crop_width * frame->crop_height;
    REQUIRE(frame->format < sizeof(bytes_per_pixel), "format");
    REQUIRE(frame->width >= 1 && frame->width <= MLET_LIMIT_MAX_DIM, "width");
    REQUIRE(frame->height >= 1 && frame->height <= MLET_LIMIT_MAX_DIM, "height");
    REQUIRE(frame->crop_width >= 1, "crop width");
    REQUIRE(frame->crop_height >= 1, "crop height");
    REQUIRE(frame->crop_x + frame->crop_width <= frame->width, "crop width");
    REQUIRE(frame->crop_y + frame->crop_height <= frame->height, "crop height");
    REQUIRE(crop_area <= MAX_CROP_AREA, "crop width");
    REQUIRE(shape.channels == 1 || shape.channels == 3, "channels");
    if (frame->format == MLET_FRAME_YUV422) {
        REQUIRE(frame->width % 2 == 0, "width");
        REQUIRE(shape.channels == 1, "format");
    }
    return MLET_OK;
}

static uint32_t rgb565_channel(uint32_t v, uint32_t channel) {
    const uint32_t red = v >> 11, green = v >> 5 & 63, blue = v & 31;
    switch (channel) {
        case 0:
            return red << 3 | red >> 2;
        case 1:
            return green << 2 | green >> 4;
        default:
            return blue << 3 | blue >> 2;
    }
}

// One of R, G, B (channel 0, 1, 2) of the pixel at `index`.
static uint32_t read_channel(
    uint8_t format, const uint8_t *pixels, uint32_t index, uint32_t channel) {
    switch (format) {
        case MLET_FRAME_RGB888:
            return pixels[index * 3 + channel];
        case MLET_FRAME_RGB565_LE:
            pixels += index * 2;
            return rgb565_channel((uint32_t)(pixels[0] | pixels[1] << 8), channel);
        case MLET_FRAME_RGB565_BE:
            pixels += index * 2;
            return rgb565_channel((uint32_t)(pixels[0] << 8 | pixels[1]), channel);
        case MLET_FRAME_YUV422:
            return pixels[index * 2];
        default:
            return pixels[index];
    }
}

// Grey is channel 3.
static uint32_t read_pixel(
    uint8_t format, const uint8_t *pixels, uint32_t index, uint32_t channel) {
    if (channel < 3 || format == MLET_FRAME_GRAY8 || format == MLET_FRAME_YUV422) {
        return read_channel(format, pixels, index, channel);
    }
    const uint32_t red = read_channel(format, pixels, index, 0);
    const uint32_t green = read_channel(format, pixels, index, 1);
    const uint32_t blue = read_channel(format, pixels, index, 2);
    return (77 * red + 150 * green + 29 * blue + 128) >> 8;
}

// The source pixels [first, end) under output element `out` along one axis, and how much of each
// it covers, in units of which a source pixel has `size` and an output element `crop`.
typedef struct span {
    uint32_t first, end, from, to, size;
} span_t;

static span_t span(uint32_t out, uint32_t size, uint32_t crop) {
    const uint32_t from = out * crop, to = from + crop;
    return (span_t) {from / size, (to + size - 1) / size, from, to, size};
}

static uint32_t covered(const span_t *s, uint32_t pixel) {
    const uint32_t from = pixel * s->size, to = from + s->size;
    return (to < s->to ? to : s->to) - (from > s->from ? from : s->from);
}

mlet_status_t mlet_frame_to_tensor(
    const mlet_frame_t *frame, const uint8_t *pixels, mlet_shape_t shape, int8_t *x) {
    if (frame == NULL || pixels == NULL || x == NULL) {
        return MLET_E_ARGUMENT;
    }
    const uint32_t crop_width = frame->crop_width, crop_height = frame->crop_height;
    const uint32_t area = crop_width * crop_height;
    const uint32_t origin = (uint32_t)frame->crop_y * frame->width + frame->crop_x;

    if (frame->format == MLET_FRAME_GRAY8 && shape.channels == 1 && frame->width == shape.width &&
        crop_width == shape.width && crop_height == shape.height) {
        // The frame is the tensor but for its zero point.
        for (uint32_t i = 0; i < area; i++) {
            x[i] = (int8_t)(pixels[origin + i] - 128);
        }
        return MLET_OK;
    }
    for (uint32_t k = 0; k < shape.height; k++) {
        const span_t rows = span(k, shape.height, crop_height);
        for (uint32_t j = 0; j < shape.width; j++) {
            const span_t columns = span(j, shape.width, crop_width);
            for (uint32_t c = 0; c < shape.channels; c++) {
                const uint32_t channel = shape.channels == 1 ? 3 : c;
                uint32_t sum = area / 2;
                for (uint32_t l = rows.first; l < rows.end; l++) {
                    const uint32_t row = origin + l * frame->width;
                    uint32_t row_sum = 0;
                    for (uint32_t i = columns.first; i < columns.end; i++) {
                        row_sum += covered(&columns, i) *
                                   read_pixel(frame->format, pixels, row + i, channel);
                    }
                    sum += row_sum * covered(&rows, l);
                }
                *x++ = (int8_t)((int32_t)(sum / area) - 128);
            }
        }
    }
    return MLET_OK;
}
