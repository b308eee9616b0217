"""A model's stream on a device, driven from the laptop.

Frames travel compressed where the device can unpack them: a serial line is slow.
"""

import base64
import json
import re
import zlib

import numpy as np

from host_sdk.board.native_module import GROUPS
from host_sdk.errors import DeviceError, MotionletError
from host_sdk.format.mlet import TARGETS
from host_sdk.format.operators import OPS

# Defined once on the device; names begin with an underscore to keep out of the user's way.
HELPERS = """
import binascii, gc, io, json
try:
    import deflate as _deflate
except ImportError:
    _deflate = None
def _unpack(text):
    data = binascii.a2b_base64(text)
    if _deflate is None:
        return data
    return _deflate.DeflateIO(io.BytesIO(data), _deflate.ZLIB).read()
print(json.dumps(_deflate is not None))
"""

STREAM = """
import array, time, motionlet
_model = motionlet.load({path!r}, in_ram={in_ram})
_stream = _model.stream()
_crcs = array.array('I', [0] * {crcs})
_times = array.array('I', [0] * {ops})
_can_trace = hasattr(_stream, 'trace')
def _frames(texts):
    if isinstance(texts, tuple):
        return tuple([text and _unpack(text) for text in texts])
    return _unpack(texts)
def _trace(text):
    _stream.trace(_frames(text), _crcs)
    print(json.dumps(list(_crcs)))
def _tap(text, op):
    print(json.dumps(binascii.b2a_base64(_stream.tap(_frames(text), op)).decode()))
def _push(text):
    frame = _frames(text)
    if not isinstance(frame, tuple):
        frame = (frame,)
    gc.collect()
    begin = time.ticks_us()
    scores = _stream.push(*frame)
    took = time.ticks_diff(time.ticks_us(), begin)
    print(json.dumps((list(scores), took)))
def _profile(text, repeats, untimed):
    frame = _frames(text)
    total = [0] * len(_times)
    for turn in range(untimed + repeats):
        _stream.profile(frame, _times)
        if turn >= untimed:
            total = [t + n for t, n in zip(total, _times)]
    print(json.dumps(total))
print(json.dumps(_can_trace))
"""


CHECK_RAM = """
gc.collect()
_free = gc.mem_free()
try:
    _block = bytearray({bytes})
    _fits = True
except MemoryError:
    _fits = False
_block = None
print(json.dumps((_fits, _free)))
"""

# 1024 is ESP-IDF's MALLOC_CAP_SPIRAM.
LACKS_PSRAM = """
try:
    import esp32
    print(json.dumps(not esp32.idf_heap_info(1024)))
except (ImportError, AttributeError):
    print(json.dumps(False))
"""


class Remote:
    """Helpers on a device: `json` runs code there and returns the JSON that it prints."""

    def __init__(self, device):
        self.device = device
        self._compress = self.json(HELPERS)

    def restart(self):
        """Restart MicroPython, and define the helpers again."""
        self.device.reset()
        self.json(HELPERS)

    def json(self, code, **options):
        """Run code there; return the JSON value that its last line printed."""
        lines = self.device.exec(code, **options).strip().splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            raise DeviceError(f"{self.device.name} answered {lines[-1:]}, not JSON") from None

    def can_allocate(self, bytes):
        """Return (whether the heap has so many bytes in one piece, how many are free in all)."""
        return self.json(CHECK_RAM.format(bytes=bytes))

    def lacks_psram(self):
        """Return whether this is an ESP32 that has no PSRAM, or does not use it."""
        return self.json(LACKS_PSRAM)

    def free_file_bytes(self):
        """Return how many bytes are free in the file system."""
        return self.json("import os\n_s = os.statvfs('/')\nprint(json.dumps(_s[1] * _s[4]))")

    def packed(self, data):
        """Return bytes as the literal that `_unpack` on the device makes them of again."""
        if self._compress:
            # A window of 1 KB: the device needs as much memory to unpack.
            squeeze = zlib.compressobj(9, zlib.DEFLATED, 10)
            data = squeeze.compress(data) + squeeze.flush()
        return repr(base64.b64encode(data))


class RemoteStream:
    """One stream of a deployed model. Frames are samples [H, W, C] of the input's size and type.

    For a raw input they are int8. Of several inputs, they are a list, None for one that is not due.
    """

    def __init__(self, device, path, graph, in_ram=False):
        self.name = device.name
        self.graph = graph
        self._remote = Remote(device)
        ops = len(graph.ops)
        code = STREAM.format(path=path, in_ram=in_ram, ops=ops, crcs=len(graph.inputs) + ops)
        self._can_trace = self._remote.json(code)

    def _text(self, frame):
        if isinstance(frame, list):
            texts = ["None" if one is None else self._text(one) for one in frame]
            return f"({', '.join(texts)},)"
        frame = np.asarray(frame)
        return self._remote.packed(frame.astype(frame.dtype.newbyteorder("<")).tobytes())

    def _looking(self, code):
        """Return what code gives that looks into the stream, if the module there can."""
        if not self._can_trace:
            raise MotionletError(
                f"the module on {self.name} does not show what each layer gives: "
                "`host_sdk install --full` puts one there that does"
            )
        return self._remote.json(code)

    def reset(self):
        """Forget all frames."""
        self._remote.device.exec("_stream.reset()")

    def push(self, frame):
        """Run one frame; return (int8 logits as a list, microseconds on the device)."""
        logits, microseconds = self._remote.json(f"_push({self._text(frame)})")
        return logits, microseconds

    def trace(self, frame):
        """Run one frame; return the CRC-32 of every input and of every op's output.

        It is 0 for those that do not run at this frame.
        """
        return self._looking(f"_trace({self._text(frame)})")

    def tap(self, frame, op):
        """Run one frame; return the output of op `op`, int8 [H, W, C].

        -1 is the first input, -2 the second. It has to run at this frame.
        """
        data = base64.b64decode(self._looking(f"_tap({self._text(frame)}, {op})"))
        graph = self.graph
        tensor = graph.tensors[-1 - op if op < 0 else graph.ops[op].output]
        return np.frombuffer(data, np.int8).reshape(tensor.shape)

    def profile(self, frame, repeats, untimed=1):
        """Run one frame `repeats` times, after some that do not count, as they fill caches.

        Returns the microseconds that each op took, over all repeats.
        """
        return self._looking(f"_profile({self._text(frame)}, {repeats}, {untimed})")


def lacks_vector_unit(machine):
    """Whether a board, by what MicroPython calls it, is of Espressif's but not an ESP32-S3.

    The native module for the ESP32-S3 loads on them too, and runs what is packed for no target.
    """
    return re.search(r"ESP32(?!-?S3)\w*$", machine) is not None


def find_module(device):
    """Return what the device's Motionlet says of itself; None where it has none.

    That is {"version", "format_version", "target", "operators", "groups"}: the last two are sets,
    of kinds and of native_module.GROUPS; all there are, where an older one does not say.
    """
    code = """
import json, sys
try:
    import motionlet as _m
    print(json.dumps({"version": _m.VERSION, "format_version": _m.FORMAT_VERSION,
                      "target": _m.TARGET, "operators": getattr(_m, "OPERATORS", -1),
                      "groups": getattr(_m, "GROUPS", -1),
                      "machine": getattr(sys.implementation, "_machine", "")}))
except ImportError:
    print("null")
"""
    lines = device.exec(code).strip().splitlines()
    found = json.loads(lines[-1]) if lines else None
    if found is not None:
        names = {code: name for name, code in TARGETS.items()}
        found["target"] = names.get(found["target"], f"target {found['target']}")
        machine = found.pop("machine")
        if found["target"] == "esp32s3" and lacks_vector_unit(machine):
            found["target"] = "portable"
        operators, groups = found["operators"], found["groups"]
        found["operators"] = {kind for kind, op in OPS.items() if operators >> op.code & 1}
        found["groups"] = {name for bit, name in enumerate(GROUPS) if groups >> bit & 1}
    return found


def require_module(device):
    """Return what find_module does; raises MotionletError when the device has no Motionlet."""
    found = find_module(device)
    if found is None:
        raise MotionletError(
            f"{device.name} has no module motionlet: `host_sdk install` adds it to the firmware "
            "there (or `deploy --install`), `host_sdk firmware flash` puts Motionlet's own there"
        )
    return found
