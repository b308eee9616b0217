// Runs models on QEMU's Xtensa core and says what every op computed, in how many instructions.
//
// Jobs lie at `_jobs`, results go to the standard output; both are uint32 words, little-endian:
//
//   jobs     number of them; for each: bytes of the model, frames, 1 to return outputs, 0, the
//            model, the frames; model and frames each padded to a multiple of 16 bytes
//   results  for each job: an mlet_status_t; and if that is MLET_OK, for each frame and op its
//            number of instructions, and its output if they were asked for
#include <string.h>

#include "mlet.h"

#define SIM_WRITE 4
#define SIM_STDOUT 1
// QEMU runs an instruction in 2^7 ns and counts the core's cycles at 40 MHz: 5.12 an instruction.
#define CYCLES_TO_INSTRUCTIONS(cycles) ((uint32_t)(((uint64_t)(cycles) * 25 + 64) / 128))
#define TIMED 16 // instructions in time_multiplies() and so on, besides one

extern const uint8_t _jobs[];
// start.S counts: traps for MULSH and MULUH, those for the vector unit, and most of the instructions
// that the latter took, but 25 * 2^25 fewer where the counter of cycles began anew.
extern volatile uint32_t trap_count, vector_count, vector_instructions;
#define COUNTER_END (25u << 25)
extern uint32_t clock_phase; // where the counter of cycles stood at the start: see find_phase()
void read_clock(uint32_t *to, uint32_t n);
uint32_t ccount(void);
uint32_t time_multiplies(void), time_traps(void), time_vectors(void);
int simcall(int code, int a, const void *b, uint32_t c);

// Exit codes; 128 and above is an exception, 128 + its cause.
enum { OK, TOO_MUCH, CANNOT_WRITE, BAD_CLOCK };

#define MEMORY_BYTES (16u << 20)
#define RESULT_BYTES (32u << 20)
static uint8_t *const memory = (uint8_t *)0x65000000; // of a stream
static uint8_t *const results = (uint8_t *)0x66000000;

typedef struct run {
    const mlet_model_t *model;
    uint32_t cycles[MLET_LIMIT_MAX_OPS], emulated[MLET_LIMIT_MAX_OPS]; // of one frame
    uint32_t places[MLET_LIMIT_MAX_OPS]; // where the next row of an op's output goes
    uint32_t start;                      // when the op that runs now began
    bool outputs;
} run_t;

static uint32_t trap_instructions, vector_trap_instructions, result_end;

// The core's C library, as quick with aligned words as a C library is. GCC must not take these loops
// for what they are, and have memset() call memset().
#pragma GCC optimize("no-tree-loop-distribute-patterns")

static void memcpy_words(uint32_t *to, const uint32_t *from) {
    const uint32_t a = from[0], b = from[1], c = from[2], d = from[3];
    to[0] = a, to[1] = b, to[2] = c, to[3] = d;
}

void *memcpy(void *to, const void *from, size_t n) {
    uint8_t *d = to;
    const uint8_t *s = from;
    if ((((uintptr_t)d | (uintptr_t)s) & 3) == 0) {
        for (; n >= 16; n -= 16, d += 16, s += 16) {
            memcpy_words((uint32_t *)(void *)d, (const uint32_t *)(const void *)s);
        }
    }
    while (n-- > 0) {
        *d++ = *s++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t n) {
    if (to <= from) {
        return memcpy(to, from, n);
    }
    while (n-- > 0) {
        ((uint8_t *)to)[n] = ((const uint8_t *)from)[n];
    }
    return to;
}

void *memset(void *to, int value, size_t n) {
    uint8_t *d = to;
    const uint32_t word = 0x01010101u * (uint8_t)value;
    for (; n > 0 && ((uintptr_t)d & 3) != 0; n--) {
        *d++ = (uint8_t)value;
    }
    for (; n >= 16; n -= 16, d += 16) {
        uint32_t *words = (uint32_t *)(void *)d;
        words[0] = words[1] = words[2] = words[3] = word;
    }
    while (n-- > 0) {
        *d++ = (uint8_t)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *p = a, *q = b;
    for (; n > 0; n--, p++, q++) {
        if (*p != *q) {
            return *p - *q;
        }
    }
    return 0;
}

static void put(uint32_t word) {
    memcpy(results + result_end, &word, 4);
    result_end += 4;
}

static void begin(run_t *run) {
    trap_count = vector_count = vector_instructions = 0;
    run->start = ccount();
}

// Instructions since begin() that the core would not have run, had it those that trap.
static uint32_t emulated(void) {
    const uint32_t vectors = vector_instructions;
    return trap_count * trap_instructions + vector_count * vector_trap_instructions + vectors
           + (vectors >= UINT32_MAX / 2 ? COUNTER_END : 0);
}

static mlet_status_t hook(void *context, uint16_t op, const int8_t *output, uint32_t bytes) {
    const uint32_t now = ccount();
    run_t *run = context;
    run->emulated[op] += emulated();
    run->cycles[op] += now - run->start;
    if (run->outputs) {
        memcpy(results + run->places[op], output, bytes);
        run->places[op] += bytes;
    }
    begin(run);
    return MLET_OK;
}

// Make room for the results of a frame: the count of each op, then its output.
static void place(run_t *run) {
    for (uint16_t op = 0; op < run->model->op_count; op++) {
        run->cycles[op] = 0;
        run->emulated[op] = 0;
        run->places[op] = result_end + 4;
        const uint16_t output = mlet_model_op(run->model, op).output;
        const uint32_t bytes = mlet_shape_bytes(mlet_model_tensor(run->model, output).shape);
        result_end += 4 + (run->outputs ? bytes : 0);
    }
}

static mlet_status_t run_job(const uint8_t *file, uint32_t bytes, const uint8_t *frames,
    uint32_t count, bool outputs) {
    static mlet_model_t model;
    static run_t run;
    mlet_stream_t stream;
    mlet_error_t error;
    mlet_status_t status = mlet_model_open(&model, file, bytes, &error);
    if (status == MLET_OK) {
        status = mlet_stream_init(&stream, &model, memory, MEMORY_BYTES);
    }
    put((uint32_t)status);
    if (status != MLET_OK) {
        return status;
    }
    run.model = &model;
    run.outputs = outputs;
    const uint16_t input = mlet_model_input(&model, 0);
    const uint32_t size = mlet_shape_bytes(mlet_model_tensor(&model, input).shape);
    for (uint32_t i = 0; i < count; i++, frames += size) {
        uint32_t at = result_end;
        place(&run);
        memcpy(mlet_stream_input(&stream, 0), frames, size);
        begin(&run);
        mlet_stream_run(&stream, hook, &run);
        for (uint16_t op = 0; op < model.op_count; op++) {
            const uint32_t instructions =
                CYCLES_TO_INSTRUCTIONS(run.cycles[op]) - run.emulated[op];
            memcpy(results + at, &instructions, 4);
            at = run.places[op];
        }
    }
    return MLET_OK;
}

// The instructions that a reading of the counter tells, but for a constant.
static uint32_t clock_instructions(uint32_t cycles) {
    return (cycles >> 7) * 25 + (((cycles & 127) * 25 + clock_phase) >> 7);
}

// After n instructions the counter reads floor((128 * n + start) / 25); of the starts, find one that
// makes readings 3 instructions apart just that.
static bool find_phase(void) {
    static uint32_t readings[128];
    read_clock(readings, 128);
    for (clock_phase = 0; clock_phase < 128; clock_phase++) {
        uint32_t i = 1;
        while (i < 128
               && clock_instructions(readings[i]) - clock_instructions(readings[i - 1]) == 3) {
            i++;
        }
        if (i == 128) {
            return true;
        }
    }
    return false;
}

int main(void) {
    if (!find_phase()) {
        return BAD_CLOCK;
    }
    const uint32_t multiplies = CYCLES_TO_INSTRUCTIONS(time_multiplies());
    const uint32_t traps = CYCLES_TO_INSTRUCTIONS(time_traps());
    trap_instructions = (traps - multiplies) / TIMED;
    vector_instructions = 0;
    const uint32_t vectors = CYCLES_TO_INSTRUCTIONS(time_vectors()) - vector_instructions;
    vector_trap_instructions = (vectors - multiplies) / TIMED;
    if (multiplies != TIMED + 1 || traps != multiplies + TIMED * trap_instructions
        || vectors != multiplies + TIMED * vector_trap_instructions) {
        return BAD_CLOCK;
    }
    const uint8_t *at = _jobs;
    uint32_t jobs;
    memcpy(&jobs, at, 4);
    at += 16;
    for (; jobs > 0; jobs--) {
        uint32_t head[4]; // bytes of the model, of the frames, frames, 1 to return outputs
        memcpy(head, at, sizeof(head));
        at += sizeof(head);
        run_job(at, head[0], at + MLET_ROUND_UP(head[0]), head[2], head[3] != 0);
        at += MLET_ROUND_UP(head[0]) + MLET_ROUND_UP(head[1]);
        if (result_end > RESULT_BYTES) {
            return TOO_MUCH;
        }
    }
    const int written = simcall(SIM_WRITE, SIM_STDOUT, results, result_end);
    return written == (int)result_end ? OK : CANNOT_WRITE;
}
