// The ESP32-S3's vector instructions ("PIE") that kernels may use: how they are encoded.
//
// xtensa_core.c makes the assembler's and the disassembler's tables of it, and the emulation in
// xtensa_sim/pie.c its decoder. What an instruction does is in the ESP32-S3 Technical Reference
// Manual, chapter "Processor Instruction Extensions", and in xtensa_sim/pie.c.
#ifndef XTENSA_PIE_H
#define XTENSA_PIE_H

// Fields of an instruction: X(name, bits), the positions of the bits, the lowest first.
#define PIE_FIELDS(X) \
    X(a4, 4, 5, 6, 7) \
    X(a8, 8, 9, 10, 11) \
    X(a12, 12, 13, 14, 15) \
    X(q15, 15, 20, 21) \
    X(q8, 8, 9, 10) \
    X(q11, 11, 12, 14) \
    X(imm8, 8, 9, 10, 11, 12, 13, 14, 22) \
    X(sel10, 10) \
    X(q19, 19, 24, 25) \
    X(q14, 14, 15, 0) \
    X(q23, 23, 12, 13) \
    X(imm6, 8, 9, 10, 11, 26, 27) \
    X(sel20, 20, 16, 17, 18)

// Operands: X(name, field, kind, step). Of the kinds, A and Q are registers of 32 and of 128 bits,
// S is a signed number and U one without a sign; both count in steps.
#define PIE_OPERANDS(X) \
    X(as, a4, A, 1) \
    X(ad, a8, A, 1) \
    X(ar, a12, A, 1) \
    X(qu, q15, Q, 1) \
    X(qx, q8, Q, 1) \
    X(qy, q11, Q, 1) \
    X(by_16, imm8, S, 16) \
    X(sel2, sel10, U, 1) \
    X(by_8, imm8, S, 8) \
    X(by_4, imm8, S, 4) \
    X(wide_qu, q19, Q, 1) \
    X(wide_qx, q14, Q, 1) \
    X(wide_qy, q23, Q, 1) \
    X(wide_by_16, imm6, S, 16) \
    X(wide_sel16, sel20, U, 1)

// Instructions: X(name, mnemonic, bytes, bits that are set, operands), each operand with its
// direction: i is read, o written, m both.
#define PIE_OPCODES(X) \
    X(VLD_128_IP, "ee.vld.128.ip", 3, 0x830004, o, qu, m, as, i, by_16) \
    X(VLD_128_XP, "ee.vld.128.xp", 3, 0x8d2004, o, qu, m, as, i, ad) \
    X(VLDBC_8, "ee.vldbc.8", 3, 0xcd3b04, o, qu, i, as) \
    X(VST_128_IP, "ee.vst.128.ip", 3, 0x8a0004, i, qu, m, as, i, by_16) \
    X(VST_128_XP, "ee.vst.128.xp", 3, 0x8d7004, i, qu, m, as, i, ad) \
    X(ZERO_QACC, "ee.zero.qacc", 3, 0x250844) \
    X(VMULAS_S8_QACC, "ee.vmulas.s8.qacc", 3, 0x1a20c4, i, qx, i, qy) \
    X(VMULAS_S8_QACC_LD_IP, "ee.vmulas.s8.qacc.ld.ip", 4, 0xf003000e, \
        o, wide_qu, m, as, i, wide_by_16, i, wide_qx, i, wide_qy) \
    X(VSMULAS_S8_QACC_LD_INCP, "ee.vsmulas.s8.qacc.ld.incp", 4, 0xe0200c0e, \
        o, wide_qu, m, as, i, wide_qx, i, wide_qy, i, wide_sel16) \
    X(SRCMB_S8_QACC, "ee.srcmb.s8.qacc", 3, 0xcd7a04, o, qu, i, as, i, sel2) \
    X(ST_QACC_L_L_128_IP, "ee.st.qacc_l.l.128.ip", 3, 0x0c0004, m, as, i, by_16) \
    X(ST_QACC_L_H_32_IP, "ee.st.qacc_l.h.32.ip", 3, 0x1d0004, m, as, i, by_4) \
    X(ST_QACC_H_L_128_IP, "ee.st.qacc_h.l.128.ip", 3, 0x0d0004, m, as, i, by_16) \
    X(ST_QACC_H_H_32_IP, "ee.st.qacc_h.h.32.ip", 3, 0x120004, m, as, i, by_4) \
    X(VMULAS_S8_ACCX, "ee.vmulas.s8.accx", 3, 0x1a00c4, i, qx, i, qy) \
    X(VMULAS_S8_ACCX_LD_IP, "ee.vmulas.s8.accx.ld.ip", 4, 0xf002000e, \
        o, wide_qu, m, as, i, wide_by_16, i, wide_qx, i, wide_qy) \
    X(ZERO_ACCX, "ee.zero.accx", 3, 0x250804) \
    X(RUR_ACCX_0, "rur.accx_0", 3, 0xe30000, o, ar) \
    X(LD_ACCX_IP, "ee.ld.accx.ip", 3, 0x0e0004, m, as, i, by_8) \
    X(VMAX_S8, "ee.vmax.s8", 3, 0x8e2044, o, qu, i, qx, i, qy) \
    X(VMIN_S8, "ee.vmin.s8", 3, 0x8e2074, o, qu, i, qx, i, qy)

#endif
