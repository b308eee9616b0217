#include "mlet_check.h"
#include "mlet_kernels.h"

static bool runs_in_chains(uint8_t code) {
    return MLET_IS(mlet_traits(code), CHAINS);
}

// Rows begin on multiples of 4, in the input, the output and the state.
static bool rows_are_aligned(const mlet_layer_t *layer) {
    const uint32_t in = (uint32_t)layer->in.width * layer->in.channels;
    const uint32_t out = (uint32_t)layer->out.width * layer->out.channels;
    const uint32_t shifted = (uint32_t)layer->in.width * layer->shift_channels;
    return in % 4 == 0 && out % 4 == 0 && shifted % 4 == 0;
}

// Whether an op that shifts as it reads windows finds every row of its input while it is kept.
static bool finds_every_row(const mlet_op_t *op) {
    const mlet_layer_t *layer = &op->layer;
    if (!MLET_IS(mlet_traits(op->code), WINDOW) || layer->shift_channels == 0) {
        return true;
    }
    int32_t first, end, above;
    mlet_window_rows(op->code, layer, layer->out.height - 1, &first, &end, &above);
    return layer->stride_h <= mlet_rows_needed(op->code, layer) && end == layer->in.height;
}

// Whether op i may run row by row with the next one, and keeps as many rows as that one needs.
static bool link_is_right(const mlet_model_t *model, uint16_t i) {
    if (i + 1 >= model->op_count) {
        return false;
    }
    const mlet_op_t op = mlet_read_op(model, i), next = mlet_read_op(model, (uint16_t)(i + 1));
    return runs_in_chains(op.code) && runs_in_chains(next.code) && next.input0 == op.output &&
           next.period == op.period && next.group == op.group &&
           op.rows == mlet_rows_needed(next.code, &next.layer) && rows_are_aligned(&op.layer) &&
           rows_are_aligned(&next.layer) && finds_every_row(&next);
}

mlet_status_t mlet_check_chain(const mlet_model_t *model, uint16_t begin, mlet_error_t *error) {
    for (uint16_t i = begin; mlet_op_rows(model, i) > 0; i++) {
        if (!link_is_right(model, i)) {
            return mlet_wrong(error, MLET_FIELD(op), i, MLET_FIELD(rows));
        }
        if (i + 1 - begin >= MLET_LIMIT_MAX_CHAIN) {
            return mlet_wrong(error, MLET_FIELD(op), begin, MLET_FIELD(rows));
        }
    }
    return MLET_OK;
}

// To make its row r, a chain has made min(slope * r + start, most) rows of its first op's output.
typedef struct rows_made {
    int32_t slope, start, most;
} rows_made_t;

// a / b, cut off; b > 0. Of numbers without a sign: a processor that cannot divide calls for that
// what is called elsewhere, too.
static int32_t quotient(int32_t a, int32_t b) {
    const uint32_t size = (uint32_t)(a < 0 ? -a : a) / (uint32_t)b;
    return a < 0 ? -(int32_t)size : (int32_t)size;
}

static rows_made_t rows_made(const mlet_model_t *model, uint16_t begin, uint16_t end) {
    enum { TOO_MANY = 1 << 16 }; // more rows than there are, and far below what would overflow
    rows_made_t made = {1, 1, MLET_LIMIT_MAX_DIM};
    for (uint16_t i = end; i > begin; i--) {
        const mlet_op_t op = mlet_read_op(model, i);
        const int32_t height = op.layer.in.height;
        int32_t first, next, above, above_next, end0, ignored;
        mlet_window_rows(op.code, &op.layer, 0, &first, &end0, &above);
        mlet_window_rows(op.code, &op.layer, 1, &next, &ignored, &above_next);
        const int32_t stride = next - above_next - (first - above);
        const int32_t slope = made.slope * stride, start = (made.start - 1) * stride + end0;
        const int32_t most = (made.most - 1) * stride + end0;
        made.slope = slope < TOO_MANY ? slope : TOO_MANY;
        made.start = start < TOO_MANY ? start : TOO_MANY;
        made.most = most < height ? most : height;
    }
    return made;
}

// The end of row r goes up with r. So does the first input row that later rows need, and as long
// as it does so in a straight line, it is enough to look at both ends of it. It bends where it
// leaves 0, and where `most` rows are made.
bool mlet_may_cover_input(
    const mlet_model_t *model, uint16_t begin, uint16_t end, uint32_t source_at, uint32_t target_at) {
    const rows_made_t made = rows_made(model, begin, end);
    const mlet_op_t head = mlet_read_op(model, begin);
    const uint8_t *target = mlet_tensor_record(model, (uint16_t)(model->input_count + end));
    const mlet_shape_t out = mlet_read_shape(target);
    const uint32_t source_row = (uint32_t)head.layer.in.width * head.layer.in.channels;
    const uint32_t target_row = (uint32_t)out.width * out.channels;
    int32_t first, past, above, next, above_next;
    mlet_window_rows(head.code, &head.layer, 0, &first, &past, &above);
    mlet_window_rows(head.code, &head.layer, 1, &next, &past, &above_next);
    const int32_t stride = next - above_next - (first - above);

    const int32_t last = out.height - 1;
    const int32_t leaves_zero = quotient(quotient(above, stride) - made.start, made.slope);
    const int32_t bend = quotient(made.most - made.start, made.slope);
    const int32_t done = quotient(head.layer.out.height - 1 - made.start, made.slope);
    const int32_t rows[] = {0, leaves_zero, leaves_zero + 1, bend, bend + 1, done, last};
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const int32_t row = rows[i] < 0 ? 0 : rows[i] > last ? last : rows[i];
        const int32_t straight = made.slope * row + made.start;
        const int32_t count = straight < made.most ? straight : made.most;
        if (count >= head.layer.out.height) {
            continue; // all of the input is done with
        }
        mlet_window_rows(head.code, &head.layer, count, &first, &past, &above);
        const uint32_t target_end = target_at + target_row * (uint32_t)(row + 1);
        if (target_end > source_at + source_row * (uint32_t)first) {
            return false;
        }
    }
    return true;
}
