// The ESP32-S3's core, an Xtensa LX7, for GNU's compiler, assembler and linker.
//
// GCC and binutils for Xtensa can be told at run time which core they work for: they load the
// library that the environment variable XTENSA_GNU_CONFIG names. This is its source. Without it
// Debian's programs know the ESP8266 alone, which has no register windows and hardly any of the
// instructions that matter here.
//
// tools/xtensa_toolchain.py builds it from GCC's header, xtensa-dynconfig.h, and from the table of
// instructions of a core of QEMU's, de233_fpu. That core lacks what is added below: MULUH, MULSH and
// those of the ESP32-S3's vector instructions that kernels may use (xtensa_pie.h).
//
// -DNO_FLOATS builds a core without floating point, such as de212, which QEMU runs.

// What the options mean is in Cadence's and Espressif's core-isa.h. Those not named here are as in
// GCC's header: mostly 0.
#define XCHAL_HAVE_BE 0 // little-endian
#define XCHAL_HAVE_WINDOWED 1
#define XCHAL_NUM_AREGS 64
#define XTHAL_ABI_WINDOWED 0
#define XTHAL_ABI_CALL0 1
#define XSHAL_ABI XTHAL_ABI_WINDOWED

#define XCHAL_HAVE_DENSITY 1 // instructions of 2 bytes
#define XCHAL_HAVE_LOOPS 1
#define XCHAL_HAVE_ABS 1
#define XCHAL_HAVE_ADDX 1
#define XCHAL_HAVE_NSA 1
#define XCHAL_HAVE_MINMAX 1
#define XCHAL_HAVE_SEXT 1
#define XCHAL_HAVE_CLAMPS 1
#define XCHAL_HAVE_MAC16 1
#define XCHAL_HAVE_MUL16 1
#define XCHAL_HAVE_MUL32 1
#define XCHAL_HAVE_MUL32_HIGH 1
#define XCHAL_HAVE_DIV32 1
#define XCHAL_HAVE_BOOLEANS 1
#define XCHAL_HAVE_THREADPTR 1
#define XCHAL_HAVE_RELEASE_SYNC 1
#define XCHAL_HAVE_S32C1I 1
#define XCHAL_HAVE_CONST16 0
#define XCHAL_HAVE_WIDE_BRANCHES 0
#define XCHAL_HAVE_PREDICTED_BRANCHES 0

// Floats, not doubles. It divides and takes roots in several steps, which GCC does not know.
#ifdef NO_FLOATS
#define XCHAL_HAVE_FP 0
#else
#define XCHAL_HAVE_FP 1
#endif
#define XCHAL_HAVE_FP_DIV 0
#define XCHAL_HAVE_FP_RECIP 0
#define XCHAL_HAVE_FP_SQRT 0
#define XCHAL_HAVE_FP_RSQRT 0
#define XCHAL_HAVE_FP_POSTINC XCHAL_HAVE_FP

// Constants are loaded from where the code is, relative to the program counter.
#define XCHAL_HAVE_L32R 1
#define XSHAL_USE_ABSOLUTE_LITERALS 0
#define XSHAL_HAVE_TEXT_SECTION_LITERALS 1

// Memory and debugging: nothing that changes code.
#define XCHAL_ICACHE_SIZE 0
#define XCHAL_DCACHE_SIZE 0
#define XCHAL_ICACHE_LINESIZE 4
#define XCHAL_DCACHE_LINESIZE 16
#define XCHAL_ICACHE_LINEWIDTH 2
#define XCHAL_DCACHE_LINEWIDTH 4
#define XCHAL_DCACHE_IS_WRITEBACK 0
#define XCHAL_HAVE_MMU 0
#define XCHAL_HAVE_DEBUG 1
#define XCHAL_NUM_IBREAK 2
#define XCHAL_NUM_DBREAK 2
#define XCHAL_DEBUGLEVEL 6

#define XCHAL_MAX_INSTRUCTION_SIZE 4
#define XCHAL_INST_FETCH_WIDTH 4
#define XCHAL_M_STAGE 2 // of the pipeline: where results of loads are there
#define XTENSA_MARCH_LATEST 270012 // LX7.0.12
#define XTENSA_MARCH_EARLIEST 270012

#define XTENSA_CONFIG_DEFINITION
#include "xtensa-dynconfig.h"

XTENSA_CONFIG_INSTANCE_LIST;
const char *const xtensa_config_strings[] = {0}; // macros to define
const int plugin_is_GPL_compatible = 1;           // GCC asks for it

// ---------------------------------------------------------------------------------------------
// The instructions: `xtensa_modules` with those added that its core lacks

#include <stdint.h>
#define ATTRIBUTE_UNUSED // the table counts on others for these two
#include "core-de233_fpu/xtensa-modules.c.inc"
#include "xtensa_pie.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define COPY(to, from) __builtin_memcpy(to, from, sizeof(from))

// Tables grow by what is added: first what was there, then the rest.
enum { WIDE_SLOT = COUNT(slots), SLOTS };
enum { QR = COUNT(regfiles), REGFILES };
enum {
    #define FIELD(name, ...) FIELD_PIE_##name,
    LAST_FIELD = COUNT(Slot_inst_get_field_fns) - 1,
    PIE_FIELDS(FIELD)
    FIELDS
};
enum {
    #define OPERAND(name, ...) OPERAND_PIE_##name,
    LAST_OPERAND = COUNT(operands) - 1,
    PIE_OPERANDS(OPERAND)
    OPERANDS
};
enum {
    #define OPCODE(name, ...) PIE_##name,
    MULUH = COUNT(opcodes),
    MULSH,
    PIE_OPCODES(OPCODE)
    OPCODES,
    FIRST_PIE = MULSH + 1,
    FIRST_ICLASS = COUNT(iclasses),
    ICLASSES = FIRST_ICLASS + OPCODES - FIRST_PIE,
};

// A field, from the word of the instruction and back.
static uint32_t get_bits(const uint8_t *bits, unsigned count, uint32_t word) {
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++) {
        value |= (word >> bits[i] & 1) << i;
    }
    return value;
}

static uint32_t set_bits(const uint8_t *bits, unsigned count, uint32_t word, uint32_t value) {
    for (unsigned i = 0; i < count; i++) {
        word = (word & ~(1u << bits[i])) | (value >> i & 1) << bits[i];
    }
    return word;
}

#define FIELD_FUNCTIONS(name, ...) \
    static const uint8_t bits_##name[] = {__VA_ARGS__}; \
    static unsigned get_##name(const xtensa_insnbuf slot) { \
        return get_bits(bits_##name, COUNT(bits_##name), slot[0]); \
    } \
    static void set_##name(xtensa_insnbuf slot, uint32_t value) { \
        slot[0] = set_bits(bits_##name, COUNT(bits_##name), slot[0], value); \
    }
PIE_FIELDS(FIELD_FUNCTIONS)

// An operand, from its field to its value and back; back fails with 1 where it has no place.
#define STEPS_A(value, step, count) (value)
#define STEPS_Q(value, step, count) (value)
#define STEPS_U(value, step, count) ((value) * (step))
#define STEPS_S(value, step, count) \
    ((uint32_t)((int32_t)((value) << (32 - (count))) >> (32 - (count))) * (step))
#define OPERAND_FUNCTIONS(name, field, kind, step) \
    static int decode_##name(uint32_t *value) { \
        *value = STEPS_##kind(*value, step, COUNT(bits_##field)); \
        return 0; \
    } \
    static int encode_##name(uint32_t *value) { \
        uint32_t found = (uint32_t)((int32_t)*value / step) & ((1u << COUNT(bits_##field)) - 1); \
        const uint32_t wanted = *value; \
        *value = found; \
        decode_##name(&found); \
        return found != wanted; \
    }
PIE_OPERANDS(OPERAND_FUNCTIONS)

#define REGFILE_A REGFILE_AR, 1, XTENSA_OPERAND_IS_REGISTER
#define REGFILE_Q QR, 1, XTENSA_OPERAND_IS_REGISTER
#define REGFILE_S -1, 0, 0
#define REGFILE_U -1, 0, 0

// The operands of an instruction, as the tables list them.
#define ARGUMENTS_0()
#define ARGUMENTS_2(way, name) {{OPERAND_PIE_##name}, #way[0]},
#define ARGUMENTS_4(way, name, ...) ARGUMENTS_2(way, name) ARGUMENTS_2(__VA_ARGS__)
#define ARGUMENTS_6(way, name, ...) ARGUMENTS_2(way, name) ARGUMENTS_4(__VA_ARGS__)
#define ARGUMENTS_8(way, name, ...) ARGUMENTS_2(way, name) ARGUMENTS_6(__VA_ARGS__)
#define ARGUMENTS_10(way, name, ...) ARGUMENTS_2(way, name) ARGUMENTS_8(__VA_ARGS__)
#define ARGUMENTS_OF(_, a, b, c, d, e, f, g, h, i, j, count, ...) ARGUMENTS_##count
#define ARGUMENTS(...) \
    ARGUMENTS_OF(0, ##__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0)(__VA_ARGS__)

#define OPCODE_PARTS(name, mnemonic, bytes, match, ...) \
    static xtensa_arg_internal arguments_##name[] = {ARGUMENTS(__VA_ARGS__)}; \
    static void encode_##name(xtensa_insnbuf slot) { \
        slot[0] = match; \
    }
PIE_OPCODES(OPCODE_PARTS)

typedef struct pie_opcode {
    const char *mnemonic;
    uint32_t bytes, match, mask; // mask: of all bits that no operand has
    unsigned argument_count;
    xtensa_arg_internal *arguments;
    xtensa_opcode_encode_fn encode;
} pie_opcode_t;

static pie_opcode_t pie[] = {
    #define OPCODE_ENTRY(name, mnemonic, bytes, match, ...) \
        {mnemonic, bytes, match, 0, COUNT(arguments_##name), arguments_##name, encode_##name},
    PIE_OPCODES(OPCODE_ENTRY)
};

#define MUL_HIGH 0xa20000 // MULUH r, s, t
#define MUL_HIGH_SIGNED 0x100000
#define REGISTERS 0x00fff0

static void encode_muluh(xtensa_insnbuf slot) {
    slot[0] = MUL_HIGH;
}

static void encode_mulsh(xtensa_insnbuf slot) {
    slot[0] = MUL_HIGH | MUL_HIGH_SIGNED;
}

static int decode_pie(const xtensa_insnbuf slot, uint32_t bytes) {
    for (unsigned i = 0; i < COUNT(pie); i++) {
        if (pie[i].bytes == bytes && (slot[0] & pie[i].mask) == pie[i].match) {
            return (int)(FIRST_PIE + i);
        }
    }
    return XTENSA_UNDEFINED;
}

static int decode(const xtensa_insnbuf slot) {
    if ((slot[0] & 0xffffff & ~(REGISTERS | MUL_HIGH_SIGNED)) == MUL_HIGH) {
        return (slot[0] & MUL_HIGH_SIGNED) != 0 ? MULSH : MULUH;
    }
    const int found = decode_pie(slot, 3);
    return found != XTENSA_UNDEFINED ? found : Slot_inst_decode(slot);
}

// Instructions of 4 bytes, a format of their own: they begin with 0xe or 0xf.
static int decode_wide(const xtensa_insnbuf slot) {
    return decode_pie(slot, 4);
}

static void wide_encode(xtensa_insnbuf word) {
    word[0] = 0xe;
}

static void wide_copy(const xtensa_insnbuf from, xtensa_insnbuf to) {
    to[0] = from[0];
}

static void wide_put(xtensa_insnbuf to, const xtensa_insnbuf from) {
    to[0] = from[0];
}

static int decode_format(const xtensa_insnbuf word) {
    return (word[0] & 0xe) == 0xe ? (int)COUNT(formats) : format_decoder(word);
}

static xtensa_get_field_fn get_fields[SLOTS][FIELDS];
static xtensa_set_field_fn set_fields[SLOTS][FIELDS];
static xtensa_opcode_encode_fn encoders[OPCODES][SLOTS];
static int wide_slots[] = {WIDE_SLOT};

static void add_slots(void) {
    static xtensa_slot_internal all[SLOTS] = {
        [WIDE_SLOT] = {"Inst32", "x32", 0, wide_copy, wide_put, 0, 0, decode_wide, ""},
    };
    static xtensa_format_internal formats_and_wide[COUNT(formats) + 1] = {
        [COUNT(formats)] = {"x32", 4, wide_encode, 1, wide_slots},
    };
    COPY(all, slots);
    COPY(formats_and_wide, formats);
    all[0].opcode_decode_fn = decode;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        if (slot < WIDE_SLOT) {
            for (unsigned i = 0; i < COUNT(Slot_inst_get_field_fns); i++) {
                get_fields[slot][i] = all[slot].get_field_fns[i];
                set_fields[slot][i] = all[slot].set_field_fns[i];
            }
        }
        if (slot == 0 || slot == WIDE_SLOT) {
            #define SET_FIELD(name, ...) \
                get_fields[slot][FIELD_PIE_##name] = get_##name; \
                set_fields[slot][FIELD_PIE_##name] = set_##name;
            PIE_FIELDS(SET_FIELD)
        }
        all[slot].get_field_fns = get_fields[slot];
        all[slot].set_field_fns = set_fields[slot];
    }
    for (unsigned first = 0; first < 256; first++) {
        length_table[first] = (first & 0xe) == 0xe ? 4 : length_table[first];
    }
    xtensa_modules.insn_size = 4;
    xtensa_modules.num_formats = COUNT(formats_and_wide);
    xtensa_modules.formats = formats_and_wide;
    xtensa_modules.format_decode_fn = decode_format;
    xtensa_modules.num_slots = SLOTS;
    xtensa_modules.slots = all;
    xtensa_modules.num_fields = FIELDS;
}

static void add_operands(void) {
    static xtensa_regfile_internal registers[REGFILES] = {[QR] = {"QR", "q", QR, 128, 8}};
    static xtensa_operand_internal all[OPERANDS] = {
        #define OPERAND_ENTRY(name, field, kind, step) \
            [OPERAND_PIE_##name] = { \
                #name, FIELD_PIE_##field, REGFILE_##kind, encode_##name, decode_##name, 0, 0},
        PIE_OPERANDS(OPERAND_ENTRY)
    };
    COPY(registers, regfiles);
    COPY(all, operands);
    xtensa_modules.num_regfiles = REGFILES;
    xtensa_modules.regfiles = registers;
    xtensa_modules.num_operands = OPERANDS;
    xtensa_modules.operands = all;
}

static void add_opcodes(void) {
    static xtensa_opcode_internal all[OPCODES] = {
        [MULUH] = {"muluh", ICLASS_xt_mul32, 0, 0, 0, 0},
        [MULSH] = {"mulsh", ICLASS_xt_mul32, 0, 0, 0, 0},
    };
    static xtensa_iclass_internal classes[ICLASSES];
    COPY(all, opcodes);
    COPY(classes, iclasses);
    for (unsigned i = 0; i < OPCODES; i++) {
        for (unsigned slot = 0; i < COUNT(opcodes) && slot < WIDE_SLOT; slot++) {
            encoders[i][slot] = all[i].encode_fns[slot];
        }
        all[i].encode_fns = encoders[i];
    }
    encoders[MULUH][0] = encode_muluh;
    encoders[MULSH][0] = encode_mulsh;
    for (unsigned i = 0; i < COUNT(pie); i++) {
        pie_opcode_t *op = &pie[i];
        op->mask = op->bytes == 4 ? UINT32_MAX : 0xffffff;
        for (unsigned arg = 0; arg < op->argument_count; arg++) {
            const int field = xtensa_modules.operands[op->arguments[arg].u.operand_id].field_id;
            uint32_t bits = 0;
            set_fields[WIDE_SLOT][field](&bits, UINT32_MAX);
            op->mask &= ~bits;
        }
        all[FIRST_PIE + i].name = op->mnemonic;
        all[FIRST_PIE + i].iclass_id = (int)(FIRST_ICLASS + i);
        encoders[FIRST_PIE + i][op->bytes == 4 ? WIDE_SLOT : 0] = op->encode;
        classes[FIRST_ICLASS + i].num_operands = (int)op->argument_count;
        classes[FIRST_ICLASS + i].operands = op->arguments;
    }
    xtensa_modules.num_iclasses = ICLASSES;
    xtensa_modules.iclasses = classes;
    xtensa_modules.opcodes = all;
    xtensa_modules.num_opcodes = OPCODES;
}

__attribute__((constructor)) static void add_instructions(void) {
    add_slots();
    add_operands();
    add_opcodes();
}
