// Frames of random kinds and sizes into tensors, in blocks of exactly their sizes.
#include <stdio.h>

#include "drive.h"

static uint32_t below(drive_random_t *random, uint32_t end) {
    uint32_t value;
    drive_fill(random, &value, sizeof(value));
    return value % end;
}

int main(void) {
    drive_random_t random = {7};
    unsigned accepted = 0;
    for (int round = 0; round < 100000; round++) {
        mlet_frame_t frame = {
            .format = (uint8_t)below(&random, 7),
            .width = (uint16_t)below(&random, 20),
            .height = (uint16_t)below(&random, 20),
            .crop_x = (uint16_t)below(&random, 6),
            .crop_y = (uint16_t)below(&random, 6),
            .crop_width = (uint16_t)below(&random, 20),
            .crop_height = (uint16_t)below(&random, 20),
        };
        const mlet_shape_t shape = {
            (uint16_t)(1 + below(&random, 20)),
            (uint16_t)(1 + below(&random, 20)),
            (uint16_t)(1 + below(&random, 3)),
        };
        if (mlet_frame_check(&frame, MLET_PIXELS_GRAY8, shape, NULL) != MLET_OK) {
            continue;
        }
        accepted++;
        uint8_t *pixels = drive_block(&random, mlet_frame_bytes(&frame));
        int8_t *x = drive_block(&random, mlet_shape_bytes(shape));
        if (mlet_frame_to_tensor(&frame, pixels, shape, x) != MLET_OK) {
            return 1;
        }
        free(pixels);
        free(x);
    }
    printf("%u\n", accepted);
    return 0;
}
