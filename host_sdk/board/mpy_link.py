"""Link a native module (.mpy) from a prebuilt object, with only what is wanted of it.

MicroPython's own linker, tools/mpy_ld.py, lays sections out and writes the .mpy. It takes every
section that it is given, and strings as they lie; so what nobody reaches from `mpy_init` is left
out here before, and equal strings become one. No compiler is needed, and the same object gives the
same bytes on every machine.
"""

import contextlib
import importlib
import inspect
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from host_sdk.errors import MotionletError

TOOLS = ("tools/mpy_ld.py", "tools/ar_util.py", "py/makeqstrdata.py")  # of MicroPython's sources
MODULE = "_motionlet.mpy"  # its file, and what it says that it was made from
ENTRY = "mpy_init"
NO_PART = "natmod_no_part"  # runs in place of what is left out
OBJECT = "_motionlet.o"  # in messages
STRINGS = ".data.rel.ro.strings"
R_XTENSA_SLOT0_OP, CALL8 = 20, 0x25
# With these the jumps of MicroPython 1.28 arrive, which do not know where an entry lies.
_ENTRY_ALIGNMENT = {"EM_386": 1, "EM_X86_64": 1, "EM_ARM": 4, "EM_RISCV": 2, "EM_XTENSA": 4}


@dataclass(frozen=True)
class Linked:
    """A module, and what it takes of the heap once it is loaded."""

    mpy: bytes
    text_bytes: int  # code, and constants beside it
    rodata_bytes: int
    bss_bytes: int

    @property
    def ram_bytes(self):
        return self.text_bytes + self.rodata_bytes + self.bss_bytes


def link(tools, arch, data, names, cut=(), without=()):
    """Return `Linked`: the object `data` (bytes of an ELF file) as a module for `arch`.

    tools: the folder where TOOLS lie, side by side. names: the strings of the module's own qstr
    table, in its order. cut: (section, first byte, bytes) of what becomes zero in constant tables,
    with the pointers there, so that what they pointed to may go. without: names of functions in C
    in whose place NO_PART is called.
    """
    mpy_ld = _mpy_ld(Path(tools))
    env = mpy_ld.LinkEnv(arch)
    try:
        mpy_ld.load_object_file(env, io.BytesIO(data), OBJECT)
        for section in env.sections:
            for name, at, size in cut:
                if name == section.name:
                    _cut(section, at, size)
        _leave_out(env, without)
        if env.arch.name == "EM_XTENSA":
            _call_constants_so(env)
        _keep_reachable(env)
        _merge_strings(mpy_ld, env)
        _begin_with_entry(env)
        mpy_ld.link_objects(env, len(names))
        if env.arch.name == "EM_XTENSA":
            _resolve_calls(env)
        with _written(mpy_ld) as file:
            _build(mpy_ld, env, names)
    except mpy_ld.LinkError as error:
        raise MotionletError(f"the object for {arch} cannot be linked: {error}") from None
    return Linked(file.getvalue(), len(env.full_text), len(env.full_rodata), len(env.full_bss))


def places(data, name, kind="STT_OBJECT"):
    """Return [(section, first byte, bytes)]: where the constants that C names `name`, or functions,
    lie in an ELF file's `data`. GCC adds to a name that several files have.
    """
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise MotionletError(f"cannot link here: {error}") from None
    elf = ELFFile(io.BytesIO(data))
    return [
        (elf.get_section(symbol["st_shndx"]).name, symbol["st_value"], symbol["st_size"])
        for symbol in elf.get_section_by_name(".symtab").iter_symbols()
        if plain_name(symbol.name) == name and symbol["st_info"]["type"] == kind
    ]


def _mpy_ld(folder):
    """Import MicroPython's linker from a folder that has what it imports, too."""
    known = sys.modules.get("mpy_ld")
    if known is not None and Path(known.__file__).parent == folder:
        return known
    before = sys.path[:]
    sys.path.insert(0, str(folder))
    for name in ("mpy_ld", "ar_util", "makeqstrdata"):
        sys.modules.pop(name, None)
    try:
        mpy_ld = importlib.import_module("mpy_ld")
    except ImportError as error:
        raise MotionletError(f"MicroPython's linker does not run here: {error}") from None
    finally:
        sys.path[:] = before
    mpy_ld.log_level = 0
    return mpy_ld


@contextlib.contextmanager
def _written(mpy_ld):
    """Give the file that mpy_ld writes meanwhile, in memory."""
    file = io.BytesIO()

    class Output(mpy_ld.MPYOutput):
        def open(self, _):
            self.f, self.prev_base, self.prev_offset = file, -1, -1

        def close(self):
            pass

    usual, mpy_ld.MPYOutput = mpy_ld.MPYOutput, Output
    try:
        yield file
    finally:
        mpy_ld.MPYOutput = usual


def _all_sections(env):
    return env.sections + env.literal_sections


def _cut(section, at, size):
    section.data = section.data[:at] + bytes(size) + section.data[at + size :]
    section.reloc = [r for r in section.reloc if not at <= r["r_offset"] < at + size]


def _leave_out(env, names):
    """Let what calls functions of these names call NO_PART."""
    for section in _all_sections(env):
        for relocation in section.reloc:
            symbol = relocation.sym
            if symbol["st_info"]["type"] == "STT_FUNC" and plain_name(symbol.name) in names:
                relocation.sym = env.known_syms[NO_PART]


def plain_name(symbol):
    """The name in C of what GCC gives a longer one, as where several files have it."""
    return re.split(r"[.$]", symbol)[0]


def _call_constants_so(env):
    """Give constants the name under which mpy_ld.py lets them have pointers.

    GCC gives it to those that do, where code is independent of its position; on Xtensa it is not,
    but for what mpy_ld.py makes of it.
    """
    for section in env.sections:
        if section.name.startswith(".rodata"):
            section.name = ".data.rel.ro" + section.name.removeprefix(".rodata")


def _target(env, symbol):
    """The section that a symbol is in, or None for one from outside."""
    if hasattr(symbol, "section"):
        return symbol.section
    known = env.known_syms.get(symbol.name)
    return known.section if known is not None else None


def _keep_reachable(env):
    """Drop all sections that nothing reached from the entry refers to."""
    if ENTRY not in env.known_syms:
        raise MotionletError(f"the object has no {ENTRY}")
    used, wanted = set(), set()  # names of symbols, ids of sections
    todo = [env.known_syms[ENTRY].section]
    while todo:
        section = todo.pop()
        if id(section) in wanted:
            continue
        wanted.add(id(section))
        for relocation in section.reloc:
            used.add(relocation.sym.name)
            target = _target(env, relocation.sym)
            if target is not None:
                todo.append(target)
    env.sections = [s for s in env.sections if id(s) in wanted]
    env.literal_sections = [s for s in env.literal_sections if id(s) in wanted]
    env.unresolved_syms = [s for s in env.unresolved_syms if s.name in used]
    # mpy_ld.py tells literals apart by the file they are from, and where they lie in it.
    for number, section in enumerate(env.literal_sections):
        section.filename = f"{OBJECT}:{number}"


def _merge_strings(mpy_ld, env):
    """Lay each string once, and none that is the end of another.

    A section of strings stays as it is where a relocation does not say which one it means.
    """
    by_section = {id(s): [] for s in env.sections if ".str1." in s.name}
    for section in _all_sections(env):
        for relocation in section.reloc:
            found = by_section.get(id(_target(env, relocation.sym)))
            if found is not None:
                found.append(relocation.sym)
    pieces, gone = {}, set()  # {string: its symbols}
    for section in env.sections:
        named = by_section.get(id(section))
        if named is None or any(s["st_info"]["type"] == "STT_SECTION" for s in named):
            continue
        gone.add(id(section))
        for symbol in {id(s): s for s in named}.values():
            at = symbol["st_value"]
            pieces.setdefault(section.data[at : section.data.index(0, at) + 1], []).append(symbol)
    env.sections = [s for s in env.sections if id(s) not in gone]
    whole = {}  # {string: its section}, longest first
    for string in sorted(pieces, key=lambda string: (-len(string), string)):
        longer = next((each for each in whole if each.endswith(string)), string)
        if longer is string:
            whole[string] = mpy_ld.Section(STRINGS, string, 1, OBJECT)
            env.sections.append(whole[string])
        for symbol in pieces[string]:
            symbol.section = whole[longer]
            symbol.entry["st_value"] = len(longer) - len(string)


def _begin_with_entry(env):
    """Lay the entry first, as each version of mpy_ld.py finds it there.

    A module is entered at its first byte. Up to MicroPython 1.27 a jump to the entry is put there
    once all is laid out; 1.28 and later go by where the entry seems to be before that.
    """
    entry = env.known_syms[ENTRY].section
    entry.alignment = _ENTRY_ALIGNMENT[env.arch.name]
    env.sections.sort(key=lambda section: section is not entry)
    if env.arch.name == "EM_XTENSA":
        entry.addr = entry.alignment  # behind a jump: constants that it reads come before


def _build(mpy_ld, env, names):
    """Write the .mpy, by whichever arguments this version takes."""
    known = {
        "env": env,
        "entry_offset": env.known_syms[ENTRY].section.addr,  # up to MicroPython 1.27
        "fmpy": MODULE,
        "internal_name": MODULE,  # from 1.29 on
        "native_qstr_vals": names,
        "arch_flags": 0,  # from 1.28 on
    }
    wanted = inspect.signature(mpy_ld.build_mpy).parameters
    mpy_ld.build_mpy(**{name: known[name] for name in wanted})


def _resolve_calls(env):
    """Write into each CALL8 where it goes: mpy_ld.py takes it that this is done."""
    for section in env.sections:
        for relocation in section.reloc:
            at = section.addr + relocation["r_offset"]
            target = _target(env, relocation.sym)
            if (
                relocation["r_info_type"] == R_XTENSA_SLOT0_OP
                and target.name.startswith(".text")
                and env.full_text[at] & 0x3F == CALL8
            ):
                symbol = getattr(relocation.sym, "resolved", relocation.sym)
                to = target.addr + symbol["st_value"] + relocation["r_addend"]
                # In words, from the one behind the word that the instruction begins in.
                distance = (to - (at & ~3) - 4) >> 2
                word = (distance & 0x3FFFF) << 6 | CALL8
                env.full_text[at : at + 3] = word.to_bytes(3, "little")
