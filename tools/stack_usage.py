#!/usr/bin/env python3
"""The stack that functions of a linked image need at most, in bytes, from its disassembly.

    tools/stack_usage.py armv6m build/firmware/MOTIONLET_PICO/firmware.elf
    tools/stack_usage.py xtensawin build/firmware/XTENSA_SIM_motionlet/firmware.elf

A function needs what it pushes and reserves, wherever it does so, and what the deepest of the
functions that it calls needs, through pointers too. C and assembly are read alike. What lies in a
ROM counts nothing, nor does a function that the user hands in.
"""

import argparse
import bisect
import json
import re
import subprocess
import sys
from dataclasses import dataclass

from common import ROOT, ToolError, need_programs, run_main
from xtensa_toolchain import toolchain

sys.path.append(str(ROOT))
from host_sdk.format.mlet import LIMITS, OP_CODES

ENTRIES = ("mlet_model_open", "mlet_stream_init", "mlet_stream_frame", "mlet_stream_run")
KERNELS = (*OP_CODES, "keep_shifted")  # the names of their functions, without the prefix

# What calls through pointers may reach, by the names of the functions; None: only the user's own.
_ANY_KERNEL = rf"(mlet|m0|s3)_({'|'.join(KERNELS)})"
POINTERS = {
    "mlet_check_file": r"check_(tensor|input|normalization|output|op|label_count|label)",
    "check_op": r"(mlet|m0|s3)_layer_(counts|check_arrays)",
    "mlet_scratch_bytes": rf"(mlet|m0|s3)_({'|'.join(OP_CODES)})_scratch_bytes",
    "mlet_run_op": _ANY_KERNEL,
    "m0_keep_shifted": r"m0_keep(8|_words)",
    "make_row": None,
    "mlet_stream_poll": None,
    "run_bands": None,
    "run_op": None,
    "mlet_stream_run": None,
}
RECURSIVE = {"make_row": LIMITS["max_chain"]}  # what calls itself, and how deep


@dataclass(frozen=True)
class Machine:
    """How a machine's disassembly is read. The first group of a pattern is what it is for."""

    reserve: str  # the bytes
    call: str  # or jump; the address
    call_pointer: str
    unreadable: str  # room whose size is not in the instruction
    push: str = "$^"  # the registers, of 4 bytes
    load: str = "$^"  # a register, and the address of the word loaded into it
    reserve_loaded: str = "$^"  # such a register, which holds the room as a negative number


MACHINES = {
    "armv6m": Machine(
        reserve=r"sub\s+sp, #(\w+)",
        call=r"b(?!ic|kpt)\S*\s+(\w+) <",
        call_pointer=r"blx\s+r",
        unreadable=r"mov\s+sp",
        push=r"push\s+\{(.*)\}",
        load=r"ldr\s+(r\d+), \[pc, .*@ \((\w+)",
        reserve_loaded=r"add\s+sp, (r\d+)",
    ),
    "xtensawin": Machine(
        reserve=r"entry\s+a1, (\w+)",
        call=r"call8\s+(\w+) <",
        call_pointer=r"callx8",
        unreadable=r"movsp",
    ),
}


def objdump(machine):
    """Return the command of the disassembler for one of MACHINES."""
    if machine == "xtensawin":
        return str(toolchain() / "xtensa-esp32s3-elf-objdump")
    need_programs(["arm-none-eabi-objdump"], ["binutils-arm-none-eabi"])
    return "arm-none-eabi-objdump"


def stack_bytes(image, machine, entries=ENTRIES):
    """Return {entry: bytes of stack} of functions in an ELF file, for one of MACHINES.

    Raises ToolError where that cannot be told: for calls through pointers that POINTERS does not
    know, recursion that RECURSIVE does not, or room of a size that is not in the code.
    """
    graph = read_image(image, machine)
    return {entry: graph.depth(graph.named(entry)[0]) for entry in entries}


def read_image(image, machine):
    """Return the `Graph` of the functions in an ELF file, for one of MACHINES."""
    command = [objdump(machine), "-dt", "--no-show-raw-insn", str(image)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ToolError(f"{command[0]} fails: {done.stderr.strip()}")
    return Graph(done.stdout, MACHINES[machine])


class Graph:
    """Functions by their addresses: what each needs itself, and what it calls."""

    def __init__(self, text, machine):
        self._machine = machine
        # Functions, and what is global and of no type, as in assembly that states none.
        symbol = r"^(\w+) (?:.{6}F|g.{5} ) \.\S+\s+\w+ (?:\.hidden )?(\S+)$"
        found = re.findall(symbol, text, re.MULTILINE)
        # Without what GCC adds to the name of a part or a copy, such as ".isra.0".
        self._names = {int(address, 16) & ~1: name.split(".")[0] for address, name in found}
        self._starts = sorted(self._names)
        self._code = {start: [] for start in self._starts}
        for address, instruction in re.findall(r"^ *(\w+):\t(.*)$", text, re.MULTILINE):
            start = self._function_at(int(address, 16))
            if start is not None:
                self._code[start].append(instruction)
        words = re.findall(r"^ *(\w+):\t\.word\t(\w+)", text, re.MULTILINE)
        self._words = {int(address, 16): int(word, 16) for address, word in words}
        self._depths = {}

    def named(self, pattern):
        """Return the addresses of the functions whose names match."""
        found = [start for start in self._starts if re.fullmatch(pattern, self._names[start])]
        if not found:
            raise ToolError(f"no function {pattern} in the image")
        return found

    def _function_at(self, address):
        index = bisect.bisect(self._starts, address)
        return self._starts[index - 1] if index else None

    def depth(self, start, callers=()):
        """Return the bytes that the function at `start` needs, with all that it calls."""
        if start in self._depths:
            return self._depths[start]
        name = self._names[start]
        if start in callers:
            raise ToolError(f"{name} is recursive: say how deep, in tools/stack_usage.py")
        called, own = self._called(start), self.own(start)
        if start in called:
            if name not in RECURSIVE:
                raise ToolError(f"{name} calls itself: say how deep, in tools/stack_usage.py")
            own *= RECURSIVE[name]
        deepest = (self.depth(other, (*callers, start)) for other in called - {start})
        self._depths[start] = own + max(deepest, default=0)
        return self._depths[start]

    def own(self, start):
        """Return the bytes that the function at `start` pushes and reserves, without calls."""
        machine, total, loaded = self._machine, 0, {}
        for instruction in self._code[start]:
            if re.match(machine.unreadable, instruction):
                raise ToolError(f"the stack of {self._names[start]} is not known: {instruction}")
            if found := re.match(machine.push, instruction):
                total += 4 * len(found.group(1).split(","))
            elif found := re.match(machine.reserve, instruction):
                total += int(found.group(1), 0)
            elif found := re.match(machine.load, instruction):
                loaded[found.group(1)] = self._words.get(int(found.group(2), 16), 0)
            elif found := re.match(machine.reserve_loaded, instruction):
                word = loaded[found.group(1)]
                total += 2**32 - word if word >> 31 else 0  # otherwise it is given back
        return total

    def _called(self, start):
        machine, name, called = self._machine, self._names[start], set()
        for instruction in self._code[start]:
            if found := re.match(machine.call, instruction):
                address = int(found.group(1), 16)
                if address in self._names:  # else it is a jump within
                    called.add(address)
            elif re.match(machine.call_pointer, instruction) and name not in POINTERS:
                raise ToolError(
                    f"{name} calls through a pointer: say what, in tools/stack_usage.py"
                )
        if POINTERS.get(name):
            called.update(self.named(POINTERS[name]))
        if name.endswith("_veneer"):  # the linker's, for long ways; a word at its end says where
            called.add(self._words[start + 12] & ~1)
        return called & self._names.keys()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("machine", choices=MACHINES)
    parser.add_argument("image", help="an ELF file")
    args = parser.parse_args()
    print(json.dumps(stack_bytes(args.image, args.machine), indent=2))


if __name__ == "__main__":
    run_main(main)
