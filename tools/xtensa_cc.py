#!/usr/bin/env python3
"""Compile one file for the ESP32-S3's core, called as GCC would be.

    xtensa-cc [-O2 -Wall -I… -D… -f… -std=…] [-mattr=LIST] -c SOURCE -o OBJECT

`xtensa-cc` is written by tools/xtensa_toolchain.py. LLVM's clang makes bitcode of C, llc makes
assembly of that, and llvm-mc an object: straight to an object fails on alignment in LLVM 22.
Options that are GCC's alone are left out. -mattr, such as -mattr=-fp, goes to llc.

What comes out is as GCC's assembler would have it, so that binutils and MicroPython's mpy_ld.py
can link it: literals in a section .literal, constants that hold addresses in .data.rel.ro, and
offsets from a section in the word that is relocated.
"""

import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

CPU = "esp32"  # LLVM has no esp32s3 yet; all of the ESP32's LX6 core that is used here is in LX7
TARGET = ("--target=xtensa", "-ffreestanding", "-fno-pic", "-nostdinc")
# Calls go through a literal anyhow, and so do addresses: all code may be loaded anywhere.
LEFT_OUT = re.compile(r"-mlongcalls|-f(pic|PIC)|-fno-tree-loop-distribute-patterns|-mattr=.*")

INSTRUCTION = re.compile(
    r"^\t(?P<name>or|add|addi|l32i|s32i|movi)\t(?P<operands>[^\s#,]+(?:, [^\s#,]+)*)", re.MULTILINE
)
ELF_HEADER = struct.Struct("<16s2H5I6H")
ELF_SECTION = struct.Struct("<10I")
ELF_RELA = struct.Struct("<2Ii")
SHT_RELA = 4
SHF_MERGE, SHF_STRINGS = 0x10, 0x20
R_XTENSA_32, R_XTENSA_SLOT0_OP = 1, 20
OPCODE_L32R = 1


def main():
    root, *given = sys.argv[1:]
    root = Path(root)
    binaries = root.parent.parent / "bin"
    if given == ["--version"]:
        run(binaries / "clang", "--version")
        return
    (headers,) = root.glob("lib/llvm-*/lib/clang/*/include")
    include = ["-isystem", headers, "-isystem", root / "lib/xtensa-lx106-elf/include"]
    # GCC's -Os is as small as it can be; clang's is not.
    arguments = ["-Oz" if a == "-Os" else a for a in given if not LEFT_OUT.fullmatch(a)]
    try:
        at = arguments.index("-o")
        target = arguments[at + 1]
        del arguments[at : at + 2]
        source = arguments[arguments.index("-c") + 1]
    except (ValueError, IndexError):
        sys.exit("error: xtensa-cc needs -c SOURCE and -o OBJECT")
    clang = [binaries / "clang", *TARGET, *include, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        assembly = Path(folder) / "out.s"
        if source.endswith(".S"):
            clang[clang.index("-c")] = "-E"
            run(*clang, "-o", assembly)
        else:
            bitcode = Path(folder) / "out.bc"
            run(*clang, "-emit-llvm", "-o", bitcode)
            llc = [binaries / "llc", "-march=xtensa", f"-mcpu={CPU}", "-relocation-model=static"]
            llc += [a for a in given if a.startswith("-mattr=")]
            llc += ["--data-sections"] if "-fdata-sections" in arguments else []
            llc += [a for a in arguments if a in ("-O0", "-O1", "-O2", "-O3")][-1:]
            run(*llc, bitcode, "-o", assembly)
            text = align_stack(name_sections(assembly.read_text()))
            assembly.write_text(narrow(text))
        assemble = [binaries / "llvm-mc", "--arch=xtensa", f"--mcpu={CPU}", "-filetype=obj"]
        run(*assemble, assembly, "-o", target)
    Path(target).write_bytes(tidy_relocations(Path(target).read_bytes()))


def name_sections(assembly):
    """Put literals into .literal, and constants that hold addresses into .data.rel.ro."""
    # Otherwise literals go to a section named after the one before them.
    assembly = re.sub(r"^\t\.literal_position", r"\t.text\n\g<0>", assembly, flags=re.M)
    parts = re.split(r"^(?=\s*\.(?:section|text|data|bss)\b)", assembly, flags=re.M)
    for index, part in enumerate(parts):
        if re.search(r"^\s*\.long\s+[A-Za-z_.]", part, re.M):
            part = re.sub(
                r'^(\s*\.section\s+"?)\.rodata(\S*?"?),"a"', r'\1.data.rel.ro\2,"aw"', part
            )
            parts[index] = part
    return "".join(parts)


def align_stack(assembly):
    """Keep the stack pointer on multiples of 16 where arguments are put on the stack.

    LLVM 22 moves it by the bytes that the arguments have, which may be any number.
    """

    def rounded(found):
        size = -(-abs(int(found["bytes"])) // 16) * 16
        return f"{found['move']}{size if int(found['bytes']) > 0 else -size}{found['rest']}"

    pattern = (
        r"(?P<move>\taddi\t(?P<to>a\d+), a1, )(?P<bytes>-?\d+)(?P<rest>\n\tmovsp\ta1, (?P=to)\n)"
    )
    return re.sub(pattern, rounded, assembly)


def narrow(assembly):
    """Use the short forms of instructions, of 2 bytes in place of 3; LLVM does so seldom."""
    return INSTRUCTION.sub(_short_form, assembly)


def _short_form(found):
    name, operands = found["name"], re.split(r",\s*", found["operands"])
    number = int(operands[-1]) if re.fullmatch(r"-?\d+", operands[-1]) else None
    if name == "or" and operands[1] == operands[2]:
        return f"\tmov.n\t{operands[0]}, {operands[1]}"
    short = {
        "add": number is None,
        "addi": number is not None and (number == -1 or 1 <= number <= 15),
        "l32i": number is not None and 0 <= number <= 60,
        "s32i": number is not None and 0 <= number <= 60,
        "movi": number is not None and -32 <= number <= 95,
    }
    return f"\t{name}.n\t{found['operands']}" if short.get(name) else found[0]


def tidy_relocations(content):
    """Move the addends of an object's relocations of words into these words.

    Constants are then not to be merged: ld would not see which of them are meant.
    """
    content = bytearray(content)
    header = ELF_HEADER.unpack_from(content)
    table, size, count = header[6], header[11], header[12]
    sections = [ELF_SECTION.unpack_from(content, table + i * size) for i in range(count)]
    for index, (name, kind, flags, *rest) in enumerate(sections):
        flags &= ~(SHF_MERGE | SHF_STRINGS)
        ELF_SECTION.pack_into(content, table + index * size, name, kind, flags, *rest)
    for _, kind, _, _, at, length, _, target, _, entry in sections:
        for place in range(at, at + length, entry) if kind == SHT_RELA else ():
            offset, info, addend = ELF_RELA.unpack_from(content, place)
            word = sections[target][4] + offset
            if info & 0xFF == R_XTENSA_SLOT0_OP and content[word] & 15 == OPCODE_L32R:
                content[word + 1 : word + 3] = bytes(2)  # mpy_ld.py adds to what is there
            if info & 0xFF == R_XTENSA_32:
                (value,) = struct.unpack_from("<I", content, word)
                struct.pack_into("<I", content, word, (value + addend) & 0xFFFFFFFF)
                ELF_RELA.pack_into(content, place, offset, info, 0)
    return content


def run(*command):
    done = subprocess.run(command)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
