"""A model's stream on a device, driven from the laptop.

Frames travel compressed where the device can unpack them: a serial line is slow.
"""

import base64
import zlib

import numpy as np

from host_sdk.board.modules import find_module, require_module  # noqa: F401 (of a device, too)
from host_sdk.errors import DeviceError, MotionletError
from host_sdk.format.mlet import MACS_LIMIT

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
_model = motionlet.load({path!r}, in_ram={in_ram}{slow})
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


def slow_word(graph):
    """Return the argument that lets a device load a model whose frames may take minutes."""
    return ", slow=True" if graph.most_macs > MACS_LIMIT else ""


class Remote:
    """Helpers on a device: `json` runs code there and returns the JSON that it prints."""

    def __init__(self, device):
        self.device = device
        self._compress = self.json(HELPERS, bool)

    def restart(self):
        """Restart MicroPython, and define the helpers again."""
        self.device.reset()
        self.json(HELPERS)

    def json(self, code, shape=None, **options):
        """Run code there; return the JSON value that its last line printed.

        shape: what it is to be, as `devices.base.fits` takes it. Raises DeviceError otherwise.
        """
        return self.device.answer(code, shape, **options)

    def can_allocate(self, bytes):
        """Return (whether the heap has so many bytes in one piece, how many are free in all)."""
        return self.json(CHECK_RAM.format(bytes=bytes), (bool, int))

    def lacks_psram(self):
        """Return whether this is an ESP32 that has no PSRAM, or does not use it."""
        return self.json(LACKS_PSRAM, bool)

    def free_file_bytes(self):
        """Return how many bytes are free in the file system."""
        code = "import os\n_s = os.statvfs('/')\nprint(json.dumps(_s[1] * _s[4]))"
        return self.json(code, int)

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
        options = {"in_ram": in_ram, "slow": slow_word(graph)}
        code = STREAM.format(path=path, ops=ops, crcs=len(graph.inputs) + ops, **options)
        self._can_trace = self._remote.json(code, bool)

    def _text(self, frame):
        if isinstance(frame, list):
            texts = ["None" if one is None else self._text(one) for one in frame]
            return f"({', '.join(texts)},)"
        frame = np.asarray(frame)
        return self._remote.packed(frame.astype(frame.dtype.newbyteorder("<")).tobytes())

    def _looking(self, code, shape):
        """Return what code gives that looks into the stream, if the module there can."""
        if not self._can_trace:
            raise MotionletError(
                f"the module on {self.name} does not show what each layer gives: "
                "`host_sdk install --full` puts one there that does"
            )
        return self._remote.json(code, shape)

    def reset(self):
        """Forget all frames."""
        self._remote.device.ask("_stream.reset()")

    def push(self, frame):
        """Run one frame; return (int8 logits as a list, microseconds on the device)."""
        outputs = self.graph.tensors[self.graph.outputs[0]].size
        shape = ((range(-128, 128),) * outputs, int)
        logits, microseconds = self._remote.json(f"_push({self._text(frame)})", shape)
        return logits, microseconds

    def trace(self, frame):
        """Run one frame; return the CRC-32 of every input and of every op's output.

        It is 0 for those that do not run at this frame.
        """
        crcs = (int,) * (len(self.graph.inputs) + len(self.graph.ops))
        return self._looking(f"_trace({self._text(frame)})", crcs)

    def tap(self, frame, op):
        """Run one frame; return the output of op `op`, int8 [H, W, C].

        -1 is the first input, -2 the second. It has to run at this frame.
        """
        graph = self.graph
        tensor = graph.tensors[-1 - op if op < 0 else graph.ops[op].output]
        text = self._looking(f"_tap({self._text(frame)}, {op})", str)
        data = self._remote.device.parse(text, base64.b64decode)
        if len(data) != tensor.size:
            raise DeviceError(f"{self.name}: {len(data)} bytes of op {op}, not {tensor.size}")
        return np.frombuffer(data, np.int8).reshape(tensor.shape)

    def profile(self, frame, repeats, untimed=1):
        """Run one frame `repeats` times, after some that do not count, as they fill caches.

        Returns the microseconds that each op took, over all repeats.
        """
        code = f"_profile({self._text(frame)}, {repeats}, {untimed})"
        return self._looking(code, (int,) * len(self.graph.ops))
