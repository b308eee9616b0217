"""Streaming int8 video networks in C. Use it through the package `motionlet`, which has it all.

Words and layouts:

    Buffer   anything with the buffer protocol that holds bytes: bytes, bytearray, array of typecode
             'b' or 'B', memoryview, a ulab array of uint8 or int8. Lists and text are not buffers.
    samples  what a model's input takes: pixels of 8 bits, or int16 (temperatures and the like)
    map      int8 values [height, width, channels], channels innermost, as a Buffer
    Shape    (height, width, channels)
    int32    array('i'), or a Buffer of little-endian int32

Buffers are read where they are; nothing that is passed in is kept, but by `Model`. Every function
with `out` fills it and returns it; without, it returns a new memoryview of typecode 'b'. SPEC.md
defines every number. A wrong count raises ValueError with both numbers, a wrong type TypeError.

A native module (.mpy) lacks what a deployed model does not need, for it takes RAM: `FrameRing`, the
kernels one by one, `conv3d_separable`, `resize` and `argmax`. `hasattr` tells.
"""

from array import array
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

Buffer: TypeAlias = Any
Shape: TypeAlias = tuple[int, int, int]
Crop: TypeAlias = tuple[int, int, int, int]
Frames: TypeAlias = Buffer | tuple[Buffer | None, ...] | list[Buffer | None]
"""A frame; of several inputs a tuple or list of one to each."""

VERSION: str
"""Motionlet's version."""
FORMAT_VERSION: int
"""The version of the .mlet format that this firmware reads."""
TARGET: int
"""The target whose kernels are built in: models packed for it run, and portable ones.

A native module (.mpy) with tuned kernels runs those of its target only.
"""
OPERATORS: int
"""The operators that are built in, a bit to each: 1 << its code in SPEC.md."""
GROUPS: int
"""The groups of features that are built in, a bit to each.

In this order, from bit 0: chains, 4-bit weights, 16-bit inputs and backgrounds, `trace` and the
like, kernels one by one, portable kernels, several inputs at rates of their own, what printing
shows, modules that extend it.
"""

GRAY8: int
"""1 byte a pixel."""
RGB888: int
"""3 bytes a pixel: R, G, B."""
RGB565_LE: int
"""2 bytes a pixel, the low byte first. An array of typecode 'H' is taken too."""
RGB565_BE: int
"""2 bytes a pixel, the high byte first, as the ESP32's camera driver gives them."""
YUV422: int
"""2 bytes a pixel: Y0 U Y1 V. Of even width, and only for gray inputs."""
INT16: int
"""An int16 a pixel: array of typecode 'h', or bytes. For inputs of int16, as is FLOAT32."""
FLOAT32: int
"""A float a pixel, in the unit of the model (degrees C): array of typecode 'f', or bytes.

It is rounded to the nearest sample; what is beyond int16, as are infinities, becomes its end. Up
to 8 NaN, each beside a number, become the mean of the numbers left, right, above and below: pixels
that a sensor never reads. More are refused with a ValueError, and the stream stays as it was.
"""

class Tensor(NamedTuple):
    """An input or output; real value = scale * (q - zero_point). Not a name of the module."""

    name: str
    shape: Shape
    scale: float
    zero_point: int

class Input(NamedTuple):
    """An input: a Tensor, and how it is fed. Not a name of the module."""

    name: str
    shape: Shape
    scale: float
    zero_point: int
    pixel_format: str
    """"gray8", "rgb888", "int16", or "raw": int8 elements."""
    period: int
    """It takes a frame at every frame of the stream whose number this divides: 1 is each one."""

class Op(NamedTuple):
    """One step of a model: its name, its kind, and the shape of its output. Not a name either."""

    name: str
    kind: str
    shape: Shape

class Model:
    """A checked model. Print it to see its inputs, outputs, RAM and labels."""

    def __init__(self, file: Buffer, name: str | None = None, slow: bool = False, /) -> None:
        """Check a whole .mlet file.

        file: bytes or a memoryview are used where they lie, and must not change any more, if they
            start on a multiple of 16 bytes, as heap and ROMFS do. It is copied to the heap
            otherwise, and if it is a bytearray or an array, which might grow and move; to use
            that in place, give memoryview(file) and leave it alone.
        name: for people.
        slow: also if a frame takes more than 2**31 multiply-accumulates (SPEC.md, "What a frame
            takes"), which is minutes on a Cortex-M0+ and a ValueError otherwise.

        Raises ValueError that names record, index and field, as in
        "not a Motionlet model: op 3: weights_offset".
        """
    name: str | None
    """What it was given as a name; `motionlet.load` gives the path."""
    labels: tuple[str, ...]
    """What each channel of the first output stands for; may be empty. Always the same tuple."""
    inputs: tuple[Input, ...]
    outputs: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    """In the order they run."""
    frames_per_second: float
    """The rate the model was trained at; 0.0 when not stated."""
    target: int
    """0: runs anywhere. Else the one target whose weight layout it has."""
    target_name: str
    """The same in words: "portable", "cortex_m0plus", "esp32s3"."""
    bytes: int
    """Length of the file."""
    arena_bytes: int
    """Memory of one frame's maps, in every stream."""
    state_bytes: int
    """What a stream keeps from frame to frame."""
    stream_bytes: int
    """All memory of one stream: arena, state, ring positions."""
    ram_bytes: int
    """Memory of the model with one stream; the file counts when it lies in RAM."""
    in_place: bool
    """The file is used where the caller has it, without a copy."""

    def stream(
        self,
        width: int | None = None,
        height: int | None = None,
        format: int | None = None,
        crop: Crop | None = None,
    ) -> Stream:
        """Return a new stream: the state of one video. A model serves any number of them.

        width, height: of the camera's frames, in pixels; by default those of the input.
        format: GRAY8, RGB888, RGB565_LE, RGB565_BE or YUV422; by default that of the input. An
            input of int16 takes INT16 (the default) or FLOAT32 instead.
        crop: (x, y, width, height), the part of the frame to use; by default all of it. It is
            resized by area to the input's size; its shape may differ, then the image is stretched.

        A raw int8 input takes none of them. Of several inputs they describe the first that takes
        pixels. To describe others too, give one tuple (width, height, format, crop), or the first
        few of these, to each input, or None for its defaults; in their order, or by their names:

            model.stream((160, 120, GRAY8), None)
            model.stream(image=(160, 120, GRAY8))

        Raises MemoryError that names the bytes needed and those in the largest free block.
        """

class Stream:
    """The state of one video, from Model.stream(). None of its methods allocates, but where said.

    A frame is a Buffer that holds exactly the bytes of one frame, or of the input tensor when the
    model's input is raw; signed or not is the same. Anything else raises before the stream changes:
    ValueError with both numbers, TypeError for None, which cameras give when they fail. Frames are
    cropped, resized and normalized as the model says (SPEC.md, section 3).

    A model of several inputs takes a frame for each, in the order of `model.inputs` or by name. An
    input of period n takes one at frames 0, n, 2n, ... since the reset, and None, or nothing, in
    between. One that is missing or too many raises ValueError, and says when the next one is due;
    then, as after any frame that does not fit, no input has changed.

    A push lets in Ctrl-C, what `micropython.schedule` has and `feed` about every 2**20
    multiply-accumulates, a tenth of a second on an RP2040; not inside a row of a map, and not if it
    runs in a hard interrupt itself. Should these, an interrupt or a thread push into the stream
    meanwhile, or reset it, that one gets a RuntimeError, and the frame under way is not harmed.
    Other streams are free. What Ctrl-C or another exception ends is in the middle of a frame: the
    outputs are those of the frame before, and the stream takes no frame before a reset. A native
    module lets them in where the package `motionlet` is imported, not `_motionlet` alone, and
    between ops only unless it has chains.

    Should an op fail, as it may when the file was changed after it was checked, RuntimeError names
    it. The outputs are then those of the frame before, and the stream takes no frame before a
    reset.
    """

    model: Model
    feed: Callable[[], Any] | None
    """Called whenever a push lets others in: a watchdog's. What it raises ends the push."""
    frames: int
    """Frames since the start or the last reset. After 2**30 - 1 it begins anew."""

    def push(self, *frames: Buffer | None, **by_name: Buffer | None) -> memoryview:
        """Run the model on the next frame; return the int8 values of its first output.

            stream.push(frame)
            stream.push(frame, level)               # of two inputs
            stream.push(image=frame, level=None)    # the second one is not due

        It is a read-only memoryview of typecode 'b', the same object each time, and shows the
        newest frame's values.
        """
    def trace(self, frame: Frames, crcs: array[int], /) -> memoryview:
        """Push, and write CRC-32s: of the input tensors, then of every op's output.

        Inputs that are not due and ops that do not run at this frame have 0.

        crcs: array('I') of len(model.inputs) + len(model.ops).
        """
    def profile(self, frame: Frames, times: array[int], /) -> memoryview:
        """Push, and write how long each op took, in microseconds.

        times: array('I') of len(model.ops).
        """
    def tap(self, frame: Frames, op: int, /) -> memoryview:
        """Push; return a copy of the output of op number `op`, or of an input tensor.

        op: -1 is the first input, -2 the second. Raises ValueError, and does not push, if it is not
            due at this frame.

        Allocates the copy, int8 values, before it pushes.
        """
    def reset(self) -> None:
        """Forget all frames, as if the stream were new. The outputs stay until the next push."""
    def argmax(self) -> int:
        """The lowest index among the largest values of the first output."""
    def scores(self, out: array[float] | None = None, /) -> list[float] | array[float]:
        """The first output as real numbers: scale * (q - zero_point).

        out: array('f') to fill and return; without, a new list is allocated.
        """
    def output(self, index: int, /) -> memoryview:
        """The values of one output, as `push` returns those of output 0."""

class FrameRing:
    """The last `count` maps of a stream, rotated by index and never moved."""

    def __init__(self, count: int, bytes: int, zero: int = 0, /) -> None:
        """Make a ring of `count` maps (0 to 4096) of `bytes` each, all filled with `zero`.

        zero: the zero point of what it holds: a past in which nothing was.
        """
    def push(self, map: Buffer, /) -> None:
        """Copy a map into the ring, over the oldest one."""
    def reset(self) -> None:
        """Fill all maps with `zero` again."""
    def __getitem__(self, age: int) -> memoryview:
        """The map pushed `age` pushes ago, 1 (the newest) to len(ring), as it lies in the ring.

        A push changes what the oldest one shows. Allocates the view.
        """
    def __len__(self) -> int:
        """The number of maps."""

# Kernels. Arguments up to `shift` may be given by position. They have the meaning and the limits
# that SPEC.md gives them:
#
#   shape       of x; by default (1, 1, len(x)) where no kernel slides over an image
#   bias        int32, one to an output channel: its length is the number of output channels
#   multiplier  int32, and shift: Buffer; one to an output channel; add: two multipliers
#   kernel, stride, dilation   (down, across), or one number for both
#   pad         zero-point rows above and columns left of the image, (top, left) or one number
#   out_shape   by default as many windows as fit when the image has `pad` on all four sides;
#               "same" padding of an even kernel or of a stride needs it said
#   in_zero, out_zero    zero points
#   act_min, act_max     bounds of the output; a ReLU is act_min = out_zero
#   weight_bits 8, or 4: then weights are -7 to 7, two in a byte. The K weights of an output channel
#               are a row of ceil(K / 2) bytes, in the order of the int8 weights: the first in the
#               low half of the first byte, the second in its high half, in two's complement. The
#               last high half of a row of odd K is 0.
#
# `out` may not overlap `x`; it may be `x` itself for add and the temporal kernels.

def conv2d(
    x: Buffer,
    weights: Buffer,
    bias: Buffer,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
    pad: int | tuple[int, int] = 0,
    out_shape: Shape | None = None,
    weight_bits: int = 8,
    in_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """2D convolution. weights [C_out, k_h, k_w, C_in]."""

def depthwise2d(
    x: Buffer,
    weights: Buffer,
    bias: Buffer,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
    pad: int | tuple[int, int] = 0,
    out_shape: Shape | None = None,
    in_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """2D convolution of each channel by itself. weights [k_h, k_w, C]."""

def pointwise(
    x: Buffer,
    weights: Buffer,
    bias: Buffer,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape | None = None,
    weight_bits: int = 8,
    in_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """1 x 1 convolution. weights [C_out, C_in]."""

def dense(
    x: Buffer,
    weights: Buffer,
    bias: Buffer,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape | None = None,
    weight_bits: int = 8,
    in_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """Fully connected layer on x as one vector. weights [C_out, H * W * C]."""

def temporal_depthwise(
    x: Buffer,
    past: FrameRing,
    weights: Buffer,
    bias: Buffer,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape | None = None,
    frames: int | None = None,
    frame_dilation: int = 1,
    in_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """Causal convolution along time, each element by itself. weights [frames, C], oldest first.

    past: FrameRing((frames - 1) * frame_dilation, len(x), in_zero); x is pushed into it.
    frames: by default what the weights are enough for.
    """

def temporal_shift(
    x: Buffer,
    past: Buffer,
    *,
    shape: Shape | None = None,
    shift_channels: int | None = None,
    out: Buffer | None = None,
) -> Buffer:
    """The first channels from the frame before, the others from x. A copy, no arithmetic.

    past: writable, [H, W, shift_channels], at first filled with the zero point; x's own first
        channels take their place there.
    shift_channels: by default what `past` has room for.
    """

def add(
    x: Buffer,
    x1: Buffer,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape | None = None,
    in_zero: int = 0,
    in1_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """Sum of two maps. multiplier: two int32, 0 to 2**22 - 1; shift: one, 1 to 23."""

def average_pool(
    x: Buffer,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    out_shape: Shape | None = None,
    in_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """Mean over windows inside the image. One multiplier and one shift hold the division."""

def max_pool2d(
    x: Buffer,
    *,
    shape: Shape,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
    pad: int | tuple[int, int] = 0,
    out_shape: Shape | None = None,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """Largest value of each window, of what of it lies inside the image."""

def temporal_average(
    x: Buffer,
    past: FrameRing,
    multiplier: Buffer,
    shift: Buffer,
    *,
    shape: Shape | None = None,
    frames: int | None = None,
    in_zero: int = 0,
    out_zero: int = 0,
    act_min: int = -128,
    act_max: int = 127,
    out: Buffer | None = None,
) -> Buffer:
    """Mean over the last `frames` maps. One multiplier and one shift hold the division.

    past: FrameRing(frames - 1, len(x), in_zero); x is pushed into it.
    """

def conv3d_separable(
    x: Buffer,
    past: FrameRing,
    spatial: dict[str, Any],
    temporal: dict[str, Any],
    pointwise: dict[str, Any],
    *,
    shape: Shape,
    out: Buffer | None = None,
) -> Buffer:
    """Separable 3D convolution: depthwise2d, temporal_depthwise, pointwise.

    spatial, temporal, pointwise: what those kernels take, as dicts without x, past, shape and out.
    past: the ring of `temporal`, whose maps are the output of `spatial`.
    """

def resize(
    x: Buffer,
    width: int | None = None,
    height: int | None = None,
    format: int | None = None,
    crop: Crop | None = None,
    *,
    shape: Shape,
    out: Buffer | None = None,
) -> Buffer:
    """A camera's frame as a map of 1 channel (gray) or 3 (R, G, B), values v - 128.

    The other arguments are those of Model.stream.
    """

def argmax(x: Buffer, /) -> int:
    """The lowest index among the largest int8 values of x."""

def crc32(data: Buffer, crc: int = 0, /) -> int:
    """CRC-32 as in zlib. Give the result back as `crc` to go on."""
