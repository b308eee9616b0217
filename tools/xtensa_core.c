// The ESP32-S3's core, an Xtensa LX7, for GNU's compiler, assembler and linker.
//
// GCC and binutils for Xtensa can be told at run time which core they work for: they load the
// library that the environment variable XTENSA_GNU_CONFIG names. This is its source. Without it
// Debian's programs know the ESP8266 alone, which has no register windows and hardly any of the
// instructions that matter here.
//
// tools/xtensa_toolchain.py builds it from GCC's header, xtensa-dynconfig.h, and from the table of
// instructions of a core of QEMU's, de233_fpu. That core lacks what is added below. Of the
// ESP32-S3's instructions only those of its vector unit are missing then.
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

#define XCHAL_MAX_INSTRUCTION_SIZE 3 // without the vector unit's, of 4 bytes
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
// The instructions: `xtensa_modules`, and MULUH and MULSH, which are encoded as MULL is

#include <stdint.h>
#define ATTRIBUTE_UNUSED // the table counts on others for these two
#include "core-de233_fpu/xtensa-modules.c.inc"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MUL_HIGH 0xa20000 // MULUH r, s, t
#define MUL_HIGH_SIGNED 0x100000
#define REGISTERS 0x00fff0

enum { MULUH = COUNT(opcodes), MULSH, OPCODES };

static void encode_muluh(xtensa_insnbuf slot) {
    slot[0] = MUL_HIGH;
}

static void encode_mulsh(xtensa_insnbuf slot) {
    slot[0] = MUL_HIGH | MUL_HIGH_SIGNED;
}

static int decode(const xtensa_insnbuf slot) {
    if ((slot[0] & 0xffffff & ~(REGISTERS | MUL_HIGH_SIGNED)) == MUL_HIGH) {
        return (slot[0] & MUL_HIGH_SIGNED) != 0 ? MULSH : MULUH;
    }
    return Slot_inst_decode(slot);
}

__attribute__((constructor)) static void add_instructions(void) {
    static xtensa_opcode_encode_fn muluh[COUNT(slots)] = {encode_muluh};
    static xtensa_opcode_encode_fn mulsh[COUNT(slots)] = {encode_mulsh};
    static xtensa_opcode_internal all[OPCODES] = {
        [MULUH] = {"muluh", ICLASS_xt_mul32, 0, muluh, 0, 0},
        [MULSH] = {"mulsh", ICLASS_xt_mul32, 0, mulsh, 0, 0},
    };
    for (unsigned i = 0; i < COUNT(opcodes); i++) {
        all[i] = opcodes[i];
    }
    slots[0].opcode_decode_fn = decode;
    xtensa_modules.opcodes = all;
    xtensa_modules.num_opcodes = OPCODES;
}
