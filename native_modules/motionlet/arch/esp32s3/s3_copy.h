// Copies of rows of bytes.
#ifndef MLET_S3_COPY_H
#define MLET_S3_COPY_H

// Offsets into s3_copy_t, for the assembly.
#define S3_COPY_FROM 0
#define S3_COPY_TO 4
#define S3_COPY_N 8
#define S3_COPY_ROWS 12
#define S3_COPY_FROM_ROW 16
#define S3_COPY_TO_ROW 20

#ifndef __ASSEMBLER__

#include "mlet.h"
#include "mlet_layout.h"

// to[r][i] = from[r][i], for r < rows and i < n.
typedef struct s3_copy {
    const int8_t *from;
    int8_t *to;
    uint32_t n, rows; // at least 1
    int32_t from_row; // bytes from one row to the next, in `from` and in `to`
    int32_t to_row;
} s3_copy_t;

MLET_LAYOUT(s3_copy_t, from, S3_COPY_FROM);
MLET_LAYOUT(s3_copy_t, to, S3_COPY_TO);
MLET_LAYOUT(s3_copy_t, n, S3_COPY_N);
MLET_LAYOUT(s3_copy_t, rows, S3_COPY_ROWS);
MLET_LAYOUT(s3_copy_t, from_row, S3_COPY_FROM_ROW);
MLET_LAYOUT(s3_copy_t, to_row, S3_COPY_TO_ROW);

void s3_copy(const s3_copy_t *job);

// Where all of the job is in blocks of 16 bytes, on multiples of 16.
void s3_copy_blocks(const s3_copy_t *job);

#endif // __ASSEMBLER__
#endif
