"""Cycles that the ESP32-S3 would take, reckoned from what the emulated core runs.

The emulated core says which instructions it runs, one after the other; how long each takes follows
from the ESP32-S3 Technical Reference Manual, "Instruction Performance": one a cycle, but

* a result that is there at the end of stage S_A, used by an instruction in stage S_B, delays this
  one until S_A - S_B + 1 cycles have passed: loads and products have S_A = 2 and most uses S_B = 1,
  so that one instruction must lie between. A product added to ACCX or QACC uses it in stage 2;
* a branch that is taken, a jump, a call and a return take 2 more; a zero-overhead loop nothing;
* a division takes 13.

Nothing was measured on a chip. Left out are the caches of flash and PSRAM, conflicts of memory,
interrupts, and registers' windows that overflow to the stack.
"""

import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from host_sdk import golden
from host_sdk.bench import measure as bench
from host_sdk.bench import xtensa_sim
from host_sdk.errors import MotionletError

NAME = "esp32s3-estimated"
TAKEN, DIVISION = 2, 12  # cycles more
HEAD = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")
LINE = re.compile(r"^([0-9a-f]{8}):\t([0-9a-f]+)\s+(\S+)\s*([^<]*)")
REGISTER = re.compile(r"\b([amqf]\d+)\b")

# What an instruction writes besides the first of its operands, or instead of it.
STORES = re.compile(r"s(8|16|32)i|s32e|ee\.vst|ws[r.]|b|j$|jx|loop|ret|call|ss|entry|nop|memw|mula")
LATE = re.compile(r"l(8|16|32)|l32r|mul|ee\.(vld|ld)|quo|rem|lsi|ldinc")  # results in stage 2
JUMPS = re.compile(r"b(?!reak)|j$|jx|ret|call")


class Instruction:
    """How one instruction moves through the pipeline: registers with the stages they are used in
    and those they are there after."""

    def __init__(self, name, operands, size):
        self.size, self.jumps = size, bool(JUMPS.match(name))
        self.extra = DIVISION if re.match("quo|rem", name) else 0
        named = REGISTER.findall(operands)
        writes = [] if STORES.match(name) and not name.startswith("ssa") else named[:1]
        reads = named if STORES.match(name) else named[1:]
        late = bool(LATE.match(name))
        self.uses = [(register, 1) for register in reads]
        self.makes = [(register, 2 if late else 1) for register in writes]
        if name.startswith("mov") and name[3:4] in ("e", "n", "l", "g") and "." not in name:
            self.uses += [(register, 1) for register in writes]  # moveqz and so on keep some
        if ".ip" in name or ".xp" in name or ".incp" in name:  # the address moves at once
            address = next(register for register in named if register.startswith("a"))
            self.makes = [pair for pair in self.makes if pair[0] != address] + [(address, 1)]
            self.uses.append((address, 1))
        if "ldinc" in name:
            self.makes.append((named[1], 1))
            self.makes.append((named[0], 2))
        for accumulator in ("accx", "qacc", "acclo"):
            if (
                accumulator in name
                or accumulator in operands
                or (accumulator == "acclo" and name.startswith("mula"))
            ):
                self._accumulate(name, accumulator)
        if re.match(r"(sra|sll|srl|src)$", name):
            self.uses.append(("sar", 1))
        if re.match(r"ss[a-z]", name):
            self.makes.append(("sar", 1))

    def _accumulate(self, name, accumulator):
        if re.match(r"ee\.v.*mulas|mula", name):
            self.uses.append((accumulator, 2))
            self.makes.append((accumulator, 2))
        elif re.match(r"ee\.(zero|mov)|wur|wsr", name):
            self.makes.append((accumulator, 1))
        elif re.match(r"ee\.ld", name):
            self.makes.append((accumulator, 2))
        else:  # read, and by srcmb written too
            self.uses.append((accumulator, 1))
            if name.startswith("ee.sr"):
                self.makes.append((accumulator, 1))


def cycles(trace, code):
    """Return the cycles of what runs at `trace`, addresses in order.

    `code[address]` is an Instruction. What is not in the trace takes no time.
    """
    now, ready, instruction, at = 0, {}, None, None
    for following in trace:
        if instruction is not None and instruction.jumps and following != at + instruction.size:
            now += TAKEN
        at, instruction = following, code[following]
        start = now
        for register, stage in instruction.uses:
            start = max(start, ready.get(register, 0) - stage)
        for register, stage in instruction.makes:
            ready[register] = start + stage + 1
        now = start + 1 + instruction.extra
    return now


def run(cases, target=xtensa_sim.ARCH):
    """Reckon the cycles of one frame of cases; return rows as bench.run() does, marked by NAME.

    Raises MotionletError when the Xtensa toolchain cannot be had.
    """
    program = Program()
    rows = []
    for case in cases:
        frame = bench.random_frame(case.graph, np.random.default_rng(1))
        clip = golden.Stream(case.graph).normalize(frame)[None]
        trace = program.trace(case.graph, bench.pack_case(case, target), clip)
        row = {"case": case.name, "impl": target, "device": NAME}
        figures = {"cycles": cycles(trace, program), "macs": case.graph.macs_per_frame}
        rows.append(row | figures)
    return rows


class Program:
    """The simulator's program: its instructions, and what it runs of them."""

    def __init__(self):
        self.path = xtensa_sim.program()
        self.code, self.symbols = {}, {}
        self._read_code("-j", ".text")
        for line in self._output("nm", "-S").splitlines():
            parts = line.split()
            if len(parts) == 4 and parts[2] in "tT":
                self.symbols[parts[3]] = range(
                    int(parts[0], 16), sum(int(p, 16) for p in parts[:2])
                )

    def _read_code(self, *options):
        for line in self._output("objdump", "-d", *options).splitlines():
            if match := LINE.match(line):
                address, word, name, operands = match.groups()
                self.code[int(address, 16)] = Instruction(name, operands, len(word) // 2)

    def __getitem__(self, address):
        """Return the instruction at an address that the core has been at."""
        if address not in self.code:  # bytes between functions put the disassembler out of step
            self._read_code(f"--start-address={address}", f"--stop-address={address + 64}")
        return self.code[address]

    def _output(self, name, *options):
        command = [xtensa_sim.toolchain() / f"xtensa-esp32s3-elf-{name}", *options, self.path]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def trace(self, graph, content, clip):
        """Yield the addresses of what runs for the first frame, without what measures it."""
        first, last = min(self.code), max(self.code)
        entry = self.symbols["mlet_stream_run"].start
        names = ("hook", "begin", "emulated", "ccount")
        measuring = {pc for name in names for pc in self.symbols.get(name, ())}
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            options = ("-accel", "tcg,one-insn-per-tb=on", "-d", "exec,nochain", "-D", log)
            limits = ("-dfilter", f"{first:#x}..{last:#x}")
            xtensa_sim.run([(graph, content, clip)], outputs=False, options=(*options, *limits))
            with log.open() as file:
                pcs = (int(match[1], 16) for line in file if (match := HEAD.search(line)))
                started = False
                for pc in pcs:
                    started = started or pc == entry
                    if started and pc in self.symbols["main"]:
                        return
                    if started and pc not in measuring:
                        yield pc
        if not started:
            raise MotionletError("the emulated Xtensa core does not tell what it runs")
