"""Models and streams in the C core, on numpy arrays."""

from dataclasses import dataclass

import numpy as np

from host_sdk.errors import MotionletError
from host_sdk.format import mlet as fmt
from host_sdk.golden.inputs import check_due, frame_by_frame, in_order
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


@dataclass(frozen=True)
class ModelInput:
    """An input of a `Model`. It takes a frame at frames 0, n, 2n, ... of period n."""

    name: str
    shape: tuple
    pixel_format: str
    period: int

    @property
    def sample_type(self):
        return {"raw": "int8", "int16": "int16"}.get(self.pixel_format, "uint8")


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
        self.inputs = [self._input(index) for index in range(self.struct.input_count)]
        self.output_shape = self._shape(lib.mlet_model_output(self.struct, 0))
        self.op_shapes = [
            self._shape(lib.mlet_model_op(self.struct, i).output) for i in range(self.op_count)
        ]

    @property
    def input(self):
        """The only input. Raises MotionletError when there are several."""
        if len(self.inputs) != 1:
            names = ", ".join(given.name for given in self.inputs)
            raise MotionletError(f"the model has {len(self.inputs)} inputs: {names}")
        return self.inputs[0]

    def _input(self, index):
        ffi, lib = library()
        code = lib.mlet_model_pixel_format(self.struct, index)
        tensor = lib.mlet_model_input(self.struct, index)
        name = ffi.string(lib.mlet_model_tensor(self.struct, tensor).name).decode()
        pixel_format = next(name for name, value in fmt.PIXEL_FORMATS.items() if value == code)
        period = lib.mlet_model_period(self.struct, index)
        return ModelInput(name, self._shape(tensor), pixel_format, period)

    def _shape(self, tensor):
        _, lib = library()
        shape = lib.mlet_model_tensor(self.struct, tensor).shape
        return (shape.height, shape.width, shape.channels)


class Stream:
    """One video's state.

    `push` takes the input tensor, int8 [height, width, channels], or samples of that shape (uint8,
    or int16 where the model takes these), which the C core normalizes as it does on a device. Of
    several inputs it takes what `golden.Stream.push` takes. `frames`: how many since the reset.
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
        self.frames = 0
        self._inputs = [
            self._view(lib.mlet_stream_input(self.struct, index), given.shape)
            for index, given in enumerate(model.inputs)
        ]
        self._output = self._view(lib.mlet_stream_output(self.struct, 0), model.output_shape)

    @staticmethod
    def _view(data, shape):
        ffi, _ = library()
        return np.frombuffer(ffi.buffer(data, int(np.prod(shape))), np.int8).reshape(shape)

    def due(self, index=0):
        """Return whether the next push takes a frame for an input."""
        _, lib = library()
        return lib.mlet_stream_due(self.struct, index)

    def reset(self):
        """Forget all frames."""
        _, lib = library()
        lib.mlet_stream_reset(self.struct)
        self.frames = 0

    def push(self, frame):
        """Run one frame; return the first output, int8 [height, width, channels], a copy."""
        ffi, _ = library()
        self.normalize(frame)
        self._run(ffi.NULL)
        return self._output.copy()

    def output(self):
        """Return the first output as it is now, a copy."""
        return self._output.copy()

    def push_trace(self, frame):
        """Run one frame; return the output of every op, in order; None for one that did not run."""
        ffi, _ = library()
        self.normalize(frame)
        outputs = [bytearray() for _ in range(self.model.op_count)]

        @ffi.callback("mlet_status_t(void *, uint16_t, const int8_t *, uint32_t)")
        def hook(_context, op, output, size):
            outputs[op] += ffi.buffer(output, size)  # a whole map, or a row of a chain
            return 0

        self._run(hook)
        return [
            np.frombuffer(output, np.int8).reshape(shape) if output else None
            for output, shape in zip(outputs, self.model.op_shapes, strict=True)
        ]

    def _run(self, hook):
        ffi, lib = library()
        status = lib.mlet_stream_run(self.struct, hook, ffi.NULL)
        if status:
            raise MotionletError(STATUS[status])
        self.frames += 1

    def normalize(self, frame):
        """Put the next frame, int8 or samples, into the input tensor; return a copy of that.

        Of what push takes for several inputs, the copies are a list.
        """
        frames = in_order([given.name for given in self.model.inputs], frame)
        for index, (given, x) in enumerate(zip(self.model.inputs, frames, strict=True)):
            check_due(given.name, given.period, self.frames, x)
            if x is not None:
                frames[index] = x = np.asarray(x)
                kinds = list(dict.fromkeys((given.sample_type, "int8")))
                if x.dtype not in kinds or x.size != int(np.prod(given.shape)):
                    name = f" of input {given.name!r}" if len(frames) > 1 else ""
                    raise MotionletError(
                        f"frame{name} is {x.dtype} {x.shape}, the model takes "
                        f"{' or '.join(kinds)} {given.shape}"
                    )
        tensors = [None if x is None else self._put(index, x) for index, x in enumerate(frames)]
        return tensors if isinstance(frame, list | tuple | dict) else tensors[0]

    def _put(self, index, x):
        given, tensor = self.model.inputs[index], self._inputs[index]
        if x.dtype != np.int8:
            height, width, _ = given.shape
            return self.load_frame(x.tobytes(), given.pixel_format, width, height, index=index)
        tensor[...] = x.reshape(tensor.shape)
        return tensor.copy()

    def load_frame(self, pixels, frame_format, width, height, crop=None, index=0):
        """Turn the next frame of a camera into input tensor `index`; return a copy of that.

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
        pixel_format = fmt.PIXEL_FORMATS[self.model.inputs[index].pixel_format]
        if lib.mlet_frame_check(frame, pixel_format, tensor.shape, field):
            raise MotionletError(f"a frame's {ffi.string(field[0]).decode()} does not fit")
        if len(pixels) != lib.mlet_frame_bytes(frame):
            needed = lib.mlet_frame_bytes(frame)
            raise MotionletError(f"frame has {len(pixels)} bytes, {width}x{height} needs {needed}")
        check_due(
            self.model.inputs[index].name, self.model.inputs[index].period, self.frames, frame
        )
        content = ffi.from_buffer("uint8_t[]", pixels)
        if lib.mlet_stream_frame(self.struct, index, frame, content):
            raise MotionletError("the frame holds too many NaN")
        return self._inputs[index].copy()


def run_clip(model, clip):
    """Stream a clip [T, H, W, C] of int8 or of samples from a reset state; return all outputs.

    Of several inputs, it takes what `golden.run_clip` takes.
    """
    stream = Stream(model)
    names, periods = zip(*((given.name, given.period) for given in model.inputs), strict=True)
    return np.stack([stream.push(frame) for frame in frame_by_frame(names, list(periods), clip)])
