#include "mlet_check.h"
#include "mlet_kernels.h"

// One pass backward through the ops knows which tensors are live at each: a tensor enters the list
// at its last reader and leaves it at its writer. What is live at once must not overlap, but where
// SPEC.md, "Rules of the plan", lets it. A chain is one step.

enum { MAX_WRITTEN = MLET_LIMIT_MAX_INPUTS + MLET_LIMIT_MAX_OPS };

// Tensors, a bit to each. Without chains, and without what runs on every n-th frame alone, none has
// any.
#define MLET_WITH_SETS (MLET_WITH_CHAINS || MLET_WITH_INPUTS)
typedef struct set {
    uint8_t bits[(MAX_WRITTEN + 7) / 8];
} set_t;

typedef struct plan {
    const mlet_model_t *model;
    set_t held;
    uint16_t live[MLET_LIMIT_MAX_LIVE]; // tensors
    uint16_t count;
    uint16_t overlapping; // the first tensor that overlaps one before it; model->tensor_count: none
    uint16_t scratch;     // the first op whose scratch overlaps a tensor; model->op_count: none
} plan_t;

static void add(set_t *set, uint16_t tensor) {
    set->bits[tensor / 8] |= (uint8_t)(1 << tensor % 8);
}

static bool has(const set_t *set, uint16_t tensor) {
    return MLET_WITH_SETS && set->bits[tensor / 8] >> tensor % 8 & 1;
}

static uint16_t tensor_period(const mlet_model_t *model, uint16_t tensor) {
    const uint16_t inputs = model->input_count;
    return tensor < inputs ? mlet_model_period(model, tensor)
                           : mlet_op_period(model, (uint16_t)(tensor - inputs));
}

// The rows of a tensor that are kept; 0: all.
static uint16_t tensor_rows(const mlet_model_t *model, uint16_t tensor) {
    const uint16_t inputs = model->input_count;
    return tensor < inputs ? 0 : mlet_op_rows(model, (uint16_t)(tensor - inputs));
}

// Its bytes in the arena.
static uint32_t tensor_bytes(const mlet_model_t *model, uint16_t tensor) {
    mlet_shape_t shape = mlet_read_shape(mlet_tensor_record(model, tensor));
    const uint16_t rows = tensor_rows(model, tensor);
    if (rows > 0) {
        shape.height = rows;
    }
    return mlet_shape_bytes(shape);
}

static bool overlaps(const mlet_model_t *model, uint16_t tensor, uint32_t begin, uint32_t end) {
    const uint32_t at = mlet_arena_offset(model, tensor);
    return at < end && begin < at + tensor_bytes(model, tensor);
}

// The tensors that an op reads: NO_TENSOR for the second when there is one only.
typedef struct inputs {
    uint16_t tensor[2];
} inputs_t;

static inputs_t inputs_of(const mlet_model_t *model, uint16_t op) {
    const uint8_t *record = mlet_op_record(model, op);
    return (inputs_t) {
        {mlet_read_u16(record + MLET_OP_INPUT0), mlet_read_u16(record + MLET_OP_INPUT1)}};
}

// Find the tensors that are held from run to run, and those that are not for the next op alone:
// that another op reads, or the user. Both sets are empty at first.
static void find_readers(const mlet_model_t *model, set_t *held, set_t *shared) {
    for (uint16_t op = 0; op < model->op_count; op++) {
        const inputs_t inputs = inputs_of(model, op);
        for (uint32_t i = 0; i < 2 && inputs.tensor[i] != MLET_NO_TENSOR; i++) {
            const uint16_t tensor = inputs.tensor[i];
            if (tensor + 1 != model->input_count + op) {
                add(shared, tensor);
            }
            const uint16_t period = tensor_period(model, tensor);
            if (period > 1 && mlet_op_period(model, op) % period != 0) {
                add(held, tensor);
            }
        }
    }
    for (uint16_t i = 0; i < model->output_count; i++) {
        const uint16_t tensor = mlet_model_output(model, i);
        add(shared, tensor);
        if (tensor_period(model, tensor) > 1) {
            add(held, tensor);
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The arena

// Ops that may write their output exactly over an input.
static bool works_in_place(const mlet_model_t *model, uint16_t op) {
    return MLET_IS(mlet_traits(mlet_op_record(model, op)[MLET_OP_CODE]), IN_PLACE);
}

static bool is_live(const plan_t *plan, uint16_t tensor) {
    for (uint16_t i = 0; i < plan->count; i++) {
        if (plan->live[i] == tensor) {
            return true;
        }
    }
    return false;
}

// Make a tensor live, unless it is; false when there is no room for it.
static bool enter(plan_t *plan, uint16_t tensor) {
    if (is_live(plan, tensor)) {
        return true;
    }
    if (plan->count == MLET_LIMIT_MAX_LIVE) {
        return false;
    }
    plan->live[plan->count++] = tensor;
    return true;
}

static void leave(plan_t *plan, uint16_t tensor) {
    for (uint16_t i = 0; i < plan->count; i++) {
        if (plan->live[i] == tensor) {
            plan->live[i] = plan->live[--plan->count];
            return;
        }
    }
}

// A step: the ops of a chain, or one op.
typedef struct step {
    uint16_t begin, end; // its first and its last op
    bool done[2];        // of the inputs of the first: no op behind it reads it, and it is not held
} step_t;

// Whether a tensor that is written in this step may lie over tensor `under`, which was written
// before it: in place, or at the end of a chain that reads `under`.
static bool may_lie_over(
    const mlet_model_t *model, const step_t *step, uint16_t output, uint16_t under) {
    const uint16_t op = (uint16_t)(output - model->input_count);
    const uint32_t at = mlet_arena_offset(model, output);
    const uint32_t at_under = mlet_arena_offset(model, under);
    if (!MLET_WITH_CHAINS || step->begin == step->end) {
        const inputs_t inputs = inputs_of(model, op);
        const bool reads = (inputs.tensor[0] == under && step->done[0]) ||
                           (inputs.tensor[1] == under && step->done[1]);
        return reads && at == at_under && works_in_place(model, op);
    }
    if (op == step->end && under == inputs_of(model, step->begin).tensor[0]) {
        return step->done[0] && mlet_may_cover_input(model, step->begin, op, at_under, at);
    }
    // Ops that follow each other and work in place may all use one row.
    for (uint16_t tensor = output; tensor > under; tensor--) {
        const uint16_t writer = (uint16_t)(tensor - model->input_count);
        if (writer <= step->begin || !works_in_place(model, writer) ||
            tensor_rows(model, tensor) != 1 || tensor_rows(model, (uint16_t)(tensor - 1)) != 1 ||
            mlet_arena_offset(model, (uint16_t)(tensor - 1)) != at) {
            return false;
        }
    }
    return true;
}

// Compare a live tensor with all that is live beside it. `step`: of its writer; NULL for an input.
static void check_place(plan_t *plan, const step_t *step, uint16_t tensor) {
    const mlet_model_t *model = plan->model;
    const uint32_t begin = mlet_arena_offset(model, tensor);
    const uint32_t end = begin + tensor_bytes(model, tensor);
    for (uint16_t i = 0; i < plan->count; i++) {
        const uint16_t other = plan->live[i];
        if (other == tensor || !overlaps(model, other, begin, end)) {
            continue;
        }
        const bool held = has(&plan->held, other) || has(&plan->held, tensor);
        if (!held && step != NULL &&
            (other > tensor || may_lie_over(model, step, tensor, other))) {
            continue; // one that is written later, in the same chain, has its own turn
        }
        const uint16_t later = other > tensor ? other : tensor;
        if (later < plan->overlapping) {
            plan->overlapping = later;
        }
    }
}

static void check_scratch(plan_t *plan, uint16_t op) {
    const uint8_t *record = mlet_op_record(plan->model, op);
    const uint32_t begin = mlet_read_u32(record + MLET_OP_SCRATCH_OFFSET);
    const uint32_t end = begin + mlet_read_u32(record + MLET_OP_SCRATCH_BYTES);
    for (uint16_t i = 0; begin < end && i < plan->count; i++) {
        if (overlaps(plan->model, plan->live[i], begin, end)) {
            plan->scratch = op;
        }
    }
}

// Go back over a step: from what is live behind it to what is live before it.
static mlet_status_t check_step(plan_t *plan, step_t *step, mlet_error_t *error) {
    const mlet_model_t *model = plan->model;
    const inputs_t read = inputs_of(model, step->begin);
    for (uint32_t i = 0; i < 2; i++) {
        step->done[i] = !is_live(plan, read.tensor[i]);
    }
    for (int32_t op = step->end; op >= step->begin; op--) {
        const inputs_t inputs = inputs_of(model, (uint16_t)op);
        const uint16_t output = (uint16_t)(model->input_count + op);
        const uint16_t touched[] = {output, inputs.tensor[0], inputs.tensor[1]};
        for (uint32_t i = 0; i < 3 && touched[i] != MLET_NO_TENSOR; i++) {
            if (!enter(plan, touched[i])) {
                return mlet_wrong(error, MLET_FIELD(tensor), touched[i], MLET_FIELD(live));
            }
        }
    }
    for (int32_t op = step->end; op >= step->begin; op--) {
        check_place(plan, step, (uint16_t)(model->input_count + op));
        check_scratch(plan, (uint16_t)op);
    }
    for (int32_t op = step->end; op >= step->begin; op--) {
        const uint16_t output = (uint16_t)(model->input_count + op);
        if (!has(&plan->held, output)) {
            leave(plan, output);
        }
    }
    return MLET_OK;
}

// Compare what is live at once, from the end to the start.
static mlet_status_t check_arena(plan_t *plan, mlet_error_t *error) {
    const mlet_model_t *model = plan->model;
    plan->overlapping = model->tensor_count;
    plan->scratch = model->op_count;
    for (uint16_t i = 0; i < model->output_count; i++) {
        if (!enter(plan, mlet_model_output(model, i))) {
            return mlet_wrong(error, MLET_FIELD(tensor), mlet_model_output(model, i), MLET_FIELD(live));
        }
    }
    for (uint16_t i = 0; MLET_WITH_SETS && i < model->tensor_count; i++) {
        if (has(&plan->held, i) && !enter(plan, i)) {
            return mlet_wrong(error, MLET_FIELD(tensor), i, MLET_FIELD(live));
        }
    }
    step_t step;
    for (int32_t op = model->op_count - 1; op >= 0; op = step.begin - 1) {
        step.begin = step.end = (uint16_t)op;
        while (step.begin > 0 && mlet_op_rows(model, (uint16_t)(step.begin - 1)) > 0) {
            step.begin--;
        }
        const mlet_status_t status = check_step(plan, &step, error);
        if (status != MLET_OK) {
            return status;
        }
    }
    // Before the first op, all inputs are live, and no op has run that might lie over one.
    for (uint16_t i = 0; i < model->input_count; i++) {
        if (!enter(plan, i)) {
            return mlet_wrong(error, MLET_FIELD(tensor), i, MLET_FIELD(live));
        }
    }
    for (uint16_t i = 0; i < model->input_count; i++) {
        check_place(plan, NULL, i);
    }
    if (plan->overlapping < model->tensor_count) {
        return mlet_wrong(error, MLET_FIELD(tensor), plan->overlapping, MLET_FIELD(arena_offset));
    }
    if (plan->scratch < model->op_count) {
        return mlet_wrong(error, MLET_FIELD(op), plan->scratch, MLET_FIELD(scratch_offset));
    }
    return MLET_OK;
}

static mlet_status_t check_chains(
    const mlet_model_t *model, const set_t *shared, mlet_error_t *error) {
    bool begins = true;
    for (uint16_t i = 0; MLET_WITH_CHAINS && i < model->op_count; i++) {
        const bool goes_on = mlet_op_rows(model, i) > 0;
        if (goes_on && has(shared, (uint16_t)(model->input_count + i))) {
            return mlet_wrong(error, MLET_FIELD(op), i, MLET_FIELD(rows));
        }
        const mlet_status_t status =
            begins && goes_on ? mlet_check_chain(model, i, error) : MLET_OK;
        if (status != MLET_OK) {
            return status;
        }
        begins = !goes_on;
    }
    return MLET_OK;
}

mlet_status_t mlet_check_plan(const mlet_model_t *model, mlet_error_t *error) {
    plan_t plan = {.model = model};
    set_t shared = {{0}};
    if (MLET_WITH_SETS) {
        find_readers(model, &plan.held, &shared);
    }
    const mlet_status_t status = check_chains(model, &shared, error);
    if (status != MLET_OK) {
        return status;
    }
    for (uint16_t i = 0; i < model->tensor_count; i++) {
        const uint32_t bytes = tensor_bytes(model, i);
        if (!mlet_inside(mlet_arena_offset(model, i), bytes, model->arena_bytes)) {
            return mlet_wrong(error, MLET_FIELD(tensor), i, MLET_FIELD(arena_offset));
        }
    }
    return check_arena(&plan, error);
}
