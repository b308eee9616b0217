"""What the tests on the device share. It lies beside the vectors, in the directory VECTORS."""

import struct

DIRECTORY = __file__.rsplit("/", 1)[0]
PACKED = ("", "_m0", "_s3")  # by target
CASE = "<6H5bx8B5H4H"  # see tools/make_vectors.py, which wrote the vectors
CASE_FIELDS = (
    "height width channels out_height out_width out_channels in_zero in1_zero out_zero "
    "act_min act_max kernel_h kernel_w stride_h stride_w dilation_h dilation_w pad_top pad_left "
    "frames frame_dilation shift_channels clip inputs bias multiplier shift weights"
)


def path(name):
    return DIRECTORY + "/" + name


def model_path(name):
    """The file of a model of the vectors, in a form that this build reads.

    All builds read the portable one, but native modules with tuned kernels.
    """
    import motionlet

    return path(name + ".mlet") if hasattr(motionlet, "conv2d") else packed_path(name)


def packed_path(name):
    """The file of a model of the vectors, as packed for the target of this build."""
    import motionlet

    return path(name + PACKED[motionlet.TARGET] + ".mlet")


def need_kernels():
    """Skip the script where the kernels cannot be called one by one: in a native module."""
    import motionlet

    if not hasattr(motionlet, "conv2d"):
        raise Skip("no kernels one by one")


def need_clock():
    """Skip the script on a port without the module time, such as QEMU's."""
    try:
        import time  # noqa: F401
    except ImportError:
        raise Skip("no clock") from None


class Skip(Exception):
    """This build lacks what a script tests."""


def read(name):
    """A file of vectors as a memoryview; where a ROMFS has it, without a copy."""
    with open(path(name), "rb") as file:
        try:
            return memoryview(file)
        except TypeError:
            return memoryview(file.read())


def raises(error, text, function, *args, **kwargs):
    """Assert that a call raises exactly `error`, and says `text`."""
    try:
        function(*args, **kwargs)
    except Exception as raised:
        if type(raised) is not error or text not in str(raised):
            raise AssertionError("wanted {}: {!r}; got {!r}".format(error, text, raised)) from None
    else:
        raise AssertionError("nothing raised; wanted {}: {!r}".format(error, text))


def on_odd_address(values):
    """A view of the same bytes inside a larger buffer."""
    whole = bytearray(len(values) + 7)
    whole[3 : 3 + len(values)] = values
    return memoryview(whole)[3 : 3 + len(values)]


def int4_rows(weights, channels):
    """Weights of -7 to 7, one row to an output channel, two to a byte as SPEC.md has them."""
    taps = len(weights) // channels
    rows = bytearray()
    for start in range(0, len(weights), taps):
        row = [weights[start + i] & 15 for i in range(taps)] + [0]
        rows.extend(bytes(row[i] | row[i + 1] << 4 for i in range(0, taps, 2)))
    return rows


class Reader:
    """Takes values and arrays from a file, one after the other."""

    def __init__(self, name, magic):
        self.data = read(name)
        self.at = 4
        assert bytes(self.data[:4]) == magic, name

    def unpack(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def array(self, count, padded=True):
        """`count` bytes, and the zeros behind them."""
        values = self.data[self.at : self.at + count]
        self.at += (count + 3) // 4 * 4 if padded else count
        return values


def op_cases(kind):
    """The cases of an op's vectors: dicts of CASE_FIELDS, with arrays in the place of counts,
    and `x`, `y`: lists of inputs and expected output for each frame."""
    reader = Reader(kind + ".vec", b"MVEC")
    _, count = reader.unpack("<BxH")
    for _ in range(count):
        case = dict(zip(CASE_FIELDS.split(), reader.unpack(CASE)))
        case["shape"] = case["height"], case["width"], case["channels"]
        case["out_shape"] = case["out_height"], case["out_width"], case["out_channels"]
        for name, size in (("bias", 4), ("multiplier", 4), ("shift", 1), ("weights", 1)):
            case[name] = reader.array(case[name] * size)
        case["x"] = _frames(reader, case["clip"], case["inputs"], case["shape"])
        case["y"] = [y for (y,) in _frames(reader, case["clip"], 1, case["out_shape"])]
        yield case


def _frames(reader, clip, count, shape):
    size = shape[0] * shape[1] * shape[2]
    values = reader.array(clip * count * size)
    return [
        [values[(t * count + i) * size : (t * count + i + 1) * size] for i in range(count)]
        for t in range(clip)
    ]


def model_trace(name):
    """The clip of a model, and for each frame the CRC-32s of its input and of every op's output."""
    reader = Reader(name + ".trace", b"MTRC")
    frames, ops, size = reader.unpack("<HHI")
    clip, crcs = [], []
    for _ in range(frames):
        clip.append(reader.array(size, padded=False))
        crcs.append(list(reader.unpack("<{}I".format(ops + 1))))
    return clip, crcs


def inputs_trace(name, inputs):
    """The same of a model of several inputs: frames are tuples, None for one that is not due.

    `inputs`: (bytes of a frame, period) of each.
    """
    reader = Reader(name + ".trace", b"MTRC")
    frames, ops, _ = reader.unpack("<HHI")
    clip, crcs = [], []
    for t in range(frames):
        clip.append(
            tuple([reader.array(n, padded=False) if t % p == 0 else None for n, p in inputs])
        )
        crcs.append(list(reader.unpack("<{}I".format(len(inputs) + ops))))
    return clip, crcs
