"""The ESP32-S3's vector unit: its assembler, its emulation next to a model, its cycles."""

import ctypes
import re
import subprocess

import numpy as np
import pytest
import toolchains

from host_sdk import paths
from host_sdk.bench import measure as bench
from host_sdk.bench import xtensa_cycles, xtensa_sim
from host_sdk.board.remote import lacks_vector_unit

# As other assemblers for the chip encode these, the lowest byte first.
ENCODED = {
    "ee.vld.128.ip q0, a2, 16": "24 01 83",
    "ee.vst.128.ip q3, a6, -816": "64 cd da",
    "ee.vst.128.xp q6, a12, a14": "c4 7e bd",
    "ee.srcmb.s8.qacc q4, a1, 1": "14 7e ed",
    "ee.vsmulas.s8.qacc.ld.incp q1, a8, q1, q1, 4": "8e 4c aa e0",
    "ee.zero.qacc": "44 08 25",
    "ee.zero.accx": "04 08 25",
    "rur.accx_0 a5": "00 50 e3",
    "ee.ld.accx.ip a2, 8": "24 01 0e",
}
REFUSED = {
    "ee.vld.128.ip q8, a2, 16": "register number out of range",
    "ee.vld.128.ip q0, a2, 8": "operand 3 of 'ee.vld.128.ip' has invalid value '8'",
    "ee.vld.128.ip q0, a2, 2048": "operand 3 of 'ee.vld.128.ip' has invalid value '2048'",
    "ee.vmulas.s8.accx.ld.ip q0, a2, 512, q1, q2": "has invalid value '512'",
}


def assemble(folder, text):
    """Assemble a text; return what is left of the program, and the folder of the tools."""
    tools = toolchains.need_xtensa()
    (folder / "a.S").write_text(text + "\n")
    command = [tools / "xtensa-esp32s3-elf-gcc", "-c", "a.S"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True), tools


def test_instructions_are_encoded_as_elsewhere(tmp_path):
    done, tools = assemble(tmp_path, "\n".join(ENCODED))
    assert not done.returncode, done.stderr
    out = tmp_path / "text"
    command = [tools / "xtensa-esp32s3-elf-objcopy", "-O", "binary", "-j", ".text", "a.o", out]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert out.read_bytes() == bytes.fromhex("".join(ENCODED.values()))
    command = [tools / "xtensa-esp32s3-elf-objdump", "-d", "a.o"]
    code = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"\t((?:ee|rur|wur)\.\S+)", code)
    assert found == [line.split()[0] for line in ENCODED]


@pytest.mark.parametrize("line", REFUSED)
def test_what_has_no_encoding_is_refused(tmp_path, line):
    done, _ = assemble(tmp_path, line)
    assert done.returncode
    assert REFUSED[line] in done.stderr


# ---------------------------------------------------------------------------------------------
# The emulation

MEMORY = 2048
EACH = 40  # instructions of each opcode
LOADS = {"ip": lambda unit, by: by, "xp": lambda unit, by: unit.a[by], "incp": lambda unit, by: 16}


class Unit(ctypes.Structure):
    """pie_t of tools/xtensa_sim/pie/pie.h."""

    _fields_ = [("q", ctypes.c_int8 * 128), ("qacc", ctypes.c_int32 * 16), ("accx", ctypes.c_int64)]


def saturate(value, bits):
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


class Model:
    """The same unit, from what the manual says of each instruction."""

    def __init__(self, rng, extreme):
        ends = np.array([-128, 127], np.int8)
        draw = (
            (lambda n: rng.choice(ends, n)) if extreme else (lambda n: rng.integers(-128, 128, n))
        )
        self.q = [[int(v) for v in draw(16)] for _ in range(8)]
        wide = [-(1 << 19), (1 << 19) - 1] if extreme else range(-(1 << 19), 1 << 19)
        self.qacc = [int(v) for v in rng.choice(wide, 16)]
        end = int(rng.integers(1, 1 << 20)) if extreme else int(rng.integers(1 << 39))
        self.accx = int(rng.choice([-(1 << 39) + end - 1, (1 << 39) - end]))
        self.memory = [int(v) for v in draw(MEMORY)]
        self.a = [int(v) for v in rng.integers(MEMORY - 16, size=16)]

    def vectors(self):
        return [element for register in self.q for element in register]

    def load(self, register, address):
        self.q[register] = self.memory[address & ~15 :][:16]

    def move(self, register, by):
        self.a[register] = (self.a[register] + by) & 0xFFFFFFFF

    def multiply(self, x, y):
        self.qacc = [
            saturate(s + i * j, 20) for s, i, j in zip(self.qacc, self.q[x], self.q[y], strict=True)
        ]

    def dot(self, x, y):
        products = sum(i * j for i, j in zip(self.q[x], self.q[y], strict=True))
        self.accx = saturate(self.accx + products, 40)

    def step(self, name, *args):
        """Run one instruction; registers are given by their numbers."""
        base, _, form = name.removeprefix("ee.").rpartition(".")
        if name.startswith(("ee.vld.128", "ee.vst.128")):
            q, a, by = args
            if base == "vld.128":
                self.load(q, self.a[a])
            else:
                at = self.a[a] & ~15
                self.memory[at : at + 16] = self.q[q]
            self.move(a, LOADS[form](self, by))
        elif name.startswith("ee.st.qacc"):
            a, by = args
            lanes = self.qacc[8:] if "_h." in name else self.qacc[:8]
            half = sum((lane & 0xFFFFF) << 20 * i for i, lane in enumerate(lanes))
            content = list(np.frombuffer(half.to_bytes(20, "little"), np.int8))
            content = content[:16] if name.endswith(".128.ip") else content[16:]
            at = self.a[a] // len(content) * len(content)
            self.memory[at : at + len(content)] = [int(v) for v in content]
            self.move(a, by)
        elif name == "ee.vldbc.8":
            self.q[args[0]] = [self.memory[self.a[args[1]]]] * 16
        elif name == "ee.zero.qacc":
            self.qacc = [0] * 16
        elif name == "ee.zero.accx":
            self.accx = 0
        elif name == "ee.vmulas.s8.qacc":
            self.multiply(*args)
        elif name == "ee.vmulas.s8.accx":
            self.dot(*args)
        elif name in ("ee.vmulas.s8.qacc.ld.ip", "ee.vmulas.s8.accx.ld.ip"):
            q, a, by, x, y = args
            (self.multiply if "qacc" in name else self.dot)(x, y)
            self.load(q, self.a[a])
            self.move(a, by)
        elif name == "ee.vsmulas.s8.qacc.ld.incp":
            q, a, x, y, select = args
            scale = self.q[y][select]
            self.qacc = [
                saturate(s + i * scale, 20) for s, i in zip(self.qacc, self.q[x], strict=True)
            ]
            self.load(q, self.a[a])
            self.move(a, 16)
        elif name == "ee.srcmb.s8.qacc":
            self.qacc = [s >> (self.a[args[1]] & 31) for s in self.qacc]
            self.q[args[0]] = [saturate(s, 8) for s in self.qacc]
        elif name == "rur.accx_0":
            self.a[args[0]] = self.accx & 0xFFFFFFFF
        elif name == "ee.ld.accx.ip":
            at = self.a[args[0]] & ~7
            low = sum((self.memory[at + i] & 255) << 8 * i for i in range(5))
            self.accx = signed(low, 40)
            self.move(*args)
        else:
            choose = {"ee.vmax.s8": max, "ee.vmin.s8": min}[name]
            x, y = (self.q[i] for i in args[1:])
            self.q[args[0]] = [choose(pair) for pair in zip(x, y, strict=True)]


def opcodes():
    """Return {mnemonic: operands' names} of tools/xtensa_pie.h."""
    text = (paths.repository() / "tools/xtensa_pie.h").read_text().replace("\\\n", "")
    found = re.findall(r'X\([A-Z0-9_]+, "(\S+)", \d, 0x[0-9a-f]+(.*?)\)', text)
    return {name: re.findall(r"[iom], *(\w+)", operands) for name, operands in found}


def draw_operands(operands, rng):
    """Return the values of an instruction's operands, and how they are written."""
    values = []
    for operand in operands:
        if "by" in operand:
            values.append(16 * int(rng.integers(-32, 32)))
        elif "sel" in operand:
            values.append(int(rng.integers(16)) if operand.endswith("16") else 0)
        else:
            values.append(int(rng.integers(8 if "q" in operand else 16)))
    letters = ["" if "by" in o or "sel" in o else "q" if "q" in o else "a" for o in operands]
    return values, ", ".join(f"{c}{v}" for c, v in zip(letters, values, strict=True))


@pytest.fixture(scope="module")
def emulation(tmp_path_factory):
    path = tmp_path_factory.mktemp("pie") / "pie.so"
    source = paths.repository() / "tools/xtensa_sim/pie/pie.c"
    flags = ("-std=gnu99", "-shared", "-fPIC", "-O1", "-fsanitize=undefined", "-fno-sanitize=shift")
    subprocess.run(["gcc", *flags, "-Wall", "-Wextra", "-Werror", "-o", path, source], check=True)
    return ctypes.CDLL(path)


@pytest.mark.parametrize("name", sorted(opcodes()))
def test_the_emulation_equals_the_model(emulation, tmp_path, name):
    """Random states, and some at the ends of their ranges; any registers, one twice too."""
    rng = np.random.default_rng(list(name.encode()))
    drawn = [draw_operands(opcodes()[name], rng) for _ in range(EACH)]
    done, tools = assemble(tmp_path, "\n".join(f"{name} {text}" for _, text in drawn))
    assert not done.returncode, done.stderr
    out = tmp_path / "text"
    command = [tools / "xtensa-esp32s3-elf-objcopy", "-O", "binary", "-j", ".text", "a.o", out]
    subprocess.run(command, cwd=tmp_path, check=True)
    code = ctypes.create_string_buffer(out.read_bytes() + bytes(4))
    state = Unit.in_dll(emulation, "pie_state")
    memory = (ctypes.c_int8 * MEMORY)()
    ctypes.c_void_p.in_dll(emulation, "pie_memory").value = ctypes.addressof(memory)
    at = 0
    for index, (values, text) in enumerate(drawn):
        model = Model(rng, extreme=index % 2 == 1)
        registers = (ctypes.c_uint32 * 16)(*model.a)
        state.q[:], state.qacc[:] = model.vectors(), model.qacc
        state.accx, memory[:] = model.accx, model.memory
        at += emulation.pie_step(registers, ctypes.byref(code, at))
        model.step(name, *values)
        assert list(state.q) == model.vectors(), text
        assert list(state.qacc) == model.qacc, text
        assert state.accx == model.accx, text
        assert list(registers) == model.a, text
        assert list(memory) == model.memory, text
    assert at == len(out.read_bytes())


def test_other_instructions_are_not_emulated(emulation):
    code = ctypes.create_string_buffer(bytes.fromhex("f0 20 00 00"))  # nop
    registers = (ctypes.c_uint32 * 16)(*range(16))
    assert emulation.pie_step(registers, code) == 0
    assert list(registers) == list(range(16))


# ---------------------------------------------------------------------------------------------
# Cycles

ADD = ("add", "a2, a3, a4", 3)
SEQUENCES = {
    "one after the other": ([ADD, ("sub", "a5, a2, a3", 3)], 2),
    "a load and its use": ([("l32i", "a2, a3, 0", 3), ADD, ("sub", "a5, a2, a2", 3)], 3),
    "a load, used at once": ([("l32i", "a3, a2, 0", 3), ADD], 3),
    "what is loaded is multiplied": (
        [
            ("ee.vld.128.ip", "q0, a2, 16", 3),
            ("ee.vmulas.s8.accx.ld.ip", "q1, a2, 16, q0, q3", 4),
        ],
        3,
    ),
    "the address has moved at once": ([("ee.vld.128.ip", f"q{i}, a2, 16", 3) for i in range(3)], 3),
    "products of one sum": ([("ee.vmulas.s8.accx", "q0, q1", 3)] * 4, 4),
    "a sum, read at once": ([("ee.vmulas.s8.accx", "q0, q1", 3), ("rur.accx_0", "a2", 3)], 3),
    "a sum, read later": ([("ee.vmulas.s8.accx", "q0, q1", 3), ADD, ("rur.accx_0", "a5", 3)], 3),
    "a sum begun and added to": (
        [("ee.ld.accx.ip", "a2, 0", 3), ("ee.vmulas.s8.accx", "q0, q1", 3)],
        2,
    ),
    "a product of words": ([("mulsh", "a2, a3, a4", 3), ("sub", "a5, a2, a3", 3)], 3),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_cycles_follow_the_manual(name):
    sequence, expected = SEQUENCES[name]
    code, at = {}, 0
    for parts in sequence:
        code[at] = xtensa_cycles.Instruction(*parts)
        at += parts[2]
    assert xtensa_cycles.cycles(list(code), code) == expected


def test_what_jumps_takes_longer():
    code = {
        0: xtensa_cycles.Instruction("bnez", "a2, 6", 3),
        3: xtensa_cycles.Instruction(*ADD),
        6: xtensa_cycles.Instruction(*ADD),
    }
    assert xtensa_cycles.cycles([0, 3, 6], code) == 3
    assert xtensa_cycles.cycles([0, 6], code) == 4


def test_what_runs_is_what_is_counted():
    """As many instructions as the core counts, but for registers that go to the stack."""
    toolchains.need_xtensa()
    case = next(case for case in bench.kernel_cases() if case.name == "dense_512_16")
    clip = np.zeros((1, 1, 1, 512), np.int8)
    content = bench.pack_case(case, "esp32s3")
    ((counted,),) = xtensa_sim.run([(case.graph, content, clip)], outputs=False)[0]
    traced = sum(1 for _ in xtensa_cycles.Program().trace(case.graph, content, clip))
    assert traced == pytest.approx(counted.instructions, rel=0.05)


@pytest.mark.parametrize(
    ("machine", "lacks"),
    [
        ("Generic ESP32S3 module with ESP32S3", False),
        ("Generic ESP32 module with ESP32", True),
        ("ESP32-S2-WROVER with ESP32S2", True),
        ("Raspberry Pi Pico with RP2040", False),
        ("mini with de233_fpu", False),
        ("", False),
    ],
)
def test_boards_without_it_are_known_by_name(machine, lacks):
    assert lacks_vector_unit(machine) == lacks
