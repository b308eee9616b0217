// Inside the loader: the checks of a file, in the order in which they are made. Each fills in *error
// and returns a status other than MLET_OK for the first thing that is wrong.
#ifndef MLET_CHECK_H
#define MLET_CHECK_H

#include "mlet_record.h"

// Every record by itself, and what it points to. Fills in *model, of which `file` and `file_bytes`
// are given.
mlet_status_t mlet_check_file(mlet_model_t *model, mlet_error_t *error);

// How the ops hang together: chains, and who uses which part of the arena when.
mlet_status_t mlet_check_plan(const mlet_model_t *model, mlet_error_t *error);

// The links of the chain that begins with op `begin`, but for who else reads what lies between.
mlet_status_t mlet_check_chain(const mlet_model_t *model, uint16_t begin, mlet_error_t *error);

// Whether the output of a right chain may lie at `target_at` over its input at `source_at`: written
// row by row, it covers only input rows that are done with. SPEC.md, "Chains".
bool mlet_may_cover_input(const mlet_model_t *model, uint16_t begin, uint16_t end,
    uint32_t source_at, uint32_t target_at);

// Of regions inside a file. An empty one overlaps nothing.
static inline bool mlet_overlap(uint32_t a, uint32_t a_bytes, uint32_t b, uint32_t b_bytes) {
    return a_bytes != 0 && b_bytes != 0 && a < b + b_bytes && b < a + a_bytes;
}

static inline bool mlet_inside(uint32_t offset, uint32_t bytes, uint32_t size) {
    return offset <= size && bytes <= size - offset;
}

static inline mlet_status_t mlet_wrong(
    mlet_error_t *error, const char *record, uint16_t index, const char *field) {
    *error = (mlet_error_t) {record, index, field};
    return MLET_E_FILE;
}

#endif
