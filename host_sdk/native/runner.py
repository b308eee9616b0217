"""Models and streams in the C core, on numpy arrays."""

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
        self.pixel_format = next(
            name
            for name, code in fmt.PIXEL_FORMATS.items()
            if code == lib.mlet_model_pixel_format(self.struct, 0)
        )
        self.input_shape = self._shape(lib.mlet_model_input(self.struct, 0))
        self.output_shape = self._shape(lib.mlet_model_output(self.struct, 0))
        self.op_shapes = [
            self._shape(lib.mlet_model_op(self.struct, i).output) for i in range(self.op_count)
        ]

    def _shape(self, tensor):
        _, lib = library()
        shape = lib.mlet_model_tensor(self.struct, tensor).shape
        return (shape.height, shape.width, shape.channels)


class Stream:
    """One video's state.

    `push` takes the input tensor, int8 [height, width, channels], or samples of that shape (uint8,
    or int16 where the model takes these), which the C core normalizes as it does on a device.
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
        size = int(np.prod(model.input_shape))
        self._input = np.frombuffer(
            ffi.buffer(lib.mlet_stream_input(self.struct, 0), size), np.int8
        ).reshape(model.input_shape)
        size = int(np.prod(model.output_shape))
        self._output = np.frombuffer(
            ffi.buffer(lib.mlet_stream_output(self.struct, 0), size), np.int8
        ).reshape(model.output_shape)

    def reset(self):
        """Forget all frames."""
        _, lib = library()
        lib.mlet_stream_reset(self.struct)

    def push(self, frame):
        """Run one frame; return the first output, int8 [height, width, channels], a copy."""
        ffi, lib = library()
        self.normalize(frame)
        status = lib.mlet_stream_run(self.struct, ffi.NULL, ffi.NULL)
        if status:
            raise MotionletError(STATUS[status])
        return self._output.copy()

    def push_trace(self, frame):
        """Run one frame; return the output of every op, in order."""
        ffi, lib = library()
        self.normalize(frame)
        outputs = [bytearray() for _ in range(self.model.op_count)]

        @ffi.callback("mlet_status_t(void *, uint16_t, const int8_t *, uint32_t)")
        def hook(_context, op, output, size):
            outputs[op] += ffi.buffer(output, size)  # a whole map, or a row of a chain
            return 0

        status = lib.mlet_stream_run(self.struct, hook, ffi.NULL)
        if status:
            raise MotionletError(STATUS[status])
        return [
            np.frombuffer(output, np.int8).reshape(shape)
            for output, shape in zip(outputs, self.model.op_shapes, strict=True)
        ]

    def normalize(self, frame):
        """Put the next frame, int8 or samples, into the input tensor; return a copy of that."""
        frame, pixel_format = np.asarray(frame), self.model.pixel_format
        samples = {"raw": "int8", "int16": "int16"}.get(pixel_format, "uint8")
        if frame.dtype not in ("int8", samples) or frame.size != self._input.size:
            raise MotionletError(
                f"frame is {frame.dtype} {frame.shape}, the model takes {samples} or int8 "
                f"{self.model.input_shape}"
            )
        if frame.dtype != np.int8:
            height, width, _ = self.model.input_shape
            return self.load_frame(frame.tobytes(), pixel_format, width, height)
        self._input[...] = frame.reshape(self._input.shape)
        return self._input.copy()

    def load_frame(self, pixels, frame_format, width, height, crop=None):
        """Turn the next frame of a camera into the input tensor; return a copy of that.

        Takes what `golden.frame_to_samples` takes; crops, resizes and normalizes in C.
        """
        ffi, lib = library()
        frame = ffi.new("mlet_frame_t *")
        frame.format, frame.width, frame.height = fmt.FRAME_FORMATS[frame_format], width, height
        crop = crop or (0, 0, width, height)
        frame.crop_x, frame.crop_y, frame.crop_width, frame.crop_height = crop
        model = self.model.struct
        tensor = lib.mlet_model_tensor(model, lib.mlet_model_input(model, 0))
        field = ffi.new("const char **")
        pixel_format = fmt.PIXEL_FORMATS[self.model.pixel_format]
        if lib.mlet_frame_check(frame, pixel_format, tensor.shape, field):
            raise MotionletError(f"a frame's {ffi.string(field[0]).decode()} does not fit")
        if len(pixels) != lib.mlet_frame_bytes(frame):
            needed = lib.mlet_frame_bytes(frame)
            raise MotionletError(f"frame has {len(pixels)} bytes, {width}x{height} needs {needed}")
        if lib.mlet_stream_frame(self.struct, frame, ffi.from_buffer("uint8_t[]", pixels)):
            raise MotionletError("the frame holds a NaN")
        return self._input.copy()


def run_clip(model, clip):
    """Stream a clip [T, H, W, C] of int8 or of samples from a reset state; return all outputs."""
    stream = Stream(model)
    return np.stack([stream.push(frame) for frame in clip])
