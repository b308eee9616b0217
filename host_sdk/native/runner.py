"""Models and streams in the C core, on numpy arrays."""

import math

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format import mlet as fmt
from host_sdk.native.core_library import library

# What mlet_status_t says, in words.
STATUS = {
    -1: "a needed pointer is NULL",
    -2: "a layer breaks SPEC.md",
    -3: "the file is not a model",
    -4: "memory is too small or not aligned",
    -5: "a frame's description breaks SPEC.md",
    -6: "this build of the core leaves it out",
}


def aligned(size):
    """Return a zeroed int8 array of `size` bytes that starts on a multiple of ALIGN."""
    raw = np.zeros(size + fmt.ALIGN, np.int8)
    start = -raw.ctypes.data % fmt.ALIGN
    return raw[start : start + size]


def pointer(array, c_type):
    ffi, _ = library()
    return ffi.cast(c_type, array.ctypes.data)


class Model:
    """An `.mlet` file opened by the C loader.

    Raises MotionletError that names the record and the field when the file is refused.
    """

    def __init__(self, data):
        ffi, lib = library()
        self.data = aligned(len(data))
        self.data[:] = np.frombuffer(data, np.int8)
        self.struct = ffi.new("mlet_model_t *")
        error = ffi.new("mlet_error_t *")
        file = pointer(self.data, "void *")
        status = lib.mlet_model_open(self.struct, file, len(data), error)
        if status in (lib.MLET_E_FILE, lib.MLET_E_BUILD):
            record, field = (ffi.string(text).decode() for text in (error.record, error.field))
            place = record if record == "header" else f"{record} {error.index}"
            if status == lib.MLET_E_FILE:
                raise MotionletError(f"not a Motionlet model: {place}: {field}")
            what = ffi.string(lib.mlet_model_lacks(self.struct, error)).decode()
            raise MotionletError(f"{place}: {what} is not in this build")
        if status:
            raise MotionletError(STATUS[status])
        self.stream_bytes = lib.mlet_stream_bytes(self.struct)
        self.op_count = self.struct.op_count
        names = {code: name for name, code in fmt.PIXEL_FORMATS.items()}
        inputs = range(self.struct.input_count)
        self.inputs = [self._tensor(lib.mlet_model_input(self.struct, i))[0] for i in inputs]
        self.input_shapes = [self._shape(lib.mlet_model_input(self.struct, i)) for i in inputs]
        self.pixel_formats = [names[lib.mlet_model_pixel_format(self.struct, i)] for i in inputs]
        self.pixel_format, self.input_shape = self.pixel_formats[0], self.input_shapes[0]
        self.output_shape = self._shape(lib.mlet_model_output(self.struct, 0))
        self.op_shapes = [
            self._shape(lib.mlet_model_op(self.struct, i).output) for i in range(self.op_count)
        ]

    def _tensor(self, index):
        ffi, lib = library()
        tensor = lib.mlet_model_tensor(self.struct, index)
        shape = tensor.shape
        return ffi.string(tensor.name).decode(errors="replace"), (
            shape.height,
            shape.width,
            shape.channels,
        )

    def _shape(self, index):
        return self._tensor(index)[1]


class Stream:
    """One video's state.

    `push` takes the input tensor, int8 [height, width, channels], or samples of that shape (uint8,
    or int16 where the model takes these), which the C core normalizes as it does on a device. For
    several inputs it takes a list, or {name: frame}; an input that is not due has None or nothing.
    """

    def __init__(self, model):
        ffi, lib = library()
        self.model = model
        self.memory = aligned(model.stream_bytes)
        self.struct = ffi.new("mlet_stream_t *")
        memory = pointer(self.memory, "void *")
        status = lib.mlet_stream_init(self.struct, model.struct, memory, model.stream_bytes)
        if status:
            raise MotionletError(STATUS[status])
        self._inputs = [
            self._view(lib.mlet_stream_input(self.struct, i), shape)
            for i, shape in enumerate(model.input_shapes)
        ]
        self._output = self._view(lib.mlet_stream_output(self.struct, 0), model.output_shape)

    def _view(self, pointer, shape):
        ffi, _ = library()
        return np.frombuffer(ffi.buffer(pointer, math.prod(shape)), np.int8).reshape(shape)

    def due(self, index=0):
        """Return whether the next push takes a frame for an input."""
        _, lib = library()
        return lib.mlet_stream_due(self.struct, index)

    def reset(self):
        """Forget all frames."""
        _, lib = library()
        lib.mlet_stream_reset(self.struct)

    def push(self, frame):
        """Run one frame; return the first output, int8 [height, width, channels], a copy."""
        ffi, lib = library()
        self._fill(frame)
        status = lib.mlet_stream_run(self.struct, ffi.NULL, ffi.NULL)
        if status:
            raise MotionletError(STATUS[status])
        return self._output.copy()

    def output(self):
        """Return the first output as it is now, a copy."""
        return self._output.copy()

    def push_trace(self, frame):
        """Run one frame; return the output of every op, in order; None of one that did not run."""
        ffi, lib = library()
        self._fill(frame)
        outputs = [bytearray() for _ in range(self.model.op_count)]

        @ffi.callback("mlet_status_t(void *, uint16_t, const int8_t *, uint32_t)")
        def hook(_context, op, output, size):
            outputs[op] += ffi.buffer(output, size)  # a whole map, or a row of a chain
            return 0

        status = lib.mlet_stream_run(self.struct, hook, ffi.NULL)
        if status:
            raise MotionletError(STATUS[status])
        return [
            np.frombuffer(output, np.int8).reshape(shape) if output else None
            for output, shape in zip(outputs, self.model.op_shapes, strict=True)
        ]

    def _fill(self, frames):
        """Put frames into the inputs that are due."""
        names = self.model.inputs
        if isinstance(frames, dict):
            if unknown := frames.keys() - set(names):
                raise MotionletError(f"no input {min(unknown)!r}; there is: {', '.join(names)}")
            frames = [frames.get(name) for name in names]
        elif len(names) == 1:
            frames = [frames]
        if len(frames) != len(names):
            raise MotionletError(f"{len(frames)} frames, the model has {len(names)} inputs")
        for index, (name, frame) in enumerate(zip(names, frames, strict=True)):
            if (frame is not None) != self.due(index):
                state = "is not due" if frame is not None else "is due, and missing"
                raise MotionletError(f"the frame of input {name!r} {state}")
        for index, frame in enumerate(frames):
            if frame is not None:
                self.normalize(frame, index)

    def normalize(self, frame, index=0):
        """Put the next frame, int8 or samples, into an input tensor; return a copy of that."""
        frame, pixel_format = np.asarray(frame), self.model.pixel_formats[index]
        shape, tensor = self.model.input_shapes[index], self._inputs[index]
        samples = {"raw": "int8", "int16": "int16"}.get(pixel_format, "uint8")
        if frame.dtype not in ("int8", samples) or frame.size != tensor.size:
            raise MotionletError(
                f"frame is {frame.dtype} {frame.shape}, the model takes {samples} or int8 {shape}"
            )
        if frame.dtype != np.int8:
            height, width, _ = shape
            return self.load_frame(frame.tobytes(), pixel_format, width, height, index=index)
        tensor[...] = frame.reshape(shape)
        return tensor.copy()

    def load_frame(self, pixels, frame_format, width, height, crop=None, index=0):
        """Turn the next frame of a camera into an input tensor; return a copy of that.

        Takes what `golden.frame_to_samples` takes; crops, resizes and normalizes in C.
        """
        ffi, lib = library()
        frame = ffi.new("mlet_frame_t *")
        frame.format, frame.width, frame.height = fmt.FRAME_FORMATS[frame_format], width, height
        crop = crop or (0, 0, width, height)
        frame.crop_x, frame.crop_y, frame.crop_width, frame.crop_height = crop
        model = self.model.struct
        tensor = lib.mlet_model_tensor(model, lib.mlet_model_input(model, index))
        field = ffi.new("const char **")
        pixel_format = fmt.PIXEL_FORMATS[self.model.pixel_formats[index]]
        if lib.mlet_frame_check(frame, pixel_format, tensor.shape, field):
            raise MotionletError(f"a frame's {ffi.string(field[0]).decode()} does not fit")
        if len(pixels) != lib.mlet_frame_bytes(frame):
            needed = lib.mlet_frame_bytes(frame)
            raise MotionletError(f"frame has {len(pixels)} bytes, {width}x{height} needs {needed}")
        if not self.due(index):
            raise MotionletError(f"the frame of input {self.model.inputs[index]!r} is not due")
        if lib.mlet_stream_frame(self.struct, index, frame, ffi.from_buffer("uint8_t[]", pixels)):
            raise MotionletError("the frame holds a NaN")
        return self._inputs[index].copy()


def run_clip(model, clip):
    """Stream a clip [T, H, W, C] of int8 or of samples from a reset state; return all outputs."""
    stream = Stream(model)
    return np.stack([stream.push(frame) for frame in clip])
