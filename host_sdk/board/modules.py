"""Which Motionlet a device has: in its firmware, or as files, whole or not, or hidden.

Nothing is imported there before it is looked at: MicroPython does not come back from the import of
a .mpy file that was cut.
"""

import json
import re

from host_sdk.board.devices.base import fits, plain
from host_sdk.board.native_module import GROUPS
from host_sdk.errors import MotionletError
from host_sdk.format.mlet import TARGETS
from host_sdk.format.operators import OPS

# By the number in a .mpy file and in sys.implementation._mpy; as in py/persistentcode.h.
ARCHITECTURES = (
    *("none", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp"),
    *("xtensa", "xtensawin", "rv32imc"),
)
# Which package an architecture takes, where there is none of its own.
COMPATIBLE = {"armv7em": "armv7m", "armv7emdp": "armv7emsp"}

# What a board imports; a folder of that name in its file system would come first.
_IMPORTED = """
_motionlet motionlet main boot lib array asyncio binascii bluetooth builtins cmath collections
deflate errno esp esp32 framebuf gc hashlib heapq io json machine math micropython mip neopixel
network ntptime onewire os platform pyb random re requests rp2 select socket ssl struct sys time
tls uasyncio uctypes ulab urequests vfs websocket zephyr zlib
"""
IMPORTED = frozenset(_IMPORTED.split())

MEND = ": `host_sdk install` mends it"

# An empty sys.path finds what is built in, and nothing else.
BUILT_IN = """
import json, sys
_mlet_paths = sys.path[:]
sys.path[:] = []
try:
    import _motionlet
    _mlet_built_in = True
except ImportError:
    _mlet_built_in = False
sys.path[:] = _mlet_paths
print(json.dumps(_mlet_built_in))
"""

PATHS = """
import os
def _mlet_path(name):
    for path in sys.path:
        for end in () if path == ".frozen" else ("", ".py", ".mpy"):
            at = (path + "/" if path else "") + name + end
            try:
                if (os.stat(at)[0] & 0x4000 == 0x4000) == (end == ""):
                    return at
            except OSError:
                pass
print(json.dumps((_mlet_path("motionlet"), _mlet_path("_motionlet"))))
"""

# Goes through a native module as py/persistentcode.c does.
CHECK_MODULE = """
import json, os, sys
def _mlet_whole(file, size):
    def uint():
        n, more = 0, 128
        while more & 128:
            more = file.read(1)[0]
            n = n << 7 | more & 127
        return n
    def skip(n):
        if file.tell() + n > size:
            raise IndexError
        file.seek(n, 1)
    qstrs, objects = uint(), uint()
    for _ in range(qstrs):
        n = uint()
        if not n & 1:
            skip((n >> 1) + 1)
    skip(objects)
    skip(uint() >> 3)
    flags = uint()
    rodata = uint() if flags & 0x20 else 0
    if flags & 0x40:
        uint()
    skip(rodata)
    while flags & 0x10:
        op = file.read(1)[0]
        if op == 255:
            break
        if op & 1:
            uint()
        if op < 12 and op & 2:
            uint()
with open({path!r}, "rb") as _mlet_file:
    _mlet_head = _mlet_file.read(4)
    try:
        _mlet_whole(_mlet_file, os.stat({path!r})[6])
        _mlet_ok = True
    except IndexError:
        _mlet_ok = False
print(json.dumps((list(_mlet_head), getattr(sys.implementation, "_mpy", 0), _mlet_ok)))
"""

ASK_MODULE = """
import json, sys
try:
    import motionlet as _m
    if hasattr(_m, "VERSION"):
        _said = {"version": _m.VERSION, "format_version": _m.FORMAT_VERSION,
                 "target": _m.TARGET, "operators": getattr(_m, "OPERATORS", -1),
                 "groups": getattr(_m, "GROUPS", -1),
                 "machine": getattr(sys.implementation, "_machine", "")}
    else:
        _said = {"hidden_by": getattr(_m, "__path__", "") or getattr(_m, "__file__", "?")}
except Exception as error:
    _said = {"error": type(error).__name__ + ": " + str(error)}
print(json.dumps(_said))
"""


class BrokenModule(MotionletError):
    """Motionlet is on the device, and does not work there; installing it anew mends that."""


def lacks_vector_unit(machine):
    """Whether a board, by what MicroPython calls it, is of Espressif's but not an ESP32-S3.

    The native module for the ESP32-S3 loads on them too, and runs what is packed for no target.
    """
    return re.search(r"ESP32(?!-?S3)\w*$", machine) is not None


def find_module(device):
    """Return what the device's Motionlet says of itself; None where it has none.

    That is {"version", "format_version", "target", "operators", "groups"}: the last two are sets,
    of kinds and of native_module.GROUPS; all there are, where an older one does not say.

    Raises BrokenModule when Motionlet is there and does not work, and MotionletError when something
    else has its name.
    """
    name = device.name
    built_in, package, module = look(device)
    if not built_in:
        if package is None and module is None:
            return None
        check_module(device, module)
    found = device.answer(ASK_MODULE)
    if fits(found, {"error": str}):
        error = plain(found["error"])
        if not built_in and module is None and error.startswith("ImportError"):
            return None
        raise BrokenModule(
            f"{name}: its Motionlet does not import ({error}){'' if built_in else MEND}"
        )
    if fits(found, {"hidden_by": str}):
        raise MotionletError(hidden(name, found["hidden_by"]))
    kinds = {"version": str, "format_version": int, "target": int, "machine": str}
    flags = dict.fromkeys(("operators", "groups"), range(-1, 1 << 62))
    if not fits(found, kinds | flags):
        device.parse(json.dumps(found), shape=bytes)  # raises what says so
    names = {code: name for name, code in TARGETS.items()}
    found["target"] = names.get(found["target"], f"target {found['target']}")
    machine = found.pop("machine")
    if found["target"] == "esp32s3" and lacks_vector_unit(machine):
        found["target"] = "portable"
    operators, groups = found["operators"], found["groups"]
    found["operators"] = {kind for kind, op in OPS.items() if operators >> op.code & 1}
    found["groups"] = {name for bit, name in enumerate(GROUPS) if groups >> bit & 1}
    return found


def look(device):
    """Return (whether the C part is in the firmware, what `motionlet` and `_motionlet` name).

    The names are paths in the file system that an import would take, or None; None too in firmware.
    """
    if device.answer(BUILT_IN, bool):
        return True, None, None
    paths = device.answer(PATHS, (None, None))
    for path in paths:
        if path is not None and not fits(path, str):
            device.parse(repr(path), shape=bytes)  # raises what says so
    return False, *paths


def check_module(device, path):
    """Raise MotionletError unless the file of the native module is whole, and for the device."""
    if path is None:
        return
    if not path.endswith(".mpy"):
        raise MotionletError(hidden(device.name, path))
    header, wanted, whole = device.answer(CHECK_MODULE.format(path=path), ([int], int, bool))
    if len(header) < 4 or header[0] != ord("M"):
        raise BrokenModule(f"{device.name}: {path} is not a .mpy file{MEND}")
    has, wants = describe_mpy(header[1] | header[2] << 8), describe_mpy(wanted)
    if has != wants and not (has[1] == wants[1] and COMPATIBLE.get(wants[0]) == has[0]):
        raise BrokenModule(
            f"{device.name}: {path} is for {_processor(has)}, it loads {_processor(wants)}{MEND}"
        )
    if not whole:
        raise BrokenModule(f"{device.name}: {path} is cut or damaged{MEND}")


def _processor(described):
    arch, version = described
    return f"{arch} {'.'.join(map(str, version))}"


def describe_mpy(value):
    """(architecture, (version, sub-version)) of sys.implementation._mpy or of a .mpy's header."""
    arch = (value >> 10) & 15
    name = ARCHITECTURES[arch] if arch < len(ARCHITECTURES) else f"architecture {arch}"
    return name, (value & 0xFF, (value >> 8) & 3)


def check_name(name):
    """Raise MotionletError for the name of a model's file that hides what the board imports."""
    first, _, rest = name.partition("/")
    if name.rpartition(".")[2] in ("py", "mpy"):
        raise MotionletError(f"{name!r} is the name of a program; want one like 'gesture.mlet'")
    if rest and first in IMPORTED:
        raise MotionletError(
            f"{name!r} would hide the module {first} from the board's programs; give --name "
            "another folder, or none"
        )


def hidden(name, path):
    """Return the words for a path that is taken for Motionlet."""
    path = "/" + plain(path).lstrip("/")
    return (
        f"{name}: {path} is not Motionlet's, and hides it from `import`: remove or rename it "
        f"(`mpremote fs rm -r :{path}`)"
    )


def require_module(device):
    """Return what find_module does; raises MotionletError when the device has no Motionlet."""
    found = find_module(device)
    if found is None:
        raise MotionletError(
            f"{device.name} has no module motionlet: `host_sdk install` adds it to the firmware "
            "there (or `deploy --install`), `host_sdk firmware flash` puts Motionlet's own there"
        )
    return found
