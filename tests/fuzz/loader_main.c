// Open and run the files that come in on stdin, each a uint32 length (little-endian) and its bytes.
// For each file one line goes out at once: "ok", or the record, its index and the field refused.
#include <stdio.h>

#include "drive.h"

int main(void) {
    uint8_t head[4];
    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        const uint32_t bytes = head[0] | head[1] << 8 | head[2] << 16 | (uint32_t)head[3] << 24;
        uint8_t *file = malloc(bytes);
        if (file == NULL || fread(file, 1, bytes, stdin) != bytes) {
            fputs("stdin ends inside a file\n", stderr);
            return 1;
        }
        mlet_error_t error = {"?", 0, "?"};
        const mlet_status_t status = drive(file, bytes, &error);
        if (status == MLET_OK) {
            puts("ok");
        } else if (status == MLET_E_FILE) {
            printf("%s %u %s\n", error.record, (unsigned)error.index, error.field);
        } else {
            printf("status %d\n", (int)status);
        }
        fflush(stdout);
        free(file);
    }
    return 0;
}
